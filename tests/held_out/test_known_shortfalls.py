"""What the check of functions is known to get wrong, each with the smallest case; a mend takes it out here.

A right gradient must not be called incorrect, and a wrong one must not agree.
"""

import numpy as np
import pytest

import backproof

ACCUSES = {"incorrect gradient"}
ACCEPTS = {"agrees", "valid subgradient"}


def entropy(p):
    return (p * np.log(p)).sum()


def peak(w):
    return 1 / (1 + ((w[0] - 1) / 1e-6) ** 2) + w.sum()


def slope_of_peak(w):
    return np.array([-2e12 * (w[0] - 1) / (1 + ((w[0] - 1) / 1e-6) ** 2) ** 2 + 1, 1])


RIGHT = {
    "a period far shorter than any step": (
        lambda w: np.sin(1e6 * w[0]), [0.3], lambda w: 1e6 * np.cos(1e6 * w)),
    "a period far shorter than the parameter": (lambda w: np.sin(w).sum(), [1e8, 1], np.cos),
    "a pole within a step": (
        lambda w: np.tan(w[0]) + w[1] ** 2, [np.pi / 2 - 1e-5, 0.2],
        lambda w: np.array([1 / np.cos(w[0]) ** 2, 2 * w[1]])),
}  # fmt: skip

WRONG = {
    "the wrong sign of an entry that is tiny beside others": (
        entropy, [1e-12, 1], lambda p: (np.log(p) + 1) * [-1, 1]),
    "nothing, on the side of a narrow peak": (peak, [1 + 3e-7, 2], lambda w: slope_of_peak(w) * [0, 1]),
    "the wrong sign beside a kink that is nearer than any step": (
        lambda w: abs(w[0]) + w[1] ** 2, [1e-14, 1], lambda w: np.array([-1, 2 * w[1]])),
}  # fmt: skip


@pytest.mark.xfail(strict=True)
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_gradient_that_is_accused(name):
    f, w, df = RIGHT[name]
    assert backproof.check(f, np.array(w, float), df=df).verdict not in ACCUSES


@pytest.mark.xfail(strict=True)
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_that_agrees(name):
    f, w, df = WRONG[name]
    assert backproof.check(f, np.array(w, float), df=df).verdict not in ACCEPTS
