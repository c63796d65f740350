"""Networks of one batch whose clips or backward rules differ in more than numbers.

What a network computes before its loss is the same for all of them, and so is the update. The loss and the
backward pass are gone through part by part: neighbours along the leading axis that have both in common.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from backproof.network.arrays import Array, Weights
from backproof.network.clips import Clip, Eps
from backproof.network.problem import Forward, Problem
from backproof.network.rules import Backward, BackwardRule


@dataclass(frozen=True)
class Part:
    """Neighbours in a batch of networks.

    Attributes:
        cells: where they are along the leading axis, from a start to a stop.
        rule: relu_at_zero may be an array (cells of the part, 1, 1).
    """

    cells: slice
    clip: Clip
    rule: BackwardRule

    @property
    def number(self) -> int:
        """How many there are."""
        return int(self.cells.stop - self.cells.start)


@dataclass(frozen=True)
class Parts:
    """All networks of a batch, in order; used as the `BackwardRule` of the batch would be.

    A network's numbers are the same, bit for bit, in whatever part and batch it is.

    Raises:
        ValueError: if the first part does not start at 0, or another one where that before it stops.
    """

    parts: Sequence[Part]

    def __post_init__(self) -> None:
        stops = [0, *(part.cells.stop for part in self.parts)]
        if any(part.cells.start != stop for part, stop in zip(self.parts, stops, strict=False)):
            raise ValueError("the parts of a batch must follow one another, from the first network on")

    @property
    def number(self) -> int:
        """How many networks there are."""
        return sum(part.number for part in self.parts)

    def with_loss_scale(self, loss_scale: float) -> Parts:
        """The same with another loss scale."""
        return Parts([replace(p, rule=replace(p.rule, loss_scale=loss_scale)) for p in self.parts])

    @property
    def clips(self) -> list[Clip]:
        """The clip of each network."""
        return [part.clip for part in self.parts for _ in range(part.number)]

    @cached_property
    def clip(self) -> Clip:
        """One clip for the whole batch, which does with each part what the part's own does.

        Where they differ, its functions take arrays with the batch's leading axis, and an eps (cells, 1, 1);
        its `edges` raise a NotImplementedError, since each part has its own.
        """
        first = self.parts[0].clip
        if all(part.clip == first for part in self.parts):
            return first
        return Clip(
            "several",
            "each network's own",
            self._each("prepare"),
            self._each("prepare_derivative"),
            self._each("log"),
            self._each("log_derivative"),
            _no_edges_of_several,
            any(part.clip.uses_eps for part in self.parts),
        )

    def _each(self, name: str) -> Callable[[Array, Eps], Array]:
        def each(q: Array, eps: Eps) -> Array:
            found, eps = np.empty_like(q), np.asarray(eps)
            for part in self.parts:
                found[part.cells] = getattr(part.clip, name)(q[part.cells], eps[part.cells])
            return found

        return each

    @cached_property
    def is_exact(self) -> bool:
        """Whether it gives the numbers of `faultless`, bit for bit."""
        return all(part.rule.is_exact for part in self.parts)

    @cached_property
    def faultless(self) -> BackwardRule:
        """The chain rule for the whole batch; see `BackwardRule.faultless`."""
        each = [np.broadcast_to(p.rule.relu_at_zero, (p.number, 1, 1)) for p in self.parts]
        return replace(self.parts[0].rule.faultless, relu_at_zero=np.concatenate(each))

    def backward(self, problem: Problem, forward: Forward, weights: Weights) -> Backward:
        """The backward pass of each network by its own rule.

        Args:
            problem: of the whole batch, as are `forward` and `weights`; with `clip` in it.
        """
        if len(self.parts) == 1:
            return self.parts[0].rule.backward(problem, forward, weights)
        found = [_backward_of(part, problem, forward, weights) for part in self.parts]
        return Backward(_joined([each.deltas for each in found]), _joined([each.gradients for each in found]))


def _no_edges_of_several(_eps: Array) -> tuple[Array, ...]:
    raise NotImplementedError("the clips of a batch switch at edges of their own")


def _backward_of(part: Part, problem: Problem, forward: Forward, weights: Weights) -> Backward:
    def mine(arrays: Sequence[Array]) -> list[Array]:
        return [a[part.cells] for a in arrays]

    inputs, targets, eps = mine([problem.inputs, problem.targets, np.asarray(problem.eps)])
    outputs, terms, loss = mine([forward.outputs, forward.terms, forward.loss])
    return part.rule.backward(
        replace(problem, inputs=inputs, targets=targets, clip=part.clip, eps=eps),
        Forward(mine(forward.inputs), mine(forward.pre_activations), outputs, terms, loss),
        mine(weights),
    )


def _joined(parts: Sequence[Sequence[Array]]) -> list[Array]:
    """Arrays of each part, layer by layer, as arrays of the batch."""
    return [np.concatenate(layer) for layer in zip(*parts, strict=True)]
