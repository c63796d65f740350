"""Ways in which a backward pass of PyTorch must not matter: layouts, undefined cotangents, batches, types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from backproof.targets.adapters import library
from backproof.targets.container import leaves_of
from backproof.targets.findings import Finding
from backproof.targets.leaves import FunctionError
from backproof.targets.source import defined_at, in_one_line
from backproof.targets.torch_graph import custom_functions, gradients, nodes_of
from backproof.targets.torch_layouts import LAYOUTS, by_memory, contiguous, laid_out, possible
from backproof.targets.torch_leaves import Tensor
from backproof.targets.torch_passes import TorchPasses

ROUNDINGS = 2.0**10
"""Of the largest gradient of all inputs, by which two ways of the same sum may differ anywhere."""

NUDGES = 64.0
"""By how many times what last digits of the inputs do the results of two layouts may differ."""

BATCH = 3
"""Cotangents, or tangents, at a time."""


@dataclass(frozen=True)
class Pass:
    """One call of F: what it returned, and on which tensors a gradient depends."""

    outputs: tuple[Tensor, ...]
    leaves: tuple[Tensor, ...]

    def back(self, cotangents: Sequence[Any]) -> tuple[Tensor, ...]:
        """The gradients of Σ cotangent · output; an output whose cotangent is None is left out."""
        pairs = [(y, g) for y, g in zip(self.outputs, cotangents, strict=True) if g is not None]
        outputs, given = zip(*pairs, strict=True)
        found = gradients(outputs, given, self.leaves)
        return tuple(_defined(g, x) for g, x in zip(found, self.leaves, strict=True))


class Trials:
    """The trials of a function; each is made at the user's own point.

    Args:
        seed: of the cotangents, which are drawn.
    """

    def __init__(self, passes: TorchPasses, seed: int) -> None:
        self.passes, self.seed = passes, seed
        self._torch = library("torch")
        self._refused: list[Finding] = []

    # --- layouts

    def layouts_of_cotangents(self) -> Iterator[Finding]:
        """The gradients of cotangents with the same numbers, in another layout and contiguous."""
        with self._calls():
            found = {name: self._with_cotangents(name) for name in LAYOUTS}
            words = "the backward pass is wrong for cotangents that are"
            yield from self._joined("layout of the cotangent", words, found)

    def _with_cotangents(self, name: str) -> str:
        """What is wrong with cotangents in a layout."""
        first = self._pass()
        if first is None or not any(possible(name, y) for y in first.outputs):
            return ""
        given = [laid_out(name, g) for g in self._cotangents(first.outputs)]
        base = first.back([contiguous(g) for g in given])
        return self._difference(base, lambda: self._pass_anew().back(given))

    def layouts_of_inputs(self) -> Iterator[Finding]:
        """Outputs and gradients of inputs with the same numbers, in another layout and contiguous."""
        with self._calls():
            found = {name: self._with_inputs(name) for name in LAYOUTS}
            words = "outputs or gradients are wrong for inputs that are"
            yield from self._joined("layout of the inputs", words, found)
            yield from self._refused

    def _with_inputs(self, name: str) -> str:
        """What is wrong with inputs in a layout."""
        given, moving = self._inputs(), self.passes.moving
        if not any(possible(name, given[k]) for k in moving):
            return ""
        other = [laid_out(name, x) if k in moving else x for k, x in enumerate(given)]
        plain = [contiguous(x) if k in moving else x for k, x in enumerate(other)]
        # What rounding does at these numbers, which may be ill-conditioned: by inputs that differ in it.
        nudged = [self._nudged(x) if k in moving else x for k, x in enumerate(plain)]
        try:
            base, beside, terms = (
                self._results(plain, other),
                self._results(nudged, other),
                self._results(plain, plain),
            )
        except Exception:  # numbers that were changed may lie outside its domain
            return ""
        try:
            self._at(other)
        except Exception as error:
            words = f"those that are {name} are refused: {in_one_line(error)}"
            self._refused.append(Finding("layout of the inputs", words, wrong=False))
            return ""
        slack = [
            NUDGES * _largest(a - b) + ROUNDINGS * self._torch.finfo(a.dtype).eps * _largest(c)
            for a, b, c in zip(base, beside, terms, strict=True)
        ]
        return self._difference(base, lambda: self._results(other, other), slack)

    def _results(self, inputs: Sequence[Any], shared: Sequence[Any]) -> list[Tensor]:
        """The outputs, and the gradients summed over entries that share memory in some inputs."""
        found = self._at(inputs)
        if found is None:
            return []
        leaves = [shared[k] for k in self.passes.moving]
        derivatives = zip(found.back(self._cotangents(found.outputs)), leaves, strict=True)
        summed = [by_memory(_strided(g), x) for g, x in derivatives]
        return [*(_strided(y) for y in found.outputs), *summed]

    def _nudged(self, tensor: Tensor) -> Tensor:
        """The same numbers but for some last digits."""
        if tensor.layout != self._torch.strided:
            return tensor.detach().clone()
        signs = self._cotangents([tensor])[0].real.sign()
        return tensor.detach() * (1 + 2 * self._torch.finfo(tensor.dtype).eps * signs)

    # --- undefined cotangents

    def undefined_cotangents(self) -> Iterator[Finding]:
        """An output that nothing depends on has no cotangent, which means 0: of each alone, and of all."""
        with self._calls():
            first = self._pass()
            if first is None:
                return
            given = self._cotangents(first.outputs)
        count = len(given)
        without = [{k} for k in range(count)] if count > 1 else []
        without += [set(range(count)) - {k} for k in range(count)] if count > 2 else []
        for left_out in without:
            with self._calls():
                zeros = [self._torch.zeros_like(g) if k in left_out else g for k, g in enumerate(given)]
                fewer = [None if k in left_out else g for k, g in enumerate(given)]
                back = partial(self._back_anew, fewer)
                names = ", ".join(f"number {k + 1}" for k in sorted(left_out))
                words = f"the gradient is not that of a zero cotangent where output {names} has none"
                base = self._back_anew(zeros)
                yield from self._compared("undefined cotangent", words, base, back)
        yield from self._all_undefined(given)

    def _all_undefined(self, given: Sequence[Tensor]) -> Iterator[Finding]:
        """Of a node behind which no cotangent is defined, the gradient is 0."""

        def back() -> tuple[Tensor, ...]:
            found = self._pass_anew()
            undefine = self._torch._C._functions.UndefinedGrad()
            return Pass(tuple(undefine(y) for y in found.outputs), found.leaves).back(given)

        with self._calls():
            leaves = self._pass_anew().leaves
            zeros = tuple(self._torch.zeros_like(contiguous(_strided(x))) for x in leaves)
            words = "the gradient is not 0 where no output has a cotangent"
            yield from self._compared("undefined cotangent", words, zeros, back)

    # --- what depends on what

    def dependence(self) -> Iterator[Finding]:
        """Outputs that depend on no input by the graph, and inputs on which no output depends."""
        where, label = defined_at(self.passes.function), "no dependence"
        with self._calls():
            tensors = self._inputs()
            outputs = [y for y in leaves_of(self.passes.outputs(tensors)) if self._is_tensor(y)]
            moved = [tensors[k] for k in self.passes.moving]
            usable = [y for y in outputs if y.requires_grad]
            cotangents = self._cotangents(usable)
            found = gradients(usable, cotangents, moved) if usable else ()
        for number, y in enumerate(outputs):
            if not y.requires_grad and (y.is_floating_point() or y.is_complex()):
                words = f"{where}: output number {number + 1} depends on no input by PyTorch's graph"
                yield Finding(label, f"{words}; is it detached, or made outside of PyTorch?", wrong=False)
        for k, gradient in zip(self.passes.moving, found, strict=False):
            if gradient is None:
                words = f"{where}: no output depends on its input number {k + 1} by PyTorch's graph"
                yield Finding(label, words, wrong=False)

    # --- batches

    def batched_cotangents(self) -> Iterator[Finding]:
        """The gradients of several cotangents at a time, as of a Jacobian, and of one after the other."""
        with self._calls():
            first = self._pass()
            if first is None:
                return
            given = [self._cotangents(first.outputs, k) for k in range(BATCH)]
            one_by_one = [self._pass_anew().back(each) for each in given]
            base = tuple(self._torch.stack(parts) for parts in zip(*one_by_one, strict=True))
            stacked = tuple(self._torch.stack(parts) for parts in zip(*given, strict=True))

            def back() -> tuple[Any, ...]:
                found = self._pass_anew()
                batch = gradients(found.outputs, stacked, found.leaves, is_grads_batched=True)
                return tuple(_defined(g, x) for g, x in zip(batch, base, strict=True))

            yield from self._compared(
                "batched gradient", "wrong for several cotangents at a time", base, back
            )

    def batched_tangents(self) -> Iterator[Finding]:
        """The tangents of the outputs along several tangents at a time, and along one after the other."""
        from torch._vmap_internals import _vmap

        with self._calls():
            inputs = self._inputs()
            for number in self.passes.moving:
                moves = self._cotangents([inputs[number]] * BATCH)
                along = [self._along(inputs, number, v) for v in moves]
                base = tuple(self._torch.stack(parts) for parts in zip(*along, strict=True))

                def batch(number: int = number, moves: Sequence[Tensor] = moves) -> tuple[Tensor, ...]:
                    stacked = self._torch.stack(list(moves))
                    found: tuple[Tensor, ...] = _vmap(partial(self._along, inputs, number))(stacked)
                    return found

                words = f"wrong for several tangents of input number {number + 1} at a time"
                yield from self._compared("batched forward gradient", words, base, batch)

    def _along(self, inputs: Sequence[Any], number: int, tangent: Tensor) -> tuple[Tensor, ...]:
        forward_mode = self._torch.autograd.forward_ad
        with forward_mode.dual_level():
            moved = list(inputs)
            moved[number] = forward_mode.make_dual(inputs[number].detach(), tangent)
            outputs = leaves_of(self.passes.outputs(moved))
            pairs = [(y, forward_mode.unpack_dual(y).tangent) for y in outputs if self._is_tensor(y)]
            return tuple(self._torch.zeros_like(y) if v is None else v for y, v in pairs)

    # --- types

    def types_of_gradients(self) -> Iterator[Finding]:
        """The precision of what custom backward passes return, before the engine casts it to the input's."""
        with self._calls():
            first = self._pass()
            if first is None:
                return
            expected = {type(node)._forward_cls: _types_of(node) for node in nodes_of(first.outputs)
                        if hasattr(type(node), "_forward_cls")}  # fmt: skip
            with _recorded(custom_functions(first.outputs)) as returned:
                first.back(self._cotangents(first.outputs))
        for function, found in returned:
            where = defined_at(function.backward)
            for number, (is_type, wanted) in enumerate(zip(found, expected[function], strict=False)):
                if is_type is not None and wanted is not None and is_type != wanted:
                    words = f"gradient number {number} is {_plain(is_type)}, and its input {_plain(wanted)}"
                    yield Finding(
                        "type of a gradient",
                        f"{where}: {words}",
                    )

    # --- pieces

    @contextmanager
    def _calls(self) -> Iterator[None]:
        with self._torch.enable_grad(), self.passes.kept.put_back():
            yield

    def _inputs(self) -> list[Any]:
        return self.passes.tensors(self.passes.arrays)

    def _pass(self) -> Pass | None:
        return self._at(self._inputs())

    def _pass_anew(self) -> Pass:
        found = self._pass()
        assert found is not None
        return found

    def _back_anew(self, cotangents: Sequence[Any]) -> tuple[Tensor, ...]:
        return self._pass_anew().back(cotangents)

    def _at(self, inputs: Sequence[Any]) -> Pass | None:
        """F at some inputs; None where no output depends on one."""
        leaves = [x.detach().requires_grad_() if k in self.passes.moving else x for k, x in enumerate(inputs)]
        found = leaves_of(self.passes.outputs(leaves))
        outputs = tuple(y for y in found if self._is_tensor(y) and y.requires_grad)
        return Pass(outputs, tuple(leaves[k] for k in self.passes.moving)) if outputs else None

    def _cotangents(self, outputs: Sequence[Tensor], number: int = 0) -> list[Tensor]:
        generator = np.random.default_rng((self.seed, number))
        found = []
        for y in outputs:
            drawn = generator.uniform(0.5, 1, y.shape) * generator.choice([-1.0, 1.0], y.shape)
            drawn = drawn + 1j * generator.uniform(0.5, 1, y.shape) if y.is_complex() else drawn
            found.append(self._torch.as_tensor(np.asarray(drawn)).to(y))
        return found

    @cached_property
    def _scale(self) -> float:
        """How large gradients are for usual cotangents: for special ones they may cancel to rounding."""
        found = self._pass()
        return max(map(_largest, found.back(self._cotangents(found.outputs)))) if found else 0.0

    def _is_tensor(self, part: Any) -> bool:
        return isinstance(part, self._torch.Tensor)

    def _joined(self, name: str, words: str, found: Mapping[str, str]) -> Iterator[Finding]:
        """One finding of all layouts in which something is wrong."""
        wrong = [f"{layout} ({how})" for layout, how in found.items() if how]
        if wrong:
            yield Finding(name, f"{words} {', '.join(wrong)}{self._places()}")

    def _compared(
        self, name: str, words: str, base: Sequence[Tensor], again: Callable[[], Sequence[Tensor]]
    ) -> Iterator[Finding]:
        """Whether another way leads to the same tensors."""
        how = self._difference(base, again)
        if how:
            yield Finding(name, f"{words}: {how}{self._places()}")

    def _difference(
        self,
        base: Sequence[Tensor],
        again: Callable[[], Sequence[Tensor]],
        slack: Sequence[float] | None = None,
    ) -> str:
        """How what another way leads to differs from what should be; empty where it does not.

        Args:
            slack: by how much each tensor may differ in any case.
        """
        if not all(bool(self._torch.isfinite(_strided(b)).all()) for b in base):
            return ""  # there is nothing to compare with
        try:
            found = again()
        except FunctionError as error:
            return str(error)
        except Exception as error:
            return f"raises {in_one_line(error)}"
        largest = max((self._scale, *map(_largest, base)))
        for number, (a, b) in enumerate(zip(found, base, strict=True)):
            if a.shape != b.shape:
                return f"number {number + 1} has shape {tuple(a.shape)}, not {tuple(b.shape)}"
            apart = _largest(_strided(a) - _strided(b))
            unit = self._torch.finfo(b.dtype).eps / 2
            own = max(_largest(a), _largest(b))
            allowed = slack[number] if slack else 0.0
            if not apart <= max(unit**0.5 * own, ROUNDINGS * unit * largest, allowed):
                return f"off by {apart:.2g}" if np.isfinite(apart) else "not finite"
        return ""

    def _places(self) -> str:
        """Where the custom functions behind the outputs are defined."""
        with self._calls():
            found = self._pass()
        functions = custom_functions(found.outputs) if found else []
        if not functions:
            return ""
        return f" ({'; '.join(defined_at(each.backward) for each in functions[:3])})"


