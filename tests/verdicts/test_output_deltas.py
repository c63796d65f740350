"""The delta at the output, of a unit alone or of softmax, exchanged by hand: what was computed is named."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from oracles import random_problem
from verdicts.test_causes import Changed

from backproof.network.faults import FAULTS
from backproof.network.rules import Backward, BackwardRule
from backproof.verdicts.operations import localise
from backproof.verdicts.view import view_of

PAIRS = {
    "sigmoid": {"output": "sigmoid", "loss": "squared_error", "reduction": "mean"},
    "entropy": {"output": "sigmoid", "loss": "binary_cross_entropy", "clip": "floor", "eps": 1e-3},
    "softmax": {"output": "softmax", "loss": "categorical_cross_entropy", "reduction": "sample_mean"},
    "softmax squares": {"output": "softmax", "loss": "squared_error"},
}


@cache
def network(pair, l2=0.01):
    problem, weights = random_problem(6, hidden=(6,), samples=9, features=5, outputs=4, **PAIRS[pair])
    return view_of(replace(problem, l2=l2), weights)


class Output:
    """What the output's delta is made of, unscaled."""

    def __init__(self, pair):
        view = network(pair)
        self.y, self.t = view.forward.outputs, view.problem.targets
        self.z, self.scale = view.forward.pre_activations[-1], view.problem.scale
        self.slope = self.y * (1 - self.y)
        squares = PAIRS[pair]["loss"] == "squared_error"
        self.g = self.y - self.t if squares else -self.t / self.y
        if pair == "entropy":
            self.g = (self.y - self.t) / self.slope
        self.sum = (self.g * self.y).sum(axis=1, keepdims=True)


def found(pair, change):
    view, made = network(pair), Output(pair)
    rule = Changed(1, delta=lambda _: made.scale * change(made))
    backward = rule.backward(view.problem, view.forward, view.weights)
    ((name, detail, layer),) = [(d.name, d.detail, d.layer) for d in localise(backward, view)]
    assert layer == 2
    return name, detail


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


UNIT = {
    ("output delta: derivative missing", "∂L/∂y without f'(z)"): lambda n: n.g,
    ("output delta: derivative squared", "f'(z)² ∂L/∂y"): lambda n: n.g * n.slope**2,
    ("output delta: derivative of the value", "f'(y) ∂L/∂y"): lambda n: (
        n.g * sigmoid(n.y) * (1 - sigmoid(n.y))
    ),
    ("output delta: another activation's derivative", "tanh"): lambda n: n.g / np.cosh(n.z) ** 2,
    ("output delta: sign", "× −1"): lambda n: -n.g * n.slope,
    ("output delta: scale", "× 9, the number of samples"): lambda n: 9 * n.g * n.slope,
    ("output delta: scale", "× 36, samples × outputs"): lambda n: 36 * n.g * n.slope,
    ("output delta: absolute value", ""): lambda n: np.abs(n.g * n.slope),
    ("output delta: another array", "t"): lambda n: n.t,
    ("output delta: another array", "y"): lambda n: n.y,
    ("output delta: another array", "z of layer 2"): lambda n: n.z,
    ("output delta: another operand", "t, one minus"): lambda n: (n.y - 1 + n.t) * n.slope,
    ("output delta: another operand", "y in ∂L/∂y, squared"): lambda n: (n.y**2 - n.t) * n.slope,
    ("output delta: another operand", "∂L/∂y, squared"): lambda n: n.g**2 * n.slope,
    ("output delta: another operand", "f'(z), another operator, ∂L/∂y + f'(z)"): lambda n: n.g + n.slope,
    ("output delta: another operand", "f'(z), another operator, ∂L/∂y - f'(z)"): lambda n: n.g - n.slope,
    ("output delta: another operand", "z in f', squared"): lambda n: (
        n.g * sigmoid(n.z**2) * (1 - sigmoid(n.z**2))
    ),
    ("output delta: another function of y and t", "0.3 + 0.7 y in place of ∂L/∂y"): lambda n: (
        (0.3 + 0.7 * n.y) * n.slope
    ),
    ("output delta: another function of y and t", "y² - y t in place of ∂L/∂y"): lambda n: (
        (n.y**2 - n.y * n.t) * n.slope
    ),
    ("output delta: another function of y and t", "0.3 t - 0.7 z in place of ∂L/∂y"): lambda n: (
        (0.3 * n.t - 0.7 * n.z) * n.slope
    ),
    ("output delta: another function of z", "0.3 z + 0.7 z² in place of f'(z)"): lambda n: (
        n.g * (0.3 * n.z + 0.7 * n.z**2)
    ),
    ("output delta: another function of z", "y z in place of f'(z)"): lambda n: n.g * n.y * n.z,
    ("output delta: another function of z", "1 + 0.7 y² in place of f'(z)"): lambda n: (
        n.g * (1 + 0.7 * n.y**2)
    ),
}


