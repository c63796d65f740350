"""Functions in PyTorch as functions over NumPy arrays, with the derivatives that PyTorch makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backproof.targets.adapters import library
from backproof.targets.container import ArrayTree, leaves_of, mapped
from backproof.targets.function import Function
from backproof.targets.leaves import FunctionError
from backproof.targets.source import UserFunction, shown_as


def torch_function(f: Any, w: ArrayTree, args: Sequence[Any]) -> Function:
    """f(W, *args) → a tensor of one element, or a module with such an output.

    A module's W are its parameters, by name; `w` is then None, or the values to check it at.

    Raises:
        FunctionError: if PyTorch is not installed, or W is no container of floating tensors.
    """
    torch = library("torch")
    given = tuple(_data(torch, a) for a in args)
    loss: UserFunction = f
    if isinstance(f, torch.nn.Module):
        loss = _of_module(torch, f)
        w = {name: p for name, p in f.named_parameters() if p.requires_grad} if w is None else w

    @shown_as(loss)
    def value(values: ArrayTree, *more: Any) -> Any:
        with torch.no_grad():
            return _plain(torch, loss(_in_torch(torch, values), *_tensors(torch, more)))

    @shown_as(loss)
    def gradient(values: ArrayTree, *more: Any) -> Any:
        leaves = mapped(lambda part: _leaf(torch, part), values)
        found = loss(leaves, *_tensors(torch, more))
        if not isinstance(found, torch.Tensor) or not found.requires_grad:
            return mapped(_zeros, values)  # the loss does not depend on W
        found.backward()
        return mapped(_gradient_of, leaves)

    return Function(mapped(lambda part: _array(torch, part), w), given, f=value, df=gradient)


def torch_passes(f: UserFunction, inputs: Sequence[Any]) -> tuple[UserFunction, UserFunction, ArrayTree]:
    """A function of tensors that returns tensors, its backward pass, and the inputs, all over NumPy's arrays.

    Raises:
        FunctionError: if PyTorch is not installed.
    """
    torch = library("torch")

    @shown_as(f)
    def forward(*arrays: Any) -> Any:
        with torch.no_grad():
            return mapped(lambda part: _array(torch, part), f(*_in_torch(torch, arrays)))

    @shown_as(f)
    def backward(cotangent: Any, *arrays: Any) -> Any:
        leaves = mapped(lambda part: _leaf(torch, part), arrays)
        found, upstream = leaves_of(f(*leaves)), leaves_of(_in_torch(torch, cotangent))
        pairs = [(y, g) for y, g in zip(found, upstream, strict=True) if getattr(y, "requires_grad", False)]
        if not pairs:
            return mapped(_zeros, arrays)  # the outputs do not depend on the inputs
        torch.autograd.backward(*zip(*pairs, strict=True))
        return mapped(_gradient_of, leaves)

    return forward, backward, mapped(lambda part: _array(torch, part), tuple(inputs))


def pulled_by_torch(f: UserFunction, inputs: Any, cotangent: Any) -> Any:
    """The gradients of tensors of any precision, by PyTorch; None of what has none."""
    torch = library("torch")

    def leaf(part: Any) -> Any:
        return part.requires_grad_() if isinstance(part, torch.Tensor) and part.is_floating_point() else part

    leaves = mapped(leaf, inputs)
    pairs = zip(leaves_of(f(*leaves)), leaves_of(cotangent), strict=True)
    usable = [(y, g) for y, g in pairs if getattr(y, "requires_grad", False)]
    if usable:
        torch.autograd.backward(*zip(*usable, strict=True))
    return mapped(lambda x: _gradient_or_zeros(torch, x), leaves)


def _gradient_or_zeros(torch: Any, leaf: Any) -> Any:
    if not getattr(leaf, "requires_grad", False):
        return None
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def _in_torch(torch: Any, values: ArrayTree) -> ArrayTree:
    return mapped(lambda part: torch.tensor(part) if isinstance(part, np.ndarray) else part, values)


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


def _leaf(torch: Any, part: Any) -> Any:
    """A tensor that has a gradient where an array is one of numbers that have one."""
    if not isinstance(part, np.ndarray):
        return part
    return torch.tensor(part, requires_grad=part.dtype.kind in "fc")


def _zeros(part: Any) -> Any:
    return np.zeros_like(part) if isinstance(part, np.ndarray) and part.dtype.kind in "fc" else None


def _gradient_of(leaf: Any) -> Any:
    """As an array; None of what is no tensor or holds whole numbers."""
    if not getattr(leaf, "requires_grad", False):
        return None
    return (
        np.zeros(tuple(leaf.shape)) if leaf.grad is None else leaf.grad.detach().cpu().resolve_conj().numpy()
    )


def _array(torch: Any, part: Any) -> Any:
    return part.detach().cpu().numpy().copy() if isinstance(part, torch.Tensor) else part


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
