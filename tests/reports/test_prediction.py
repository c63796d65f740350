"""The rank correlation of error and accuracy, and its interval over seeds."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from backproof.reports.correlation import FEWEST, correlation_interval, rank_correlation
from backproof.reports.figures.error_against_convergence import prediction


def drawn(slope, seeds=12, each=8, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(seeds * each, 1))
    return np.hstack([x, slope * x + rng.normal(size=x.shape)]), np.repeat(np.arange(seeds), each)


def test_it_is_spearmans_with_infinite_errors_as_the_largest_and_nothing_where_one_is_constant():
    values, _ = drawn(0.5)
    values[3, 0] = np.inf
    finite = np.where(np.isinf(values), 1e9, values)
    assert rank_correlation(values) == pytest.approx(spearmanr(finite).statistic, abs=1e-12)
    assert np.isnan(rank_correlation(np.array([[1.0, 2.0], [1.0, 3.0]])))


def test_the_interval_holds_what_is_there_and_leaves_out_what_is_not():
    low, high = correlation_interval(*drawn(1.0))
    assert 0 < low < rank_correlation(drawn(1.0)[0]) < high < 1
    low, high = correlation_interval(*drawn(0.0, seed=2))
    assert low < 0 < high


def test_cells_of_one_seed_are_drawn_together_so_that_copies_make_no_interval_narrower():
    values, seeds = drawn(0.3, each=1)
    once = correlation_interval(values, seeds)
    often = correlation_interval(np.repeat(values, 20, axis=0), np.repeat(seeds, 20))
    assert np.ptp(often) == pytest.approx(np.ptp(once), rel=0.15)


def test_few_seeds_have_no_interval_and_the_sentence_has_none():
    values, seeds = drawn(1.0, seeds=FEWEST - 1)
    assert np.isnan(correlation_interval(values, seeds)).all()
    for count, shown in ((FEWEST - 1, False), (FEWEST, True)):
        values, seeds = drawn(1.0, seeds=count)
        cells = pd.DataFrame(values, columns=["gradient_error", "accuracy"])
        cells = cells.assign(verdict="agrees", steps_to_threshold=3, seed=seeds)
        assert ("by resampled seeds" in prediction(cells)) == shown