@pytest.mark.parametrize("key", UNIT, ids=" ".join)
def test_what_was_computed_for_the_delta_of_a_unit(key):
    assert found("sigmoid", UNIT[key]) == key


ENTROPY = {
    ("output delta: another function of y and t", "0.7 + 0.3 t/y in place of ∂L/∂y"): lambda n: (
        (0.7 + 0.3 * n.t / n.y) * n.slope
    ),
    ("output delta: of another loss", "hinge"): lambda n: np.where(n.t > 0, -1, 1) * n.slope,
    ("output delta: another function of y and t", "0.3 1/y in place of ∂L/∂y"): lambda n: 0.3 / n.y * n.slope,
    ("output delta: another function of y and t", "0.3 t/(1 - y) in place of ∂L/∂y"): lambda n: (
        0.3 * n.t / (1 - n.y) * n.slope
    ),
    ("output delta: another function of y and t", "0.3 1/(1 - y) in place of ∂L/∂y"): lambda n: (
        0.3 / (1 - n.y) * n.slope
    ),
}


@pytest.mark.parametrize("key", ENTROPY, ids=" ".join)
def test_what_was_computed_for_the_delta_of_a_probability(key):
    assert found("entropy", ENTROPY[key]) == key


SOFTMAX = {
    ("output delta: softmax unit by unit", "∂L/∂y · y (1 − y)"): lambda n: n.g * n.slope,
    ("output delta: derivative missing", "∂L/∂y without f'(z)"): lambda n: n.g,
    ("output delta: y - t for another pair", "softmax with squared_error, × 3"): lambda n: 3 * (n.y - n.t),
    ("output delta: another operand", "y in front, squared"): lambda n: n.y**2 * (n.g - n.sum),
    ("output delta: another operand", "the first ∂L/∂y, squared"): lambda n: n.y * (n.g**2 - n.sum),
    ("output delta: another operand", "the sum's ∂L/∂y, squared"): lambda n: (
        n.y * (n.g - (n.g**2 * n.y).sum(axis=1, keepdims=True))
    ),
    ("output delta: another operand", "y in the sum, squared"): lambda n: (
        n.y * (n.g - (n.g * n.y**2).sum(axis=1, keepdims=True))
    ),
    ("output delta: another operand", "the sum's product, another operator, ∂L/∂y - y"): lambda n: (
        n.y * (n.g - (n.g - n.y).sum(axis=1, keepdims=True))
    ),
    ("output delta: another operand", "the product, another operator, y + (∂L/∂y - Σ)"): lambda n: (
        n.y + n.g - n.sum
    ),
    ("output delta: another function of y and t", "∂L/∂y - y Σ in place of softmax's pullback"): lambda n: (
        n.g - n.y * n.sum
    ),
    ("output delta: another function of y and t", "y Σ in place of softmax's pullback"): lambda n: (
        n.y * n.sum
    ),
    ("output delta: another function of y and t", "0.3 ∂L/∂y Σ in place of softmax's pullback"): lambda n: (
        0.3 * n.g * n.sum
    ),
    ("output delta: another function of y and t", "0.3 (∂L/∂y)² in place of softmax's pullback"): lambda n: (
        0.3 * n.g**2
    ),
    ("output delta: another function of y and t", "0.3 y² ∂L/∂y in place of softmax's pullback"): lambda n: (
        0.3 * n.y**2 * n.g
    ),
}


