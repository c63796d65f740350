"""Exact intervals of medians."""

import numpy as np
import pytest
from scipy.stats import quantile_test

from backproof.reports.intervals import LEVEL, median_interval

SAMPLES = 20_000


@pytest.mark.parametrize("size", [2, 3, 5, 10, 30])
@pytest.mark.parametrize("draw", ["normal", "exponential", "standard_cauchy"])
def test_it_covers_the_median_at_least_as_often_as_it_says(size, draw):
    """An interval that is not given covers nothing and promises nothing."""
    random = np.random.default_rng(size)
    samples = np.sort(getattr(random, draw)(size=(SAMPLES, size)), axis=1)
    true = np.log(2) if draw == "exponential" else 0.0
    found = np.array([median_interval(sample) for sample in samples])
    if size < 6:
        assert np.isnan(found).all(), "no interval of so few values covers 95 %"
        return
    covered = np.mean((found[:, 0] <= true) & (true <= found[:, 1]))
    noise = 4 * np.sqrt(LEVEL * (1 - LEVEL) / SAMPLES)
    assert covered >= LEVEL - noise
    inside = np.sort(samples, axis=1)[:, 1:-1]
    least = np.array([sample[sample > low][0] for sample, low in zip(inside, found[:, 0], strict=True)])
    most = np.array([sample[sample < high][-1] for sample, high in zip(inside, found[:, 1], strict=True)])
    assert np.mean((least <= true) & (true <= most)) < LEVEL, "a narrower one covers less than it would say"


@pytest.mark.parametrize("size", [6, 7, 8, 9, 20, 101])
def test_it_is_that_of_scipy(size):
    """Whose interval runs from one order statistic to another likewise, each end of it one-sided."""
    values = np.sort(np.random.default_rng(size).normal(size=size))
    theirs = quantile_test(values, q=0, p=0.5).confidence_interval(LEVEL)
    assert median_interval(values) == pytest.approx((theirs.low, theirs.high))


def test_the_least_number_of_values_is_six():
    assert np.isnan(median_interval(np.arange(5.0))).all()
    assert median_interval(np.arange(6.0)) == (0, 5)


def test_infinite_values_take_their_place():
    assert median_interval(np.array([1, 2, 3, 4, 5, np.inf])) == (1.0, np.inf)
