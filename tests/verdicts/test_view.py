"""A problem at a point: many points at once have the losses that they have alone."""

import numpy as np
import pytest

from backproof.network.arrays import Precision
from backproof.requests import Request
from backproof.session import Session
from backproof.sweeps.checking import checkable
from backproof.verdicts.view import flattened

PROBLEMS = (
    ("data=xor", "network.bias=zero", "output=sigmoid"),
    ("data=digits", "network=small", "output=softmax", "loss=categorical_cross_entropy"),
    ("data=gaussian", "network.hidden=[7,3]", "output=tanh", "loss=squared_error", "loss.l2=0.1"),
)


@pytest.mark.parametrize("precision", [*Precision][:4])
@pytest.mark.parametrize("words", PROBLEMS, ids=lambda words: words[0])
def test_many_points_have_the_bits_that_they_have_alone(words, precision):
    request = Request((*words, f"precision={precision}", "training=none"))
    view = checkable(Session().cell(request).case).own
    start = flattened(view.weights)
    moved = np.random.default_rng(0).normal(size=(30, len(start))).astype(start.dtype)
    points = start + moved * start.dtype.type(0.1)
    alone = np.array([view.loss_of(point) for point in points])
    assert np.isfinite(alone).all()
    np.testing.assert_array_equal(view.losses_of(points), alone)