@pytest.mark.parametrize("key", SOFTMAX, ids=" ".join)
def test_what_was_computed_for_the_delta_of_softmax(key):
    assert found("softmax squares", SOFTMAX[key]) == key


def test_what_departs_only_where_the_clip_is_active_ignores_it():
    problem, weights = random_problem(4, loss="binary_cross_entropy", clip="floor", eps=0.3)
    view = view_of(problem, weights)
    rule = BackwardRule(clip_backward="ignored")
    (only,) = localise(rule.backward(problem, view.forward, weights), view)
    assert (only.name, only.detail) == ("output delta: clip ignored", "only where the clip flattens the loss")
    assert only.at_clip

    def elsewhere(problem, forward, weights):
        found = rule.backward(problem, forward, weights)
        return Changed(1, delta=lambda _: 1.5 * found.deltas[1]).backward(problem, forward, weights)

    (only,) = localise(elsewhere(problem, view.forward, weights), view)
    assert not only.at_clip


# Deltas that are inferred from gradients


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_without_deltas_those_that_gradients_determine_are_inferred(l2):
    """Samples are fewer than the inputs of a layer, so that its gradient has one delta."""
    problem, weights = random_problem(6, hidden=(12,), samples=5, features=9)
    view = view_of(replace(problem, l2=l2), weights)
    right = BackwardRule().backward(view.problem, view.forward, view.weights)
    assert localise(Backward([], right.gradients), view) == []
    rule = Changed(1, delta=lambda d: 3 * d)
    wrong = rule.backward(view.problem, view.forward, view.weights)
    (only,) = localise(Backward([], wrong.gradients), view)
    assert (only.name, only.detail, only.layer) == ("output delta: scale", "× 3, the number of outputs", 2)
    rule = Changed(0, delta=lambda d: d**2)
    wrong = rule.backward(view.problem, view.forward, view.weights)
    (only,) = localise(Backward([], wrong.gradients), view)
    assert (only.name, only.layer) == ("hidden delta: squared", 1)


def test_a_penalty_that_was_left_out_does_not_hide_the_delta():
    problem, weights = random_problem(6, hidden=(12,), samples=5, features=9)
    view = view_of(replace(problem, l2=0.1), weights)
    without = replace(view.problem, l2=0.0)
    wrong = BackwardRule().backward(without, view.forward, view.weights)
    found = localise(Backward([], wrong.gradients), view)
    assert [(d.name, d.detail, d.layer) for d in found] == [
        ("penalty: missing", "l2 = 0.1", 2), ("penalty: missing", "l2 = 0.1", 1)
    ]  # fmt: skip


def test_where_gradients_leave_the_delta_open_either_may_be_at_fault():
    """More samples than inputs have many deltas for one gradient."""
    problem, weights = random_problem(6, hidden=(6,), samples=30, features=4)
    view = view_of(problem, weights)
    wrong = Changed(1, delta=lambda d: d**2).backward(view.problem, view.forward, view.weights)
    found = localise(Backward([], wrong.gradients), view)
    assert (found[0].name, found[0].layer) == ("delta or gradient: another delta", 2)


def test_where_gradients_leave_all_deltas_open_those_of_the_chain_rule_are_taken():
    """More samples than any layer has inputs, in a mean of their losses."""
    problem, weights = random_problem(6, hidden=(6, 5), samples=30, features=4, reduction="mean")
    view = view_of(replace(problem, l2=0.01), weights)
    right = BackwardRule().backward(view.problem, view.forward, view.weights)
    assert localise(Backward([], right.gradients), view) == []
    for layer in range(3):
        wrong = [3 * g if k == layer else g for k, g in enumerate(right.gradients)]
        (only,) = localise(Backward([], wrong), view)
        assert (only.name, only.detail, only.layer) == (
            "delta or gradient: scale", "× 3, the number of outputs", layer + 1
        )  # fmt: skip


