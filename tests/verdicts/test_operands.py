"""Each operand of a backward pass exchanged by hand: what was computed in its place is named, and where.

The three hidden layers are of one width, so that arrays of one fit in the place of another's.
"""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from oracles import random_problem
from verdicts.test_causes import Changed

from backproof.network.rules import Backward, BackwardRule
from backproof.verdicts import hidden_delta as module
from backproof.verdicts.hidden_delta import ARGUMENTS
from backproof.verdicts.operations import localise
from backproof.verdicts.view import view_of

L2 = 0.01


@cache
def network(activation="softplus", l2=L2, **choice):
    """A view of a network with layers 7-6-6-6-3 for nine samples."""
    given = {"hidden": (6, 6, 6), "samples": 9, "features": 7, "output": "sigmoid", **choice}
    problem, weights = random_problem(5, activation=activation, **given)
    return view_of(replace(problem, l2=l2), weights)


def softplus(z):
    return np.log1p(np.exp(z))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Hidden:
    """What the delta of the second of three hidden layers is made of."""

    def __init__(self, view):
        self.others = view.forward.pre_activations
        self.z, self.b = self.others[1], view.weights[1][:, -1]
        self.w, self.weights = view.weights[2][:, :-1], view.weights
        self.above = exact_deltas(view)[2]
        self.arriving = self.above @ self.w


class Gradient(NamedTuple):
    """What a layer's gradient is made of, and itself: of weights, biases or both."""

    delta: np.ndarray
    inputs: np.ndarray
    gradient: np.ndarray


def departures(view, layer, **change):
    rule = Changed(layer, **change)
    backward = rule.backward(view.problem, view.forward, view.weights)
    return [(d.name, d.detail, d.layer) for d in localise(backward, view)]


def named(view, layer, **change):
    """The one departure, which must be in the layer that was changed."""
    ((name, detail, at),) = departures(view, layer, **change)
    assert at == layer + 1
    return name, detail


# The delta of a hidden layer


def hidden(change, view=None):
    """What is found where the second hidden layer's delta is something else."""
    view = view or network()
    return named(view, 1, delta=lambda _: change(Hidden(view)))


def exact_deltas(view):
    return BackwardRule().backward(view.problem, view.forward, view.weights).deltas


ORDER = [2, 0, 1, 4, 3, 8, 7, 5, 6]
CHESS = np.indices((9, 6)).sum(axis=0) % 2
CHANGED = f"[2,3] is 0.7 and not {network().weights[2][2, 3]:.6g}"


def one_entry(w):
    changed = w.copy()
    changed[2, 3] = 0.7
    return changed


