"""What the loss does as single parameters move is what it is where they have moved."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.estimates.moves import changes_of_parameters
from backproof.estimates.one_sided import WORTHWHILE, Kinked
from backproof.estimates.perturbed import PerturbedLoss
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import cut_like
from backproof.network.clips import CLIPS
from backproof.network.initial import initial_weights
from backproof.network.losses import LOSSES
from backproof.network.outputs import OUTPUTS
from backproof.network.problem import Problem
from backproof.targets.layout import flattened
from backproof.verdicts.view import evaluated_at

PAIRS = [
    ("sigmoid", "binary_cross_entropy"),
    ("softmax", "categorical_cross_entropy"),
    ("relu", "squared_error"),
]


def problem_of(output, loss, widths=(5, 7, 4, 3), samples=6, dtype=np.float64, **settings):
    draw = np.random.default_rng(0)
    inputs = draw.standard_normal((samples, widths[0])).astype(dtype)
    inputs[:, 1] = 0  # an input that moves no sample
    targets = np.eye(widths[-1], dtype=dtype)[draw.integers(0, widths[-1], samples)]
    parts = ACTIVATIONS["tanh"](), OUTPUTS[output](), LOSSES[loss](), CLIPS["none"]()
    return Problem(inputs, targets, *parts, **settings), initial_weights(widths, 1.0, "normal", draw, dtype)


def evaluated_anew(problem, weights, entries, steps):
    """The loss at every point less that at the first, (2, n)."""
    flat, rest = flattened(weights), problem.forward(weights).loss
    moved = np.repeat(flat[None], len(entries), axis=0)
    found = []
    for sign in (1, -1):
        there = moved.copy()
        there[np.arange(len(entries)), entries] += sign * steps
        found.append(problem.forward(cut_like(there, weights)).loss - rest)
    return np.array(found)


@pytest.mark.parametrize("pair", PAIRS, ids=" with ".join)
@pytest.mark.parametrize("settings", [{}, {"l2": 0.3}, {"reduction": "mean"}], ids=["sum", "penalty", "mean"])
def test_every_parameter_of_every_layer(pair, settings):
    problem, weights = problem_of(*pair, **settings)
    entries = np.random.default_rng(1).permutation(sum(w.size for w in weights))
    steps = 1e-3 * (1 + np.arange(len(entries)) / len(entries))
    found = changes_of_parameters(PerturbedLoss(problem, weights, problem.forward(weights)), entries, steps)
    wanted = evaluated_anew(problem, weights, entries, steps)
    np.testing.assert_allclose(found, wanted, atol=1e-13 * abs(wanted).max() / 1e-3)
    assert (np.abs(wanted) > 1e-6).sum() > len(entries)  # they do change it
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(found, wanted[::-1], atol=1e-13 * abs(wanted).max() / 1e-3)


def test_an_entry_that_moves_nothing_changes_nothing():
    problem, weights = problem_of(*PAIRS[0])
    loss = PerturbedLoss(problem, weights, problem.forward(weights))
    up, down = changes_of_parameters(loss, np.array([0, 1]), np.array([0.1, 0.1]))
    assert up[0] != 0
    assert down[0] != 0
    assert up[1] == down[1] == 0


def test_no_entries():
    problem, weights = problem_of(*PAIRS[0])
    loss = PerturbedLoss(problem, weights, problem.forward(weights))
    up, down = changes_of_parameters(loss, np.zeros(0, int), np.zeros(0))
    assert up.shape == down.shape == (0,)


@pytest.mark.parametrize("dtype", [np.float32, np.longdouble])
def test_in_the_problems_own_precision(dtype):
    problem, weights = problem_of(*PAIRS[0], dtype=dtype)
    double, same = problem_of(*PAIRS[0])
    double = replace(double, inputs=problem.inputs.astype(float), targets=problem.targets.astype(float))
    same = [w.astype(float) for w in weights]
    entries, steps = np.arange(20), np.full(20, 2.0**-6)
    found = changes_of_parameters(PerturbedLoss(problem, weights, problem.forward(weights)), entries, steps)
    wanted = evaluated_anew(double, same, entries, steps)
    close = 1e-4 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(np.array(found, float), wanted, atol=close * abs(wanted).max())


def test_gradients_near_kinks_are_the_same_by_either_road():
    problem, weights = problem_of("sigmoid", "binary_cross_entropy", widths=(30, 40, 3), samples=8)
    view, flat = evaluated_at(problem, weights), flattened(weights)
    entries = np.arange(0, len(flat), 12)
    assert len(entries) * len(flat) >= WORTHWHILE
    given = view.loss_of, flat, entries, np.full(len(entries), 1e-3)
    roads = [Kinked(*given, values=view.losses_of, changes=c) for c in (None, view.changes_of)]
    way = np.random.default_rng(2).standard_normal(len(entries))
    anew, followed = (kinked.piece(way) for kinked in roads)
    np.testing.assert_allclose(followed, anew, atol=1e-7 * abs(anew).max())
    assert not np.array_equal(followed, anew)  # they are two roads
