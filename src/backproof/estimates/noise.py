"""The noise of a function of which nothing is known but its values, and of a gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np

from backproof.estimates.record import Mask
from backproof.estimates.steps import wide
from backproof.network.arrays import Array, DType, root_mean_square, unit_roundoff
from backproof.targets.function import Function
from backproof.targets.layout import Layout

POINTS = 9
"""Values of f from which its noise is read."""

PLACES = np.array([1, 2.13, 2.91, 4, 5.29, 5.83, 7.17, 8.37, 9.0])
"""Where such values lie so far away as those of a difference, at distances of their own: values that are
rounded to a grid would often lie on a line at equal ones."""

DEGREES = (3, 4)
"""Of polynomials through them."""

_BASES = {d: np.linalg.qr(np.vander(PLACES - PLACES.mean(), d + 1))[0] for d in DEGREES}

SPACING = 64.0
"""The distance between them nearby, in units of round-off of the parameters' sizes."""

COARSER = 16.0
"""By how much they are moved apart while most of them are equal."""

FEW = 2
"""Neighbours among the values that may be equal."""

ALIKE = 4.0
"""The factor within which orders of differences of noise agree."""

USUAL = 64.0
"""The noise of a common function, in units of round-off of its value."""

NEGLIGIBLE = 2.0**-36
"""The noise, relative to f, beyond which it is asked what its source may be."""

NOISIER = 4.0
"""By how much values far away must err more than nearby ones for these to hide something."""

SAME, HELD_FOR = 0.05, 4
"""The bend of a jump is the same, to this share, however closely one looks: so many times in turn."""

JUMPS = 0.7
"""What is left of a jump, at least, where the points are as near to it as can be."""

SPLIT = 0.43
"""Where, on the way between two points, one looks at what lies between."""

LEFT = 2.0**-7
"""What is left, at least, of the bend of noise from many sources, the largest of which is looked at."""

POLE = 8.0
"""A bend that grows by this factor the closer one looks is that of a pole."""

ONCE = 1.5
"""Values that are rounded once err by half a plateau's edge at most, and by 1/√12 of it in the mean; a factor
for what a few values tell of that."""

BISECTIONS, HELD = 8, 3
"""Halvings of a distance between two values, to tell a jump from a slope, and of how many in turn one half
must hold all of the rise."""

COARSEST = 2.0**-5
"""The largest distance between them, relative to the parameters' sizes."""

SAFETY = 4.0
"""From the standard deviation that is measured to the largest error that is allowed."""

ROUNDING = 16.0
"""The noise where no values around the point can be had, in units of round-off of f."""


@dataclass(frozen=True)
class Line:
    """f along a line through the starting point.

    Attributes:
        value: f at a signed distance from there.
        unit: the distance by which the parameters move by their sizes.
        dtype: of the parameters.
    """

    value: Callable[[float], float | np.longdouble]
    unit: float
    dtype: DType

    def at(self, places: Iterable[float], step: float) -> Array:
        """f at some numbers of steps from the starting point."""
        return np.array([self.value(k * step) for k in places], wide(self.dtype))

    def jump(self, table: Array, k: int, step: float) -> float:
        """By how much f jumps between the k-th of the points 1, 2, … and the next; 0 if it rises steadily.

        Bisected until one half holds all of the rise, and so do its own halves: else f is flat up to a kink.
        """
        left, right, below, above = k + 1.0, k + 2.0, table[k], table[k + 1]
        held = 0
        for _ in range(BISECTIONS):
            middle = (left + right) / 2
            value = self.at([middle], step)[0]
            held = held + 1 if value in (below, above) else 0
            if held == HELD:
                return float(abs(above - below))
            if abs(value - below) > abs(above - value):
                right, above = middle, value
            else:
                left, below = middle, value
        return 0.0


def noise_along(line: Line, far: float, negligible: float = 0.0) -> float | None:
    """The largest error of f's values that is allowed, by their scatter along a line; None if it has none.

    Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011): differences of order k of
    values so near to each other that a smooth f contributes nothing have variance ε² (2k)!/(k!)².

    The points lie to one side of θ, so that a kink or a jump at θ itself is no noise. They are first so far
    apart as those of a difference: what errs there by no more than a common function's rounding has no other
    noise. Else they are near to each other, where a smooth f contributes least; but plateaus cannot be seen
    there where a small smooth part hides their edges, as a penalty in double precision beside a loss in
    single. What errs more far away than nearby is noise if it does not fall with the distance.

    Args:
        far: the distance between the points of a difference.
        negligible: the noise up to which it does not matter what its source may be.
    """
    for side in (1.0, -1.0):
        table = line.at(PLACES, side * far)
        scatter = _scatter_about_polynomials(table)
        alike = bool(np.isfinite(table).all() and max(scatter) <= ALIKE * min(scatter))
        size, found = float(np.abs(table).max()), SAFETY * max(scatter)
        rounding = _precision(table) * size
        differ = np.count_nonzero(np.diff(table) == 0) <= FEW
        if alike and differ and found <= max(USUAL * rounding, NEGLIGIBLE * size, negligible):
            return max(2 * rounding, found)
        near = _noise_nearby(line, side)
        if near is not None:
            hidden = alike and found > NOISIER * near and _stays(line, table, side * far, near, max(scatter))
            return max(near, found) if hidden else near
    return None


