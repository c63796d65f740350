"""Random directions: a gradient of very many parameters, checked in a few evaluations.

With every entry of v at +1 or −1, the derivative of f along v less a·v is r = Σ ±(∂f/∂θ_i − a_i). A single
wrong entry shows in every direction, by its full size. Several may cancel in one, but seldom in many: for any
errors e, E r² = ‖e‖² and E r⁴ ≤ 3 ‖e‖⁴, so that by Paley and Zygmund's inequality

    P(|r| ≤ b) ≤ 1 − (1 − (b/‖e‖)²)² / 3    for ‖e‖ > b,

independently from direction to direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.coordinate import RATIO, Prober
from backproof.estimates.perturbed import Index
from backproof.estimates.steps import best_step
from backproof.network.arrays import Array

DIRECTIONS = 16
"""Directions through all parameters."""

PER_TENSOR = 4
"""Directions through each tensor, once something is wrong: three say where, and all of them how."""

EXPONENTS = np.arange(4, -5, -1)
"""The ladder on which the step along a direction is found."""

FEW = 6
"""Subsets at fault at once up to which single entries are looked for."""

KINKED = 4.0
"""By how many budgets and bends kinks may move a slope along a direction; several may cancel in a bend."""

LARGE = 4.0
"""The size of error, in budgets, for which the probability of a miss is stated."""


@dataclass(frozen=True)
class Along:
    """Derivatives along some directions of the subset of parameters that they move; arrays (directions).

    Attributes:
        signs: of each direction, over the subset.
        numeric, analytic: of f by differences, and a·v.
        budget: by how much they may differ.
        bend: what of the distance of the one-sided slopes does not fall with the step: kinks are touched, or
            crossed however short the step is.
    """

    subset: Index
    signs: list[NDArray[np.int8]]
    numeric: Array
    analytic: Array
    budget: Array
    bend: Array

    @property
    def gap(self) -> Array:
        """|analytic − numeric|."""
        return np.asarray(np.abs(self.analytic - self.numeric))

    @property
    def wrong(self) -> bool:
        """Whether some direction is beyond its budget, and beyond what kinks can do to it."""
        bend = self.bend.max()
        return bool((~(self.gap <= (KINKED if bend else 1) * (self.budget + bend))).any())


def probability_of_a_miss(directions: int, size: float = LARGE) -> float:
    """The largest probability that errors of a size (‖e‖ over the budget) hide in so many directions."""
    return float((1 - (1 - 1 / size**2) ** 2 / 3) ** directions)


class Walker:
    """Takes derivatives along directions, counting what they cost."""

    def __init__(self, prober: Prober, analytic: Array, jitter: Array) -> None:
        self.prober, self.function = prober, prober.function
        self.analytic = analytic.astype(prober.kind)
        self.jitter = jitter
        self.step = best_step(self.function.dtype)

    def choose_step(self, subset: Index) -> None:
        """Find the step at which the derivative along one direction changes least from rung to rung."""
        signs = self._draw(len(subset))
        steps = best_step(self.function.dtype) * RATIO**EXPONENTS
        slopes = np.array([self._slope(subset, signs, step)[0] for step in steps])
        change = np.abs(np.diff(slopes)) + self.prober.noise / (steps[1:] * self._unit(subset))
        change[~np.isfinite(change)] = np.inf
        self.step = float(steps[int(np.argmin(change)) + 1])

    def _unit(self, subset: Index) -> float:
        """What all entries of a subset are moved by, for a step of 1."""
        return float(np.sqrt(np.mean(self.prober.sizes[subset] ** 2)))

    def _draw(self, size: int) -> NDArray[np.int8]:
        return (2 * self.prober.generator.integers(0, 2, size, dtype=np.int8) - 1).astype(np.int8)

    def _slope(self, subset: Index, signs: NDArray[np.int8], step: float) -> tuple[Any, Any]:
        """The central slope along a direction, and by how much the one-sided ones differ."""
        function, kind = self.function, self.prober.kind
        h = (step * self._unit(subset) * signs).astype(function.dtype)
        theta = function.start.copy()
        base = theta[subset]
        theta[subset] = base + h
        above = function.at(theta)
        theta[subset] = base - h
        below = function.at(theta)
        moved, value = kind(step) * kind(self._unit(subset)), self.prober.value
        above, below = kind(above), kind(below)
        return (above - below) / (2 * moved), abs((above - value) - (value - below)) / moved

    def along(self, subset: Index, count: int = 1, signs: list[NDArray[np.int8]] | None = None) -> Along:
        """Derivatives along directions through a subset: four evaluations each."""
        drawn = signs or [self._draw(len(subset)) for _ in range(count)]
        kind, step = self.prober.kind, self.step
        a = self.analytic[subset]
        numeric, budget, bend = (np.empty(len(drawn), kind) for _ in range(3))
        for k, v in enumerate(drawn):
            (long, apart), (short, closer) = (self._slope(subset, v, h) for h in (RATIO * step, step))
            numeric[k] = short
            rounding = self.prober.noise / (step * self._unit(subset))
            # The entries move by what θ's precision makes of the step; that errs at random from each other.
            u = float(np.finfo(self.function.dtype).eps)
            realised = u * self._typical(subset) / (step * self._unit(subset)) * np.linalg.norm(a)
            budget[k] = abs(long - short) + rounding + realised + np.linalg.norm(self.jitter[subset])
            bend[k] = max(closer - max(apart / RATIO, 4 * rounding), 0) / 2
        return Along(subset, drawn, numeric, np.array([v @ a for v in drawn], kind), budget, bend)

    def _typical(self, subset: Index) -> float:
        return float(np.abs(self.function.start[subset]).astype(float).max(initial=0))


def faults_within(walker: Walker, known: Along, most: int) -> tuple[list[Along], list[Index]]:
    """Bisect a subset in which the gradient is wrong, down to single entries: 8 evaluations a halving.

    Returns the entries that are at fault, and the subsets that were left undivided because they are many or
    `most` evaluations were spent.
    """
    function = walker.function
    start, single = function.evaluations, list[Along]()
    pending = [known]
    while pending:
        at = pending.pop(0)
        if len(at.subset) == 1:
            single.append(at)
            continue
        if function.evaluations - start + 8 > most:
            return single, [at.subset, *(other.subset for other in pending)]
        middle = len(at.subset) // 2
        # The signs of the direction that told most, so that what it found must be in one of the halves.
        signs = at.signs[int(np.argmax(at.gap / at.budget))]
        halves = (
            walker.along(at.subset[part], signs=[signs[part]]) for part in (np.s_[:middle], np.s_[middle:])
        )
        wrong = [half for half in halves if half.wrong]
        pending.extend(wrong)
        if len(pending) > FEW:
            return single, [other.subset for other in pending]
    return single, []
