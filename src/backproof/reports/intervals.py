"""Exact intervals: how far a median over replicates can be trusted."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

LEVEL = 0.95


def median_interval(ordered: NDArray[np.float64], level: float = LEVEL) -> tuple[float, float]:
    """The interval between two of the values that covers the median in at least `level` of all samples.

    The number of independent values below the median is binomial with p = 1/2, whatever their law
    (Thompson, 1936; `scipy.stats.quantile_test` computes the same), so that coverage is at least the level.
    Infinite values are ordered like others.

    Args:
        ordered: independent values in ascending order, none of them NaN.

    Returns:
        (low, high); NaN where there are too few for any such interval: fewer than six at 95 %.
    """
    below = _left_out(len(ordered), level)
    if below is None:
        return np.nan, np.nan
    return float(ordered[below]), float(ordered[len(ordered) - 1 - below])


@cache
def _left_out(size: int, level: float) -> int | None:
    """How many of the least and of the greatest values lie outside the interval; None if there is none."""
    outside = bdtr(np.arange((size + 1) // 2), size, 0.5)  # P(at most k of n values lie below the median)
    allowed = np.flatnonzero(outside <= (1 - level) / 2)
    return int(allowed[-1]) if len(allowed) else None
