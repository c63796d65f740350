"""Difference schemes: right, within budget, of their order; and complex steps only where they apply."""

from dataclasses import replace

import numpy as np
import pytest
from estimates.test_budget import case_of, smooth_ratios
from layers import layers_of
from oracles import jax_gradient, random_problem

from backproof.estimates.error_bounds import DERIVATIVE_SAFETY
from backproof.estimates.incremental import numerical_gradient
from backproof.estimates.stencils import COMPLEX_TYPES, Scheme, refuses_complex, takes_complex
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Precision
from backproof.network.clips import CLIPS
from backproof.network.outputs import OUTPUTS
from backproof.network.rules import BackwardRule

PAIRS = [
    (scheme, precision)
    for scheme in Scheme
    for precision, dtype in ((p, p.dtype) for p in Precision)
    if scheme != "complex" or dtype in COMPLEX_TYPES
]


BEYOND = {("backward", "float16"): [98]}
"""Cases that exceed their budget: |z| as a probability, 0.02 from a logarithm's pole, with a step of float16.
Within it the curvature is more than twice that at the point."""


def errors(numeric, right, weights):
    """The largest difference to a gradient, in units of its largest entry."""
    top = max(np.abs(g).max() for g in right)
    pairs = zip(layers_of(numeric, weights), right, strict=True)
    return max(float(np.abs(layer.value - g).max() / top) for layer, g in pairs)


