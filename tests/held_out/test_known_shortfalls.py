"""What the check of functions is known to get wrong, each with the smallest case; a mend takes it out here.

A wrong gradient must not agree.
"""

import numpy as np
import pytest

import backproof

ACCEPTS = {"agrees", "valid subgradient"}

WRONG = {
    "the wrong sign beside a kink that is nearer than any step": (
        lambda w: abs(w[0]) + w[1] ** 2, [1e-14, 1], lambda w: np.array([-1, 2 * w[1]])),
}  # fmt: skip


@pytest.mark.xfail(strict=True)
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_that_agrees(name):
    f, w, df = WRONG[name]
    assert backproof.check(f, np.array(w, float), df=df).verdict not in ACCEPTS
