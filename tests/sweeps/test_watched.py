"""Checks while a network trains: the verdicts are those of the weights at these steps."""

import numpy as np
import pytest

from backproof.sweeps.outcome import Outcome
from backproof.sweeps.training_runs import train_alike
from backproof.verdicts import Verdict

SMALL = ("network.hidden=[3]", "training.steps=6", "check.samples=4")


def trained(*cases):
    outcomes = [Outcome(case.id) for case in cases]
    train_alike(list(cases), outcomes)
    return outcomes


def test_the_verdict_changes_once_the_weights_leave_the_kinks(one):
    """xor's row of zeros is on ReLU's kink while the biases are zero, which they are at the start alone."""
    case = one("data=xor", "network.bias=zero", "output=sigmoid", "training.check_every=2", *SMALL).case
    (outcome,) = trained(case)
    steps, severities = outcome.curves["verdict"]
    assert steps.tolist() == [0, 2, 4, 6]
    assert severities[0] == Verdict.VALID_SUBGRADIENT.severity
    assert outcome.values["verdict_changes"] == np.count_nonzero(np.diff(severities)) > 0
    assert outcome.values["last_verdict"] == "agrees"


@pytest.mark.parametrize(("fault", "expected"), [("none", "agrees"), ("sign", "incorrect gradient")])
def test_every_network_of_a_batch_has_verdicts_of_its_own_rule_and_weights(one, fault, expected):
    cases = [
        one(
            f"fault={fault}",
            f"seed={seed}",
            "activation=tanh",
            "output=sigmoid",
            "training.check_every=3",
            *SMALL,
        ).case
        for seed in (0, 1)
    ]
    for outcome in trained(*cases):
        assert outcome.values["last_verdict"] == expected
        assert outcome.values["verdict_changes"] == 0


def test_nothing_is_checked_along_the_way_unless_asked_for(one):
    (outcome,) = trained(one("data=xor", *SMALL).case)
    assert "verdict" not in outcome.curves
    assert "last_verdict" not in outcome.values
    unchecked = one("data=xor", "check=none", "training.check_every=3", "training.steps=6").case
    assert unchecked.training.check_every is None
