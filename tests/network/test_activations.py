"""Every activation's value, derivative, kinks and range, against JAX and against fifty digits."""

import jax
import mpmath as mp
import numpy as np
import pytest
from oracles import JAX_ACTIVATIONS, MP_ACTIVATIONS, exact

from backproof.network.activations import ACTIVATIONS
from backproof.network.activations.elu import elu
from backproof.network.activations.leaky_relu import leaky_relu
from backproof.network.arrays import Precision
from backproof.network.outputs.softmax import softmax

POINTS = np.random.default_rng(0).uniform(-12, 12, 400)
EDGES = (0.0, -0.0, 1e-4, -1e-4, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 4.0, -4.0, 9.0, -9.0, 30.0, -30.0)
FAR = (700.0, -700.0, 1e4, -1e4)

ULPS = 12
"""What a handful of rounded operations may add up to."""

every_activation = pytest.mark.parametrize("activation", ACTIVATIONS.records(), ids=lambda a: a.name)
every_precision = pytest.mark.parametrize("dtype", [p.dtype for p in Precision], ids=list(Precision))


def points_of(activation, dtype):
    """Edges of the domain, of the kinks and of saturation, in a precision."""
    at = [kink.at for kink in activation.kinks]
    z = np.array([*EDGES, *FAR, *at], dtype)
    beside = np.array(at, dtype)
    return np.concatenate([z, np.nextafter(beside, dtype(np.inf)), np.nextafter(beside, dtype(-np.inf))])


def ulps(found, right, conditioning):
    """Error in units of the last place of the right value, the smallest number counted as one place."""
    limits = np.finfo(found.dtype)
    one = exact(limits.eps) * abs(right) * conditioning + exact(limits.smallest_subnormal) * conditioning
    if abs(right) > exact(limits.max):
        return 0.0 if np.isinf(found) else mp.inf
    return float(abs(exact(found) - right) / one)


def conditioning(name, z, right, derivative):
    """By how much unavoidable roundings on the way are amplified.

    exp(−z²/2) turns the rounding of z² into z²/2 of it; a derivative that changes its sign (silu's,
    gelu's) is a sum of two terms of order one that cancel.
    """
    if name == "gelu":
        z = exact(z)
        return (1 + z * z / 2) * (max(1, 1 / abs(right)) if derivative and -3 < z < 0 else 1)
    if name == "silu" and derivative and -5 < z < 0:
        return max(1, abs(exact(z)) / abs(right))
    return 1


@every_activation
def test_value_and_derivative_are_those_of_jax(activation):
    oracle = JAX_ACTIVATIONS[activation.name]
    np.testing.assert_allclose(activation.value(POINTS), oracle(POINTS), rtol=1e-12, atol=1e-15)
    derivative = jax.vmap(jax.grad(oracle))(POINTS)
    np.testing.assert_allclose(activation.derivative(POINTS), derivative, rtol=1e-11, atol=1e-15)


@every_activation
@every_precision
def test_value_and_derivative_hold_to_a_few_ulps_in_every_precision(activation, dtype):
    value, derivative = MP_ACTIVATIONS[activation.name]
    z = points_of(activation, dtype)
    with np.errstate(all="ignore"), mp.workdps(50):
        found = activation.value(z)
        assert found.dtype == dtype
        for x, y in zip(z, found, strict=True):
            right = value(exact(x))
            assert ulps(y, right, conditioning(activation.name, x, right, False)) <= ULPS, (x, y)
        smooth = z[~activation.at_kink(z)]
        found = activation.derivative(smooth)
        assert found.dtype == dtype
        for x, y in zip(smooth, found, strict=True):
            right = derivative(exact(x))
            assert ulps(y, right, conditioning(activation.name, x, right, True)) <= ULPS, (x, y)


@every_activation
@every_precision
def test_infinite_pre_activations_reach_the_limits(activation, dtype):
    value, derivative = MP_ACTIVATIONS[activation.name]
    ends = np.array([-np.inf, np.inf], dtype)
    with np.errstate(all="ignore"):
        values, derivatives = activation.value(ends), activation.derivative(ends)
    for end, y, d in zip((-1e9, 1e9), values, derivatives, strict=True):
        right = value(mp.mpf(end))
        if abs(right) > 100:  # grows without bound: leaky_relu's 0.01 z as well
            assert np.sign(y) == mp.sign(right)
            assert abs(y) >= np.finfo(dtype).max
        else:
            assert abs(float(y) - float(right)) <= np.finfo(dtype).eps
        assert abs(float(d) - float(derivative(mp.mpf(end)))) <= np.finfo(dtype).eps


