"""Bootstrapped intervals: how far a median over replicates can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 1000


def median_intervals(
    groups: Sequence[NDArray[np.float64]], level: float = LEVEL
) -> list[tuple[float, float]]:
    """Percentile bootstrap of each group's median (Efron, 1979), from RESAMPLES draws with replacement.

    Groups of one size share their draws, which are seeded by the size alone: an interval depends
    on its own group only, not on its company. Infinite values are ordered like others.

    Args:
        groups: values in ascending order, none of them NaN; at least one each.

    Returns:
        (low, high) for each; NaN for a group of one, of which nothing is known.
    """
    ends = [round(share * (RESAMPLES - 1)) for share in ((1 - level) / 2, (1 + level) / 2)]
    draws = {size: _middles(size) for size in {len(group) for group in groups}}
    found = []
    for values in groups:
        if len(values) == 1:
            found.append((np.nan, np.nan))
            continue
        low, high = draws[len(values)]
        with np.errstate(invalid="ignore"):
            medians = np.where(np.isfinite(values[high]), (values[low] + values[high]) / 2, values[low])
        left, right = np.sort(medians)[ends]
        found.append((float(left), float(right)))
    return found


def _middles(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The positions of the two middle values among sorted ones, a draw each; the same twice if `size` is odd.

    The k-th of n uniform numbers is distributed as Beta(k, n + 1 - k), and the next one as the least
    of the n - k that are left above it; so the draws need not be made and sorted.
    """
    random = np.random.default_rng(size)
    k = (size + 1) // 2
    low = high = random.beta(k, size + 1 - k, RESAMPLES)
    if size % 2 == 0:
        high = low + (1 - low) * (1 - random.random(RESAMPLES) ** (1 / (size - k)))
    last = size - 1
    return np.minimum((low * size).astype(np.intp), last), np.minimum((high * size).astype(np.intp), last)
