"""Tests of a mean difference: their errors and power in simulated samples, and their statuses."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from backproof.reports.expectations import (
    Expectation,
    Expected,
    Finding,
    excluded,
    judged,
    mean_interval,
    p_of,
    power_of,
    replicates_needed,
)

GREATER, LESS, DIFFERENT, EQUIVALENT = Expected
TABLES = 4000


def simulated(shift, n, seed=0):
    """Means and deviations of so many samples of n normal differences with deviation 1."""
    samples = np.random.default_rng(seed).normal(shift, 1, (TABLES, n))
    return zip(samples.mean(axis=1), samples.std(axis=1, ddof=1), strict=True)


def share_found(expectation, shift, n):
    return np.mean([p_of(expectation, n, mean, sd) <= 0.05 for mean, sd in simulated(shift, n)])


@pytest.mark.parametrize(
    ("expected", "shift"), [(GREATER, 0), (LESS, 0), (DIFFERENT, 0), (EQUIVALENT, 1), (EQUIVALENT, -1)]
)
@pytest.mark.parametrize("n", [5, 20])
def test_what_is_not_so_is_found_in_5_percent(expected, shift, n):
    """At the border of what is not so; of an equivalence that is a difference of the margin."""
    found = share_found(Expectation(expected, 1.0), shift, n)
    error = 3 * np.sqrt(0.05 * 0.95 / TABLES)
    assert found < 0.05 + error
    if (expected, n) != (EQUIVALENT, 5):  # whose power is next to none
        assert found > 0.05 - error


@pytest.mark.parametrize(("expected", "n"), list(product(Expected, (4, 9, 20))))
def test_the_power_is_the_share_in_which_what_is_so_is_found(expected, n):
    expectation = Expectation(expected, 0.7)
    shift = {GREATER: 0.7, LESS: -0.7, DIFFERENT: 0.7, EQUIVALENT: 0.0}[expected]
    power = power_of(expectation, n, 1.0)
    assert share_found(expectation, shift, n) == pytest.approx(power, abs=0.025)


@pytest.mark.parametrize("expected", Expected)
def test_an_effect_that_is_there_is_excluded_in_at_most_5_percent(expected):
    expectation = Expectation(expected, 0.7)
    shift = {GREATER: 0.7, LESS: -0.7, DIFFERENT: 0.7, EQUIVALENT: 0.7}[expected]
    wrong = np.mean([excluded(expectation, 20, mean, sd) for mean, sd in simulated(shift, 20)])
    assert wrong < 0.05 + 3 * np.sqrt(0.05 * 0.95 / TABLES)


def test_p_is_that_of_scipys_tests():
    sample = np.random.default_rng(3).normal(0.2, 1, 12)
    n, mean, sd = len(sample), sample.mean(), sample.std(ddof=1)
    for expected, alternative in ((GREATER, "greater"), (LESS, "less"), (DIFFERENT, "two-sided")):
        theirs = stats.ttest_1samp(sample, 0, alternative=alternative).pvalue
        assert p_of(Expectation(expected, 1.0), n, mean, sd) == pytest.approx(theirs)
    theirs = max(
        stats.ttest_1samp(sample, 0.9, alternative="less").pvalue,
        stats.ttest_1samp(sample, -0.9, alternative="greater").pvalue,
    )
    assert p_of(Expectation(EQUIVALENT, 0.9), n, mean, sd) == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("expected", "known"),
    [(GREATER, 27), (LESS, 27), (DIFFERENT, 34)],
)
def test_the_replicates_that_would_do_are_those_of_textbooks(expected, known):
    """Of half a deviation at 5 % and a power of 0.8, as in G*Power (Faul et al., 2007)."""
    assert replicates_needed(Expectation(expected, 0.5), 1.0) == known


def test_the_interval_of_a_mean_covers_it_about_as_often_as_it_says():
    """Of skewed differences too few to be normal; the percentile bootstrap covers fewer."""
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        low, high = mean_interval(random.exponential(1.0, 20))
        covered += low <= 1 <= high
    assert 0.87 <= covered / 400 <= 0.97


def test_the_interval_is_the_same_each_time_and_of_equal_differences_none_wide():
    sample = np.random.default_rng(2).normal(size=8)
    assert mean_interval(sample) == mean_interval(sample)
    assert mean_interval(np.full(5, 0.25)) == (0.25, 0.25)
    assert np.isnan(mean_interval(np.array([1.0]))).all()


@pytest.mark.parametrize(
    ("expected", "difference", "n", "finding"),
    [
        (EQUIVALENT, 0.0, 20, Finding.SHOWN),
        (EQUIVALENT, 0.0, 3, Finding.NEITHER),  # three equal ones are no proof
        (EQUIVALENT, 0.1001, 20, Finding.EXCLUDED),
        (GREATER, 0.0, 20, Finding.EXCLUDED),
        (GREATER, 0.1001, 20, Finding.SHOWN),
        (LESS, 0.1001, 20, Finding.EXCLUDED),
        (DIFFERENT, 0.0, 20, Finding.EXCLUDED),
        (DIFFERENT, -0.1001, 20, Finding.SHOWN),
    ],
)
def test_differences_that_are_all_equal_are_judged_by_their_number(expected, difference, n, finding):
    found = judged(Expectation(expected, 0.1), np.full(n, difference))
    assert found.deviation == 0
    assert alone(found).finding is finding


def alone(found):
    """A test that is corrected for no other."""
    return replace(found, corrected=found.p)


def test_one_replicate_shows_nothing_and_has_no_power():
    found = alone(judged(Expectation(GREATER, 0.1), np.array([5.0])))
    assert found.finding is Finding.NEITHER and found.underpowered
    assert replicates_needed(found.expectation, found.deviation) is None
