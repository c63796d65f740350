"""Causes: what was planted is what is named, where it was planted, and a right pass departs nowhere."""

from dataclasses import replace

import numpy as np
import pytest
from network.test_faults import setting_of, with_and_without
from oracles import random_problem

from backproof.network.activations import ACTIVATIONS
from backproof.network.activations.tanh import tanh
from backproof.network.deltas.y_minus_t import y_minus_t
from backproof.network.faults import FAULTS
from backproof.network.faults.mutant import Mutant
from backproof.network.rules import Backward, BackwardRule
from backproof.verdicts.local_derivatives import one_sided_derivatives
from backproof.verdicts.network import judge_network
from backproof.verdicts.operations import localise
from backproof.verdicts.view import view_of

KNOWN = [fault for fault in FAULTS.records() if not isinstance(fault, Mutant)]
"""The faults that have one right name each; of mutants, see `held_out/test_mutants.py`."""

ACTIVATED = ("tanh", "sigmoid", "relu", "softplus", "leaky_relu", "elu")
PAIRS = [
    {"output": "sigmoid", "loss": "binary_cross_entropy", "reduction": "mean"},
    {"output": "softmax", "loss": "categorical_cross_entropy", "clip": "shift", "eps": 0.1},
    {"output": "identity", "loss": "squared_error", "reduction": "sample_mean"},
    {"output": "relu", "loss": "squared_error"},
    {"output": "softmax", "loss": "squared_error", "reduction": "mean"},
    {"output": "tanh", "loss": "squared_error"},
    {"output": "sigmoid", "loss": "binary_cross_entropy", "clip": "floor", "eps": 0.3},
]


def square(seed=3, **choice):
    """Seven of everything, so that every confusion of shapes is possible; with a penalty."""
    given = {"hidden": (7, 7), "samples": 7, "features": 7, **choice}
    problem, weights = random_problem(seed, **given)
    return replace(problem, l2=0.01), weights


class Changed:
    """The right backward pass, one of its deltas or gradients changed and carried on from there."""

    def __init__(self, layer, *, delta=None, gradient=None):
        self.layer, self.delta, self.gradient = layer, delta, gradient

    def backward(self, problem, forward, weights):
        right = BackwardRule().backward(problem, forward, weights)
        deltas = [d.copy() for d in right.deltas]
        gradients = [g.copy() for g in right.gradients]
        if self.delta:
            deltas[self.layer] = self.delta(deltas[self.layer])
        for layer in range(self.layer, -1, -1):
            if layer < self.layer:
                z = forward.pre_activations[layer]
                carried = deltas[layer + 1] @ weights[layer + 1][:, :-1]
                deltas[layer] = carried * problem.activation.derivative(z)
            penalty = problem.l2 * weights[layer]
            penalty[:, -1] = 0
            gradients[layer] = deltas[layer].T @ forward.inputs[layer] + penalty
        if self.gradient:
            gradients[self.layer] = self.gradient(gradients[self.layer], deltas[self.layer], forward)
        return Backward(deltas, gradients)


class Blind:
    """A rule that keeps its deltas to itself."""

    def __init__(self, rule):
        self.rule = rule

    def backward(self, *here):
        return Backward([], self.rule.backward(*here).gradients)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: "-".join(map(str, p.values())))
@pytest.mark.parametrize("activation", ACTIVATED)
def test_every_planted_fault_is_named_first(activation, pair):
    problem, weights = square(activation=activation, **pair)
    view = view_of(problem, weights)
    named = 0
    for fault in KNOWN:
        found, right = with_and_without(fault.name, problem, weights)
        changes = zip(found.gradients, right.gradients, strict=True)
        changed = max(np.abs(a - b).max() / np.abs(b).max() for a, b in changes) > 1e-9
        judged = judge_network(BackwardRule(relu_at_zero=0.5, fault=fault), view)
        assert (judged.verdict in ("incorrect gradient", "clip active")) == changed, fault.name
        if changed and fault.matters(setting_of(problem, weights)):
            assert judged.causes[0].name == fault.cause, fault.name
            named += 1
    assert named > 15


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"gradient": lambda g, *_: 3 * g}, "weight gradient: scale"),
        ({"gradient": lambda g, *_: -g}, "weight gradient: sign"),
        ({"gradient": lambda g, *_: 0 * g}, "weight gradient: zero"),
        ({"delta": lambda d: 3 * d}, "scale"),
        ({"delta": lambda d: np.where(np.arange(7)[:, None] == 3, 0, d)}, "samples left out"),
        ({"delta": lambda d: d.astype(np.float32).astype(float)}, "lower precision"),
    ],
)
def test_a_change_in_one_layer_is_located_there_and_nowhere_else(layer, change, cause):
    problem, weights = square(activation="tanh", output="sigmoid", loss="squared_error")
    rule = Changed(layer, **change)
    view = view_of(problem, weights)
    departures = localise(rule.backward(problem, view.forward, weights), view)
    assert [d.layer for d in departures] == [layer + 1]
    assert departures[0].name.endswith(cause)
    assert judge_network(rule, view).causes[0].layers == (layer + 1,)


