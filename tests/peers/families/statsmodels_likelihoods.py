"""statsmodels' scores: the gradients of log-likelihoods, most with a scale parameter in the same vector.

The regressors are in random units, and so are the coefficients, as in practice.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator

import numpy as np
import statsmodels.api as sm
from cases import Case, Source, in_units, of_source, weighed
from statsmodels.discrete import conditional_models as conditional
from statsmodels.discrete import count_model as inflated
from statsmodels.discrete import discrete_model as discrete
from statsmodels.discrete import truncated_model as truncated
from statsmodels.genmod.families import links
from statsmodels.multivariate.factor import Factor
from statsmodels.othermod.betareg import BetaModel
from statsmodels.regression.dimred import CovarianceReduction
from statsmodels.regression.process_regression import ProcessMLE
from statsmodels.robust import norms


def draw(rng: np.random.Generator) -> Iterator[Case]:
    """Some ninety cases."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            yield from _discrete(rng)
            yield from _inflated_and_truncated(rng)
            yield from _grouped(rng)
            yield from _generalized_linear(rng)
            yield from _survival(rng)
            yield from _multivariate(rng)
        yield from _robust(rng)
        yield from _links(rng)


NEGATIVE_BINOMIAL = {"nb1": "_score_nbin", "nb2": "_score_nbin", "geometric": "_score_geom"}
"""The method that computes the score of each parametrisation; nb1 is the second power's with Q = 1."""


def _of_model(model, text: str, point: np.ndarray) -> Case:
    """A model's log-likelihood and score; edited is the method that computes it, by sample or in all."""
    kind = type(model)
    function, more = kind.score, {}
    if isinstance(model, discrete.NegativeBinomial):
        function = getattr(kind, NEGATIVE_BINOMIAL[model.loglike_method])
        more = {"Q": 1} if model.loglike_method == "nb1" else {}
    elif "self.score_obs(params)" in inspect.getsource(function):
        function = kind.score_obs

    def gradient(score):
        def df(w):
            found = np.asarray(score(model, w, **more), float)
            return found.sum(axis=0) if found.ndim == 2 else found

        return df

    return of_source(
        f"{kind.__name__} {text}", lambda w: float(model.loglike(w)), Source(function, gradient), point
    )


