"""Rank correlations, and how far they can be trusted where cells share seeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RESAMPLES, FEWEST = 500, 5
"""Resamples of the seeds for an interval, and the fewest seeds that there is one of."""


def rank_correlation(values: NDArray[np.float64]) -> float:
    """Spearman's, of two columns; NaN where either is constant."""
    from scipy.stats import rankdata  # a fifth of a second to import

    if len(values) < 2 or (values == values[0]).all(axis=0).any():
        return np.nan
    return float(np.corrcoef(rankdata(values, axis=0).T)[0, 1])


def correlation_interval(values: NDArray[np.float64], seeds: NDArray[np.int_]) -> tuple[float, float]:
    """Its 95 % percentile interval where seeds, with all of their cells, are drawn again (Efron, 1979).

    Cells of one seed share data and weights, so that they are no independent draws. NaN of fewer than
    `FEWEST` seeds, of which resamples say little.
    """
    groups = [np.flatnonzero(seeds == seed) for seed in np.unique(seeds)]
    if len(groups) < FEWEST:
        return np.nan, np.nan
    draw = np.random.default_rng(0)
    chosen = draw.integers(len(groups), size=(RESAMPLES, len(groups)))
    found = np.array([rank_correlation(values[np.concatenate([groups[k] for k in each])]) for each in chosen])
    low, high = np.quantile(found[np.isfinite(found)], [0.025, 0.975])
    return float(low), float(high)