def test_a_gradient_that_no_delta_gives_departs_by_itself():
    """Five samples make gradients of rank five at most, and their squares have a higher one."""
    problem, weights = random_problem(6, hidden=(12,), samples=5, features=9)
    view = view_of(problem, weights)
    right = BackwardRule().backward(view.problem, view.forward, view.weights)
    changed = right.gradients[0].copy()
    changed[:, :-1] **= 2
    (only,) = localise(Backward([], [changed, right.gradients[1]]), view)
    assert (only.name, only.layer) == ("delta or gradient: squared", 1)


# What is mixed in


@pytest.mark.parametrize("share", [0.25, 0.01])
def test_a_share_that_is_mixed_in_is_named(share):
    """The output's derivative is left out by a share."""
    view, made = network("sigmoid"), Output("sigmoid")

    def mixed(right):
        return right + share * (made.scale * made.g - right)

    rule = Changed(1, delta=mixed)
    (only,) = localise(rule.backward(view.problem, view.forward, view.weights), view)
    assert (only.name, only.layer) == ("output delta: derivative missing", 2)
    assert only.detail == f"∂L/∂y without f'(z), mixed in by {100 * share:g} %"


class Blend:
    """A share of a wrong backward pass, the rest being right."""

    def __init__(self, rule, share):
        self.rule, self.share = rule, share

    def backward(self, *here):
        right, wrong = BackwardRule().backward(*here), self.rule.backward(*here)

        def blended(ours, theirs):
            return [a + self.share * (b - a) for a, b in zip(ours, theirs, strict=True)]

        return Backward(blended(right.deltas, wrong.deltas), blended(right.gradients, wrong.gradients))


@pytest.mark.parametrize("share", [0.25, 0.02])
def test_a_share_of_a_pass_that_is_wrong_in_every_layer_is_named_in_every_layer(share):
    """Below the first layer that departs, the right and the wrong delta have come from different ones."""
    problem, weights = random_problem(2, hidden=(6, 5, 4), samples=9)
    view = view_of(replace(problem, l2=0.01), weights)
    rule = Blend(BackwardRule(fault=FAULTS["derivative_squared"]()), share)
    found = localise(rule.backward(view.problem, view.forward, view.weights), view)
    assert [(d.name, d.layer) for d in found] == [("derivative: squared", layer) for layer in (3, 2, 1)]
    assert all(d.detail.endswith(f"mixed in by {100 * share:g} %") for d in found)
    right, wrong = (r.backward(view.problem, view.forward, view.weights) for r in (BackwardRule(), rule))
    moved = np.concatenate([(b - a).ravel() for a, b in zip(right.gradients, wrong.gradients, strict=True)])
    np.testing.assert_allclose(sum(d.moved for d in found), moved, atol=1e-6 * np.abs(moved).max())


def test_what_a_departure_adds_is_carried_down_to_all_layers_below():
    view = network("sigmoid")
    rule = Changed(1, delta=lambda d: 3 * d)
    wrong = rule.backward(view.problem, view.forward, view.weights)
    right = BackwardRule().backward(view.problem, view.forward, view.weights)
    (only,) = localise(wrong, view)
    moved = np.concatenate([(a - b).ravel() for a, b in zip(wrong.gradients, right.gradients, strict=True)])
    np.testing.assert_allclose(only.moved, moved, rtol=1e-7, atol=1e-9)


def test_what_a_gradient_adds_stays_in_its_layer():
    view = network("sigmoid")
    rule = Changed(1, gradient=lambda g, *_: 3 * g)
    wrong = rule.backward(view.problem, view.forward, view.weights)
    right = BackwardRule().backward(view.problem, view.forward, view.weights)
    (only,) = localise(wrong, view)
    assert not only.moved[: view.weights[0].size].any()
    np.testing.assert_allclose(
        only.moved[view.weights[0].size :], 2 * right.gradients[1].ravel(), rtol=1e-7, atol=1e-9
    )
