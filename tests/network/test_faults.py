"""Every planted fault changes the gradient in the way its record says, where it says that it matters."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import random_problem

from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Precision
from backproof.network.faults import FAULTS, Setting
from backproof.network.outputs import OUTPUTS
from backproof.network.rules import BackwardRule

SAMPLES, WIDTHS = 6, (6, 6)
L2 = 0.1
SPECIAL = {
    "missing_output_derivative": {"output": "tanh"},
    "softmax_elementwise": {"output": "softmax"},
    "clip_ignored": {"output": "sigmoid", "loss": "binary_cross_entropy", "clip": "floor", "eps": 0.4},
    "shift_ignored": {"output": "sigmoid", "loss": "binary_cross_entropy", "clip": "shift", "eps": 0.1},
    "mask_on_value": {"activation": "relu"},
    "wrong_side": {"activation": "leaky_relu"},
    "kink_assigned": {"activation": "relu", "bias": "zero"},
}
"""What some faults need in order to matter; the rest do with tanh, sigmoid and squared error."""


def setting_of(problem, weights, y_minus_t=False):
    return Setting(
        (problem.inputs.shape[1], *(len(w) for w in weights)),
        len(problem.inputs),
        problem.activation,
        problem.output,
        problem.loss.name,
        problem.clip.name if problem.loss.uses_clip else "none",
        problem.reduction,
        problem.l2,
        Precision.of(problem.inputs.dtype),
        y_minus_t,
    )


def problem_for(fault, **more):
    choice = {"activation": "tanh", "hidden": WIDTHS, "samples": SAMPLES, "features": 6, "reduction": "mean"}
    problem, weights = random_problem(2, **{**choice, **SPECIAL.get(fault, {}), **more})
    if fault == "kink_assigned":
        problem.inputs[0] = 0
    return replace(problem, l2=L2), weights


def with_and_without(fault, problem, weights):
    forward = problem.forward(weights)
    rules = BackwardRule(relu_at_zero=0.5, fault=FAULTS[fault]()), BackwardRule(relu_at_zero=0.5)
    return [rule.backward(problem, forward, weights) for rule in rules]


def same(found, right):
    return all(np.allclose(a, b, rtol=1e-12, atol=1e-14) for a, b in zip(found, right, strict=True))


def derivative(name, z):
    """Derivatives of the activations used here, once more."""
    return {
        "tanh": 1 - np.tanh(z) ** 2,
        "relu": np.where(z == 0, 0.5, z > 0),
        "leaky_relu": np.where(z > 0, 1.0, 0.01),
        "sigmoid": 1 / (2 + np.exp(z) + np.exp(-z)),
    }[name]


def by_hand(problem, weights, **change):
    """The backward pass once more, with any step of it replaced."""
    forward, last = problem.forward(weights), len(weights) - 1
    y, t, z = forward.outputs, problem.targets, forward.pre_activations
    scale = 1 / y.size
    name = problem.activation.name
    eps = float(problem.eps)
    g = {
        "none": lambda: y - t,
        "floor": lambda: (
            (1 - t) * (1 - y > eps) / np.maximum(1 - y, eps) - t * (y > eps) / np.maximum(y, eps)
        ),
        "shift": lambda: (1 - t) / (1 - y + eps) - t / (y + eps),
    }[problem.clip.name]()
    g = change.get("of_loss", lambda g: g)(g)
    if problem.output.name == "softmax":
        delta = y * (g - (g * y).sum(axis=1, keepdims=True))
    else:
        delta = g * derivative(problem.output.name, z[-1])
    delta = change.get("delta", lambda d, *_: d)(delta, g, y) * change.get("scale", scale)
    found, deltas = [None] * (last + 1), [None] * (last + 1)
    for layer in range(last, -1, -1):
        deltas[layer] = delta
        inputs = change.get("inputs", lambda a, *_: a)(forward.inputs[layer], layer, z)
        gradient = delta.T @ inputs
        gradient = change.get("gradient", lambda g, *_: g)(gradient, delta, layer, deltas, forward)
        penalty = L2 * weights[layer] * (np.arange(weights[layer].shape[1]) < weights[layer].shape[1] - 1)
        found[layer] = gradient + change.get("penalty", lambda p, _w: p)(penalty, weights[layer])
        if layer:
            w = change.get("carry", lambda w, _: w)(weights[layer][:, :-1], found[layer][:, :-1])
            incoming = change.get("incoming", lambda x: x)(delta @ w)
            f = change.get("derivative", lambda s, *_: s)(derivative(name, z[layer - 1]), z, layer - 1, name)
            delta = incoming * f
            if "assign" in change:
                delta = np.where(z[layer - 1] == 0, change["assign"], delta)
    return found


def with_bias(bias):
    def gradient(g, delta, *_):
        return np.concatenate([g[:, :-1], np.asarray(bias(delta)).reshape(-1, 1)], axis=1)

    return gradient


def off_by_one(g, _delta, layer, deltas, forward):
    above = deltas[layer + 1] if layer + 1 < len(deltas) else None
    if above is None or above.shape[1] != len(g):
        return g
    return above.T @ forward.inputs[layer]


def transposed(g, *_):
    if g.shape[0] != g.shape[1] - 1:
        return g
    return np.concatenate([g[:, :-1].T, g[:, -1:]], axis=1)


def z_as_input(a, layer, z):
    return a if layer == 0 else np.concatenate([z[layer - 1], np.ones((len(a), 1))], axis=1)


def stale(problem, weights):
    older = problem.forward([weights[0] + 0.01, *weights[1:]]).inputs
    return by_hand(problem, weights, inputs=lambda a, layer, _z: a if layer == 0 else older[layer])


def unclipped(problem, weights):
    return by_hand(
        problem, weights, of_loss=lambda _g: (lambda y, t: (1 - t) / (1 - y) - t / y)(
            problem.forward(weights).outputs, problem.targets
        ),
    )  # fmt: skip


def first_doubled(g, _delta, layer, *_):
    return 2 * g if layer == 0 else g


def last_sample_zero(delta, *_):
    return delta * (np.arange(len(delta)) < len(delta) - 1)[:, None]


def other_layers(_s, z, layer, name):
    return derivative(name, z[1 - layer])


EFFECTS = {
    "none": lambda *n: by_hand(*n),
    "sign": lambda *n: by_hand(*n, scale=-1 / (SAMPLES * 3)),
    "doubled": lambda *n: by_hand(*n, scale=2 / (SAMPLES * 3)),
    "divided_by_samples": lambda *n: by_hand(*n, scale=1 / (SAMPLES * SAMPLES * 3)),
    "not_divided": lambda *n: by_hand(*n, scale=1),
    "missing_output_derivative": lambda *n: by_hand(*n, delta=lambda _d, g, _y: g),
    "softmax_elementwise": lambda *n: by_hand(*n, delta=lambda _d, g, y: g * y * (1 - y)),
    "clip_ignored": unclipped,
    "shift_ignored": unclipped,
    "in_float32": lambda *n: by_hand(*n, delta=lambda d, *_: d.astype(np.float32).astype(float)),
    "last_sample_left_out": lambda *n: by_hand(*n, delta=last_sample_zero),
    "missing_derivative": lambda *n: by_hand(*n, derivative=lambda s, *_: np.ones_like(s)),
    "derivative_squared": lambda *n: by_hand(*n, derivative=lambda s, *_: s**2),
    "derivative_of_value": lambda *n: by_hand(
        *n, derivative=lambda _s, z, i, name: derivative(name, np.tanh(z[i]))
    ),
    "formula_of_value_at_z": lambda *n: by_hand(*n, derivative=lambda _s, z, i, _n: 1 - z[i] ** 2),
    "tanh_one_minus_value": lambda *n: by_hand(*n, derivative=lambda _s, z, i, _n: 1 - np.tanh(z[i])),
    "mask_on_value": lambda *n: by_hand(*n, derivative=lambda s, *_: np.ones_like(s)),
    "wrong_side": lambda *n: by_hand(*n, derivative=lambda _s, z, i, name: derivative(name, -z[i])),
    "mask_of_other_layer": lambda *n: by_hand(*n, derivative=other_layers),
    "positive_only": lambda *n: by_hand(*n, incoming=lambda x: np.where(x > 0, x, 0)),
    "kink_assigned": lambda *n: by_hand(*n, assign=0.5),
    "updated_weights": lambda *n: by_hand(*n, carry=lambda w, g: w - 0.01 * g),
    "weights_transposed": lambda *n: by_hand(*n, carry=lambda w, _: w.T if w.shape[0] == w.shape[1] else w),
    "transposed": lambda *n: by_hand(*n, gradient=transposed),
    "no_bias": lambda *n: by_hand(*n, gradient=with_bias(lambda d: np.zeros(d.shape[1]))),
    "bias_not_summed": lambda *n: by_hand(*n, gradient=with_bias(lambda d: d[-1])),
    "bias_over_units": lambda *n: by_hand(
        *n, gradient=with_bias(lambda d: d.sum(axis=1 if d.shape[0] == d.shape[1] else 0))
    ),
    "accumulated_twice": lambda *n: by_hand(*n, gradient=first_doubled),
    "off_by_one": lambda *n: by_hand(*n, gradient=off_by_one),
    "pre_activation_as_input": lambda *n: by_hand(*n, inputs=z_as_input),
    "stale_cache": stale,
    "mutant": lambda *n: by_hand(*n, derivative=lambda s, *_: np.ones_like(s)),
    "no_penalty": lambda *n: by_hand(*n, penalty=lambda p, _w: 0 * p),
    "penalty_on_biases": lambda *n: by_hand(*n, penalty=lambda _p, w: L2 * w),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_does_what_its_record_says(fault):
    problem, weights = problem_for(fault)
    found, right = with_and_without(fault, problem, weights)
    assert same(found.gradients, EFFECTS[fault](problem, weights))
    assert same(found.gradients, right.gradients) == (fault == "none")
    assert FAULTS[fault]().matters(setting_of(problem, weights))


def test_an_effect_wrong_by_one_in_a_thousand_is_refused():
    problem, weights = problem_for("sign")
    found, _ = with_and_without("sign", problem, weights)
    assert not same(found.gradients, by_hand(problem, weights, scale=-1.001 / (SAMPLES * 3)))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_never_touches_the_problem(fault):
    problem, weights = problem_for(fault)
    before = problem.forward(weights).loss
    with_and_without(fault, problem, weights)
    assert np.array_equal(problem.forward(weights).loss, before)


IDLE = [
    ("divided_by_samples", {"samples": 1}),
    ("bias_not_summed", {"samples": 1}),
    ("not_divided", {"reduction": "sum"}),
    ("missing_output_derivative", {"output": "identity"}),
    ("softmax_elementwise", {"output": "sigmoid"}),
    ("clip_ignored", {"clip": "none"}),
    ("shift_ignored", {"clip": "floor"}),
    ("in_float32", {"precision": "float32"}),
    ("missing_derivative", {"activation": "identity"}),
    ("derivative_squared", {"activation": "relu"}),
    ("derivative_of_value", {"activation": "relu"}),
    ("formula_of_value_at_z", {"activation": "softplus"}),
    ("tanh_one_minus_value", {"activation": "sigmoid"}),
    ("mask_on_value", {"activation": "leaky_relu"}),
    ("wrong_side", {"activation": "tanh"}),
    ("mask_of_other_layer", {"hidden": (6, 5)}),
    ("mask_of_other_layer", {"activation": "identity"}),
    ("kink_assigned", {"activation": "tanh"}),
    ("positive_only", {"hidden": ()}),
    ("updated_weights", {"hidden": ()}),
    ("weights_transposed", {"hidden": (6, 5)}),
    ("transposed", {"hidden": (5, 4)}),
    ("bias_over_units", {"samples": 5}),
    ("off_by_one", {"hidden": (6, 5)}),
    ("pre_activation_as_input", {"activation": "identity"}),
    ("stale_cache", {"hidden": ()}),
]


@pytest.mark.parametrize(("fault", "choice"), IDLE)
def test_where_a_fault_changes_nothing_it_does_not_matter(fault, choice):
    problem, weights = problem_for(fault, **choice)
    found, right = with_and_without(fault, problem, weights)
    assert same(found.gradients, right.gradients)
    assert not FAULTS[fault]().matters(setting_of(problem, weights))


@pytest.mark.parametrize("fault", ["no_penalty", "penalty_on_biases"])
def test_without_a_penalty_there_is_none_to_forget(fault):
    problem, weights = problem_for(fault)
    assert not FAULTS[fault]().matters(setting_of(replace(problem, l2=0.0), weights))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_matters_is_what_changes_the_gradient(fault, activation):
    """Over every activation and output; at a kink alone a fault may matter and change nothing elsewhere."""
    for output in OUTPUTS:
        problem, weights = problem_for(fault, activation=activation, output=output)
        if not np.isfinite(problem.forward(weights).loss):
            continue
        found, right = with_and_without(fault, problem, weights)
        if not same(found.gradients, right.gradients):
            assert FAULTS[fault]().matters(setting_of(problem, weights)), output


def test_there_are_at_least_25_and_each_names_its_cause():
    assert len(FAULTS) > 25
    assert all(bool(f.cause) == (f.name != "none") for f in FAULTS.records())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_batch_is_the_fault_of_each(fault):
    problem, weights = problem_for(fault)
    scales = (1.0, 0.7, 1.2)
    alone = [with_and_without(fault, problem, [s * w for w in weights])[0].gradients for s in scales]
    found, _ = with_and_without(fault, problem, [np.stack([s * w for s in scales]) for w in weights])
    for k, one in enumerate(alone):
        assert same([g[k] for g in found.gradients], one)
    assert not same([g[0] for g in found.gradients], alone[1])
