"""Random directions: a gradient of very many parameters, checked in a few evaluations.

With every entry of v at plus or minus its parameter's size s_i, the derivative of f along v less a·v is
r = Σ ±s_i (∂f/∂θ_i − a_i). A single wrong entry shows in every direction, by its full size. Several may
cancel in one, but seldom in many: for any errors e_i, in these units, E r² = ‖e‖² and E r⁴ ≤ 3 ‖e‖⁴, so that
by Paley and Zygmund's inequality

    P(|r| ≤ b) ≤ 1 − (1 − (b/‖e‖)²)² / 3    for ‖e‖ > b,

independently from direction to direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.differencer import CoordinateDifferencer
from backproof.estimates.record import EntryStatus, Estimate, Mask
from backproof.estimates.step_sequence import RATIO
from backproof.estimates.steps import best_step
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.layout import Index, in_sequence

DIRECTIONS = 16
"""Directions through all parameters."""

PER_TENSOR = 4
"""Directions through each tensor, once something is wrong: three say where, and all of them how."""

EXPONENTS = np.arange(4, -5, -1)
"""The sequence from which the step along a direction is chosen."""

SHORTER, ENOUGH, AIM = 4, 16.0, 1e-5
"""How often the step along a direction is shortened, while its truncation exceeds the noise so many times and
this share of the derivative."""

FEW = 6
"""Subsets at fault at once up to which single entries are looked for."""

KINKED = 4.0
"""By how many bounds and bends kinks may move a directional derivative; several may cancel in a bend."""

LARGE = 4.0
"""The size of error, in bounds, for which the probability of a miss is stated."""

Signs = NDArray[np.int8]


@dataclass(frozen=True)
class Along:
    """Derivatives along some directions through a subset of the parameters.

    Attributes:
        signs: of each direction, over the subset.
        sizes: what the entries of the subset are moved by, for a step of 1.
        analytic: a·v, (directions).
        estimate: of the derivative of f; its entries are the directions. One is `OPEN` where kinks may
            explain what exceeds its bound.
    """

    subset: Index
    signs: list[Signs]
    sizes: Array
    analytic: Array
    estimate: Estimate

    @cached_property
    def gap(self) -> Array:
        """|analytic − numerical|."""
        return np.asarray(np.abs(self.analytic - self.estimate.value))

    @cached_property
    def excess(self) -> Array:
        """The gap in bounds."""
        return self.estimate.excess(self.gap)

    @property
    def wrong(self) -> bool:
        """Whether some direction is beyond its bound, and beyond what kinks can do to it."""
        return bool((~(self.excess <= 1) & ~self.estimate.open).any())


def probability_of_a_miss(directions: int, size: float = LARGE) -> float:
    """The largest probability that errors of a size (‖e‖ over the bound) hide in so many directions."""
    return float((1 - (1 - 1 / size**2) ** 2 / 3) ** directions)


class DirectionalDifferencer:
    """Takes derivatives along directions."""

    def __init__(self, coordinate: CoordinateDifferencer, analytic: Array, round_off: Array) -> None:
        self.coordinate, self.function = coordinate, coordinate.function
        self.kind = coordinate.kind
        self.analytic = analytic.astype(self.kind)
        self.round_off = round_off
        self.step = best_step(self.function.dtype)

    def against(self, analytic: Array, round_off: Array) -> DirectionalDifferencer:
        """The same for another gradient."""
        other = DirectionalDifferencer(self.coordinate, analytic, round_off)
        other.step = self.step
        return other

    def choose_step(self, subset: Index) -> None:
        """Find the step at which the derivative along one direction changes least from step to step."""
        signs = self._draw(len(subset))
        steps = best_step(self.function.dtype) * RATIO**EXPONENTS
        derivatives = np.array([self._derivative(subset, signs, step)[0] for step in steps])
        change = np.abs(np.diff(derivatives)) + self._noise(subset) / steps[1:]
        change[~np.isfinite(change)] = np.inf
        self.step = float(steps[int(np.argmin(change)) + 1])

    def _noise(self, subset: Index) -> float:
        """The largest error of a value of f as a subset moves."""
        return float(self.coordinate.noise[_place(subset)].max(initial=0))

    def _draw(self, size: int) -> Signs:
        return (2 * self.coordinate.generator.integers(0, 2, size, dtype=np.int8) - 1).astype(np.int8)

    def _derivative(self, subset: Index, signs: Signs, step: float) -> tuple[Any, Any]:
        """The central derivative along a direction, and by how much the one-sided ones differ."""
        function, kind, place = self.function, self.kind, _place(subset)
        h = (step * self.coordinate.sizes[place] * signs).astype(function.dtype)
        theta, base = function.start.copy(), function.start[place]
        theta[place] = base + h
        above = kind(function.value_near(theta))
        theta[place] = base - h
        below = kind(function.value_near(theta))
        value = self.coordinate.value
        return (above - below) / (2 * kind(step)), abs((above - value) - (value - below)) / kind(step)

    def along(self, subset: Index, count: int = 1, signs: list[Signs] | None = None) -> Along:
        """Derivatives along directions through a subset: four evaluations each."""
        drawn = signs or [self._draw(len(subset)) for _ in range(count)]
        kind, sizes = self.kind, self.coordinate.sizes[subset]
        a = self.analytic[subset] * sizes
        measured = [self._measured(subset, v) for v in drawn]
        value, truncation, bend, steps = (np.array(part, kind) for part in zip(*measured, strict=True))
        # The entries move by what θ's precision makes of the step; that errs at random from each other.
        u = 2 * unit_roundoff(self.function.dtype)
        theta = np.abs(self.function.start[subset]).astype(float)
        round_off = u / steps * float(np.linalg.norm(theta * self.analytic[subset]))
        round_off += float(np.linalg.norm(self.round_off[subset] * sizes))
        analytic, nothing = np.array([v @ a for v in drawn], kind), np.full(len(drawn), np.nan, kind)
        estimate = Estimate(
            in_sequence(["directions"], [(len(drawn),)]), np.arange(len(drawn)), value, truncation,
            self._noise(subset) / steps, round_off, np.zeros_like(value), steps, np.ones_like(value),
            nothing, nothing, np.zeros(len(drawn), np.uint8),
        )  # fmt: skip
        gap = np.abs(analytic - value)
        explained: Mask = (gap > estimate.bound) & (gap <= KINKED * (estimate.bound + bend.max(initial=0)))
        if (bend > 0).any():
            estimate.status[explained] = EntryStatus.OPEN
        return Along(subset, drawn, sizes, analytic, estimate)

    def _measured(self, subset: Index, signs: Signs) -> tuple[Any, Any, Any, float]:
        """The derivative along one direction, its truncation, what kinks do to it, and its step.

        Two steps, and shorter ones where these differ by more than noise: kinks lie elsewhere along each
        direction.
        """
        step, noise = self.step, self._noise(subset)
        (long, apart), (short, closer) = (self._derivative(subset, signs, h) for h in (RATIO * step, step))
        for _ in range(SHORTER):
            if not abs(long - short) > max(ENOUGH * noise / step, AIM * abs(short)):
                break
            long, apart, step = short, closer, step / RATIO
            short, closer = self._derivative(subset, signs, step)
        bend = max(closer - max(apart / RATIO, 4 * noise / step), 0) / 2
        return short, abs(long - short), bend, step


def _place(subset: Index) -> Index | slice:
    """The same entries as a slice where they follow each other, which takes far less time to index with."""
    if len(subset) and subset[-1] - subset[0] + 1 == len(subset):
        return slice(int(subset[0]), int(subset[-1]) + 1)
    return subset


def faults_within(
    differencer: DirectionalDifferencer, known: Along, room: int
) -> tuple[list[Along], list[Index]]:
    """Bisect a subset in which the gradient is wrong, down to single entries: 8 evaluations a halving.

    Returns the entries that are at fault, and the subsets that were left undivided because they are many or
    `room` evaluations were spent.
    """
    function = differencer.function
    start, single = function.evaluations, list[Along]()
    pending = [known]
    while pending:
        at = pending.pop(0)
        if len(at.subset) == 1:
            single.append(at)
            continue
        if function.evaluations - start + 8 > room:
            return single, [at.subset, *(other.subset for other in pending)]
        middle = len(at.subset) // 2
        # The signs of the direction with the largest excess, so that its cause must be in one of the halves.
        signs = at.signs[int(np.argmax(at.excess))]
        halves = (
            differencer.along(at.subset[part], signs=[signs[part]])
            for part in (np.s_[:middle], np.s_[middle:])
        )
        pending.extend(half for half in halves if half.wrong)
        if len(pending) > FEW:
            return single, [other.subset for other in pending]
    return single, []
