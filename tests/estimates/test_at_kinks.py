"""The derivative with one weight at all kinks, and what decides at them."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import random_problem

from backproof.estimates.incremental import numerical_gradient
from backproof.estimates.output_rounding import backward_error_at_output, derivative_size
from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.stencils import Scheme
from backproof.network.activations import ACTIVATIONS
from backproof.network.at_kinks import with_derivative_at_kinks
from backproof.network.rules import BackwardRule
from backproof.sweeps.checking import Measuring, measured
from backproof.targets.layout import flattened
from backproof.verdicts import Verdict, judge
from backproof.verdicts.network import NetworkTarget

PIECEWISE = [a.name for a in ACTIVATIONS.records() if a.kinks]


def on_kinks(activation, output="same", seed=3):
    """A network of two hidden layers with samples of zeros: every unit and output lies on a kink at zero."""
    problem, weights = random_problem(
        seed,
        activation=activation,
        output=activation if output == "same" else output,
        loss="squared_error",
        hidden=(4, 3),
        bias="zero",
    )
    problem.inputs[:2] = 0
    at = {kink.at for kink in problem.activation.kinks}
    for w in weights:  # so that also those whose kinks are elsewhere lie on one
        w[:, -1] = min(at, key=abs)
    return problem, weights


def verdict_on(problem, weights, rule):
    at = measured([Measuring(problem, weights)])[0]
    return judge(NetworkTarget(rule, at.own, at.reference, at.finer)).verdict


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("activation", PIECEWISE)
def test_imaginary_moves_find_the_chain_rule_with_any_weight(activation, weight):
    problem, weights = on_kinks(activation)
    rule = BackwardRule(relu_at_zero=weight)
    forward = problem.forward(weights)
    right = flattened(rule.gradient(problem, forward, weights))
    found = numerical_gradient(with_derivative_at_kinks(problem, weight), weights, scheme=Scheme.COMPLEX)
    assert np.abs(found.value - right).max() <= 1e-13 * np.abs(right).max()
    assert not found.touched.any()
    other = flattened(replace(rule, relu_at_zero=weight - 0.1).gradient(problem, forward, weights))
    assert (np.abs(other - found.value) > found.bound).any()


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("activation", PIECEWISE)
def test_kinks_in_all_layers_at_once_accuse_no_weight(activation, weight):
    found = verdict_on(*on_kinks(activation), BackwardRule(relu_at_zero=weight))
    assert found in (Verdict.AGREES, Verdict.VALID_SUBGRADIENT)


def test_a_small_error_in_entries_on_kinks_does_not_pass_for_another_subgradient():
    problem, weights = on_kinks("relu", "identity")

    class Wrong:
        def backward(self, *at):
            found = BackwardRule(relu_at_zero=1.0).backward(*at)
            found.gradients[0][:, -1] *= 1.003  # beyond the right-hand derivatives
            return found

    # So near to the right ones, on kinks of every unit, it may be left undetermined; it must not pass.
    assert verdict_on(problem, weights, Wrong()) in (Verdict.INCORRECT_GRADIENT, Verdict.UNDETERMINED)


def test_a_smooth_second_order_change_does_not_take_a_unit_off_its_kink():
    """expm1(ih) is ih − h²/2: the real part must not decide on which side of zero the ReLU lies."""
    problem, weights = random_problem(5, activation="elu", output="relu", hidden=(3,), bias="zero")
    problem.inputs[0] = 0
    assert verdict_on(problem, weights, BackwardRule(relu_at_zero=0.25)) in (
        Verdict.AGREES,
        Verdict.VALID_SUBGRADIENT,
    )


def test_the_derivative_of_a_saturated_unit_is_seen_however_small():
    z = np.array([[-150.0, 40.0, 0.5]])
    found = derivative_size(ACTIVATIONS["tanh"]().value, z, np.float64)
    np.testing.assert_allclose(found, 1 / np.cosh(z) ** 2, rtol=1e-13)


def test_at_the_edge_of_its_domain_the_loss_has_a_derivative():
    """At y = 1 and t = 1, a move to y > 1 has no logarithm, and the derivative to the left is −1."""
    problem, weights = random_problem(4, loss="binary_cross_entropy", clip="log_floor", hidden=(), outputs=1)
    weights[0][:], problem.targets[:] = 0, 1
    weights[0][0, -1] = 45  # σ(45) is 1
    forward = problem.forward(weights)
    assert (forward.outputs == 1).all()
    with np.errstate(all="ignore"):
        found = backward_error_at_output(PerturbedLoss(problem, weights, forward))
    assert (found > 0).all()
