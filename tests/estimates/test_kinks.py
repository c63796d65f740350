"""Kinks by accounting: how far each is, and which unit, layer and sample meets one."""

import numpy as np
import pytest
from oracles import random_problem

from backproof.estimates.kinks import kink_distances, kink_events, safe_steps


def masks(problem, weights):
    return [z > 0 for z in problem.forward(weights).pre_activations[:-1]]


def test_the_distance_of_the_last_hidden_layer_is_that_of_z():
    problem, weights = random_problem(3, activation="relu", output="identity", hidden=(5, 4))
    z = problem.forward(weights).pre_activations[1]
    wanted = np.where(np.abs(z) <= 1, np.abs(z), np.inf)  # further ones are not looked for
    np.testing.assert_allclose(kink_distances(problem, weights)[1], wanted, rtol=1e-4)


def test_a_touched_kink_is_at_distance_zero_and_smooth_functions_have_none():
    problem, weights = random_problem(3, activation="relu", output="identity", bias="zero")
    problem.inputs[2] = 0
    distances = kink_distances(problem, weights)[0]
    assert not distances[2].any()
    assert (np.delete(distances, 2, axis=0) > 0).all()
    smooth = random_problem(3, activation="tanh", output="sigmoid")
    assert all(np.isinf(d).all() for d in kink_distances(*smooth))


@pytest.mark.parametrize("seed", range(5))
def test_a_safe_step_is_safe_and_a_longer_one_is_not(seed):
    problem, weights = random_problem(seed, activation="relu", output="identity", hidden=(5, 4))
    distances, inputs = kink_distances(problem, weights), problem.forward(weights).inputs
    before, tried = masks(problem, weights), 0
    for layer in (0, 1):
        for (unit, column), step in np.ndenumerate(safe_steps(distances[layer], inputs[layer])):
            if not 0 < step < 0.1:
                continue
            crossed = []
            for factor in (0.99, 1.01):
                moved = []
                for way in (-1, 1):
                    there = [w.copy() for w in weights]
                    there[layer][unit, column] += way * factor * step
                    after = masks(problem, there)
                    moved.append(any((a != b).any() for a, b in zip(before, after, strict=True)))
                crossed.append(any(moved))
            assert crossed == [False, True]
            tried += 1
    assert tried > 10


def test_events_name_unit_layer_and_sample():
    problem, weights = random_problem(3, activation="relu", output="identity", bias="zero")
    problem.inputs[2] = 0
    event = kink_events(problem, weights, 0, 4, problem.inputs.shape[1], 1e-6)[0]
    assert (event.kind, event.what, event.layer, event.unit, event.sample) == ("touched", "unit", 1, 4, 2)
    assert "sample 2, layer 1, unit 4: 0 lies on the kink at 0" in str(event)
    weights[0][4, -1] = 1e-9
    event = kink_events(problem, weights, 0, 4, problem.inputs.shape[1], 1e-6)[0]
    assert (event.kind, event.layer, event.unit, event.sample) == ("crossed", 1, 4, 2)
    assert event.value == pytest.approx(1e-9)
    assert kink_events(problem, weights, 0, 4, problem.inputs.shape[1], 1e-12) == []


def test_the_edge_of_a_clip_is_an_event():
    problem, weights = random_problem(
        8, loss="binary_cross_entropy", clip="clamp", eps=0.5 - 1e-9, outputs=1, hidden=(), bias="zero"
    )
    problem.inputs[0] = 0
    events = kink_events(problem, weights, 0, 0, problem.inputs.shape[1], 1e-6)
    assert {(e.kind, e.what, e.sample) for e in events} == {("crossed", "clip", 0)}


def test_a_smooth_problem_has_no_events():
    problem, weights = random_problem(3)
    assert kink_events(problem, weights, 0, 0, 0, 0.1) == []
