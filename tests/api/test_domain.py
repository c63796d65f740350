"""Parameters that may not move freely: edges of the domain, bounds and tangent spaces."""

import numpy as np
import pytest
from scipy.optimize import Bounds

import backproof


def test_a_function_that_is_defined_on_one_side_only_is_differentiated_there():
    w = np.array([0.0, 2.0])

    def f(w):
        return float(np.sum(np.where(w >= 0, w**2.5 + 3 * w, np.nan)))

    found = backproof.check(f, w, df=lambda w: 2.5 * w**1.5 + 3)
    assert found.agrees, found
    wrong = backproof.check(f, w, df=lambda w: (2.5 * w**1.5 + 3) * [1.01, 1])
    assert wrong.verdict == "incorrect gradient"


def test_a_function_that_raises_outside_its_domain_is_not_asked_there():
    def f(w):
        if w.min() < 0:
            raise ValueError("below zero")
        return float(np.sum(np.exp(w)))

    w = np.array([0.0, 1.0, 1e-13])
    assert backproof.check(f, w, df=np.exp).agrees
    assert backproof.check(f, w, df=lambda w: np.exp(w) * [1.01, 1, 1]).verdict == "incorrect gradient"


@pytest.mark.parametrize("bounds", [(0, 1), (np.zeros(3), None), Bounds(0, 1), (0, [1, 1, 1])])
def test_no_point_outside_the_bounds_is_asked_for(bounds):
    seen = []

    def f(w):
        seen.append(w.copy())
        return float(np.sum(np.sin(3 * w)))

    w = np.array([0.0, 0.5, 0.25])
    assert backproof.check(f, w, df=lambda w: 3 * np.cos(3 * w), bounds=bounds).agrees
    assert np.min(seen) >= 0
    wrong = backproof.check(f, w, df=lambda w: 3 * np.cos(3 * w) * [1.01, 1, 1], bounds=bounds)
    assert wrong.verdict == "incorrect gradient"


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((1, 2), r"bounds: W\[0\] is 0.5; not from 1 to 2"),
        (3, "bounds: must be"),
        ((np.zeros(2), None), r"bounds: of W have shape \(2,\)"),
    ],
)
def test_bounds_that_do_not_fit_are_refused(bounds, words):
    with pytest.raises(backproof.FunctionError, match=words):
        backproof.check(lambda w: (float(w @ w), 2 * w), np.full(3, 0.5), bounds=bounds)


def log_determinant(w):
    """Of a symmetric matrix, and its gradient."""
    if not np.array_equal(w, w.T):
        raise ValueError("not symmetric")
    sign, value = np.linalg.slogdet(w)
    return float(value) if sign > 0 else np.nan, np.linalg.inv(w)


def test_symmetric_matrices():
    a = np.random.default_rng(0).normal(size=(4, 4))
    w = a @ a.T + np.eye(4)
    assert backproof.check(log_determinant, w, tangent="symmetric").agrees
    found = backproof.check(
        lambda w: (log_determinant(w)[0], 1.01 * np.linalg.inv(w)), w, tangent="symmetric"
    )
    assert found.verdict == "incorrect gradient"
    assert found.judgement.worst_parameter.startswith("W[")
    assert backproof.check(log_determinant, w).verdict != "agrees"


@pytest.mark.parametrize("which", ["lower", "upper"])
def test_triangular_matrices(which):
    cut = np.tril if which == "lower" else np.triu
    w = cut(np.random.default_rng(1).normal(size=(3, 3))) + 2 * np.eye(3)

    def f_df(w):
        return float(np.sum(np.sin(cut(w)))), np.cos(w)  # wrong outside the triangle, which may not move

    assert backproof.check(f_df, w, tangent=which).agrees
    assert backproof.check(lambda w: (f_df(w)[0], f_df(w)[1].T), w, tangent=which).verdict != "agrees"


def test_the_simplex_and_the_sphere():
    p = np.random.default_rng(2).dirichlet(np.ones(5))

    def entropy(p):
        return float(-np.sum(p * np.log(p))), -np.log(p)  # right but for a constant, which no move sees

    assert backproof.check(entropy, p, tangent="simplex").agrees
    assert backproof.check(entropy, p).verdict == "incorrect gradient"
    x = np.random.default_rng(3).normal(size=6)
    x /= np.linalg.norm(x)
    m = np.diag(np.arange(6.0))

    def rayleigh(x):
        return float(x @ m @ x), 2 * (m @ x - (x @ m @ x) * x)

    assert backproof.check(rayleigh, x, tangent="sphere").agrees
    assert backproof.check(rayleigh, x).verdict == "incorrect gradient"
    assert backproof.check(lambda x: (rayleigh(x)[0], m @ x), x, tangent="sphere").verdict != "agrees"


def test_directions_of_ones_own():
    w = np.array([1.0, 2.0, 3.0])
    only = np.array([[1.0], [1.0], [0.0]])

    def f_df(w):
        return float(w @ w), 2 * w + [0.5, -0.5, 9]

    assert backproof.check(f_df, w, tangent=only).agrees
    assert backproof.check(f_df, w, tangent=np.eye(3)).verdict == "incorrect gradient"


@pytest.mark.parametrize(
    ("tangent", "words"),
    [
        ("circle", "must be an array or one of symmetric"),
        ("symmetric", "needs a square matrix"),
        (np.zeros((3, 1)), "direction 0 is zero"),
        (np.zeros((2, 1)), r"must have shape \(3, directions\)"),
    ],
)
def test_a_tangent_that_does_not_fit_is_refused(tangent, words):
    with pytest.raises(backproof.FunctionError, match=words):
        backproof.check(lambda w: (float(w @ w), 2 * w), np.ones(3), tangent=tangent)


def test_a_gradient_that_is_right_only_to_some_digits_is_told_of_rtol():
    w = np.random.default_rng(4).normal(size=6)
    noise = 1 + 1e-6 * np.random.default_rng(5).normal(size=6)
    found = backproof.check(lambda w: float(np.sin(w).sum()), w, df=lambda w: np.cos(w) * noise)
    assert found.verdict == "incorrect gradient"
    assert "rtol=1e-05 allows for it" in str(found.causes[-1])
    allowed = backproof.check(lambda w: float(np.sin(w).sum()), w, df=lambda w: np.cos(w) * noise, rtol=1e-5)
    assert allowed.agrees


@pytest.mark.parametrize("stairs", [np.floor, np.round, np.trunc])
def test_a_gradient_of_zero_on_stairs_is_not_called_wrong(stairs):
    x, c = 8 * np.random.default_rng(6).normal(size=30), np.random.default_rng(7).normal(size=30)
    found = backproof.check(lambda x: float(c @ stairs(x)), x, df=np.zeros_like)
    assert found.verdict == "undetermined"
    wrong = backproof.check(lambda x: float(c @ stairs(x)), x, df=lambda x: np.full(x.shape, 9.0))
    assert wrong.verdict == "incorrect gradient"


def test_a_loss_that_is_constant_around_the_point_has_a_gradient_of_zero():
    x = np.array([3.0, -4, 2])
    assert backproof.check(lambda x: float(np.clip(x, -1, 1).sum()), x, df=np.zeros_like).agrees
    assert backproof.check(lambda x: float(np.clip(x, -1, 1).sum()), x, df=np.ones_like).verdict == (
        "incorrect gradient"
    )