def _design(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Regressors with a constant, coefficients of predictors of order one, those predictors, and words."""
    n, p = int(rng.integers(10, 50)), int(rng.integers(1, 5))
    X, scale = in_units(rng, n, p)
    w = rng.normal(size=p) / scale / np.sqrt(p) / 2
    X, w = np.column_stack([np.ones(n), X]), np.append(rng.normal() / 2, w)
    return X, w, X @ w, f"n={n} p={p} columns {scale.min():.0e} to {scale.max():.0e}"


def _shape(rng: np.random.Generator) -> float:
    """A dispersion or another shape parameter."""
    return float(10 ** rng.uniform(-3, 1))


def _discrete(rng: np.random.Generator) -> Iterator[Case]:
    X, w, eta, text = _design(rng)
    counts, binary = rng.poisson(np.exp(eta)), (rng.random(len(eta)) < 0.5).astype(float)
    yield _of_model(discrete.Poisson(counts, X), text, w)
    yield _of_model(discrete.Logit(binary, X), text, w)
    yield _of_model(discrete.Probit(binary, X), text, w)
    for power in (1, 2):
        a = _shape(rng)
        words = f"{text} power {power} alpha {a:.0e}"
        yield _of_model(discrete.GeneralizedPoisson(counts, X, p=power), words, np.append(w, a))
        yield _of_model(discrete.NegativeBinomialP(counts, X, p=power), words, np.append(w, a))
    for kind in ("nb1", "nb2", "geometric"):
        a = _shape(rng)
        point = w if kind == "geometric" else np.append(w, a)
        model = discrete.NegativeBinomial(counts, X, loglike_method=kind)
        yield _of_model(model, f"{text} {kind} alpha {a:.0e}", point)
    classes = np.concatenate([np.arange(3), rng.integers(0, 3, len(eta) - 3)])
    model = discrete.MNLogit(classes, X)
    yield _of_model(model, text, np.concatenate([w, w[::-1] * w / np.where(w == 0, 1, w[::-1])]) * 0.7)


def _inflated_and_truncated(rng: np.random.Generator) -> Iterator[Case]:
    X, w, eta, text = _design(rng)
    counts = rng.poisson(np.exp(eta)) * (rng.random(len(eta)) < 0.7)
    counts[0], counts[1:4] = 0, np.maximum(counts[1:4], 1)
    a, zero = _shape(rng), rng.normal(size=1)
    point = np.concatenate([zero, w])
    yield _of_model(inflated.ZeroInflatedPoisson(counts, X), text, point)
    words = f"{text} alpha {a:.0e}"
    yield _of_model(inflated.ZeroInflatedNegativeBinomialP(counts, X), words, np.append(point, a))
    yield _of_model(inflated.ZeroInflatedGeneralizedPoisson(counts, X), words, np.append(point, a))
    positive = np.maximum(counts, 1)
    yield _of_model(truncated.TruncatedLFPoisson(positive, X), text, w)
    yield _of_model(truncated.TruncatedLFNegativeBinomialP(positive, X), words, np.append(w, a))
    yield _of_model(truncated.HurdleCountModel(counts, X), text, np.concatenate([w / 2, w]))


def _grouped(rng: np.random.Generator) -> Iterator[Case]:
    X, w, eta, text = _design(rng)
    X, w = X[:, 1:], w[1:]
    groups = np.arange(len(eta)) // 5
    binary, counts = (rng.random(len(eta)) < 0.5).astype(int), rng.poisson(2, len(eta))
    yield _of_model(conditional.ConditionalLogit(binary, X, groups=groups), text, w)
    yield _of_model(conditional.ConditionalPoisson(counts, X, groups=groups), text, w)
    model = sm.MixedLM(eta + rng.normal(size=len(eta)), X, groups)
    model.cov_pen = model._freepat = None  # as fitting sets them
    scores = type(model).score
    source = Source(scores, lambda score: lambda c: np.asarray(score(model, c), float))

    def profile(c):
        return float(model.loglike(c))

    yield of_source(f"MixedLM {text}", profile, source, np.array([10 ** rng.uniform(-2, 1)]))


def _generalized_linear(rng: np.random.Generator) -> Iterator[Case]:
    X, w, eta, text = _design(rng)
    mean = np.exp(eta)
    log = sm.families.links.Log()
    for name, family, y in (
        ("Poisson", sm.families.Poisson(), rng.poisson(mean)),
        ("Gamma", sm.families.Gamma(log), rng.gamma(2, mean)),
        ("InverseGaussian", sm.families.InverseGaussian(log), rng.gamma(2, mean)),
        ("Binomial", sm.families.Binomial(), rng.integers(0, 2, len(eta))),
        ("NegativeBinomial", sm.families.NegativeBinomial(log, 0.5), rng.poisson(mean)),
        ("Gaussian", sm.families.Gaussian(), eta + rng.normal(size=len(eta))),
    ):
        model = sm.GLM(y, X, family=family)
        scale = 1.0 if name == "Binomial" else float(10 ** rng.uniform(-3, 3))  # its likelihood has no scale
        source = Source(
            sm.GLM.score, lambda score, model=model, scale=scale: lambda w: score(model, w, scale=scale)
        )
        value = lambda w, model=model, scale=scale: float(model.loglike(w, scale=scale))  # noqa: E731
        yield of_source(f"GLM {name} {text} scale {scale:.0e}", value, source, w)
    y = 1 / (1 + np.exp(-eta - rng.normal(size=len(eta)) / 4))
    yield _of_model(BetaModel(y, X), text, np.append(w, rng.normal() + 1))


def _survival(rng: np.random.Generator) -> Iterator[Case]:
    X, w, eta, text = _design(rng)
    time = np.round(rng.exponential(np.exp(-eta)) * 10) + 1
    status = (rng.random(len(eta)) < 0.7).astype(int)
    status[0] = 1
    for ties in ("breslow", "efron"):
        model = sm.PHReg(time, X[:, 1:], status=status, ties=ties)
        kind = type(model)
        function = kind.breslow_gradient if ties == "breslow" else kind.efron_gradient
        source = Source(function, lambda score, model=model: lambda w: np.asarray(score(model, w)))
        value = lambda w, model=model: float(model.loglike(w))  # noqa: E731
        yield of_source(f"PHReg {ties} {text}", value, source, w[1:])


def _multivariate(rng: np.random.Generator) -> Iterator[Case]:
    n, p, q = int(rng.integers(20, 60)), int(rng.integers(4, 8)), int(rng.integers(1, 3))
    data = rng.normal(size=(n, p)) @ rng.normal(size=(p, p))
    model = Factor(data, q, method="ml")
    load, uniq = rng.normal(size=(p, q)) / 2, rng.uniform(0.1, 1, p)
    yield _of_model(model, f"p={p} q={q}", np.concatenate([np.sqrt(uniq), load.T.ravel()]))
    reduced = CovarianceReduction(np.arange(n) % 3, data, q)
    yield _of_model(reduced, f"p={p} q={q}", rng.normal(size=p * q))
    X, w, eta, text = _design(rng)
    ones, groups = np.ones((len(eta), 1)), np.arange(len(eta)) // 5
    y, time = eta + rng.normal(size=len(eta)), np.arange(len(eta)) % 5 + rng.uniform(0, 0.5, len(eta))
    process = ProcessMLE(y, X, ones, ones, ones, time, groups)
    yield _of_model(process, text, np.append(w, rng.normal(size=3) / 2))


def _robust(rng: np.random.Generator) -> Iterator[Case]:
    for norm in (
        norms.LeastSquares(), norms.HuberT(), norms.RamsayE(), norms.AndrewWave(), norms.TrimmedMean(),
        norms.Hampel(), norms.TukeyBiweight(), norms.TukeyQuartic(), norms.StudentT(),
    ):  # fmt: skip
        z = rng.normal(size=int(rng.integers(1, 12))) * 10 ** rng.uniform(-1, 1)
        for order, value, slope in ((1, norm.rho, norm.psi), (2, norm.psi, norm.psi_deriv)):
            yield weighed(f"robust.{type(norm).__name__} order {order}", value, slope, z, rng)


def _links(rng: np.random.Generator) -> Iterator[Case]:
    for link in (
        links.Logit(), links.Log(), links.LogC(), links.Sqrt(), links.InversePower(), links.InverseSquared(),
        links.Probit(), links.Cauchy(), links.CLogLog(), links.LogLog(), links.NegativeBinomial(0.7),
    ):  # fmt: skip
        p = rng.uniform(0.01, 0.99, int(rng.integers(1, 12)))
        name = type(link).__name__
        yield weighed(f"links.{name}.deriv", link, link.deriv, p, rng)
        yield weighed(f"links.{name}.deriv2", link.deriv, link.deriv2, p, rng)
        eta = link(p)
        yield weighed(f"links.{name}.inverse_deriv", link.inverse, link.inverse_deriv, eta, rng)
        if hasattr(link, "inverse_deriv2"):
            yield weighed(f"links.{name}.inverse_deriv2", link.inverse_deriv, link.inverse_deriv2, eta, rng)
