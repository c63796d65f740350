"""The noise of a function of which nothing is known but its values, and of a gradient."""

from __future__ import annotations

from math import factorial

import numpy as np

from backproof.estimates.steps import wide
from backproof.network.arrays import Array, root_mean_square, unit_roundoff
from backproof.targets.function import Function

POINTS = 9
"""Values of f from which its noise is read."""

SPACING = 64.0
"""The distance between them, in units of round-off of the parameters' sizes."""

COARSER = 16.0
"""By how much they are moved apart while most of them are equal."""

FEW = 2
"""Neighbours among the values that may be equal."""

ALIKE = 4.0
"""The factor within which orders of differences of noise agree."""

ONCE = 1.5
"""Values that are rounded once err by half a plateau's edge at most, and by 1/√12 of it in the mean; a factor
for what a few values tell of that."""

BISECTIONS = 6
"""Halvings of a distance between two values, to tell a jump from a slope."""

COARSEST = 2.0**-5
"""The largest distance between them, relative to the parameters' sizes."""

SAFETY = 4.0
"""From the standard deviation that is measured to the largest error that is allowed."""

ROUNDING = 16.0
"""The noise where no values around the point can be had, in units of round-off of f."""


def noise_along(function: Function, moves: Array) -> float:
    """The largest error of f's values that is allowed, by their scatter along a direction.

    Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011): differences of order k of
    values so near to each other that a smooth f contributes nothing have variance ε² (2k)!/(k!)².

    The points lie to one side of θ, so that a kink or a jump at θ itself is no noise. Where a function rounds
    to lower precision somewhere inside, most moves change nothing: the points are moved apart until most
    values differ, so that they are spread over the plateaus as those of longer steps are. Such values may
    happen to lie on a line; the height of a single plateau's edge is never less than their error.

    Args:
        moves: the direction, in the parameters' sizes; (parameters).
    """
    u = unit_roundoff(function.dtype)
    for side in (1.0, -1.0):
        table, edge = _spread_out(function, side * moves, SPACING * u)
        if np.isfinite(table).all():
            floor = _precision(table) * float(np.abs(table).max())
            scatter = max(_scatter(table))
            if scatter <= ONCE * edge / np.sqrt(12):
                return max(floor, ONCE * edge / 2)
            return max(2 * floor, SAFETY * scatter, edge)
    value = float(function.value(function.start))
    return ROUNDING * unit_roundoff(np.dtype(wide(function.dtype))) * abs(value)


def _spread_out(function: Function, moves: Array, relative: float) -> tuple[Array, float]:
    """Values at equal distances, most of which differ, unless f is constant as far as COARSEST.

    And the largest edge of a plateau that was met, 0 if none was.
    """
    edge, equal = 0.0, None
    while True:
        line = _Line(function, (relative * moves).astype(function.start.dtype))
        ends = line.at([1, POINTS])
        last = relative * COARSER > COARSEST
        # Nearer than this, values that err by their last rounding alone are equal in places.
        if not abs(ends[1] - ends[0]) < POINTS * np.spacing(abs(ends[0])) or last:
            table = np.array([ends[0], *line.at(list(range(2, POINTS))), ends[1]], ends.dtype)
            rises = np.abs(np.diff(table))
            if rises.any() and (equal is not None or (rises == 0).any()):
                jump = line.jump(table, int(np.argmax(rises)))
                if not jump:  # f bends here, and is smooth and flat where the points were nearer
                    return table if equal is None else np.full_like(table, equal), edge
                edge = max(edge, jump)
            if np.count_nonzero(rises == 0) <= FEW or last:
                return table, edge
        if ends[0] == ends[1]:
            equal = ends[0]
        relative *= COARSER


class _Line:
    """f along a line through the starting point, in steps of equal length."""

    def __init__(self, function: Function, step: Array) -> None:
        self.function, self.step, self.kind = function, step, wide(function.dtype)

    def at(self, places: list[int] | list[float]) -> Array:
        """f at some numbers of steps from the starting point."""
        start, step = self.function.start, self.step
        points = [start + step.dtype.type(k) * step for k in places]
        return np.array([self.function.value_near(point) for point in points], self.kind)

    def jump(self, table: Array, k: int) -> float:
        """By how much f jumps between the k-th of the points 1, 2, … and the next; 0 if it rises steadily.

        Bisected until one half holds all of the rise.
        """
        left, right, below, above = k + 1.0, k + 2.0, table[k], table[k + 1]
        for _ in range(BISECTIONS):
            middle = (left + right) / 2
            value = self.at([middle])[0]
            if value in (below, above):
                return float(abs(above - below))
            if abs(value - below) > abs(above - value):
                right, above = middle, value
            else:
                left, below = middle, value
        return 0.0


def _precision(table: Array) -> float:
    """The unit round-off of f's values: float32's where every one of them is such a number."""
    single = bool((table.astype(np.float32) == table).all())
    return unit_roundoff(np.dtype(np.float32 if single else table.dtype))


def noise_farther_away(function: Function, step: Array) -> float:
    """The same from points so far apart as those of a difference, 0 where a smooth f explains their scatter.

    Plateaus cannot be seen nearby where a small smooth part hides their edges, as a penalty in double
    precision beside a loss in single. Differences of noise tell of the same noise at every order; those of a
    smooth f change from order to order (Moré and Wild, 2011).
    """
    table = _Line(function, step.astype(function.start.dtype)).at(list(range(1, POINTS + 1)))
    found = _scatter(table)
    alike = np.isfinite(table).all() and max(found) <= ALIKE * min(found)
    return SAFETY * max(found) if alike else 0.0


def _scatter(table: Array) -> list[float]:
    """The standard deviation of the errors of values at equal distances, by differences of several orders."""
    found = []
    for order in range(1, 6):
        table = np.diff(table)
        if order >= 3:
            gamma = factorial(order) ** 2 / factorial(2 * order)
            found.append(float(np.sqrt(gamma) * root_mean_square(np.abs(table))))
    return found


def gradient_rounding_error(
    function: Function, analytic: Array, sizes: Array, digits: Array, generator: np.random.Generator
) -> Array:
    """By how much a gradient's own rounding may move it: what it does when W moves by its last digits.

    Args:
        sizes: of the parameters; entries of different units are compared by what they do to the loss, value ·
            size.
        digits: the relative rounding error of the arithmetic in which f is evaluated, which the gradient
            shares; (parameters).
    """
    u = unit_roundoff(function.dtype)
    theta, kind = function.start, wide(function.dtype)
    largest = np.zeros(len(theta), kind)
    for _ in range(2):
        beside = theta + (2 * u * theta * generator.choice([-1, 1], len(theta))).astype(theta.dtype)
        moved = np.abs(function.gradient_near(beside).astype(kind) - analytic.astype(kind))
        largest = np.fmax(largest, np.where(np.isfinite(moved), moved, 0))
    own = unit_roundoff(analytic.dtype) if analytic.dtype != theta.dtype else u
    return 4 * largest + rounding_of(function, analytic, sizes, np.maximum(own, digits))


def rounding_of(function: Function, analytic: Array, sizes: Array, digits: Array) -> Array:
    """Some roundings of each entry, and of what is typical of its tensor, as of terms that cancel in it."""
    size = np.abs(analytic.astype(wide(function.dtype)))
    typical = np.zeros_like(size)
    for tensor in function.layout.tensors:
        effect = size[tensor.block] * sizes[tensor.block]
        middle = np.median(effect[effect > 0]) if (effect > 0).any() else 0
        typical[tensor.block] = middle / sizes[tensor.block]
    return np.asarray(ROUNDING * digits * (size + typical))
