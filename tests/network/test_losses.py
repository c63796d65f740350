"""Loss terms and derivatives of every loss under every clip, against JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import JAX_LOSSES, relative

from backproof.network.arrays import Precision
from backproof.network.clips import CLIPS
from backproof.network.losses import LOSSES, Reduction

EPS = 0.125

PAIRS = [
    (loss, clip)
    for loss in LOSSES.records()
    for clip in (CLIPS.records() if loss.uses_clip else [CLIPS["none"]()])
]
every_pair = pytest.mark.parametrize(
    ("loss", "clip"), PAIRS, ids=[f"{loss.name}-{clip.name}" for loss, clip in PAIRS]
)


def samples(loss):
    """Outputs inside the loss's domain, as far as 30 from zero, with soft and hard targets."""
    generator = np.random.default_rng(3)
    low, high = max(loss.domain.low + 0.001, -30), min(loss.domain.high - 0.001, 30)
    y = generator.uniform(low, high, (40, 5))
    soft = generator.dirichlet(np.ones(5), 20)
    hard = np.eye(5)[generator.integers(0, 5, 20)]
    return y, np.concatenate([soft, hard])


@every_pair
def test_terms_and_derivative_are_those_of_jax(loss, clip):
    y, t = samples(loss)
    oracle = JAX_LOSSES[loss.name]
    np.testing.assert_allclose(
        loss.terms(y, t, clip, EPS), oracle(y, t, clip.name, EPS), rtol=1e-12, atol=1e-14
    )
    derivative = jax.grad(lambda y: oracle(y, t, clip.name, EPS).sum())(jnp.asarray(y))
    np.testing.assert_allclose(loss.derivative(y, t, clip, EPS), derivative, rtol=1e-12, atol=1e-14)


@every_pair
def test_outside_the_domain_terms_and_derivative_are_those_of_jax_too(loss, clip):
    y = np.array([[-0.5, 1.7], [-3.0, 4.0], [0.3, 1.2]])
    t = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    oracle = JAX_LOSSES[loss.name]
    with np.errstate(all="ignore"):
        terms, derivative = loss.terms(y, t, clip, EPS), loss.derivative(y, t, clip, EPS)
    np.testing.assert_allclose(terms, oracle(y, t, clip.name, EPS), rtol=1e-12, atol=1e-14)
    if clip.name == "log_floor":  # max(NaN, -100): the value is NaN, and so is what we call its derivative
        assert np.isnan(derivative[np.isnan(terms)]).all()
        return
    right = jax.grad(lambda y: oracle(y, t, clip.name, EPS).sum())(jnp.asarray(y))
    np.testing.assert_allclose(derivative, right, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES.records(), ids=LOSSES.keys())
@pytest.mark.parametrize("dtype", [p.dtype for p in Precision], ids=list(Precision))
def test_the_precision_is_kept_and_close_to_double(loss, dtype):
    y, t = samples(loss)
    clip = CLIPS["floor"]()
    terms = loss.terms(y.astype(dtype), t.astype(dtype), clip, dtype(EPS))
    derivative = loss.derivative(y.astype(dtype), t.astype(dtype), clip, dtype(EPS))
    assert terms.dtype == derivative.dtype == dtype
    near = ~((np.abs(y - EPS) < 2e-3) | (np.abs(1 - y - EPS) < 2e-3))  # rounding must not change sides
    rounding = 30 * (float(np.finfo(dtype).eps) + 2.3e-16)  # of a logit of 30, before its exponential
    assert relative(terms, loss.terms(y, t, clip, EPS)) < rounding
    assert relative(derivative[near], loss.derivative(y, t, clip, EPS)[near]) < rounding


