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
