"""SciPy's continuous distributions: the density is the gradient of the distribution function."""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Iterator

import numpy as np
from cases import Case, Source, of_source
from scipy import stats
from scipy.stats import rv_continuous
from scipy.stats._distr_params import distcont

SLOW_OR_SAMPLED = {"levy_stable", "studentized_range", "kstwo", "ksone", "gausshyper", "genexpon", "vonmises"}
"""Too slow, not a continuous function of the quantile in double precision, or not on one period."""

QUADRATURE = 1e-7
"""The relative error of distribution functions that are computed by `quad`: its default is 1.5e-8."""

TRUNCATED = {"kstwobign": 1e-7}
"""Densities whose series is cut: Kolmogorov's is off by up to 3e-8 from 0.82 on, against 40 digits."""

KINDS = ("cdf", "sf", "logcdf", "logsf")


def draw(rng: np.random.Generator) -> Iterator[Case]:
    """One case of each distribution whose distribution function is a closed form."""
    for name, shapes in distcont:
        if not isinstance(name, str) or name in SLOW_OR_SAMPLED:
            continue
        distribution = getattr(stats, name)
        if type(distribution)._cdf is rv_continuous._cdf or type(distribution)._pdf is rv_continuous._pdf:
            continue  # one is the numerical integral or derivative of the other
        yield _case(rng, name, distribution, shapes)


def _case(
    rng: np.random.Generator, name: str, distribution: rv_continuous, shapes: tuple[float, ...]
) -> Case:
    scale, location = float(10 ** rng.uniform(-4, 4)), float(rng.normal())
    location = location * scale
    n = int(rng.integers(1, 9))
    kind = KINDS[rng.integers(len(KINDS))]
    x = distribution.ppf(rng.uniform(0.02, 0.98, n), *shapes, loc=location, scale=scale)
    c = rng.normal(size=n)
    own = {"cdf": distribution.cdf, "sf": distribution.sf}.get(kind.removeprefix("log"))
    function = getattr(distribution, kind)
    sign = -1.0 if "sf" in kind else 1.0

    def gradient(pdf):
        changed = copy.copy(distribution)
        changed._pdf = types.MethodType(pdf, changed)

        def df(x):
            density = sign * c * changed.pdf(x, *shapes, loc=location, scale=scale)
            return density / own(x, *shapes, loc=location, scale=scale) if "log" in kind else density

        return df

    def f(x):
        return float(c @ function(x, *shapes, loc=location, scale=scale))

    text = f"stats.{name}.{kind} scale={scale:.0e}"
    integrated = "quad(" in inspect.getsource(type(distribution)._cdf)
    rtol = TRUNCATED.get(name, QUADRATURE if integrated else 0.0)
    return of_source(text, f, Source(type(distribution)._pdf, gradient), x, rtol)
