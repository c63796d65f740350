"""A few random configurations of the network in every test run; the command judges thousands."""

import numpy as np
import pytest
from configurations import Tally, judged, tally
from random_networks import CLASSES, configuration
from threadpoolctl import threadpool_limits
from wrong_networks import Scaled

from backproof.data import SOURCES
from backproof.network.activations import ACTIVATIONS
from backproof.network.clips import CLIPS
from backproof.network.initial import initial_weights
from backproof.network.losses import LOSSES
from backproof.network.outputs import OUTPUTS
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule
from backproof.sweeps.checking import Measuring, measured
from backproof.verdicts import Verdict

FIRST, COUNT = 20_000, 40
"""Seeds that no part of the judge was looked at with."""


def test_no_right_gradient_is_accused_and_no_wrong_one_agrees():
    found, done = tally(FIRST, COUNT, wrong=2, large=False)
    assert done == COUNT
    assert found.crashed == []
    assert found.accused == []
    assert found.agreed == []
    assert found.right[Verdict.AGREES] > COUNT / 2
    assert found.wrong[Verdict.INCORRECT_GRADIENT] > COUNT / 2


def test_configurations_depend_on_their_seeds_alone_and_every_class_is_drawn():
    drawn = [configuration(seed).text for seed in range(120)]
    assert drawn == [configuration(seed).text for seed in range(120)]
    assert all(any(name in text for text in drawn) for name in CLASSES)


def test_a_judge_that_always_agrees_is_found_out(monkeypatch):
    """The test of the test: what the tally compares with is no verdict."""
    right = judged
    case = next(c for c in map(configuration, range(FIRST, FIRST + COUNT)) if "float64 digits" in c.text)

    def deaf(_rule, at):
        return right(case.rule, at)

    monkeypatch.setattr("configurations.judged", deaf)
    found = Tally()
    found.add(case, wrong=8)
    assert found.agreed


@pytest.mark.parametrize(("hidden", "parameters"), [((25,), "all"), ((300, 90), 2000)])
def test_single_precision_relu_networks_of_2000_and_50000_parameters(hidden, parameters):
    """Steps of single precision cross kinks by the hundred; the gradient is right all the same."""
    rng = np.random.default_rng(FIRST)
    found = SOURCES["digits"]().draw(rng)
    inputs, targets = (x[:32].astype(np.float32) for x in (found.inputs, found.targets))
    problem = Problem(
        inputs, targets, ACTIVATIONS["relu"](), OUTPUTS["softmax"](), LOSSES["categorical_cross_entropy"](),
        CLIPS["floor"](), 1e-12,
    )  # fmt: skip
    weights = initial_weights([64, *hidden, 10], 1.0, "normal", rng, np.float32)
    rule = BackwardRule()
    with threadpool_limits(1):
        at = measured([Measuring(problem, weights, parameters=parameters)])[0]
        assert judged(rule, at).verdict is Verdict.AGREES
        for layer in range(len(weights)):
            wrong = Scaled(rule, layer, np.s_[:, :], 1.05)
            assert judged(wrong, at).verdict is Verdict.INCORRECT_GRADIENT
