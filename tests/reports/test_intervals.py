"""Bootstrapped intervals of medians."""

import numpy as np
import pytest

from backproof.reports.intervals import RESAMPLES, _middles, median_intervals


@pytest.mark.parametrize("size", [2, 3, 4, 11, 50])
def test_it_is_the_bootstrap_of_the_median(size):
    """Against drawing with replacement, many more times."""
    random = np.random.default_rng(0)
    values = np.sort(random.normal(size=size))
    drawn = np.median(values[random.integers(0, size, (200_000, size))], axis=1)
    [(low, high)] = median_intervals([values])
    for found, tail in ((low, 0.025), (high, 0.975)):
        around = np.quantile(drawn, [max(tail - 0.015, 0), min(tail + 0.015, 1)])
        assert around[0] <= found <= around[1]


def test_the_middles_of_an_even_number_are_two(size=6):
    low, high = _middles(size)
    assert (low <= high).all() and (low < high).any()
    assert low.min() >= 0 and high.max() <= size - 1
    drawn = np.sort(np.random.default_rng(1).integers(0, size, (RESAMPLES, size)), axis=1)
    assert abs(low.mean() - drawn[:, 2].mean()) < 0.2
    assert abs(high.mean() - drawn[:, 3].mean()) < 0.2


def test_it_covers_the_true_median_about_as_often_as_it_says():
    random = np.random.default_rng(2)
    groups = list(np.sort(random.normal(size=(400, 25)), axis=1))
    covered = np.mean([low <= 0 <= high for low, high in median_intervals(groups)])
    assert 0.91 < covered < 0.99


def test_one_value_has_none_and_equal_ones_a_point():
    (low, high), point = median_intervals([np.array([3.0]), np.array([5.0, 5.0, 5.0])])
    assert np.isnan(low) and np.isnan(high)
    assert point == (5.0, 5.0)


def test_infinite_values_take_their_place():
    [(low, high)] = median_intervals([np.array([1.0, 2.0, np.inf])])
    assert (low, high) == (1.0, np.inf)


def test_an_interval_does_not_depend_on_its_company():
    values = np.arange(7.0)
    alone = median_intervals([values])[0]
    assert median_intervals([np.arange(5.0), values, np.arange(7.0) ** 2])[1] == alone