HIDDEN = {
    ("derivative: missing", "without f'(z)"): lambda n: n.arriving,
    ("derivative: squared", "f'(z)² in place of f'(z)"): lambda n: n.arriving * sigmoid(n.z) ** 2,
    ("derivative: of the value", "f'(f(z)) in place of f'(z)"): lambda n: n.arriving * sigmoid(softplus(n.z)),
    ("derivative: of -z", "f'(−z) in place of f'(z)"): lambda n: n.arriving * sigmoid(-n.z),
    ("derivative: another layer's", "of layer 3"): lambda n: n.arriving * sigmoid(n.others[2]),
    ("derivative: another layer's", "of layer 1"): lambda n: n.arriving * sigmoid(n.others[0]),
    ("derivative: another activation's", "tanh"): lambda n: n.arriving / np.cosh(n.z) ** 2,
    ("derivative: shifted", "samples by 1"): lambda n: n.arriving * np.roll(sigmoid(n.z), 1, axis=0),
    ("derivative: another array", "f(z)"): lambda n: n.arriving * softplus(n.z),
    ("derivative: of another argument", "f' of z, its bias taken off"): lambda n: (
        n.arriving * sigmoid(n.z - n.b)
    ),
    ("derivative: of another argument", "f' of z, squared"): lambda n: n.arriving * sigmoid(n.z**2),
    ("derivative: of another argument", "f' of z times 3"): lambda n: n.arriving * sigmoid(3 * n.z),
    ("derivative: of another argument", "f' of z times 0.37"): lambda n: n.arriving * sigmoid(0.37 * n.z),
    ("derivative: of another argument", "f' of z plus 1/2"): lambda n: n.arriving * sigmoid(n.z + 0.5),
    ("derivative: of another argument", "f' of z plus -1.7"): lambda n: n.arriving * sigmoid(n.z - 1.7),
    ("carried weights: another layer's", "of layer 2"): lambda n: (
        (n.above @ n.weights[1][:, :-1]) * sigmoid(n.z)
    ),
    ("carried weights: with the bias", "its column in place of the first"): lambda n: (
        (n.above @ n.weights[2][:, 1:]) * sigmoid(n.z)
    ),
    ("carried weights: transposed", ""): lambda n: (n.above @ n.w.T) * sigmoid(n.z),
    ("arriving gradient: squared", ""): lambda n: n.arriving**2 * sigmoid(n.z),
    ("arriving gradient: a term added", "0.3 times 1"): lambda n: (n.arriving + 0.3) * sigmoid(n.z),
    ("arriving gradient: a term added", "-2 times z"): lambda n: (n.arriving - 2 * n.z) * sigmoid(n.z),
    ("arriving gradient: squared", "the delta above it"): lambda n: (n.above**2 @ n.w) * sigmoid(n.z),
    ("hidden delta: another operator", "the gradient that arrives + f'(z)"): lambda n: (
        n.arriving + sigmoid(n.z)
    ),
    ("derivative: cut off", "at ±0.6"): lambda n: n.arriving * np.minimum(sigmoid(n.z), 0.6),
    ("derivative: a power", "to the power of 3"): lambda n: n.arriving * sigmoid(n.z) ** 3,
    ("hidden delta: entries left out", "27 of 54"): lambda n: n.arriving * sigmoid(n.z) * CHESS,
    ("derivative: in another order", "samples: 2, 0, 1, 4, 3, 8, 7, 5, …"): lambda n: (
        n.arriving * sigmoid(n.z)[ORDER]
    ),
    ("arriving gradient: cut off", "at ±0.05"): lambda n: np.clip(n.arriving, -0.05, 0.05) * sigmoid(n.z),
    ("arriving gradient: in another order", "samples: 2, 0, 1, 4, 3, 8, 7, 5, …"): lambda n: (
        n.arriving[ORDER] * sigmoid(n.z)
    ),
    ("carried weights: cut off", "at ±0.3"): lambda n: (n.above @ np.clip(n.w, -0.3, 0.3)) * sigmoid(n.z),
    ("carried weights: entries changed", CHANGED): lambda n: (n.above @ one_entry(n.w)) * sigmoid(n.z),
    ("derivative: another array", "the delta of layer 3"): lambda n: n.arriving * n.above,
    ("derivative: another array", "z of layer 3"): lambda n: n.arriving * n.others[2],
    ("derivative: another array", "the inputs of layer 2"): lambda n: n.arriving * softplus(n.others[0]),
    ("hidden delta: squared", ""): lambda n: (n.arriving * sigmoid(n.z)) ** 2,
}


@pytest.mark.parametrize("key", HIDDEN, ids=" ".join)
def test_what_was_computed_for_a_hidden_delta(key):
    assert hidden(HIDDEN[key]) == key


def test_an_argument_that_some_entries_contradict_is_none():
    """It is found by the entries that are looked at, evenly spaced, and held against those between them."""
    view = network(samples=200)
    times_3 = "derivative: of another argument", "f' of z times 3"
    assert hidden(lambda n: n.arriving * sigmoid(3 * n.z), view) == times_3
    size = view.forward.pre_activations[1].size
    assert size > ARGUMENTS

    def elsewhere(n):
        apart = np.ones(size, bool)
        apart[np.linspace(0, size - 1, ARGUMENTS).astype(int)] = False
        apart &= np.random.default_rng(0).random(size) < 0.5
        return n.arriving * sigmoid(np.where(apart.reshape(n.z.shape), 5, 3) * n.z)

    assert hidden(elsewhere, view) != times_3


