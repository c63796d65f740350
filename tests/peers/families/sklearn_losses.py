"""scikit-learn's losses: of raw predictions (compiled), of linear models; and derivatives of activations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cases import Case, Source, in_units, of_source
from scipy import sparse
from scipy.special import expit
from sklearn._loss import loss as losses
from sklearn.decomposition import _fastica
from sklearn.linear_model import _sgd_fast
from sklearn.linear_model._huber import _huber_loss_and_gradient
from sklearn.linear_model._linear_loss import LinearModelLoss
from sklearn.neural_network import _base as activations

MULTINOMIAL_CLASSES = 3

LOSSES = {
    "HalfSquaredError": lambda: losses.HalfSquaredError(),
    "AbsoluteError": lambda: losses.AbsoluteError(),
    "PinballLoss": lambda: losses.PinballLoss(quantile=0.3),
    "HuberLoss": lambda: losses.HuberLoss(delta=0.8),
    "HalfPoissonLoss": lambda: losses.HalfPoissonLoss(),
    "HalfGammaLoss": lambda: losses.HalfGammaLoss(),
    "HalfTweedieLoss": lambda: losses.HalfTweedieLoss(power=1.5),
    "HalfTweedieLoss3": lambda: losses.HalfTweedieLoss(power=3),
    "HalfTweedieLossIdentity": lambda: losses.HalfTweedieLossIdentity(power=1.5),
    "HalfBinomialLoss": lambda: losses.HalfBinomialLoss(),
    "ExponentialLoss": lambda: losses.ExponentialLoss(),
    "HalfMultinomialLoss": lambda: losses.HalfMultinomialLoss(n_classes=MULTINOMIAL_CLASSES),
}


def draw(rng: np.random.Generator) -> Iterator[Case]:
    """Some eighty cases."""
    for name in LOSSES:
        yield from _of_raw_predictions(rng, name)
        for _ in range(2):
            yield _of_a_linear_model(rng, name)
        yield _of_a_linear_model(rng, name, np.float32)
    for _ in range(12):
        yield _huber(rng)
    yield from _of_stochastic_gradient_descent(rng)
    yield from _activations(rng)
    yield from _contrasts(rng)


def _targets(rng: np.random.Generator, name: str, n: int) -> np.ndarray:
    """Targets in a loss's domain."""
    if "Multinomial" in name:
        return rng.integers(0, MULTINOMIAL_CLASSES, n).astype(float)
    if "Binomial" in name or "Exponential" in name:
        return rng.integers(0, 2, n).astype(float)
    if "Poisson" in name:
        return rng.poisson(2, n).astype(float)
    if "Gamma" in name or "Tweedie" in name:
        return rng.gamma(2, size=n) * 10 ** rng.uniform(-2, 2)
    return rng.normal(size=n) * 10 ** rng.uniform(-2, 2)


def _of_raw_predictions(rng: np.random.Generator, name: str) -> Iterator[Case]:
    loss, n = LOSSES[name](), int(rng.integers(1, 25))
    y = _targets(rng, name, n)
    weights = rng.exponential(size=n) if rng.random() < 0.5 else None
    shape = (n, MULTINOMIAL_CLASSES) if loss.is_multiclass else (n,)
    raw = rng.normal(size=shape) * 10 ** rng.uniform(-2, 1)
    if name == "HalfTweedieLossIdentity":
        raw = np.abs(raw) + 0.01
    c = rng.normal(size=n)

    def value(raw):
        return float(c @ loss.loss(y_true=y, raw_prediction=raw, sample_weight=weights))

    def gradient(raw):
        found = loss.gradient(y_true=y, raw_prediction=raw, sample_weight=weights)
        return found * (c[:, None] if found.ndim == 2 else c)

    yield Case(f"_loss.{name}.gradient", value, gradient, raw)
    if loss.is_multiclass or loss.approx_hessian or loss.constant_hessian:
        return

    def slope(raw):
        return float(c @ loss.gradient(y_true=y, raw_prediction=raw, sample_weight=weights))

    def curvature(raw):
        return c * loss.gradient_hessian(y_true=y, raw_prediction=raw, sample_weight=weights)[1]

    yield Case(f"_loss.{name}.hessian", slope, curvature, raw)


