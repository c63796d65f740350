"""Functions in PyTorch as functions over NumPy arrays, with the derivatives that PyTorch makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.targets.adapters import library
from backproof.targets.container import ArrayTree, Stack, leaves_of, mapped
from backproof.targets.findings import Trial
from backproof.targets.function import Function
from backproof.targets.jvp import jvp
from backproof.targets.leaves import Fixed
from backproof.targets.source import UserFunction, defined_at, named_as, shown_as
from backproof.targets.torch_graph import gradients
from backproof.targets.torch_leaves import Dense, Leaf, array_of_tensor, leaf_of_tensor
from backproof.targets.torch_passes import TorchPasses
from backproof.targets.torch_state import GradMode, Kept
from backproof.targets.vector import Rows
from backproof.targets.vjp import argument_names, vjp


def torch_function(f: Any, w: ArrayTree, args: Sequence[Any]) -> Function:
    """f(W, *args) → a tensor of one element, or a module with such an output.

    A module's W are its parameters, by name; `w` is then None, or the values to check it at.

    Raises:
        FunctionError: if PyTorch is not installed, or W is no container of floating tensors.
    """
    torch = library("torch")
    given = tuple(_data(torch, a) for a in args)
    loss, w = loss_of(f), parameters_of(f, w)

    parts = leaves_of(w)
    leaves, kept = [_leaf(torch, part) for part in parts], Kept(f, args)

    def placed(values: ArrayTree) -> ArrayTree:
        places = iter(leaves)
        return mapped(lambda part: _placed(torch, next(places), part), values)

    mode = GradMode()

    @shown_as(loss)
    def value(values: ArrayTree, *more: Any) -> Any:
        def run() -> Any:
            with kept.put_back():
                return _plain(torch, loss(placed(values), *_tensors(torch, more)))

        return mode.run(run)

    def together(stacks: Sequence[Stack | Fixed]) -> list[Any]:
        pairs = [_stacked(torch, leaf, part) for leaf, part in zip(leaves, stacks, strict=True)]
        tensors, axes = zip(*pairs, strict=True)

        def one(*each: Any) -> Any:
            found = iter(each)
            return loss(mapped(lambda _: next(found), w), *_tensors(torch, given))

        with torch.no_grad(), kept.put_back():
            return [array_of_tensor(torch.func.vmap(one, axes)(*tensors))]

    @shown_as(loss)
    def gradient(values: ArrayTree, *more: Any) -> Any:
        with torch.enable_grad(), kept.put_back():
            tensors = placed(values)
            found = loss(tensors, *_tensors(torch, more))
            if not isinstance(found, torch.Tensor) or not found.requires_grad:
                return mapped(_zeros, values)  # the loss does not depend on W
            moved = [t for t in leaves_of(tensors) if getattr(t, "requires_grad", False)]
            derivatives = iter(gradients((found,), (torch.ones_like(found),), moved))
        pairs = iter(zip(leaves, leaves_of(tensors), strict=True))
        return mapped(lambda _: _gradient_of(*next(pairs), derivatives), tensors)

    numbers = iter(leaves)
    arrays = mapped(lambda part: _array(torch, next(numbers), part), w)
    return Function(arrays, given, f=value, df=gradient, together=together)


def torch_vjp(
    passes: TorchPasses,
    trials: Sequence[Trial] = (),
    *,
    cotangents: Any = None,
    generator: np.random.Generator,
) -> Rows:
    """The products of cotangents with the Jacobian of a function of tensors, as PyTorch makes them.

    Raises:
        FunctionError: if the function or a backward pass does what no such function does.
    """
    shown = named_as(passes.function, names_of(passes))
    forward, backward = shown(passes.forward), shown(passes.backward)
    rows = vjp(
        forward, backward, passes.arrays, cotangents=cotangents, together=passes.together,
        backward_of_all=passes.backward_of_all, generator=generator,
    )  # fmt: skip
    return _with_remarks(rows, passes, trials)


def parameters_of(f: Any, w: ArrayTree) -> ArrayTree:
    """W, or a module's parameters by name where none is given."""
    if w is None and isinstance(f, library("torch").nn.Module):
        return {name: p for name, p in f.named_parameters() if p.requires_grad}
    return w


def loss_of(f: Any) -> UserFunction:
    """(W, *args) → the loss, also of a module."""
    torch = library("torch")
    loss: UserFunction = _of_module(torch, f) if isinstance(f, torch.nn.Module) else f
    return loss


def pulled_by_torch(f: UserFunction, inputs: Any, cotangent: Any) -> Any:
    """The gradients of tensors of any precision, by PyTorch; None of what has none."""
    torch = library("torch")

    def leaf(part: Any) -> Any:
        return part.requires_grad_() if isinstance(part, torch.Tensor) and part.is_floating_point() else part

    with torch.enable_grad(), Kept(f, leaves_of(inputs)).put_back():
        leaves = mapped(leaf, inputs)
        moved = [x for x in leaves_of(leaves) if getattr(x, "requires_grad", False)]
        pairs = zip(leaves_of(f(*leaves)), leaves_of(cotangent), strict=True)
        usable = [(y, g) for y, g in pairs if getattr(y, "requires_grad", False)]
        found: Sequence[Any] = [None] * len(moved)
        if usable:
            outputs, upstream = zip(*usable, strict=True)
            found = gradients(outputs, upstream, moved)
    by_leaf = dict(zip(map(id, moved), found, strict=True))
    return mapped(lambda x: _gradient_or_zeros(torch, x, by_leaf.get(id(x))), leaves)


