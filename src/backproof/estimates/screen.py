"""A screen: is a gradient right along a few random directions through all parameters at once?

Entries are counted in their scales s_i: an entry's own size, or what is typical of its tensor if that is
more. Along a direction that moves entry i by ξ_i / s_i, with independent ξ, every entry contributes equally
to the derivative, so that a wrong entry of a tensor with a small gradient is not drowned by the others. The
ξ are uniform with variance 1, which is quicker to draw than normal ones and as good: if the gradient errs
by e_i, its product with the direction errs by r = Σ ξ_i e_i / s_i, whose density is the volume of a section
of a cube and so nowhere above √2 / (√12 ‖e/s‖₂), whatever the errors are (K. Ball, "Cube slicing in Rⁿ",
1986); a normal one's is 1 / (√2π ‖e/s‖₂), 2 % less. The directions are drawn without a look at the
gradient.

The numerical derivative errs by at most the bound b, so that errors are seen unless |r| ≤ 2b. Of k
independent directions all miss them with the probability

    P ≤ (√(8/3) b / ‖e/s‖₂)^k.

One entry with the relative error ρ has ‖e/s‖₂ = ρ; a share q of n entries, each with the relative error ρ,
has ρ √(q n), and is seen better. Solved for the size of an error, this is the resolution at a given
probability.

A central difference is formed at a step h, and f is evaluated once more at 4h. The third divided difference
of these four values vanishes for every parabola, so that it holds what the derivative at h may err by: h²
times it is the truncation, and where that is small it is rounding, which it shows 2.2 times smaller than it
is in the derivative; a kink on the way shows as well. Eight times that, in the root mean square over the
directions, is the bound; but at least eight roundings of the values. That a bound is too small makes a
right gradient look wrong, not a wrong one right; and what looks wrong is checked in full.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backproof.estimates.steps import best_step
from backproof.network.arrays import Array, root_mean_square, unit_roundoff
from backproof.targets.layout import Layout

DIRECTIONS = 4
"""Directions of a screen."""

MISS = 1e-6
"""The probability of a miss at which the resolution is stated."""

DENSITY = math.sqrt(2 / 12)
"""The largest density of a sum of independent uniform numbers of variance 1 with weights of 2-norm 1."""

ENDS = np.array([4.0, 1.0, -1.0])
"""Where along a direction f is evaluated, in steps."""

THIRD = np.array([1 / 60, -1 / 6, -1 / 10])
"""Weights of the third divided difference over these and 0; that of 0 is ¼ and multiplies a change of 0."""

SHOWN = float(np.hypot(np.linalg.norm(THIRD), 1 / 4)) * math.sqrt(2)
"""How much of the error of a central difference at 1 and −1 it shows, where values err independently."""

NOISES = 8.0
"""Standard deviations that a bound covers; they are estimated from few values."""

SHORTER = (2.0**-3, 2.0**-6)
"""The steps that are tried, beside the best for a single entry: all entries move at once, so that kinks are
met and higher derivatives are seen sooner."""

ROUNDINGS = 64.0
"""Units of round-off by which an entry of the analytic gradient may err, in its scale."""


@dataclass(frozen=True)
class Changes:
    """How f changes from the point, (ends, directions), and whether some way meets a kink."""

    values: Array
    kinked: bool


Along = Callable[[Array, Array], Changes]
"""Takes steps, (ends), and directions, (directions, parameters)."""


@dataclass(frozen=True)
class Screen:
    """A gradient beside the numerical derivative along random directions.

    Attributes:
        analytic, value: the two derivatives, (directions).
        bound: the largest error of a value.
        rounding: the largest known error of an entry of the gradient in low precision, in its scale.
    """

    analytic: Array
    value: Array
    bound: float
    rounding: float = 0.0

    @property
    def directions(self) -> int:
        """How many."""
        return len(self.value)

    @property
    def excess(self) -> float:
        """The largest difference in bounds."""
        return float(np.abs(self.analytic - self.value).max() / self.bound) if self.bound else np.inf

    @property
    def agrees(self) -> bool:
        """Whether all differences are within the bound."""
        return self.excess <= 1

    @property
    def resolution(self) -> float:
        """The relative error, of one entry or of several in the 2-norm, that is missed with `MISS`."""
        return self.rounding + smallest_error_seen(self.bound, self.directions)

    def probability_of_a_miss(self, error: float, entries: int = 1) -> float:
        """The largest probability that so many entries hide that err by `error` of their scales."""
        return probability_of_a_miss(self.bound, max(error - self.rounding, 0.0), self.directions, entries)


def probability_of_a_miss(bound: float, error: float, directions: int, entries: int = 1) -> float:
    """(√(8/3) b / (ρ √m))^k, of m entries with the relative error ρ each; at most 1."""
    size = error * math.sqrt(entries)
    return min(DENSITY * 4 * bound / size, 1.0) ** directions if size > 0 else 1.0


def smallest_error_seen(bound: float, directions: int, miss: float = MISS) -> float:
    """The relative error that is missed with a probability: the inverse of `probability_of_a_miss`."""
    return float(DENSITY * 4 * bound / miss ** (1 / directions))


def screened(
    along: Along,
    spacing: float,
    analytic: Array,
    units: Array,
    layout: Layout,
    *,
    generator: np.random.Generator,
    asked: float,
    allowed: float = 0.0,
    rounding: Array | None = None,
) -> Screen | None:
    """What a screen finds; None where it cannot tell to the resolution that is asked for.

    Args:
        along: evaluates f.
        spacing: the least error of a change of f.
        analytic: the gradient under test, flat.
        units: in what each entry's move is counted, (parameters), as in `Estimate`.
        allowed: the relative error that the gradient is known to have by its nature.
        rounding: by how much the gradient errs in low precision, where that is known.
    """
    scaled = _scaled(analytic, units, layout)
    if scaled is None:
        return None
    sizes, longest = scaled
    draws = generator.random((DIRECTIONS, len(analytic)))
    draws -= 0.5
    draws *= math.sqrt(12)
    beside = ROUNDINGS * unit_roundoff(analytic.dtype) * math.sqrt(np.vecdot(draws, draws).max())
    beside += allowed * float(np.abs(draws).sum(axis=1).max()) if allowed else 0.0
    moves = draws.astype(analytic.dtype, copy=False)
    moves *= sizes
    known = 0.0 if rounding is None else float((np.abs(rounding) * sizes).max(initial=0))
    for shorter in SHORTER:
        step = best_step(analytic.dtype) * longest * shorter
        changes = along(ENDS * step, moves)
        if not np.isfinite(changes.values).all():
            return None
        derivative, bound, least = _derivatives(changes.values, step, spacing)
        found = Screen(moves @ analytic, derivative, bound + beside, known)
        if found.resolution <= asked and not changes.kinked:
            return found
        if known + smallest_error_seen(least / (SHORTER[1] / SHORTER[0]) + beside, DIRECTIONS) > asked:
            return None
    return None


def _scaled(analytic: Array, units: Array, layout: Layout) -> tuple[Array, float] | None:
    """What a draw of 1 moves each entry by, 1/scale, and the longest step for which none moves by more than
    its unit; None where that is not finite, as where the gradient vanishes.
    """
    effects = np.abs(analytic * units)
    typical, floor = root_mean_square(effects), np.zeros_like(effects)
    for tensor in layout.tensors:
        tensor.of(floor)[...] = root_mean_square(tensor.of(effects)) or typical
    longest = float(floor.min(initial=np.inf))
    if not 0 < longest < np.inf:
        return None
    sizes = units / np.maximum(effects, floor)
    return (sizes, longest) if np.isfinite(sizes).all() else None


def _derivatives(changes: Array, step: float, spacing: float) -> tuple[Array, float, float]:
    """Central derivatives at a step, (directions), the bound of them all, and the least that it may be.

    Args:
        changes: at `ENDS`, (ends, directions).
        spacing: the least error of a value.
    """
    derivative, third = (changes[1] - changes[2]) / (2 * step), (THIRD @ changes) / step
    noise = NOISES * spacing / (math.sqrt(2) * step)
    return derivative, max(NOISES * root_mean_square(np.abs(third)) / SHOWN, noise), noise
