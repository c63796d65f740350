"""Functions that saturate, in low precision: right passes are not called wrong, and wrong ones are."""

import numpy as np
import pytest

pytest.importorskip("torch")
ml_dtypes = pytest.importorskip("ml_dtypes")

from held_out.saturated import DTYPES, OF_NUMPY, OF_PYTORCH, of_numpy, of_pytorch, sigmoid  # noqa: E402

import backproof  # noqa: E402

SEED = 20_261_129
"""Of inputs on which nothing was tuned."""

ACCUSED = "incorrect gradient"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OF_PYTORCH)
def test_pytorchs_own_passes_are_not_called_wrong(name, dtype):
    found = {scale: of_pytorch(name, scale, dtype, SEED) for scale in (1.0, 3.0, 10.0)}
    assert found[1.0] == "agrees" and ACCUSED not in found.values(), found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "fault"), [(n, f) for n in OF_NUMPY for f in (*OF_NUMPY[n][1], "factor")])
def test_passes_of_numpy_are_called_wrong_if_they_are(name, fault, dtype):
    found = [of_numpy(name, fault, scale, dtype, SEED) for scale in (1.0, 3.0, 10.0)]
    assert found == [ACCUSED] * 3 if fault else found[0] == "agrees" and ACCUSED not in found, found


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize(
    ("forward", "slope", "x"),
    [
        (np.tanh, lambda y: 1 - y * y, [0.5, -2.25, 5.0]),
        (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y), [0.5, -2.25, 9.0]),
        (sigmoid, lambda y: y - y * y, [0.5, -2.25, 9.0]),
    ],
)
def test_an_output_that_is_rounded_to_the_same_number_in_every_run(forward, slope, x, kind):
    given = np.array(x).astype(getattr(ml_dtypes, kind, kind))
    assert backproof.check_vjp(forward, lambda g, x: g * slope(forward(x)), given).agrees
    wrong = backproof.check_vjp(forward, lambda g, x: g * slope(forward(x)) * x.dtype.type(1.25), given)
    assert wrong.verdict == ACCUSED
