"""What each clip does to a logarithm and to its derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import JAX_LOSSES

from backproof.network.arrays import Precision
from backproof.network.clips import CLIPS
from backproof.network.losses import LOSSES

every_clip = pytest.mark.parametrize("clip", CLIPS.records(), ids=CLIPS.keys())
every_precision = pytest.mark.parametrize("dtype", [p.dtype for p in Precision], ids=list(Precision))

BINARY_CROSS_ENTROPY = LOSSES["binary_cross_entropy"]()
P = np.concatenate([np.linspace(0.001, 0.999, 61), [1e-50, 1e-300]])


@every_clip
@pytest.mark.parametrize("eps", [1e-12, 0.01, 0.2])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_value_and_derivative_are_those_of_the_formula(clip, eps, t):
    def oracle(p):
        return JAX_LOSSES["binary_cross_entropy"](p, t, clip.name, eps)

    target = np.full_like(P, t)
    np.testing.assert_allclose(
        BINARY_CROSS_ENTROPY.terms(P, target, clip, eps), oracle(P), rtol=1e-13, atol=1e-15
    )
    derivative = jax.vmap(jax.grad(oracle))(jnp.asarray(P))
    np.testing.assert_allclose(BINARY_CROSS_ENTROPY.derivative(P, target, clip, eps), derivative, rtol=1e-13)


@every_clip
def test_the_clip_is_active_where_a_derivative_vanishes(clip):
    eps = 0.2
    p = np.array([1e-60, 0.1, 0.19, 0.21, 0.5, 0.79, 0.81])
    flat = {
        "none": [0, 0, 0, 0, 0, 0, 0],
        "shift": [0, 0, 0, 0, 0, 0, 0],
        "floor": [1, 1, 1, 0, 0, 0, 1],
        "clamp": [1, 1, 1, 0, 0, 0, 1],
        "log_floor": [1, 0, 0, 0, 0, 0, 0],
    }[clip.name]
    assert clip.active(p, eps).tolist() == [bool(f) for f in flat]


@every_clip
def test_edges_are_the_kinks_of_the_loss(clip):
    """The two one-sided derivatives of −log p and −log(1 − p) differ at an edge, and only there."""
    eps, h = 0.25, 2.0**-30
    edges = [float(e) for e in clip.edges(np.asarray(eps))]
    h_at = {e: h if e > h else e * 1e-6 for e in edges}
    for e in edges:
        at, step = np.array([e]), h_at[e]
        left = (
            BINARY_CROSS_ENTROPY.terms(at, 1.0, clip, eps)
            - BINARY_CROSS_ENTROPY.terms(at - step, 1.0, clip, eps)
        ) / step
        right = (
            BINARY_CROSS_ENTROPY.terms(at + step, 1.0, clip, eps)
            - BINARY_CROSS_ENTROPY.terms(at, 1.0, clip, eps)
        ) / step
        assert abs(left) < 1e-6 * abs(right)
    p = np.arange(1 / 64, 1, 1 / 64)
    p = p[[not any(np.isclose(q, e) or np.isclose(1 - q, e) for e in edges) for q in p]]
    for t in (0.0, 1.0):
        low, middle, high = (BINARY_CROSS_ENTROPY.terms(p + d, t, clip, eps) for d in (-h, 0, h))
        np.testing.assert_allclose(high - middle, middle - low, atol=1e-4 * h + 1e-13)


@every_clip
@every_precision
def test_the_precision_is_kept(clip, dtype):
    p = np.array([0.1, 0.5, 0.9], dtype)
    for f in (clip.prepare, clip.prepare_derivative, clip.log, clip.log_derivative):
        assert f(p, np.asarray(0.2, dtype)).dtype == dtype


@every_clip
def test_eps_matters_where_it_says_so(clip):
    p = np.array([0.01, 0.5, 0.99])
    t = np.array([1.0, 1.0, 0.0])
    same = np.array_equal(
        BINARY_CROSS_ENTROPY.terms(p, t, clip, 0.05), BINARY_CROSS_ENTROPY.terms(p, t, clip, 0.051)
    )
    assert same != clip.uses_eps


@every_clip
def test_eps_may_be_an_array_along_leading_axes(clip):
    p = np.random.default_rng(7).uniform(0.001, 0.999, (3, 4, 2))
    t = np.random.default_rng(8).integers(0, 2, (3, 4, 2)).astype(float)
    eps = np.array([1e-12, 0.1, 0.3]).reshape(3, 1, 1)
    for f in (BINARY_CROSS_ENTROPY.terms, BINARY_CROSS_ENTROPY.derivative):
        together = f(p, t, clip, eps)
        for k in range(3):
            assert np.array_equal(together[k], f(p[k], t[k], clip, float(eps[k, 0, 0])))


@every_precision
@pytest.mark.parametrize("name", ["clamp", "floor"])
def test_below_half_an_ulp_of_one_the_upper_side_does_nothing(dtype, name):
    """1 − eps rounds to 1: clamp cannot keep p below 1, as in real code; floor acts on 1 − p and can."""
    u = np.finfo(dtype).eps / 2
    one, zero = np.ones(1, dtype), np.zeros(1, dtype)
    eps = np.asarray(u / 4, dtype)
    with np.errstate(all="ignore"):
        terms = BINARY_CROSS_ENTROPY.terms(one, zero, CLIPS[name](), eps)
    assert np.isinf(terms[0]) == (name == "clamp")


@pytest.mark.parametrize(
    "clip", [CLIPS["floor"](), CLIPS["clamp"](), CLIPS["log_floor"]()], ids=lambda c: c.name
)
@pytest.mark.parametrize("p", [0.0, 1.0])
def test_certainty_costs_a_finite_loss_and_no_warning_escapes_the_derivative(clip, p):
    with np.errstate(all="ignore"):
        terms = BINARY_CROSS_ENTROPY.terms(np.array([p]), np.array([1 - p]), clip, 1e-7)
        derivative = BINARY_CROSS_ENTROPY.derivative(np.array([p]), np.array([1 - p]), clip, 1e-7)
    assert np.isfinite(terms).all()
    assert terms[0] == pytest.approx(100 if clip.name == "log_floor" else -np.log(1e-7), rel=1e-8)
    assert np.isfinite(derivative).all()


def test_log_floor_is_pytorchs_and_passes_nan_on():
    clip = CLIPS["log_floor"]()
    with np.errstate(all="ignore"):
        assert clip.log(np.array([0.0]), 0.0)[0] == -100
        assert clip.log_derivative(np.array([1e-60]), 0.0)[0] == 0
        assert clip.log_derivative(np.array([1e-40]), 0.0)[0] == pytest.approx(1e40)
        assert np.isnan(clip.log(np.array([-0.1]), 0.0)[0])
        assert np.isnan(clip.log_derivative(np.array([-0.1]), 0.0)[0])
