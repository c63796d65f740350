"""What the differences of a function from outside say of its gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from backproof.estimates.kink_steps import balanced_steps, lengthened_steps, noise_of_values
from backproof.estimates.one_sided import Kinked
from backproof.estimates.record import EntryStatus, Mask
from backproof.estimates.steps import wide
from backproof.network.arrays import Array
from backproof.targets.function import Function
from backproof.targets.layout import Index
from backproof.targets.layout import Tensor as Part
from backproof.verdicts.causes import Cause, Departure, Explanation, explained_by
from backproof.verdicts.comparison import Comparison
from backproof.verdicts.fit import Error, Known, first_fit
from backproof.verdicts.gradient_candidates import Project, Tensor, multiples_of
from backproof.verdicts.known_terms import arrays_of
from backproof.verdicts.residuals import parts_of, shared_by_all
from backproof.verdicts.shape import shape_of, where_wrong
from backproof.verdicts.structures import NOT_IDENTIFIED
from backproof.verdicts.subgradients import Joint, joint_standing

SMALL = 1e-4
"""The relative error up to which a gradient may be right by nature only to so many digits."""


@dataclass(frozen=True)
class FunctionEvidence:
    """The gradient of a function compared with an estimate of its coordinates."""

    function: Function
    analytic: Array
    comparison: Comparison

    def of(self, function: Function, analytic: Array, round_off: Array) -> FunctionEvidence:
        """A gradient in lower precision compared with the same estimate; `round_off` is what that may do."""
        selected = self.comparison.estimate.index
        comparison = self.comparison.of(analytic[selected], round_off[selected])
        return FunctionEvidence(function, analytic, comparison)

    @property
    def precision(self) -> str:
        """The precision of the parameters."""
        return str(self.function.dtype)

    def joint(self) -> Joint | None:
        """What the kinks that are touched say together."""
        estimate = self.comparison.estimate
        touched = np.flatnonzero(estimate.touched)
        if len(touched) < 2:
            return None
        value, start = self.function.value_near, self.function.start
        steps = balanced_steps(estimate, start, touched, lengthened_steps(estimate, value, start, touched))
        noise = noise_of_values(estimate)
        kinked = Kinked(value, start, estimate.index[touched], steps, noise=noise)
        return joint_standing(self.comparison, kinked)

    def doubt(self) -> Cause:
        """How many parameters lie among kinks that no step separates."""
        count = int(np.count_nonzero(self.comparison.open))
        return Cause("not resolved", f"{count} parameters, among kinks that their steps do not separate")

    @property
    def named(self) -> bool:
        """Whether nothing is wrong, or all that is wrong has a name."""
        if not self.comparison.wrong.any():
            return True
        return not any(cause.name == NOT_IDENTIFIED for cause in self.explain().causes)

    def explain(self) -> Explanation:
        """The structure of what is wrong in each tensor."""
        return self._explanation

    @cached_property
    def _explanation(self) -> Explanation:
        found = explained_by(list(self._departures()), self.comparison)
        found = shared_by_all(found, len(self.function.layout.tensors))
        if any("not identified" not in cause.name for cause in found.causes):
            return found
        return replace(found, causes=(*found.causes, *_small(self.comparison)))

    def _departures(self) -> Iterator[Departure]:
        here, estimate = self.comparison, self.comparison.estimate
        tensors = self._tensors()
        for tensor, part, members in zip(tensors, estimate.layout.tensors, estimate.members, strict=True):
            there = np.zeros(len(here.wrong), bool)
            there[members] = here.wrong[members]
            if not there.any():
                continue
            parts = parts_of(tensor, tensors)
            for known, mask in parts:
                mine = there.copy()
                if len(parts) > 1:  # then every entry was measured
                    mine[members[~mask]] = False
                if mine.any():
                    yield self._departure(part, known, mine)

    def _departure(self, part: Part, known: Known | None, there: Mask) -> Departure:
        """Some wrong entries of a tensor, with their name, or else with their place and shape."""
        here, estimate = self.comparison, self.comparison.estimate
        if known is None:
            flat = np.zeros(part.size, bool)
            flat[part.offset(estimate.index[there])] = True
            words = self._shape(part.shape, flat, there) + self._in_common(there)
            known = Known(NOT_IDENTIFIED, words)
        moved = np.where(there, here.analytic - estimate.value, 0)
        return Departure(known.name, ": ".join(filter(None, (part.name, known.detail))), 0, moved)

    def _shape(self, shape: tuple[int, ...], wrong: Mask, there: Mask) -> str:
        """Where the wrong entries of a tensor lie, and what shape their error has."""
        if len(shape) != 2:
            return where_wrong(wrong.reshape(shape))
        here, estimate = self.comparison, self.comparison.estimate
        gap, tolerance = np.zeros(wrong.size), np.zeros(wrong.size)
        gap[wrong] = (here.analytic - estimate.value)[there]
        tolerance[wrong] = estimate.bound[there]
        return shape_of(gap.reshape(shape), tolerance.reshape(shape))

    def _in_common(self, wrong: Mask) -> str:
        """What the wrong entries have in common with the right ones: a factor, zeros, a plateau."""
        here, estimate = self.comparison, self.comparison.estimate
        a, n = here.analytic[wrong], estimate.value[wrong]
        if estimate.touched[wrong].all():
            return "; there a kink is touched, and the value lies outside the derivatives around it"
        if estimate.has(EntryStatus.FLAT)[wrong].all():
            return "; there the loss does not change at all, and the gradient is not zero"
        if not a.any():
            return "; there the gradient is zero"
        error = Error(a, n, 2 * estimate.bound[wrong], np.ones(a.shape, bool))
        known = first_fit(error, multiples_of(error))
        return f"; there {known.detail}" if known else ""

    def _tensors(self) -> list[Tensor]:
        """What was measured of each tensor away from kinks."""
        estimate, kind = self.comparison.estimate, wide(self.function.dtype)
        analytic, theta = self.analytic.astype(kind), self.function.start.astype(kind)
        data = arrays_of(self.function.loss, self.function.derivative, self.function.args, self.analytic)
        usable, found = ~estimate.has(EntryStatus.OPEN | EntryStatus.TOUCHED), []
        for part, members in zip(estimate.layout.tensors, estimate.members, strict=True):
            mine = members[usable[members]]
            offsets = part.offset(estimate.index[mine])
            still = bool(estimate.has(EntryStatus.FLAT)[mine].all())
            found.append(Tensor(
                part.name, part.shape, analytic[part.block], theta[part.block], estimate.value[mine],
                estimate.bound[mine], _taking(offsets), len(mine) == part.size, still, data,
            ))  # fmt: skip
        return found


def _taking(offsets: Index) -> Project:
    """From a tensor's gradient to the entries that were measured."""
    return lambda flat: np.asarray(flat[offsets])


def _small(here: Comparison) -> tuple[Cause, ...]:
    """Errors of few digits may lie in the nature of a gradient, and what to do then."""
    largest = float((here.gap / here.size)[here.wrong].max(initial=0))
    if not largest <= SMALL:
        return ()
    words = (
        f"no entry is off by more than {largest:.1e} of its size; if an inner solver, a numerical derivative "
        f"or an approximation is why, rtol={10.0 ** np.ceil(np.log10(largest)):.0e} allows for it"
    )
    return (Cause("small errors", words),)
