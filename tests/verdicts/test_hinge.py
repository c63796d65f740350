"""A hinge loss with an output exactly at its margin: any share of the slope is right, and none beyond."""

import numpy as np
import pytest

from backproof.network.activations import ACTIVATIONS
from backproof.network.clips import CLIPS
from backproof.network.losses import LOSSES
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule
from backproof.sweeps.checking import Measuring, measured
from backproof.verdicts import judge
from backproof.verdicts.network import NetworkTarget

INPUTS, TARGETS = np.array([[1.0, 0.0], [0.5, 0.25]]), np.array([[1.0], [0.0]])
AT_MARGIN = [np.array([[0.5, 0.3, 0.5]])]


def verdict(weights, **loss):
    identity = ACTIVATIONS["identity"]()
    problem = Problem(INPUTS, TARGETS, identity, identity, LOSSES["hinge"](**loss), CLIPS["none"]())
    at = measured([Measuring(problem, weights)])[0]
    return judge(NetworkTarget(BackwardRule(), at.own, at.reference, at.finer, resolution=0.01)).verdict


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_each_share_of_the_slope_at_the_margin_is_a_subgradient(share):
    assert verdict(AT_MARGIN, at_margin=share) == "valid subgradient"


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_beyond_the_slopes_on_both_sides_is_refused(share):
    assert verdict(AT_MARGIN, at_margin=share) == "incorrect gradient"


def test_beside_the_margin_the_share_makes_no_difference():
    beside = [AT_MARGIN[0] + np.array([[0, 0, 0.01]])]
    assert verdict(beside, at_margin=7.0) == "agrees"