@pytest.mark.parametrize("loss", LOSSES.records(), ids=LOSSES.keys())
def test_no_derivative_at_the_optimum(loss):
    """It vanishes where the loss is smallest: y = t, or for logits where σ or softmax is t."""
    t = np.random.default_rng(4).dirichlet(np.ones(3), 6)
    best = {
        "squared_error": t,
        "hinge": 2 / (2 * t - 1),
        "poisson": t,
        "binary_cross_entropy": t,
        "binary_cross_entropy_from_logits": np.log(t / (1 - t)),
        "categorical_cross_entropy_from_logits": np.log(t) + 5,
        "categorical_cross_entropy": t,
    }[loss.name]
    derivative = loss.derivative(best, t, CLIPS["none"](), 0.0)
    if loss.name == "categorical_cross_entropy":
        derivative = (
            derivative + 1
        )  # the smallest on the simplex: there the derivative is the same along every axis
    np.testing.assert_allclose(derivative, 0, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES.records(), ids=LOSSES.keys())
def test_each_term_depends_on_its_own_output_alone_where_it_says_so(loss):
    y, t = samples(loss)
    moved = y.copy()
    moved[:, 0] += 0.0005
    changed = loss.terms(moved, t, CLIPS["none"](), 0.0) != loss.terms(y, t, CLIPS["none"](), 0.0)
    assert changed[:, 0].any()
    assert changed[:, 1:].any() != loss.elementwise


def test_two_classes_of_the_categorical_loss_are_the_logistic_loss():
    z = np.random.default_rng(5).standard_normal((9, 1)) * 4
    t = np.random.default_rng(6).uniform(size=(9, 1))
    pair, share = np.concatenate([z, np.zeros_like(z)], 1), np.concatenate([t, 1 - t], 1)
    one = LOSSES["binary_cross_entropy_from_logits"]().terms(z, t, CLIPS["none"](), 0.0)[:, 0]
    two = (
        LOSSES["categorical_cross_entropy_from_logits"]().terms(pair, share, CLIPS["none"](), 0.0).sum(axis=1)
    )
    np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["binary_cross_entropy_from_logits", "categorical_cross_entropy_from_logits"]
)
def test_logits_as_large_as_they_come_give_finite_losses(name):
    y = np.array([[700.0, -700.0], [1e4, -1e4], [-1e4, 1e4]])
    t = np.array([[1.0, 0.0]] * 3)
    with np.errstate(all="ignore"):
        terms, derivative = (
            f(y, t, CLIPS["none"](), 0.0) for f in (LOSSES[name]().terms, LOSSES[name]().derivative)
        )
    assert np.isfinite(terms).all()
    np.testing.assert_allclose(terms[:2], 0, atol=1e-300)
    np.testing.assert_allclose(terms[2].max(), 1e4 if name.startswith("binary") else 2e4)
    np.testing.assert_allclose(derivative, [[0, 0], [0, 0], [-1, 1]], atol=1e-300)


def test_zero_times_the_logarithm_of_zero_is_not_hidden():
    with np.errstate(all="ignore"):
        assert np.isnan(
            LOSSES["binary_cross_entropy"]().terms(np.array([1.0]), np.array([1.0]), CLIPS["none"](), 0.0)
        )


@pytest.mark.parametrize("reduction", Reduction)
def test_reductions(reduction):
    terms = np.ones((6, 4))
    right = {"sum": 24.0, "mean": 1.0, "sample_mean": 4.0}[reduction]
    assert terms.sum() * reduction.scale(6, 4) == pytest.approx(right, rel=1e-15)
    assert reduction.scale(0, 4) == 1


class Wrong:
    """A loss of which one function is 0.1 % too large."""

    def __init__(self, loss, function):
        self.loss, self.function = loss, function

    def __getattr__(self, name):
        right = getattr(self.loss, name)
        return (lambda *a: right(*a) * 1.001) if name == self.function else right


@pytest.mark.parametrize("function", ["terms", "derivative"])
@every_pair
def test_what_is_wrong_by_one_in_a_thousand_is_refused(loss, clip, function):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        test_terms_and_derivative_are_those_of_jax(Wrong(loss, function), clip)