FORMULAS = {
    "z f'(z)": lambda z: z * sigmoid(z),
    "z²": lambda z: z**2,
    "f(z)²": lambda z: softplus(z) ** 2,
    "z f(z)": lambda z: z * softplus(z),
    "0.3 z + 0.7 f'(z) [z > 0]": lambda z: 0.3 * z + 0.7 * np.where(z > 0, sigmoid(z), 0),
    "0.3 z + 0.7 f'(z) [z ≤ 0]": lambda z: 0.3 * z + 0.7 * np.where(z > 0, 0, sigmoid(z)),
    "0.3 [z > 0]": lambda z: 0.3 * (z > 0),
    "0.3 [z ≤ 0]": lambda z: 0.3 * (z <= 0),
    "0.3 + 0.7 z": lambda z: 0.3 + 0.7 * z,
}


@pytest.mark.parametrize("words", FORMULAS)
def test_another_function_of_z(words):
    found = hidden(lambda n: n.arriving * FORMULAS[words](n.z))
    assert found == ("derivative: another function of z", f"{words} in place of f'(z)")


BENT = {
    "0.3 z [z > 0]": lambda z: 0.3 * np.where(z > 0, z, 0),
    "0.3 exp(z) [z ≤ 0]": lambda z: 0.3 * np.where(z > 0, 0, np.exp(np.minimum(z, 0))),
    "0.3 σ(z)": lambda z: 0.3 * sigmoid(z),
    "0.3 σ(z)²": lambda z: 0.3 * sigmoid(z) ** 2,
    "0.3 z σ(z)": lambda z: 0.3 * z * sigmoid(z),
    "0.3 z σ(z)²": lambda z: 0.3 * z * sigmoid(z) ** 2,
}


@pytest.mark.parametrize("words", BENT)
def test_another_function_of_z_where_there_is_a_kink(words):
    found = hidden(lambda n: n.arriving * BENT[words](n.z), network("leaky_relu"))
    assert found == ("derivative: another function of z", f"{words} in place of f'(z)")


def test_weights_that_were_updated_before_they_carry_a_delta_down():
    view = network()
    deltas = exact_deltas(view)
    gradient = deltas[2].T @ view.forward.inputs[2][:, :-1] + L2 * view.weights[2][:, :-1]
    found = hidden(lambda n: (n.above @ (n.w - 0.1 * gradient)) * sigmoid(n.z))
    assert found == ("carried weights: updated", "W -0.1 · its gradient")


def test_units_above_that_are_left_out_or_counted_twice():
    factors = np.array([1, 0, 1, 2, 1, 1])
    found = hidden(lambda n: ((n.above * factors) @ n.w) * sigmoid(n.z))
    assert found == ("carried weights: factors of units above", "2 of 6, × 0, 2")


@pytest.mark.parametrize(
    ("precision", "activation", "within", "beyond"),
    [
        ("float64", "softplus", 1e-12, 1e-9),
        ("float32", "softplus", 3e-7, 1e-5),
        ("float32", "relu", 3e-7, 1e-5),
    ],
)
def test_a_hidden_delta_that_is_off_by_more_than_rounding_departs(precision, activation, within, beyond):
    """By some roundings of what it is made of; in double precision by the error of the derivative, 1e-11."""
    view = network(activation, precision=precision)
    for off, count in ((within, 0), (beyond, 1), (-beyond, 1)):
        factor = 1 + np.dtype(precision).type(off)
        assert len(departures(view, 1, delta=lambda d, f=factor: d * f)) == count


def test_of_a_hidden_delta_that_has_no_name_the_shape_is_told():
    def one(d):
        changed = d.copy()
        changed[3, 2] += 0.7
        return changed

    view = network()
    assert named(view, 1, delta=one) == ("hidden delta: not identified", "the entry [3,2]; of rank 1")

    def row(d):
        changed = d.copy()
        changed[4] += np.linspace(0.3, 1, 6) ** 2
        return changed

    assert named(view, 1, delta=row)[1] in ("sample 4; of rank 1",)


