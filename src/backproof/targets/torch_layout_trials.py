"""Layouts of cotangents and inputs in memory, which must change nothing that a function of tensors makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from backproof.targets.findings import Finding
from backproof.targets.source import in_one_line
from backproof.targets.torch_calls import ROUNDINGS, Calls, largest, strided
from backproof.targets.torch_layouts import LAYOUTS, by_memory, contiguous, laid_out, possible
from backproof.targets.torch_leaves import Tensor, overlaps

NUDGES = 64.0
"""By how many times what last digits of the inputs do the results of two layouts may differ."""


class LayoutTrials:
    """The same numbers in other layouts."""

    def __init__(self, calls: Calls) -> None:
        self.calls, self._refused = calls, list[Finding]()

    def of_cotangents(self) -> Iterator[Finding]:
        """The gradients of cotangents with the same numbers, in another layout and contiguous."""
        with self.calls.guarded():
            first = self.calls.run()
            shapes = first.outputs if first else ()
            names = [name for name in LAYOUTS if any(possible(name, y) for y in shapes)]
            found = {name: self._with_cotangents(name) for name in names}
            words = "the backward pass is wrong for cotangents that are"
            yield from self.calls.joined("layout of the cotangent", words, found)

    def _with_cotangents(self, name: str) -> str:
        """What is wrong with cotangents in a layout."""
        first = self.calls.run_anew()
        given = [laid_out(name, g) for g in self.calls.cotangents(first.outputs)]
        base = first.back([contiguous(g) for g in given])
        return self.calls.difference(base, lambda: self.calls.run_anew().back(given))

    def of_inputs(self) -> Iterator[Finding]:
        """Outputs and gradients of inputs with the same numbers, in another layout and contiguous."""
        with self.calls.guarded():
            found = {name: self._with_inputs(name) for name in LAYOUTS}
            words = "outputs or gradients are wrong for inputs that are"
            yield from self.calls.joined("layout of the inputs", words, found)
            yield from self._refused

    def _with_inputs(self, name: str) -> str:
        """What is wrong with inputs in a layout."""
        given, moving = self.calls.inputs(), self.calls.passes.moving
        if not any(possible(name, given[k]) for k in moving):
            return ""
        other = [laid_out(name, x) if k in moving else x for k, x in enumerate(given)]
        plain = [contiguous(x) if k in moving else x for k, x in enumerate(other)]
        # What rounding does at these numbers, which may be ill-conditioned: by inputs that differ in it.
        nudged = [self._nudged(x) if k in moving else x for k, x in enumerate(plain)]
        try:
            base, beside = self._results(plain, other), self._results(nudged, other)
            shared = any(
                x.layout == self.calls.torch.strided and overlaps(x) for x in (other[k] for k in moving)
            )
            terms = self._results(plain, plain) if shared else base  # the terms of sums
        except Exception:  # numbers that were changed may lie outside its domain
            return ""
        try:
            self.calls.at(other)
        except Exception as error:
            words = f"those that are {name} are refused: {in_one_line(error)}"
            self._refused.append(Finding("layout of the inputs", words, wrong=False))
            return ""
        slack = [
            NUDGES * largest(a - b) + ROUNDINGS * self.calls.torch.finfo(a.dtype).eps * largest(c)
            for a, b, c in zip(base, beside, terms, strict=True)
        ]
        return self.calls.difference(base, lambda: self._results(other, other), slack)

    def _results(self, inputs: Sequence[Any], shared: Sequence[Any]) -> list[Tensor]:
        """The outputs, and the gradients summed over entries that share memory in some inputs."""
        found = self.calls.at(inputs)
        if found is None:
            return []
        leaves = [shared[k] for k in self.calls.passes.moving]
        derivatives = zip(found.back(self.calls.cotangents(found.outputs)), leaves, strict=True)
        summed = [by_memory(strided(g), x) for g, x in derivatives]
        return [*(strided(y) for y in found.outputs), *summed]

    def _nudged(self, tensor: Tensor) -> Tensor:
        """The same numbers but for some last digits."""
        if tensor.layout != self.calls.torch.strided:
            return tensor.detach().clone()
        signs = self.calls.cotangents([tensor])[0].real.sign()
        return tensor.detach() * (1 + 2 * self.calls.torch.finfo(tensor.dtype).eps * signs)