def test_random_factors_of_a_hidden_delta_have_no_name_but_a_place():
    problem, weights = square(activation="tanh", output="sigmoid", samples=40)
    factors = np.random.default_rng(1).uniform(0.5, 1.5, (40, 7))
    view = view_of(problem, weights)
    judged = judge_network(Changed(1, delta=lambda d: d * factors), view)
    assert judged.causes[0].name == "hidden delta: not identified"
    assert judged.causes[0].layers == (2,)
    assert "every entry" in judged.causes[0].detail


def order(x):
    return x[np.random.default_rng(3).permutation(len(x))]


SOLVED = {
    "hidden delta: entries left out": lambda d: d * (np.random.default_rng(1).random(d.shape) < 0.8) / 0.8,
    "hidden delta: cut off": lambda d: np.clip(d, -0.02, 0.02),
    "hidden delta: in another order": order,
    "hidden delta: factors of units": lambda d: d * np.linspace(0.5, 2, 7),
    "hidden delta: factors of samples": lambda d: d * np.linspace(0.5, 2, 40)[:, None],
    "hidden delta: mean taken off": lambda d: d - d.mean(axis=0),
}


@pytest.mark.parametrize("share", [1.0, 1e-3])
@pytest.mark.parametrize("name", SOLVED)
def test_what_an_operand_must_have_been_has_a_name(name, share):
    problem, weights = square(activation="tanh", output="sigmoid", samples=40)

    def delta(right):
        return right + share * (SOLVED[name](right) - right)

    cause = judge_network(Changed(1, delta=delta), view_of(problem, weights)).causes[0]
    if share < 1 and name in ("hidden delta: entries left out", "hidden delta: in another order"):
        # A mixture of what is left out is entries of two factors; one of two orders has no name.
        assert cause.name in ("hidden delta: factors of entries", "hidden delta: not identified")
    else:
        assert cause.name == name
    assert cause.layers == (2,)


class Carried(BackwardRule):
    """The chain rule with other weights on the way down to the first layer."""

    def __init__(self, change):
        super().__init__()
        object.__setattr__(self, "change", change)

    def backward(self, problem, forward, weights):
        right = super().backward(problem, forward, weights)
        w = self.change(weights[1][:, :-1])
        delta = (right.deltas[1] @ w) * problem.activation.derivative(forward.pre_activations[0])
        penalty = problem.l2 * weights[0]
        penalty[:, -1] = 0
        gradient = delta.T @ forward.inputs[0] + penalty
        return Backward([delta, *right.deltas[1:]], [gradient, *right.gradients[1:]])


def one_entry(w):
    changed = w.copy()
    changed[2, 3] += 0.7
    return changed