def _gradient_or_zeros(torch: Any, leaf: Any, gradient: Any) -> Any:
    if not getattr(leaf, "requires_grad", False):
        return None
    return torch.zeros_like(leaf) if gradient is None else gradient


def torch_jvp(passes: TorchPasses, trials: Sequence[Trial] = (), *, generator: np.random.Generator) -> Rows:
    """The products of the Jacobian with tangents, as PyTorch's forward mode makes them.

    Raises:
        FunctionError: if the function or its forward mode does what no such function does.
    """
    shown = named_as(passes.function, names_of(passes))
    forward, pushforward = shown(passes.forward), shown(passes.pushforward)
    rows = jvp(forward, pushforward, passes.arrays, generator=generator)
    return _with_remarks(rows, passes, trials)


def _with_remarks(rows: Rows, passes: TorchPasses, trials: Sequence[Trial]) -> Rows:
    for name in passes.kept.changed:
        where = defined_at(passes.function)
        rows.note(f"{where}: changes the buffer {name}, which is put back after each call")
    rows.trials += trials
    return rows


def names_of(passes: TorchPasses) -> tuple[str, ...]:
    """The names of the inputs whose arrays are checked."""
    function, context = passes.function, 0
    if getattr(function, "__name__", "") == "apply" and hasattr(function, "__self__"):
        custom = function.__self__
        function, context = custom.forward, int("setup_context" not in vars(custom))
    names = argument_names(function, passes.count + context)[context:]
    return tuple(names[k] for k in passes.moving) if passes.differentiable else names


def torch_module(make: UserFunction, seed: int, precision: str, **given: Any) -> Any:
    """A module whose weights are drawn from a seed, in a precision.

    Raises:
        FunctionError: if PyTorch has no such precision.
    """
    torch = library("torch")
    dtype = getattr(torch, precision, None)
    if dtype is None:
        raise FunctionError(f"precision: PyTorch has no {precision}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make(**given).to(dtype)


def _of_module(torch: Any, module: Any) -> UserFunction:
    @shown_as(type(module).forward)
    def loss(values: dict[str, Any], *more: Any) -> Any:
        return torch.func.functional_call(module, values, more)

    return loss


def _leaf(torch: Any, part: Any) -> Leaf | None:
    """How to move a part of W, where it holds numbers that have a derivative."""
    if isinstance(part, np.ndarray) and part.dtype.kind in "fc":
        part = torch.tensor(part)
    moves = isinstance(part, torch.Tensor) and (part.is_floating_point() or part.is_complex())
    return leaf_of_tensor(part, masked=True) if moves else None


def _placed(torch: Any, leaf: Leaf | None, part: Any) -> Any:
    """A tensor that has a gradient where an array is one of numbers that have one."""
    if leaf is None:
        return torch.tensor(part) if isinstance(part, np.ndarray) else part
    return leaf.tensor(part, requires_grad=True)


def _stacked(torch: Any, leaf: Leaf | None, part: Stack | Fixed) -> tuple[Any, int | None]:
    """A part of W at many points as `vmap` takes it, and along which axis the points lie."""
    if leaf is None or isinstance(part, Fixed):
        return (_placed(torch, leaf, part.value) if isinstance(part, Fixed) else part.values), None
    if not isinstance(leaf, Dense):
        raise NotImplementedError("a sparse input")
    return leaf.stack(part.values), 0


def _zeros(part: Any) -> Any:
    return np.zeros_like(part) if isinstance(part, np.ndarray) and part.dtype.kind in "fc" else None


def _gradient_of(leaf: Leaf | None, tensor: Any, derivatives: Iterator[Any]) -> Any:
    """As an array; None of what is no tensor or holds whole numbers."""
    if leaf is None:
        return None
    gradient = next(derivatives)
    return np.zeros_like(leaf.array(tensor)) if gradient is None else leaf.array(gradient)


def _array(torch: Any, leaf: Leaf | None, part: Any) -> Any:
    if leaf is not None and isinstance(part, torch.Tensor):
        return leaf.array(part)
    return array_of_tensor(part) if isinstance(part, torch.Tensor) else part


def _data(torch: Any, argument: Any) -> Any:
    """An argument as NumPy's array where it is data: then its precision can be changed together with W's."""
    plain = (
        isinstance(argument, torch.Tensor) and not argument.requires_grad and argument.device.type == "cpu"
    )
    return argument.numpy() if plain and argument.layout == torch.strided else argument


def _tensors(torch: Any, arguments: Sequence[Any]) -> list[Any]:
    return [torch.as_tensor(a) if isinstance(a, np.ndarray) else a for a in arguments]


def _plain(torch: Any, found: Any) -> Any:
    """A scalar as NumPy's, its precision kept."""
    return np.asarray(found.detach().cpu()) if isinstance(found, torch.Tensor) else found
