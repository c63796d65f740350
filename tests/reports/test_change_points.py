"""Steps in series: the fit is the best one, and how often noise has a step and a step is found."""

from itertools import combinations

import numpy as np
import pytest

from backproof.reports.change_points import (
    LEAST_POINTS,
    PENALTY,
    deviations,
    levels_of,
    noise_of,
    segments_of,
)

LEAST = 1e-9
"""Nothing is too small for a step, so that the noise alone decides."""


def cost(values, starts):
    """The sum of absolute deviations from the medians of segments."""
    return sum(np.abs(part - np.median(part)).sum() for part in np.split(values, starts[1:]))


def every_segmentation(n):
    for k in range(n // LEAST_POINTS):
        for inner in combinations(range(1, n), k):
            starts = [0, *inner]
            if min(np.diff([*starts, n])) >= LEAST_POINTS:
                yield starts


@pytest.mark.parametrize("seed", range(8))
def test_no_segmentation_is_better(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=9) + 4 * (np.arange(9) > rng.integers(1, 8))
    penalty = PENALTY * noise_of(values)
    costs = {tuple(s): cost(values, s) + penalty * (len(s) - 1) for s in every_segmentation(9)}
    found = segments_of(values, LEAST)
    assert costs[tuple(found)] == pytest.approx(min(costs.values()), abs=1e-12)
    assert len(costs) == 21


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_deviations_are_those_from_the_median(n):
    values = np.random.default_rng(n).normal(size=n).round(1)
    found = deviations(values)
    for i in range(n):
        for j in range(i + 1, n + 1):
            assert found[i, j] == pytest.approx(cost(values[i:j], [0]), abs=1e-12)
    assert found[0, n] != pytest.approx(cost(values + np.arange(n), [0]), abs=1e-3) or n == 1


def test_the_noise_is_that_of_gaussian_noise_whatever_steps_there_are():
    values = np.random.default_rng(0).normal(0, 0.3, 4000) + 10 * (np.arange(4000) > 1000)
    assert noise_of(values) == pytest.approx(0.3, rel=0.05)
    assert np.std(values) > 3


# --- rates

NOISES = {
    "Gaussian": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_t(3, size=n) / np.sqrt(3),
    "slow runs": lambda rng, n: rng.normal(size=n) + (rng.random(n) < 0.1) * rng.exponential(8, n),
}
SERIES = 500


def share(n, step, noise="Gaussian", seed=0):
    """Of series with a step of so many standard deviations in the middle: with any step, with it alone."""
    rng, middle = np.random.default_rng(seed), n // 2
    found = [
        segments_of(NOISES[noise](rng, n) + step * (np.arange(n) >= middle), LEAST) for _ in range(SERIES)
    ]
    right = [len(s) == 2 and abs(s[1] - middle) <= 1 for s in found]
    return np.mean([len(s) > 1 for s in found]), np.mean(right)


@pytest.mark.parametrize("n", [5, 10, 30])
def test_noise_has_a_step_in_few_series(n):
    """Measured over 4,000 series each: 2.2 %, 4.5 % and 4.8 %."""
    rate, _ = share(n, 0)
    assert 0 < rate < 0.075


@pytest.mark.parametrize(("n", "noise", "most"), [
    (10, "heavy tails", 0.06), (30, "heavy tails", 0.08), (10, "slow runs", 0.09), (30, "slow runs", 0.17),
])  # fmt: skip
def test_outliers_make_few_steps(n, noise, most):
    """A fit by squares has 8 % to 72 % here, at the same rate for Gaussian noise."""
    assert share(n, 0, noise)[0] < most


@pytest.mark.parametrize(("n", "step", "least"), [
    (5, 3, 0.25), (10, 3, 0.68), (20, 3, 0.95), (30, 3, 0.97), (5, 6, 0.68), (10, 6, 0.97), (30, 6, 0.99),
])  # fmt: skip
def test_steps_of_three_and_six_standard_deviations_are_found(n, step, least):
    anything, it_alone = share(n, step)
    assert anything >= least
    assert it_alone >= 0.85 * least


# --- single series


def test_a_single_outlier_is_no_step_and_two_points_are():
    quiet = np.array([1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01])
    assert segments_of(quiet, LEAST) == [0]
    outlier = quiet.copy()
    outlier[4] = 50
    assert segments_of(outlier, LEAST) == [0]
    outlier[5] = 50
    assert segments_of(outlier, LEAST) == [0, 4, 6]


def test_exact_series_have_the_steps_that_matter():
    exact = np.array([1.0] * 4 + [2.0] * 3 + [1.5] * 4)
    assert segments_of(exact, 0.05) == [0, 4, 7]
    assert levels_of(exact, [0, 4, 7]).tolist() == exact.tolist()
    assert segments_of(np.array([1.0, 1.0, 1.04, 1.04]), 0.05) == [0]
    assert segments_of(np.array([1.0, 1.0, 1.06, 1.06]), 0.05) == [0, 2]


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 9.0], [1.0, 1.0, 9.0]])
def test_three_points_have_no_step(values):
    assert segments_of(np.array(values), LEAST) == ([0] if values else [])
    assert levels_of(np.array(values), segments_of(np.array(values), LEAST)).shape == (len(values),)