WEIGHTS = {
    "carried weights: absolute value": np.abs,
    "carried weights: cut off": lambda w: np.clip(w, -0.3, 0.3),
    "carried weights: entries changed": one_entry,
    "carried weights: another matrix": lambda w: np.random.default_rng(5).standard_normal(w.shape),
    "carried weights: transposed": np.transpose,
    "carried weights: squared": np.square,
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_weights_that_carry_a_delta_down_are_solved_for(name):
    problem, weights = square(activation="tanh", output="sigmoid", samples=40)
    cause = judge_network(Carried(WEIGHTS[name]), view_of(problem, weights)).causes[0]
    assert (cause.name, cause.layers) == (name, (1,))


def test_weights_that_no_more_samples_than_units_determine_have_no_name():
    problem, weights = square(activation="tanh", output="sigmoid", samples=7)
    cause = judge_network(
        Carried(WEIGHTS["carried weights: another matrix"]), view_of(problem, weights)
    ).causes[0]
    assert cause.name == "hidden delta: not identified"


@pytest.mark.parametrize("factor", [1 + 1e-7, 1 - 3e-9])
def test_a_factor_never_prints_as_one(factor):
    problem, weights = square(activation="tanh", output="sigmoid")
    cause = judge_network(Changed(1, gradient=lambda g, *_: factor * g), view_of(problem, weights)).causes[0]
    assert cause.name == "weight gradient: scale"
    assert f"(1 {'+' if factor > 1 else '-'} " in cause.detail


def test_noise_added_to_the_inputs_has_no_name_but_a_place():
    problem, weights = square(activation="tanh", output="sigmoid")

    def shuffled(g, delta, _forward):
        wrong = g.copy()
        wrong[:, :-1] += delta.T @ np.random.default_rng(1).standard_normal((7, 7))
        return wrong

    judged = judge_network(Changed(1, gradient=shuffled), view_of(problem, weights))
    assert judged.causes[0].name == "weight gradient: not identified"
    assert judged.causes[0].layers == (2,)


def test_another_activations_slope_is_named():
    problem, weights = square(activation="softplus", output="sigmoid")
    view = view_of(problem, weights)

    class Confused(BackwardRule):
        def backward(self, problem, forward, weights):
            confused = replace(problem, activation=replace(problem.activation, derivative=tanh().derivative))
            return super().backward(confused, forward, weights)

    cause = judge_network(Confused(), view).causes[0]
    assert (cause.name, cause.detail, cause.layers) == ("derivative: another activation's", "tanh", (2, 1))


MISMATCHED = [
    ("relu", "binary_cross_entropy"), ("softplus", "binary_cross_entropy"),
    ("tanh", "squared_error"), ("sigmoid", "squared_error"),
    ("sigmoid", "categorical_cross_entropy"), ("softmax", "binary_cross_entropy"),
    ("softmax", "squared_error"),
]  # fmt: skip


@pytest.mark.parametrize(("output", "loss"), MISMATCHED)
def test_y_minus_t_for_another_pair(output, loss):
    problem, weights = square(output=output, loss=loss, clip="floor", eps=1e-3)
    name = judge_network(BackwardRule(y_minus_t()), view_of(problem, weights)).causes[0].name
    missing = loss == "squared_error"  # there y − t is ∂L/∂y itself
    assert name == "output delta: " + ("derivative missing" if missing else "y - t for another pair")


@pytest.mark.parametrize(
    ("factor", "words"), [(7, "7, the number of samples"), (1 / 3, "1/3, one over the number of outputs")]
)
def test_a_factor_is_said_to_be_what_it_is(factor, words):
    problem, weights = square(output="sigmoid")
    judged = judge_network(Changed(2, delta=lambda d: factor * d), view_of(problem, weights))
    assert judged.causes[0].detail == f"× {words}"


def test_a_gradient_that_was_cut_off_is_named_with_its_bound():
    problem, weights = square(output="sigmoid")
    bound = 0.1
    judged = judge_network(
        Changed(1, gradient=lambda g, *_: np.clip(g, -bound, bound)), view_of(problem, weights)
    )
    assert judged.causes[0].name == "weight gradient: cut off"
    assert judged.causes[0].detail == "at ±0.1"


def test_weights_added_to_their_own_gradient_are_another_penalty():
    problem, weights = square(output="sigmoid")
    judged = judge_network(Changed(1, gradient=lambda g, *_: g + 0.2 * weights[1]), view_of(problem, weights))
    assert [c.name for c in judged.causes] == ["penalty: another weight"]
    assert judged.causes[0].detail == "0.21 in place of 0.01, and of the biases"


def test_two_faults_are_both_named_and_share_the_error():
    problem, weights = square(output="sigmoid", loss="squared_error")

    def no_bias(g, *_):
        wrong = g.copy()
        wrong[:, -1] = 0
        return wrong

    judged = judge_network(Changed(2, delta=lambda d: -d, gradient=no_bias), view_of(problem, weights))
    assert [c.name for c in judged.causes] == ["output delta: sign", "bias gradient: zero"]
    assert judged.causes[0].error > judged.causes[1].error > 0
    assert sum(c.error for c in judged.causes) == pytest.approx(1)
    assert judged.causes[1].parameters == pytest.approx(3 / sum(w.size for w in weights))


@pytest.mark.parametrize("precision", ["float64", "longdouble"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_right_pass_departs_nowhere(activation, precision):
    for seed, pair in enumerate(PAIRS):
        problem, weights = square(seed, activation=activation, precision=precision, **pair)
        view = view_of(problem, weights)
        rule = BackwardRule()
        assert localise(rule.backward(problem, view.forward, weights), view) == []
        assert localise(Blind(rule).backward(problem, view.forward, weights), view) == []


@pytest.mark.parametrize("pair", PAIRS[:4], ids=lambda p: "-".join(map(str, p.values())))
def test_most_causes_are_named_from_the_gradient_alone(pair):
    problem, weights = square(activation="tanh", features=9, hidden=(9, 9), **pair)
    view = view_of(problem, weights)
    same = total = 0
    for fault in KNOWN:
        rule = BackwardRule(fault=fault)
        seen, blind = judge_network(rule, view), judge_network(Blind(rule), view)
        assert seen.verdict is blind.verdict
        if seen.causes:
            total += 1
            same += seen.causes[0].name == blind.causes[0].name
    assert same / total > 0.6


@pytest.mark.parametrize("activation", ACTIVATIONS.records(), ids=lambda a: a.name)
@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_slopes_by_differences_are_the_slopes(activation, dtype):
    z = np.linspace(-8, 8, 401).astype(dtype)[:, None] + dtype(0.003)
    low, high = one_sided_derivatives(activation, z)
    assert np.array_equal(low, high)
    np.testing.assert_allclose(low, activation.derivative(z), rtol=1e-11, atol=1e-12)
    for kink in activation.kinks:
        left, right = one_sided_derivatives(activation, np.full((1, 1), kink.at, dtype))
        assert sorted([kink.left, kink.right]) == pytest.approx([left.item(), right.item()], abs=1e-9)


def test_a_slope_off_by_one_in_a_million_is_no_slope():
    wrong = replace(tanh(), derivative=lambda z: tanh().derivative(z) * (1 + 1e-6))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        test_slopes_by_differences_are_the_slopes(wrong, np.float64)