def _strided(tensor: Tensor) -> Tensor:
    return tensor.detach() if tensor.layout == library("torch").strided else tensor.detach().to_dense()


def _largest(tensor: Tensor) -> float:
    found = _strided(tensor).abs()
    return float(found.max()) if found.numel() else 0.0


def _defined(gradient: Any, like: Tensor) -> Tensor:
    return library("torch").zeros_like(_strided(like)) if gradient is None else gradient


def _plain(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _types_of(node: Any) -> list[Any]:
    """The types of a custom node's inputs, None of those that have no gradient."""
    found = []
    for following, number in node.next_functions:
        metadata = getattr(following, "_input_metadata", None)
        found.append(metadata[number].dtype if metadata else None)
    return found


@contextmanager
def _recorded(functions: Sequence[Any]) -> Iterator[list[tuple[Any, list[Any]]]]:
    """Within, the types of what these functions' backward passes return are written down."""
    returned: list[tuple[Any, list[Any]]] = []
    passes = {function: function.__dict__.get("backward") for function in functions}

    def recorder(function: Any) -> Any:
        backward = function.backward

        def recording(ctx: Any, *cotangents: Any) -> Any:
            found = backward(ctx, *cotangents)
            parts = found if isinstance(found, tuple) else (found,)
            returned.append((function, [getattr(part, "dtype", None) for part in parts]))
            return found

        return recording

    try:
        for function, own in passes.items():
            if own is not None:
                function.backward = staticmethod(recorder(function))
        yield returned
    finally:
        for function, own in passes.items():
            if own is not None:
                function.backward = own
