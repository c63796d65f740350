"""Steps in a series: a piecewise constant fit, robust to single outliers, exact in O(n²) segments.

The fit minimises the sum of absolute deviations from each segment's median, over the noise, plus a penalty
for each segment (as asv does). Absolute deviations and at least two points a segment, since timings have
outliers: one slow run is no step, while a fit by squares makes a segment of it.
"""

from __future__ import annotations

from bisect import insort

import numpy as np
from numpy.typing import NDArray

LEAST_POINTS = 2
"""Of a segment."""

PENALTY = 5.0
"""What a further segment costs, in standard deviations of the noise. Of series of pure Gaussian noise this
finds a step in 2 % (5 points), 5 % (10 to 30 points) and 6 % (60 points); a constant, and no multiple of
log n, since the rate hardly depends on the number of points. `tests/reports/test_change_points.py` measures
the rates."""

MOST_POINTS = 400
"""Of a series; the time grows by the square of their number."""

NORMAL = 0.6744897501960817
"""The upper quartile of the standard normal distribution."""


def noise_of(values: NDArray[np.float64]) -> float:
    """The standard deviation of the noise: the median absolute successive difference, as of Gaussian noise.

    Steps are in few of the differences, so that they hardly move their median.
    """
    if len(values) < 2:
        return 0.0
    return float(np.median(np.abs(np.diff(values))) / (NORMAL * np.sqrt(2)))


def segments_of(values: NDArray[np.float64], least: float) -> list[int]:
    """Where the segments of the best fit begin, 0 first.

    Args:
        values: finite, in order, shape (n,).
        least: the smallest change that is worth a step; what is smaller is noise, also where less was
            measured, as in a series of exact numbers.
    """
    n = len(values)
    if n < 2 * LEAST_POINTS:
        return [0] if n else []
    noise = scale_of(values, least)
    best = np.full(n + 1, np.inf)
    best[0] = -PENALTY * noise
    start = np.zeros(n + 1, int)
    costs = deviations(values)
    for end in range(LEAST_POINTS, n + 1):
        begins = np.arange(0, end - LEAST_POINTS + 1)
        totals = best[begins] + costs[begins, end] + PENALTY * noise
        start[end] = begins[np.argmin(totals)]
        best[end] = totals.min()
    found, end = [], n
    while end:
        end = int(start[end])
        found.append(end)
    return found[::-1]


def scale_of(values: NDArray[np.float64], least: float) -> float:
    """The noise that a fit reckons with.

    Two points on each side must differ by more than `least`: the better fit spares them twice that.
    """
    return max(noise_of(values), 2 * least / PENALTY)


def deviations(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of absolute deviations from the median of values[i:j], at [i, j]; shape (n + 1, n + 1).

    A further value adds its distance from the median, which of an even number of values is any between the
    two middle ones.
    """
    n = len(values)
    costs = np.zeros((n + 1, n + 1))
    for begin in range(n):
        ordered, total = [float(values[begin])], 0.0
        for end in range(begin + 2, n + 1):
            value = float(values[end - 1])
            low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
            total += max(low - value, value - high, 0.0)
            insort(ordered, value)
            costs[begin, end] = total
    return costs


def levels_of(values: NDArray[np.float64], starts: list[int]) -> NDArray[np.float64]:
    """The median of each value's segment, shape (n,)."""
    parts = np.split(values, starts[1:])
    return np.concatenate([np.full(len(part), np.median(part)) for part in parts if len(part)] or [values])
