"""Calls of a function of tensors at the user's own point, and how two ways of the same call are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.targets.adapters import library
from backproof.targets.container import leaves_of
from backproof.targets.findings import Finding
from backproof.targets.source import defined_at, in_one_line
from backproof.targets.torch_graph import custom_functions, gradients
from backproof.targets.torch_leaves import Tensor
from backproof.targets.torch_passes import TorchPasses

ROUNDINGS = 2.0**10
"""Of the largest gradient of all inputs, by which two ways of the same sum may differ anywhere."""


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
        return tuple(defined(g, x) for g, x in zip(found, self.leaves, strict=True))


class Calls:
    """A function of tensors, called as often as trials ask for it; its state is put back each time.

    Args:
        seed: of the cotangents, which are drawn.
    """

    def __init__(self, passes: TorchPasses, seed: int) -> None:
        self.passes, self.seed = passes, seed
        self.torch = library("torch")

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Within, gradients are recorded; afterwards buffers and gradients are as they were."""
        with self.torch.enable_grad(), self.passes.kept.put_back():
            yield

    def inputs(self) -> list[Any]:
        """The inputs as the user gave them, as tensors of their own."""
        return self.passes.tensors(self.passes.arrays)

    def run(self) -> Pass | None:
        """F at the user's point; None where no output depends on an input."""
        return self.at(self.inputs())

    def run_anew(self) -> Pass:
        """The same, of a function of which an output was seen to depend on one."""
        found = self.run()
        assert found is not None
        return found

    def back_anew(self, cotangents: Sequence[Any]) -> tuple[Tensor, ...]:
        """The gradients of cotangents, by a call of its own."""
        return self.run_anew().back(cotangents)

    def at(self, inputs: Sequence[Any]) -> Pass | None:
        """F at some inputs; None where no output depends on one."""
        leaves = [x.detach().requires_grad_() if k in self.passes.moving else x for k, x in enumerate(inputs)]
        found = leaves_of(self.passes.outputs(leaves))
        outputs = tuple(y for y in found if self.is_tensor(y) and y.requires_grad)
        return Pass(outputs, tuple(leaves[k] for k in self.passes.moving)) if outputs else None

    def cotangents(self, outputs: Sequence[Tensor], number: int = 0) -> list[Tensor]:
        """Drawn ones of sizes from 0.5 to 1 and either sign; `number` tells several apart."""
        generator = np.random.default_rng((self.seed, number))
        found = []
        for y in outputs:
            drawn = generator.uniform(0.5, 1, y.shape) * generator.choice([-1.0, 1.0], y.shape)
            drawn = drawn + 1j * generator.uniform(0.5, 1, y.shape) if y.is_complex() else drawn
            found.append(self.torch.as_tensor(np.asarray(drawn)).to(y))
        return found

    @cached_property
    def _scale(self) -> float:
        """How large gradients are for usual cotangents: for special ones they may cancel to rounding."""
        found = self.run()
        return max(map(largest, found.back(self.cotangents(found.outputs)))) if found else 0.0

    def is_tensor(self, part: Any) -> bool:
        """Whether it is a tensor."""
        return isinstance(part, self.torch.Tensor)

    def joined(self, name: str, words: str, found: Mapping[str, str]) -> Iterator[Finding]:
        """One finding of all layouts in which something is wrong."""
        wrong = [f"{layout} ({how})" for layout, how in found.items() if how]
        if wrong:
            yield Finding(name, f"{words} {', '.join(wrong)}{self._places()}")

    def compared(
        self, name: str, words: str, base: Sequence[Tensor], again: Callable[[], Sequence[Tensor]]
    ) -> Iterator[Finding]:
        """Whether another way leads to the same tensors."""
        how = self.difference(base, again)
        if how:
            yield Finding(name, f"{words}: {how}{self._places()}")

    def difference(
        self,
        base: Sequence[Tensor],
        again: Callable[[], Sequence[Tensor]],
        slack: Sequence[float] | None = None,
    ) -> str:
        """How what another way leads to differs from what should be; empty where it does not.

        Args:
            slack: by how much each tensor may differ in any case.
        """
        if not all(bool(self.torch.isfinite(strided(b)).all()) for b in base):
            return ""  # there is nothing to compare with
        try:
            found = again()
        except FunctionError as error:
            return str(error)
        except Exception as error:
            return f"raises {in_one_line(error)}"
        most = max((self._scale, *map(largest, base)))
        for number, (a, b) in enumerate(zip(found, base, strict=True)):
            if a.shape != b.shape:
                return f"number {number + 1} has shape {tuple(a.shape)}, not {tuple(b.shape)}"
            apart = largest(strided(a) - strided(b))
            unit = self.torch.finfo(b.dtype).eps / 2
            own = max(largest(a), largest(b))
            allowed = slack[number] if slack else 0.0
            if not apart <= max(unit**0.5 * own, ROUNDINGS * unit * most, allowed):
                return f"off by {apart:.2g}" if np.isfinite(apart) else "not finite"
        return ""

    def _places(self) -> str:
        """Where the custom functions behind the outputs are defined."""
        with self.guarded():
            found = self.run()
        functions = custom_functions(found.outputs) if found else []
        if not functions:
            return ""
        return f" ({'; '.join(defined_at(each.backward) for each in functions[:3])})"


def strided(tensor: Tensor) -> Tensor:
    """A dense tensor of the same numbers, without a graph."""
    return tensor.detach() if tensor.layout == library("torch").strided else tensor.detach().to_dense()


def largest(tensor: Tensor) -> float:
    """The largest size of its numbers; 0 of an empty one."""
    found = strided(tensor).abs()
    return float(found.max()) if found.numel() else 0.0


def defined(gradient: Any, like: Tensor) -> Tensor:
    """A gradient; zeros for None."""
    return library("torch").zeros_like(strided(like)) if gradient is None else gradient
