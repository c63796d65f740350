"""What the check of functions is known to get wrong, each with the smallest case; a mend takes it out here.

A wrong gradient must not agree, and a right one must not be called wrong.
"""

import numpy as np
import pytest

import backproof

ACCEPTS = {"agrees", "valid subgradient"}

WRONG = {
    "1 % more than the steepest place of an edge that is narrower than any first step": (
        lambda w: np.tanh(1e12 * (w[0] - 1)) + w[1] ** 2, [1, 1], lambda w: np.array([1.01e12, 2 * w[1]])),
}  # fmt: skip


@pytest.mark.xfail(strict=True)
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_that_agrees(name):
    f, w, df = WRONG[name]
    assert backproof.check(f, np.array(w, float), df=df).verdict not in ACCEPTS


def saturating(y_of, slope_of):
    """A function and its backward pass from the rounded output, as PyTorch has them, too."""
    return y_of, lambda g, x: g * slope_of(y_of(x))


RIGHT = {
    "1 - y² where y is rounded to the same number in every run": (
        *saturating(np.tanh, lambda y: 1 - y * y), [0.5, -2.25, 5.0]),
    "y (1 - y) likewise": (
        *saturating(lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y)), [0.5, -2.25, 9.0]),
}  # fmt: skip


@pytest.mark.xfail(strict=True)
@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_backward_pass_in_low_precision_that_is_called_wrong(name, kind):
    forward, backward, x = RIGHT[name]
    given = np.array(x).astype(getattr(pytest.importorskip("ml_dtypes"), kind, kind))
    assert backproof.check_vjp(forward, backward, given).verdict != "incorrect gradient"