OF_ANY_LAYER = {
    None: lambda above, w, z: (above @ w) * sigmoid(z),
    "derivative: missing": lambda above, w, _: above @ w,
    "derivative: squared": lambda above, w, z: (above @ w) * sigmoid(z) ** 2,
    "derivative: another function of z": lambda above, w, z: (above @ w) * z**2,
    "arriving gradient: squared": lambda above, w, z: (above @ w) ** 2 * sigmoid(z),
    "carried weights: transposed": lambda above, w, z: (above @ w.T) * sigmoid(z),
    "hidden delta: sign": lambda above, w, z: -(above @ w) * sigmoid(z),
    "hidden delta: positive part": lambda above, w, z: np.maximum((above @ w) * sigmoid(z), 0),
    "hidden delta: units left out": lambda above, w, z: (above @ w) * sigmoid(z) * (np.arange(6) % 3 > 0),
}


def of_two_layers(upper, lower):
    """The names that are found where the deltas of the second and the first layer are such, from the top."""
    view = network()
    right = BackwardRule().backward(view.problem, view.forward, view.weights)
    deltas = list(right.deltas)
    for layer, name in ((1, upper), (0, lower)):
        w, z = view.weights[layer + 1][:, :-1], view.forward.pre_activations[layer]
        deltas[layer] = OF_ANY_LAYER[name](deltas[layer + 1], w, z)
    gradients = [d.T @ x for d, x in zip(deltas, view.forward.inputs, strict=True)]
    for gradient, w in zip(gradients, view.weights, strict=True):
        gradient[:, :-1] += L2 * w[:, :-1]
    return [(d.name, d.layer) for d in localise(Backward(deltas, gradients), view)]


@pytest.mark.parametrize("upper", OF_ANY_LAYER)
@pytest.mark.parametrize("lower", OF_ANY_LAYER)
def test_each_layer_has_the_name_of_its_own_departure(upper, lower):
    """Also where that of the layer above is looked for first: σ(z)² is f'(z)² and another function of z."""
    assert of_two_layers(upper, lower) == [
        (name, layer) for name, layer in ((upper, 2), (lower, 1)) if name is not None
    ]


def test_what_departs_as_the_layer_above_does_is_looked_for_once(monkeypatch):
    begun = []

    def nothing(operands, _):
        begun.append(operands.layer)
        return iter(())

    monkeypatch.setattr(module, "GROUPS", (nothing, *module.GROUPS))
    for names, layers in (
        (("derivative: another function of z",) * 2, [1]),
        (("derivative: missing", "derivative: squared"), [1, 0]),
        ((None, "derivative: squared"), [0]),
    ):
        of_two_layers(*names)
        assert begun == layers
        begun.clear()


# The gradient of weights and biases


def both(change, layer=1, view=None):
    """What is found where a layer's gradient, biases included, is something else."""
    view = view or network()

    def gradient(g, delta, forward):
        return change(Gradient(delta, forward.inputs[layer], g.copy()))

    return named(view, layer, gradient=gradient)


def weights_alone(change, layer=1, view=None):
    """The same, the biases being right."""

    def gradient(n):
        n.gradient[:, :-1] = change(Gradient(n.delta, n.inputs[:, :-1], n.gradient[:, :-1]))
        return n.gradient

    return both(gradient, layer, view)


def biases_alone(change, layer=1, view=None):
    """The same, the weights being right."""

    def gradient(n):
        n.gradient[:, -1] = change(n._replace(gradient=n.gradient[:, -1]))
        return n.gradient

    return both(gradient, layer, view)