@every_activation
def test_kinks_are_where_they_are_said_to_be_with_the_derivatives_that_are_said(activation):
    h = 2.0**-20
    for kink in activation.kinks:
        at = np.array([kink.at - h, kink.at, kink.at + h])
        low, middle, high = activation.value(at)
        assert (middle - low) / h == pytest.approx(kink.left, abs=1e-6)
        assert (high - middle) / h == pytest.approx(kink.right, abs=1e-6)
        assert kink.left != kink.right
        np.testing.assert_allclose(
            activation.derivative_at(at[1:2], np.array([0.0, 0.5, 1.0])),
            [kink.left, (kink.left + kink.right) / 2, kink.right],
        )
    assert list(activation.kinks) == sorted(activation.kinks, key=lambda k: k.at)


@every_activation
def test_there_is_no_kink_besides_the_declared_ones(activation):
    z = np.arange(-8, 8, 2.0**-6)
    z = z[~activation.at_kink(z)]
    h = 2.0**-20
    left = (activation.value(z) - activation.value(z - h)) / h
    right = (activation.value(z + h) - activation.value(z)) / h
    np.testing.assert_allclose(left, right, atol=1e-5)


@every_activation
def test_values_stay_in_the_declared_range(activation):
    z = np.concatenate([POINTS, EDGES, FAR])
    with np.errstate(all="ignore"):
        assert activation.range.contains(activation.value(z)).all()


@every_activation
def test_the_choice_at_a_kink_changes_nothing_elsewhere(activation):
    z = np.concatenate([POINTS, [k.at for k in activation.kinks]])
    differ = activation.derivative_at(z, 0.0) != activation.derivative_at(z, 1.0)
    assert np.array_equal(differ, activation.at_kink(z))


def test_a_derivative_wrong_by_one_in_a_thousand_is_refused():
    right = MP_ACTIVATIONS["sigmoid"][1]
    wrong = ACTIVATIONS["sigmoid"]().derivative(np.array([0.5])) * 1.001
    assert ulps(wrong[0], right(mp.mpf(0.5)), 1) > ULPS


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_elu_of_any_alpha(alpha):
    def oracle(z):
        return jax.nn.elu(z, alpha)

    np.testing.assert_allclose(elu(alpha).value(POINTS), oracle(POINTS), rtol=1e-12)
    np.testing.assert_allclose(
        elu(alpha).derivative(POINTS), jax.vmap(jax.grad(oracle))(POINTS), rtol=1e-12, atol=1e-15
    )
    assert [k.left for k in elu(alpha).kinks] == ([] if alpha == 1 else [alpha])


@pytest.mark.parametrize("slope", [-0.5, 0.0, 0.2, 3.0])
def test_leaky_relu_of_any_slope_stays_in_its_range(slope):
    a = leaky_relu(slope)
    np.testing.assert_allclose(a.value(POINTS), np.where(POINTS > 0, POINTS, slope * POINTS))
    assert a.range.contains(a.value(POINTS)).all()
    assert a.kinks[0].left == slope


@pytest.mark.parametrize(
    ("build", "given"),
    [(elu, 0.0), (elu, -1.0), (elu, np.nan), (leaky_relu, 1), (leaky_relu, np.inf), (leaky_relu, np.nan)],
)
def test_parameters_that_make_no_sense_are_named(build, given):
    with pytest.raises(ValueError, match=r"must be a .* number.*not"):
        build(given)


@every_precision
def test_softmax_adds_up_to_one_and_never_overflows(dtype):
    z = np.array([[700, -700, 0], [1e4, 1e4, -1e4], [0, 0, 0], [5, 4, 3]], dtype)
    y = softmax().value(z)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.sum(axis=-1).astype(float), 1, rtol=4 * float(np.finfo(dtype).eps))
    np.testing.assert_allclose(
        y.astype(float),
        jax.nn.softmax(z.astype(float)),
        rtol=10 * max(float(np.finfo(dtype).eps), 2e-16),
        atol=float(np.finfo(dtype).tiny),
    )


def test_softmax_pulls_back_as_in_jax():
    z = np.random.default_rng(1).standard_normal((2, 5, 4))
    g = np.random.default_rng(2).standard_normal(z.shape)
    y, pull = jax.vjp(jax.nn.softmax, z)
    np.testing.assert_allclose(softmax().value(z), y, rtol=1e-13)
    np.testing.assert_allclose(softmax().pullback(softmax().value(z), g), pull(g)[0], rtol=1e-10, atol=1e-15)
    wrong = softmax().pullback(softmax().value(z) * 1.001, g)
    assert not np.allclose(wrong, pull(g)[0], rtol=1e-10, atol=1e-15)


def test_softmax_of_no_units():
    assert softmax().value(np.zeros((3, 0))).shape == (3, 0)