@pytest.mark.parametrize("first", [80, pytest.param(0, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("scheme", "precision"), PAIRS)
def test_no_scheme_exceeds_its_budget(scheme, precision, first):
    ratios, misses = [], []
    for number in range(first, first + 80, 2):
        problem, weights = case_of(number, precision)
        if scheme == "complex" and refuses_complex(problem):
            continue
        numeric = numerical_gradient(problem, weights, scheme=Scheme(scheme))
        if numeric is None:
            continue
        exact = BackwardRule().gradient(problem, problem.forward(weights), weights)
        for layer, a in zip(layers_of(numeric, weights), exact, strict=True):
            ratio = smooth_ratios(layer, a)
            ratios.append(ratio)
            if not (ratio <= 1).all():
                misses.append((number, float(ratio.max())))
    ratio = np.concatenate(ratios)
    print(f"{scheme}, {precision}: median |a - n| / budget {np.median(ratio):.2g} of {ratio.size}")
    beyond = BEYOND.get((str(scheme), str(precision)), [])
    assert [number for number, _ in misses] == [number for number in beyond if number // 80 == first // 80]
    assert max((ratio for _, ratio in misses), default=0) < 1.5
    assert ratio.size > 250
    assert np.median(ratio) > 1e-4


@pytest.mark.parametrize("scheme", Scheme, ids=str)
def test_every_scheme_finds_the_gradient(scheme):
    problem, weights = random_problem(3, hidden=(5, 4))
    error = errors(
        numerical_gradient(problem, weights, scheme=scheme), jax_gradient(problem, weights), weights
    )
    assert error < {"forward": 1e-6, "backward": 1e-6, "complex": 1e-14}.get(scheme, 1e-9)


@pytest.mark.parametrize(
    ("name", "order"), [("forward", 1), ("backward", 1), ("central", 2), ("richardson", 4)]
)
def test_the_error_falls_with_the_schemes_order(name, order):
    problem, weights = random_problem(3, hidden=(5,), outputs=2)
    right = jax_gradient(problem, weights)
    found = [
        errors(numerical_gradient(problem, weights, scheme=Scheme(name), step=h), right, weights)
        for h in (0.1, 0.05)
    ]
    assert np.log2(found[0] / found[1]) == pytest.approx(order, abs=0.35)


def test_a_jump_of_curvature_misleads_five_points_by_a_third_of_what_their_third_derivative_says():
    """The bound behind DERIVATIVE_SAFETY, for a jump at s anywhere within reach of the probe (η = 1)."""
    shares = []
    for s in np.linspace(-1.99, 1.99, 399):
        f = {x: max(x - s, 0) ** 2 / 2 for x in (-2, -1, 1, 2)}
        slope = (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / 12
        third = abs(f[2] - 2 * f[1] + 2 * f[-1] - f[-2]) / 2
        shares.append(abs(slope - max(-s, 0)) / third)
    assert 0.32 < max(shares) <= 1 / 3 + 1e-12
    assert max(shares) * 3 == pytest.approx(DERIVATIVE_SAFETY / 4, rel=0.01)


@pytest.mark.parametrize("scheme", Scheme, ids=str)
def test_a_penalty_is_in_the_gradient_of_weights_and_not_of_biases(scheme):
    problem, weights = random_problem(3)
    problem.inputs[:, 2] = 0  # no sample moves these weights, but the penalty does
    plain = numerical_gradient(problem, weights, scheme=scheme)
    found = numerical_gradient(replace(problem, l2=0.5), weights, scheme=scheme)
    for w, without, with_it in zip(
        weights, layers_of(plain, weights), layers_of(found, weights), strict=True
    ):
        added = with_it.value - without.value
        tolerance = 2 * with_it.bound[:, :-1].max() + 1e-12
        np.testing.assert_allclose(added[:, :-1], 0.5 * w[:, :-1], atol=tolerance)
        assert not added[:, -1].any()
    gap = np.abs(layers_of(found, weights)[0].value[:, 2] - 0.5 * weights[0][:, 2])
    assert (gap <= layers_of(found, weights)[0].bound[:, 2]).all()
    assert (np.abs(weights[0][:, 2]) * 0.001 > layers_of(found, weights)[0].bound[:, 2]).all()


def test_a_penalty_is_in_the_loss():
    problem, weights = random_problem(3)
    with_it = replace(problem, l2=0.5).forward(weights).loss
    squares = sum((w[:, :-1] ** 2).sum() for w in weights)
    assert with_it - problem.forward(weights).loss == pytest.approx(0.25 * squares)


def test_at_zero_complex_functions_do_not_change_sides():
    """σ and softplus are written in two halves; on either side of z = 0 ± ih the same one is taken."""
    for name in ("sigmoid", "softplus"):
        for way in (1j, -1j):
            slope = OUTPUTS[name]().value(np.array([0.0]) + way * 1e-20).imag / (1e-20 * way.imag)
            assert slope == pytest.approx(OUTPUTS[name]().derivative(np.zeros(1)))


@pytest.mark.parametrize("output", OUTPUTS.records(), ids=lambda o: o.name)
def test_every_built_in_function_takes_complex_numbers(output):
    assert takes_complex(output.value, np.float64)
    assert takes_complex(output.value, np.float32)
    assert not takes_complex(output.value, np.float16)


@pytest.mark.parametrize(
    "value",
    [
        np.abs,
        lambda z: np.tanh(z.real),
        lambda z: np.tanh(z).astype(np.complex64),
        lambda z: z.conj(),
        np.cbrt,
    ],
    ids=["absolute value", "real part", "fewer digits", "conjugate", "raises"],
)
def test_functions_that_are_not_analytic_are_refused(value):
    assert not takes_complex(lambda z: value(z - 0.4), np.float64)


def test_the_function_that_refuses_is_named():
    problem, _ = random_problem(3)
    assert refuses_complex(problem) == ""
    absolute = replace(ACTIVATIONS["tanh"](), value=lambda z: np.abs(z - 0.4))
    assert refuses_complex(replace(problem, activation=absolute)) == "activation"
    assert refuses_complex(replace(problem, output=absolute)) == "output"


def test_at_a_kink_a_complex_step_bounds_the_slopes():
    problem, weights = random_problem(8, activation="relu", bias="zero")
    problem.inputs[0] = 0
    layer = layers_of(numerical_gradient(problem, weights, scheme=Scheme.COMPLEX), weights)[0]
    assert layer.touched[:, -1].all()
    assert not layer.touched[:, :-1].any()
    sides = [
        BackwardRule(relu_at_zero=x).gradient(problem, problem.forward(weights), weights)[0] for x in (0, 1)
    ]
    low, high = np.minimum(*sides)[:, -1], np.maximum(*sides)[:, -1]
    np.testing.assert_allclose(layer.low[:, -1], low, atol=1e-12)
    np.testing.assert_allclose(layer.high[:, -1], high, atol=1e-12)


def test_where_a_logarithm_ends_a_complex_step_says_nothing():
    """log(0) is floored at -100, but log(0 + ih) is not: no derivative can be read off there."""
    problem, weights = random_problem(
        4, loss="binary_cross_entropy", clip="log_floor", hidden=(), outputs=1, precision="float32"
    )  # in wider precisions steps are so short that log(ih) is below the floor as well
    weights[0][:], problem.targets[:] = 0, 0
    weights[0][0, -1] = 45  # σ(45) is 1, and its slope e^-45
    layer = layers_of(numerical_gradient(problem, weights, scheme=Scheme.COMPLEX), weights)[0]
    assert np.isinf(layer.bound).all()


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "categorical_cross_entropy"])
def test_beside_a_logarithm_s_pole_complex_steps_allow_for_the_rounding_of_the_output(loss, clip):
    """There 1 − y + eps bends within eps, however close to 1 the output is."""
    beyond = []
    for seed in range(24):
        draw = np.random.default_rng([seed, 5])
        problem, weights = random_problem(
            seed,
            activation=str(draw.choice(["relu", "tanh", "sigmoid"])),
            output="sigmoid" if loss.startswith("binary") else "softmax",
            loss=loss,
            clip=clip,
            eps=float(10 ** draw.uniform(-12, -3)),
            hidden=(6,),
            outputs=3,
            precision="longdouble",
        )
        weights[-1][:, -1] = draw.uniform(-42, 42, 3)
        with np.errstate(all="ignore"):
            numeric = numerical_gradient(problem, weights, scheme=Scheme.COMPLEX)
            exact = BackwardRule().gradient(problem, problem.forward(weights), weights)
        if numeric is not None:
            ratios = [
                smooth_ratios(layer, a) for layer, a in zip(layers_of(numeric, weights), exact, strict=True)
            ]
            beyond += [(seed, float(r.max())) for r in ratios if (r > 1).any()]
    assert beyond == []
