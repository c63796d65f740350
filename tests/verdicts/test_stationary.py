"""Where a gradient is zero an error of it is relative to what the derivative is within the entries' reach."""

import numpy as np
import pytest

import backproof

STATIONARY = {
    "squares at 0": (lambda w: (w**2).sum(), np.zeros(3), lambda w: 2 * w),
    "squares beside a constant": (lambda w: (w**2).sum() + 10, np.zeros(3), lambda w: 2 * w),
    "cosines at 0": (lambda w: np.cos(w).sum(), np.zeros(3), lambda w: -np.sin(w)),
    "squares about 1": (lambda w: ((w - 1) ** 2).sum(), np.ones(3), lambda w: 2 * (w - 1)),
    "a single entry": (lambda w: ((w - 1) ** 2).sum(), np.ones(1), lambda w: 2 * (w - 1)),
    "a product": (lambda w: w[0] * w[1] + w[2] ** 2, np.zeros(3), lambda w: np.array([w[1], w[0], 2 * w[2]])),
}


@pytest.mark.parametrize("name", STATIONARY)
def test_a_gradient_of_zero_agrees_and_says_to_how_many_digits(name):
    f, w, df = STATIONARY[name]
    found = backproof.check(f, w, df=df)
    if name == "a product":  # along single entries nothing changes, as along those of a constant
        assert found.verdict == "agrees"
        return
    assert found.verdict == "agrees"
    assert 0 < found.judgement.resolution < 1e-4
    for error in (1e-2, 1e-4):
        wrong = backproof.check(f, w, df=lambda w, e=error: df(w) + e * (np.arange(len(w)) == 0))
        assert wrong.verdict == "incorrect gradient"


@pytest.mark.parametrize("power", range(-12, 13, 3))
@pytest.mark.parametrize("f", [np.square, lambda x: 1 - np.cos(x)])
def test_the_unit_of_an_entry_changes_nothing(f, power):
    unit = np.array([10.0**power, 1, 1])
    df = {True: lambda x: 2 * x, False: np.sin}[f is np.square]

    def verdict(off, at):
        return backproof.check(
            lambda w: f(w / unit - at).sum(), np.ones(3) * unit,
            df=lambda w: df(w / unit - at) / unit + off / unit,
        ).verdict  # fmt: skip

    for at in (np.ones(3), np.array([1, 0, -1])):  # stationary in all entries, or in the first alone
        assert verdict(np.zeros(3), at) == "agrees"
        assert verdict(np.array([0.01, 0, 0]), at) == "incorrect gradient"


@pytest.mark.parametrize("power", range(-12, 13, 3))
def test_the_unit_of_an_entry_that_is_zero_changes_no_right_verdict(power):
    unit = np.array([10.0**power, 1, 1])
    found = backproof.check(
        lambda w: ((w / unit) ** 2).sum(), np.array([0, 1, 2]) * unit, df=lambda w: 2 * w / unit**2
    )
    assert found.verdict == "agrees"


def test_a_constant_has_a_gradient_of_zero():
    """It does not change at any distance that is tried, so that any other gradient would have been seen."""
    assert backproof.check(lambda _w: 3.0, np.ones(3), df=np.zeros_like).verdict == "agrees"
    assert backproof.check(lambda _w: 3.0, np.ones(3), df=lambda w: 1e-6 * w).verdict == "incorrect gradient"


def test_the_minimum_of_a_fit_takes_few_evaluations():
    """What is zero there is asked for relative to what it is a step away, not to its own rounding."""
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(30, 10)), draw.normal(size=30)
    found = backproof.check(
        lambda w: ((x @ w - y) ** 2).sum(), np.linalg.lstsq(x, y, rcond=None)[0],
        df=lambda w: 2 * x.T @ (x @ w - y),
    )  # fmt: skip
    assert found.verdict == "agrees"
    assert found.target.evaluations < 150  # 539 when each was asked for in units of the others
