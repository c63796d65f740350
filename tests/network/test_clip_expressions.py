"""Clips from expressions, against the package's own."""

import numpy as np
import pytest

from backproof.network.clips import CLIPS
from backproof.network.clips.expression import VARIABLES, clip_of
from backproof.network.formula import Formula

SAME = {
    "floor": "log(maximum(q, eps))",
    "shift": "log(q + eps)",
    "none": "log(q)",
    "log_floor": "maximum(log(q), -100)",
}
EPS = 1e-3
Q = np.array([1e-9, 9.99e-4, 1.001e-3, 0.25, 0.999, 1.0])


def clip(text, **parameters):
    return clip_of("mine", Formula(text, parameters, VARIABLES))


@pytest.mark.parametrize("name", SAME)
def test_a_clip_is_the_packages_own(name):
    mine, own = clip(SAME[name]), CLIPS[name]()
    np.testing.assert_allclose(mine.log(Q, EPS), own.log(Q, EPS), rtol=1e-13)
    np.testing.assert_allclose(mine.log_derivative(Q, EPS), own.log_derivative(Q, EPS), rtol=1e-12)
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(mine.active(Q, EPS), own.active(Q, EPS))
    found, wanted = mine.edges(np.array(EPS)), own.edges(np.array(EPS))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_it_keeps_the_precision(dtype):
    found = clip(SAME["floor"]).log(Q.astype(dtype), np.asarray(EPS, dtype))
    assert found.dtype == dtype


def test_edges_follow_eps_and_parameters():
    assert clip("log(where(q < k * eps, k * eps, q))", k=3.0).edges(np.array(0.01))[0] == pytest.approx(0.03)
    several = clip(SAME["floor"]).edges(np.array([[1e-7], [0.1]]))
    np.testing.assert_allclose(several[0], [[1e-7], [0.1]])


def test_what_is_no_clip():
    with pytest.raises(ValueError, match="must depend on q"):
        clip("eps")