def _of_a_linear_model(rng: np.random.Generator, name: str, dtype: type = np.float64) -> Case:
    n, p = int(rng.integers(2, 40)), int(rng.integers(1, 12))
    X, scale = in_units(rng, n, p)
    y = _targets(rng, name, n)
    intercept, weights = bool(rng.integers(2)), rng.exponential(size=n) if rng.random() < 0.5 else None
    l2 = float(rng.choice([0.0, 10 ** rng.uniform(-4, 1)]))
    model = LinearModelLoss(base_loss=LOSSES[name](), fit_intercept=intercept)
    w = rng.normal(size=p) / scale / np.sqrt(p)
    if intercept:
        w = np.append(w, rng.normal())
    if name == "HalfTweedieLossIdentity":
        X, w = np.abs(X), np.abs(w) + 0.01 / np.append(scale, 1.0)[: len(w)]
    if model.base_loss.is_multiclass:
        w = np.asfortranarray(rng.normal(size=(MULTINOMIAL_CLASSES, len(w))) * w).ravel(order="F")
    X, y, w = X.astype(dtype), y.astype(dtype), w.astype(dtype)
    weights = None if weights is None else weights.astype(dtype)
    if rng.random() < 0.25:
        X = sparse.csr_matrix(X)
    more = {"X": X, "y": y, "sample_weight": weights, "l2_reg_strength": l2}
    source = Source(
        LinearModelLoss.loss_gradient,
        lambda function: lambda w: np.asarray(function(model, w, **more)[1]),
    )
    units = f"columns {scale.min():.0e} to {scale.max():.0e}"
    text = f"LinearModelLoss({name}) {dtype.__name__} n={n} p={p} l2={l2:.0e} {units}"
    return of_source(text, lambda w: float(model.loss(w, **more)), source, w)


def _huber(rng: np.random.Generator) -> Case:
    n, p = int(rng.integers(3, 40)), int(rng.integers(1, 10))
    X, scale = in_units(rng, n, p)
    w = rng.normal(size=p) / scale
    sigma = float(10 ** rng.uniform(-4, 2))
    y = X @ w + sigma * rng.standard_t(2, n)
    tail = [rng.normal() * sigma, sigma] if rng.random() < 0.5 else [sigma]
    more = (X, y, float(rng.uniform(1.05, 3)), float(10 ** rng.uniform(-5, 0)), rng.exponential(size=n))
    source = Source(_huber_loss_and_gradient, lambda function: lambda w: function(w, *more)[1])
    point = np.append(w + rng.normal(size=p) / scale * sigma, tail)
    units = f"columns {scale.min():.0e} to {scale.max():.0e}"
    text = f"_huber_loss_and_gradient n={n} p={p} sigma={sigma:.0e} {units}"
    return of_source(text, lambda w: float(_huber_loss_and_gradient(w, *more)[0]), source, point)


def _of_stochastic_gradient_descent(rng: np.random.Generator) -> Iterator[Case]:
    for loss, binary in (
        (_sgd_fast.Hinge(1.0), True), (_sgd_fast.SquaredHinge(1.0), True), (_sgd_fast.ModifiedHuber(), True),
        (_sgd_fast.EpsilonInsensitive(0.3), False), (_sgd_fast.SquaredEpsilonInsensitive(0.3), False),
    ):  # fmt: skip
        n = int(rng.integers(2, 15))
        y = rng.choice([-1.0, 1.0], n) if binary else rng.normal(size=n)
        yield Case(
            f"_sgd_fast.{type(loss).__name__}.py_dloss",
            lambda p, loss=loss, y=y: float(sum(map(loss.py_loss, p, y))),
            lambda p, loss=loss, y=y: np.array(list(map(loss.py_dloss, p, y))),
            rng.normal(size=n) * 10 ** rng.uniform(-2, 1),
        )


def _activations(rng: np.random.Generator) -> Iterator[Case]:
    for name, forward in (("logistic", expit), ("tanh", np.tanh), ("relu", lambda z: np.maximum(z, 0))):
        yield _activation(rng, name, forward)


def _activation(rng: np.random.Generator, name: str, forward) -> Case:
    """A derivative that takes the activation's output, and the signal from above, which it multiplies."""
    shape = int(rng.integers(1, 9)), int(rng.integers(1, 5))
    delta = rng.normal(size=shape)

    def gradient(function):
        def df(z):
            found = delta.copy()
            function(forward(z), found)
            return found

        return df

    source = Source(getattr(activations, f"inplace_{name}_derivative"), gradient)
    point = rng.normal(size=shape) * 10 ** rng.uniform(-1, 0.7)
    value = lambda z: float(np.sum(delta * forward(z)))  # noqa: E731
    return of_source(f"neural_network.inplace_{name}_derivative", value, source, point)


def _contrasts(rng: np.random.Generator) -> Iterator[Case]:
    """FastICA's functions return g and the mean of g′ over samples."""
    for name, given in (("_logcosh", {"alpha": 1.3}), ("_exp", {}), ("_cube", {})):
        function = getattr(_fastica, name)
        shape = int(rng.integers(1, 5)), int(rng.integers(2, 9))
        c = rng.normal(size=shape[0])

        def value(x, function=function, given=given, c=c):
            return float(c @ function(x.copy(), given)[0].mean(axis=1))

        def gradient(function, given=given, c=c, n=shape[1]):
            def df(x):
                each = [function(x[:, k : k + 1].copy(), given)[1] for k in range(n)]
                return c[:, None] * np.transpose(each) / n

            return df

        yield of_source(f"_fastica.{name}", value, Source(function, gradient), rng.normal(size=shape))