@dataclass
class _Bend:
    """Three points of a line, in units of a step, and f there; the middle one is at SPLIT of the way.

    At no simple fraction of it, since values on a grid would often lie on a straight line there.
    """

    ends: Array
    values: Array
    middle: float

    @property
    def bend(self) -> float:
        """By how much f departs in the middle from a straight line between the ends."""
        return float(self.middle - self.values @ [1 - SPLIT, SPLIT])

    def jump(self, half: int) -> float:
        """What f jumps by, if it does in one of the halves and rises steadily beside that."""
        return self.bend / (-SPLIT if half else 1 - SPLIT)

    def half(self, which: int, middle: float) -> _Bend:
        """One of its halves."""
        ends, values = self.ends.copy(), self.values.copy()
        ends[1 - which], values[1 - which] = split(ends), self.middle
        return _Bend(ends, values, middle)


def split(ends: Array) -> float:
    """Where the middle point between two is."""
    return float(ends @ [1 - SPLIT, SPLIT])


def _stays(line: Line, table: Array, step: float, near: float, scatter: float) -> bool:
    """Whether f bends as much however closely one looks at where it bends most: a jump, so that it is noise.

    What a jump does is the same at any distance; the bend of a kink halves with the distance, that of a
    smooth f falls fourfold once it is resolved, be its period ever so short, and that of a pole grows.

    Args:
        table: at PLACES, in units of a step.
        near: the noise nearby, in which the bend of a smooth f is lost at last.
        scatter: that of the table about polynomials.
    """
    k = int(np.argmax(np.abs(np.diff(np.diff(table) / np.diff(PLACES)))))
    ends = PLACES[[k, k + 2]]
    at = _Bend(ends, table[[k, k + 2]], line.at([split(ends)], step)[0])
    first, held = max(abs(at.bend), scatter), 0
    # What is moved is rounded in the size that it has then, which may be the move itself.
    shortest = SPACING * unit_roundoff(line.dtype) * max(line.unit / abs(step), PLACES[-1])
    while at.ends[1] - at.ends[0] > shortest:
        if not max(NOISIER * near, LEFT * first) < abs(at.bend) < POLE * max(first, near):
            return False
        halves = [at.half(which, 0.0) for which in (0, 1)]
        for half, middle in zip(halves, line.at([split(half.ends) for half in halves], step), strict=True):
            half.middle = middle
        side = int(abs(halves[1].bend) > abs(halves[0].bend))
        jump, inner = at.jump(side), halves[side]
        held = held + 1 if min(abs(inner.jump(k) - jump) for k in (0, 1)) <= SAME * abs(jump) else 0
        if held == HELD_FOR:
            if _jumps_within(line, at, step, shortest, jump):
                return True
            held = 0  # there are several, and by chance the bends were alike
        at = inner
    return True


def _jumps_within(line: Line, at: _Bend, step: float, shortest: float, jump: float) -> bool:
    """Whether a jump of a known size is left between two points that are as near as can be."""
    while at.ends[1] - at.ends[0] > shortest:
        side = int((at.bend > 0) != (jump > 0))
        if not abs(at.jump(side) - jump) <= (1 - JUMPS) * abs(jump):
            return False
        at = at.half(side, 0.0)
        at.middle = line.at([split(at.ends)], step)[0]
    return True


def _noise_nearby(line: Line, side: float) -> float | None:
    """The same from points near to each other; None if f is not finite there.

    Where a function rounds to lower precision somewhere inside, most moves change nothing: the points are
    moved apart until most values differ, so that they are spread over the plateaus as those of longer steps
    are. Such values may happen to lie on a line; the height of a single plateau's edge is never less than
    their error.
    """
    table, edge = _spread_out(line, side)
    if not np.isfinite(table).all():
        return None
    floor = _precision(table) * float(np.abs(table).max())
    scatter = max(_scatter(table))
    if scatter <= ONCE * edge / np.sqrt(12):
        return max(floor, ONCE * edge / 2)
    return max(2 * floor, SAFETY * scatter, edge)


