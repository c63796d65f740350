"""The baselines' smoothness test: exact for a parabola, and a kink leaves a residual."""

import numpy as np
from oracles import jax_gradient, random_problem

from backproof.estimates.quadratic import five_points


def steps(weights, h):
    return [np.full(w.shape, h) for w in weights]


def test_a_parabola_fits_and_has_the_right_slope():
    problem, weights = random_problem(3, activation="identity", output="identity")
    for layer, (right, h) in enumerate(zip(jax_gradient(problem, weights), steps(weights, 0.1), strict=True)):
        slope, residual = five_points(problem, weights, layer, h)
        np.testing.assert_allclose(slope, right, rtol=1e-9, atol=1e-12)
        assert residual.max() < 1e-9


def test_a_kink_between_the_points_does_not():
    problem, weights = random_problem(3, activation="relu", output="identity", bias="zero", samples=1)
    problem.inputs[:] = 0
    weights[0][:, -1] = 0.05
    _, residual = five_points(problem, weights, 0, np.full(weights[0].shape, 0.1))
    assert residual[:, -1].min() > 1e-3
    assert not residual[:, :-1].any()  # inputs of zero move nothing


def test_no_step_no_slope():
    problem, weights = random_problem(3)
    slope, residual = five_points(problem, weights, 0, np.zeros(weights[0].shape))
    assert not slope.any()
    assert not residual.any()
