"""The noise of a function: seen where plateaus hide it, and not where a kink or a bend looks like it."""

import numpy as np
import pytest
from scipy.special import expit

import backproof
from backproof.estimates.noise import Line, noise_along

FAR = 2.0**-19
"""The distance of the points of a difference."""


def along(f):
    """The noise of a function of one number as it moves from 1."""
    return noise_along(Line(lambda distance: f(1.0 + distance), 1.0, np.dtype(float)), FAR)


def test_the_rounding_of_a_smooth_function_is_its_noise():
    for f in (np.sin, np.exp, lambda x: 1e6 + x, lambda x: np.sin(30 * x)):
        assert 2.0**-53 * abs(f(1.0)) / 4 <= along(f) <= 2.0**-53 * 64 * abs(f(1.0))


@pytest.mark.parametrize("quantum", [1e-4, 1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("inside", [True, False])
def test_values_on_a_grid_err_by_about_its_width(quantum, inside):
    """Also where the points of a difference are whole numbers of its width apart."""
    for rise in (1.0, 0.7, quantum / FAR, 3 * quantum / FAR):
        if inside:
            noise = along(lambda x, r=rise: r * np.round(x / quantum) * quantum) / rise
        else:
            noise = along(lambda x, r=rise: np.round(r * x / quantum) * quantum)
        assert quantum / 4 <= noise <= 8 * quantum


@pytest.mark.parametrize("quantum", [1e-7, 1e-9, 1e-11])
@pytest.mark.parametrize("seed", range(5))
def test_a_grid_is_seen_beside_a_smooth_function(quantum, seed):
    """Nearby a smooth function hides the edges of plateaus."""
    rise = np.random.default_rng(seed).uniform(0.5, 2)
    noise = along(lambda x: np.round(rise * x / quantum) * quantum + x**2)
    assert quantum / 4 <= noise <= 8 * quantum


@pytest.mark.parametrize("at", np.linspace(0.3, 9.7, 12))
def test_a_kink_among_the_points_is_no_noise(at):
    kink = 1 + at * FAR
    assert along(lambda x: abs(x - kink) + x) <= 2.0**-53 * 64
    jump = along(lambda x: 1e-8 * (x > kink) + x**2)
    assert jump <= 2.0**-53 * 64 or 1e-9 < jump < 1e-7  # at an edge of the points it may be missed
    assert jump > 1e-9 or not 2 < at < 8


def penalised(seed, length=1.0):
    """A loss in float32 beside a penalty in float64, its right gradient, and a point."""
    draw = np.random.default_rng(seed)
    x, y = (length * draw.normal(size=(20, 8))).astype("f4"), draw.normal(size=20).astype("f4")

    def f(w):
        return float(((x @ w.astype("f4") - y) ** 2).sum()) + 0.3 * float(w @ w)

    def df(w):
        return 2 * x.T.astype(float) @ (x.astype(float) @ w - y) + 0.6 * w

    return f, df, draw.normal(size=8)


@pytest.mark.parametrize("length", [1.0, 1e-2])
@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(k, marks=pytest.mark.slow) for k in range(3, 8))])
def test_a_loss_in_single_precision_beside_a_penalty_in_double(seed, length):
    """Where inputs are small, plateaus are longer than any first step."""
    f, df, w = penalised(seed, length)
    assert backproof.check(f, w, df=df).verdict in {"agrees", "unresolved"}
    wrong = backproof.check(f, w, df=lambda w: df(w) * np.where(np.arange(8) == seed, 1.3, 1))
    assert wrong.verdict == "incorrect gradient"
    assert backproof.check(f, w, df=lambda w: 0.6 * w).verdict == "incorrect gradient"  # of the penalty alone


@pytest.mark.parametrize("seed", [2, 8, 10, 28, 40])
def test_saturated_probabilities(seed):
    """1 − p is rounded to steps of 1e-16: f has plateaus of all lengths, and long ones count most."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(20, 4)) * draw.choice([1, 3, 6])
    w, y = draw.normal(size=4), (draw.random(20) < 0.5) * 1.0

    def f(w):
        p = np.clip(expit(x @ w), 2.2e-16, 1 - 2.2e-16)
        return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()

    def df(w):
        return x.T @ (expit(x @ w) - y) / 20

    assert backproof.check(f, w, df=df).verdict in {"agrees", "unresolved"}
    assert backproof.check(f, w, df=lambda w: 1.2 * df(w)).verdict == "incorrect gradient"


def test_a_jump_far_beyond_a_parameters_own_size_is_looked_at_so_closely_as_it_is_moved():
    """Moves of 1 round a parameter of 1e-9 in the size of the moves, and nothing lies between."""
    seen = []

    def value(distance):
        seen.append(distance)
        assert len(seen) < 1000
        return np.sin(distance) + (distance > 5.5)

    noise = noise_along(Line(value, 1e-9, np.dtype(float)), 1.0)
    assert noise is not None