def _spread_out(line: Line, side: float) -> tuple[Array, float]:
    """Values at equal distances, most of which differ, unless f is constant as far as COARSEST.

    And the largest edge of a plateau that was met, 0 if none was.
    """
    edge, equal, relative = 0.0, None, SPACING * unit_roundoff(line.dtype)
    while True:
        step = side * relative * line.unit
        ends = line.at([1, POINTS], step)
        last = relative * COARSER > COARSEST
        # Nearer than this, values that err by their last rounding alone are equal in places.
        if not abs(ends[1] - ends[0]) < POINTS * np.spacing(abs(ends[0])) or last:
            table = np.array([ends[0], *line.at(range(2, POINTS), step), ends[1]], ends.dtype)
            rises = np.abs(np.diff(table))
            if rises.any() and (equal is not None or (rises == 0).any()):
                jump = line.jump(table, int(np.argmax(rises)), step)
                if not jump:  # f bends here, and is smooth and flat where the points were nearer
                    return table if equal is None else np.full_like(table, equal), edge
                edge = max(edge, jump)
            if np.count_nonzero(rises == 0) <= FEW or last:
                return table, edge
        if ends[0] == ends[1]:
            equal = ends[0]
        relative *= COARSER


def _precision(table: Array) -> float:
    """The unit round-off of f's values: float32's where they differ and all are such numbers."""
    single = bool((table.astype(np.float32) == table).all() and (table != table[0]).any())
    return unit_roundoff(np.dtype(np.float32 if single else table.dtype))


def _scatter(table: Array) -> list[float]:
    """The standard deviation of the errors of values at equal distances, by differences of several orders."""
    found = []
    for order in range(1, 6):
        table = np.diff(table)
        if order >= 3:
            gamma = factorial(order) ** 2 / factorial(2 * order)
            found.append(float(np.sqrt(gamma) * root_mean_square(np.abs(table))))
    return found


def _scatter_about_polynomials(table: Array) -> list[float]:
    """The same of values at PLACES, by what polynomials of several degrees leave."""
    moved, found = table - table[POINTS // 2], []
    for degree in DEGREES:
        left = moved - _BASES[degree] @ (_BASES[degree].T @ moved)
        found.append(float(root_mean_square(np.abs(left)) * np.sqrt(POINTS / (POINTS - degree - 1))))
    return found


def first_noise(tables: Array) -> tuple[Array, Mask]:
    """What `noise_along` finds of several functions at once where their first values settle it; and where.

    Args:
        tables: of every function, its values at PLACES; (functions, places).
    """
    size = np.abs(tables).max(axis=1)
    scaled = tables / np.where(size > 0, size, 1)[:, None]  # no square over- or underflows
    moved, scatter = scaled - scaled[:, POINTS // 2 : POINTS // 2 + 1], []
    for degree in DEGREES:
        left = moved - moved @ _BASES[degree] @ _BASES[degree].T
        scatter.append(np.sqrt(np.square(left).sum(axis=1) / (POINTS - degree - 1)))
    least, most = np.min(scatter, axis=0), np.max(scatter, axis=0)
    single = (tables.astype(np.float32) == tables).all(axis=1) & (tables != tables[:, :1]).any(axis=1)
    rounding = np.where(single, unit_roundoff(np.dtype(np.float32)), unit_roundoff(tables.dtype))
    found = SAFETY * most
    differ = np.count_nonzero(np.diff(tables, axis=1) == 0, axis=1) <= FEW
    clear = np.isfinite(tables).all(axis=1) & (most <= ALIKE * least) & differ
    clear &= found <= np.maximum(USUAL * rounding, NEGLIGIBLE)
    return np.maximum(2 * rounding, found) * size, clear


def near_places(dtype: DType) -> Array:
    """Distances, relative to the parameters' sizes, at which f is constant if it is as far as COARSEST."""
    found, relative = list[float](), SPACING * unit_roundoff(dtype)
    while relative * COARSER <= COARSEST:
        found += [relative, POINTS * relative]
        relative *= COARSER
    return np.array([*found, *(relative * np.arange(1, POINTS + 1))])


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
    size = function.size_of(np.abs(analytic.astype(wide(function.dtype))))
    return np.asarray(ROUNDING * digits * (size + _typical(function.layout, size, sizes)))


def rounding_of_rows(rows: Sequence[Function], analytic: Array, sizes: Array, digits: float) -> Array:
    """The same of several functions of the same parameters; arrays (functions, parameters)."""
    size = np.array([row.size_of(a) for row, a in zip(rows, np.abs(analytic), strict=True)])
    return np.asarray(ROUNDING * digits * (size + _typical(rows[0].layout, size, sizes)))


def _typical(layout: Layout, size: Array, sizes: Array) -> Array:
    """What is typical of each entry's tensor, by what entries do to the loss; (…, parameters)."""
    typical = np.zeros_like(size)
    for tensor in layout.tensors:
        block = np.s_[..., tensor.block]
        effect = np.sort(np.where(size[block] > 0, size[block] * sizes[block], np.inf), axis=-1)
        if not tensor.size:
            continue
        count = np.count_nonzero(size[block] > 0, axis=-1)[..., None]
        halves = [np.take_along_axis(effect, np.maximum(k, 0), -1) for k in ((count - 1) // 2, count // 2)]
        middle = np.where(count > 0, (halves[0] + halves[1]) / 2, 0)
        typical[block] = middle / sizes[block]
    return typical
