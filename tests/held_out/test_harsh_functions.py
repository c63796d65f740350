"""Scales, periods, poles, peaks and stairs that one step or one noise does not suit."""

import numpy as np
import pytest
from functions import is_false, run
from harsh_functions import KINDS

import backproof

SEED = 20_261_129
"""Of functions on which nothing was tuned."""


def tangent(w):
    return np.tan(w[0]) + w[1] ** 2


def entropy(p):
    return (p * np.log(p)).sum()


def peak(w):
    return 1 / (1 + ((w[0] - 1) / 1e-6) ** 2) + w.sum()


def slope_of_peak(w):
    return np.array([1 - 2e12 * (w[0] - 1) / (1 + ((w[0] - 1) / 1e-6) ** 2) ** 2, 1])


CASES = {
    "a period far shorter than any step": (
        lambda w: np.sin(1e6 * w[0]), [0.3], lambda w: 1e6 * np.cos(1e6 * w)),
    "a period far shorter than the parameter": (lambda w: np.sin(w).sum(), [1e8, 1], np.cos),
    "a pole within a step": (
        tangent, [np.pi / 2 - 1e-5, 0.2], lambda w: np.array([1 / np.cos(w[0]) ** 2, 2 * w[1]])),
    "an entry that is tiny beside others": (entropy, [1e-12, 1], lambda p: np.log(p) + 1),
    "the side of a narrow peak": (peak, [1 + 3e-7, 2], slope_of_peak),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("factor", [1, 1.01, -1, 0])
def test_the_first_entry_of_a_gradient(name, factor):
    f, w, df = CASES[name]
    at = np.array(w, float)
    right = np.asarray(df(at))
    wrong = np.concatenate([factor * right[:1], right[1:]])
    found = backproof.check(f, at, df=lambda _: wrong)
    assert found.verdict == ("agrees" if factor == 1 else "incorrect gradient")


def test_the_wrong_sign_beside_a_kink_that_is_nearer_than_any_step():
    """Beside the rounding of the other entry the absolute value is a few of its last digits."""
    at = np.array([1e-14, 1])
    for sign, verdict in ((1, "agrees"), (-1, "incorrect gradient")):
        found = backproof.check(
            lambda w: abs(w[0]) + w[1] ** 2, at, df=lambda w, sign=sign: np.array([sign, 2 * w[1]])
        )
        assert found.verdict == verdict


QUANTUM = 2.0**-8


@pytest.mark.parametrize("seed", range(5))
def test_quantised_parameters_are_judged_alike_at_every_point(seed):
    """The derivative is 0, that without the rounding is what the loss does on the whole: neither is wrong."""
    draw = np.random.default_rng(seed)
    w, x, y = draw.normal(size=4), draw.normal(size=(20, 4)), draw.normal(size=20)

    def f(w):
        return float(((x @ (np.round(w / QUANTUM) * QUANTUM) - y) ** 2).mean())

    def df(w):
        return x.T @ (x @ w - y) / 10

    words = {factor: backproof.check(f, w, df=lambda w, k=factor: k * df(w)).verdict for factor in (0, 1, -1)}
    assert words == {0: "undetermined", 1: "undetermined", -1: "incorrect gradient"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_wrong_gradient_agrees_and_no_right_one_is_accused(kind):
    with np.errstate(all="ignore"):
        outcomes = [outcome for k in range(15) for outcome, _ in run(kind, SEED, k, KINDS)[1]]
    assert not [outcome for outcome in outcomes if is_false(outcome)]
    assert outcomes.count("wrong incorrect gradient") >= 12
    assert outcomes.count("right agrees") >= 12