W1 = network().weights[1][:, :-1]
Z0 = network().forward.pre_activations[0]
DERIVATIVE = sigmoid(network().forward.pre_activations[1])
DELTAS = exact_deltas(network())
ARRIVING = DELTAS[2] @ network().weights[2][:, :-1]
OTHER_INPUTS = network().forward.inputs[2][:, :-1]
WRONG_WEIGHTS = {
    ("weight gradient: transposed", "with its penalty"): lambda n: n.gradient.T,
    ("weight gradient: transposed", "without it"): lambda n: (n.delta.T @ n.inputs).T + L2 * W1,
    ("weight gradient: pre-activations as inputs", "z in place of f(z)"): lambda n: n.delta.T @ Z0 + L2 * W1,
    ("weight gradient: another layer's inputs", "of layer 3"): lambda n: n.delta.T @ OTHER_INPUTS + L2 * W1,
    ("weight gradient: another input", "squared"): lambda n: n.delta.T @ n.inputs**2 + L2 * W1,
    ("weight gradient: another delta", "another array, the delta without f'(z)"): lambda n: (
        ARRIVING.T @ n.inputs + L2 * W1
    ),
    ("weight gradient: another delta", "another array, the delta with f'(z) twice"): lambda n: (
        (n.delta * DERIVATIVE).T @ n.inputs + L2 * W1
    ),
    ("weight gradient: another delta", "another array, f'(z)"): lambda n: DERIVATIVE.T @ n.inputs + L2 * W1,
    ("weight gradient: another input", "another array, z of layer 3"): lambda n: (
        n.delta.T @ network().forward.pre_activations[2] + L2 * W1
    ),
    ("weight gradient: another delta", "squared"): lambda n: (n.delta**2).T @ n.inputs + L2 * W1,
    ("weight gradient: another layer's delta", "of layer 3"): lambda n: DELTAS[2].T @ n.inputs + L2 * W1,
    ("penalty: missing", "l2 = 0.01"): lambda n: n.delta.T @ n.inputs,
    ("penalty: another weight", "0.02 in place of 0.01"): lambda n: n.delta.T @ n.inputs + 2 * L2 * W1,
    ("penalty: another weight", "0.037 in place of 0.01"): lambda n: n.gradient + 0.027 * W1,
    ("penalty: sign only", ""): lambda n: n.delta.T @ n.inputs + L2 * np.sign(W1),
    ("penalty: another array", "the weights of layer 3"): lambda n: (
        n.delta.T @ n.inputs + L2 * network().weights[2][:, :-1]
    ),
    ("penalty: another function of W", "+0.3 of W, squared"): lambda n: n.gradient + 0.3 * W1**2,
    ("penalty: another function of W", "-0.3 of W, absolute value"): lambda n: n.gradient - 0.3 * np.abs(W1),
    ("penalty: a constant", "0.3 added"): lambda n: n.gradient + 0.3,
    ("weight gradient: scale", "× 3, the number of outputs"): lambda n: 3 * n.gradient,
    ("weight gradient: scale", "× 1/9, one over the number of samples"): lambda n: (
        n.delta.T @ n.inputs / 9 + L2 * W1
    ),
    ("weight gradient: cut off", "at ±0.01"): lambda n: np.clip(n.delta.T @ n.inputs, -0.01, 0.01) + L2 * W1,
    ("weight gradient: in another order", "units: 2, 0, 1, 4, 5, 3"): lambda n: (
        n.delta.T @ n.inputs + L2 * W1
    )[[2, 0, 1, 4, 5, 3]],
    ("weight gradient: squared", ""): lambda n: n.gradient**2,
    ("weight gradient: absolute value", ""): lambda n: np.abs(n.delta.T @ n.inputs) + L2 * W1,
    ("weight gradient: samples left out", "2 of 9: 3, 8"): lambda n: (
        np.delete(n.delta, [3, 8], 0).T @ np.delete(n.inputs, [3, 8], 0) + L2 * W1
    ),
    ("weight gradient: factors of units", "1 of 6: 2, × 2"): lambda n: (
        n.gradient * [[1], [1], [2], [1], [1], [1]]
    ),
    ("weight gradient: inputs left out", "1 of 6: 4"): lambda n: n.gradient * [1, 1, 1, 1, 0, 1],
}


@pytest.mark.parametrize("key", WRONG_WEIGHTS, ids=" ".join)
def test_what_was_computed_for_weights(key):
    found = weights_alone(WRONG_WEIGHTS[key])
    assert found[0] == key[0]
    assert found[1] == (key[1] if "transposed" not in key[0] else "")


WRONG_BIASES = {
    ("bias gradient: zero", ""): lambda n: 0 * n.gradient,
    ("bias gradient: scale", "× 1/9, one over the number of samples"): lambda n: n.gradient / 9,
    ("penalty: on the biases", "l2 = 0.01"): lambda n: n.gradient + L2 * network().weights[1][:, -1],
    ("penalty: on the biases", "0.3 · b"): lambda n: n.gradient + 0.3 * network().weights[1][:, -1],
    ("bias gradient: of one sample", "sample 4"): lambda n: n.delta[4],
    ("bias gradient: of one sample", "the largest of each unit"): lambda n: n.delta.max(axis=0),
    ("bias gradient: of one sample", "the smallest of each unit"): lambda n: n.delta.min(axis=0),
    ("bias gradient: another layer's delta", "of layer 3"): lambda _: DELTAS[2].sum(axis=0),
    ("bias gradient: another delta", "another array, the delta without f'(z)"): lambda _: ARRIVING.sum(
        axis=0
    ),
    ("bias gradient: another delta", "squared"): lambda n: (n.delta**2).sum(axis=0),
    ("bias gradient: units left out", "1 of 6: 4"): lambda n: n.gradient * [1, 1, 1, 1, 0, 1],
    ("bias gradient: another delta", "reversed, the order of units"): lambda n: n.gradient[::-1],
}


@pytest.mark.parametrize("key", WRONG_BIASES, ids=" ".join)
def test_what_was_computed_for_biases(key):
    assert biases_alone(WRONG_BIASES[key]) == key


WRONG_BOTH = {
    ("weight gradient: scale", "× 2"): lambda n: 2 * n.gradient,
    ("weight gradient: another layer's delta", "of layer 3"): lambda n: with_penalty(DELTAS[2].T @ n.inputs),
    ("weight gradient: another delta", "squared"): lambda n: with_penalty((n.delta**2).T @ n.inputs),
    ("weight gradient: samples left out", "1 of 9: 5"): lambda n: with_penalty(
        np.delete(n.delta, 5, 0).T @ np.delete(n.inputs, 5, 0)
    ),
    ("weight gradient: scale", "× 3, the number of outputs"): lambda n: with_penalty(
        3 * n.delta.T @ n.inputs
    ),
    ("penalty: another weight", "0.31 in place of 0.01, and of the biases"): lambda n: (
        n.gradient + 0.3 * network().weights[1]
    ),
}


def with_penalty(gradient):
    gradient[:, :-1] += L2 * W1
    return gradient


@pytest.mark.parametrize("key", WRONG_BOTH, ids=" ".join)
def test_what_was_computed_for_weights_and_biases_alike(key):
    assert both(WRONG_BOTH[key]) == key


def test_weights_and_biases_that_are_wrong_in_their_own_ways_are_two_departures():
    def gradient(g, delta, _forward):
        wrong = 2 * g
        wrong[:, -1] = delta[4]
        return wrong

    assert departures(network(), 1, gradient=gradient) == [
        ("weight gradient: scale", "× 2", 2), ("bias gradient: of one sample", "sample 4", 2)
    ]  # fmt: skip


def test_the_first_layer_has_no_pre_activations_as_inputs():
    found = weights_alone(lambda n: n.delta.T @ n.inputs**2 + L2 * network().weights[0][:, :-1], layer=0)
    assert found == ("weight gradient: another input", "squared")


def test_without_a_penalty_weights_that_are_added_are_one():
    view = network(l2=0.0)
    w = view.weights[1][:, :-1]
    assert weights_alone(lambda n: n.gradient + 0.3 * w, view=view) == (
        "penalty: another weight", "0.3 in place of 0"
    )  # fmt: skip
    assert weights_alone(lambda n: n.gradient.T, view=view) == ("weight gradient: transposed", "")
    assert biases_alone(lambda n: n.gradient + 0.3 * view.weights[1][:, -1], view=view) == (
        "penalty: on the biases", "0.3 · b"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("precision", "within", "beyond"), [("float64", 1e-16, 1e-12), ("float32", 3e-8, 1e-4)]
)
def test_a_gradient_that_is_off_by_more_than_rounding_departs(precision, within, beyond):
    """Rounding errors are relative to a sum of sizes, which is never much smaller than the largest entry."""
    view = network(precision=precision)
    for off, departs in ((within, False), (beyond, True)):
        kind = np.dtype(precision).type(off)
        found = departures(view, 1, gradient=lambda g, *_, off=kind: g + off * np.abs(g).max())
        assert bool(found) == departs
