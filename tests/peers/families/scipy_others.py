"""SciPy's interpolants, matrix functions, integrals, and derivatives of multivariate densities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cases import Case, weighed
from numpy.polynomial import Chebyshev, Hermite, Laguerre, Legendre, Polynomial
from scipy import integrate, interpolate, linalg, stats

QUADRATURE = 1e-7
"""The relative error that `quad` is asked for by default is 1.5e-8."""


def draw(rng: np.random.Generator) -> Iterator[Case]:
    """Some forty cases."""
    yield from _interpolants(rng)
    yield from _surfaces(rng)
    yield from _polynomials(rng)
    yield from _of_matrices(rng)
    yield from _densities(rng)
    yield from _integrals(rng)


def _interpolants(rng: np.random.Generator) -> Iterator[Case]:
    n, unit = int(rng.integers(6, 15)), float(10 ** rng.uniform(-5, 5))
    knots = np.sort(rng.uniform(size=n)) * unit
    values = rng.normal(size=n) * 10 ** rng.uniform(-3, 3)
    for name, spline in (
        ("CubicSpline", interpolate.CubicSpline(knots, values)),
        ("PchipInterpolator", interpolate.PchipInterpolator(knots, values)),
        ("Akima1DInterpolator", interpolate.Akima1DInterpolator(knots, values)),
        ("make_interp_spline(k=1)", interpolate.make_interp_spline(knots, values, k=1)),
        ("make_interp_spline(k=2)", interpolate.make_interp_spline(knots, values, k=2)),
        ("make_interp_spline(k=5)", interpolate.make_interp_spline(knots, values, k=5)),
        ("UnivariateSpline", interpolate.UnivariateSpline(knots, values, s=0)),
        ("KroghInterpolator", interpolate.KroghInterpolator(knots[:5], values[:5])),
        ("BarycentricInterpolator", interpolate.BarycentricInterpolator(knots[:5], values[:5])),
    ):
        high = knots[4] if "Kr" in name or "Bary" in name else knots[-1]
        x = rng.uniform(knots[0], high, int(rng.integers(1, 10)))
        slope = spline.derivative if hasattr(spline, "derivatives") else lambda x, s=spline: s(x, 1)
        if name == "UnivariateSpline":
            slope = spline.derivative()
        yield weighed(f"interpolate.{name} unit={unit:.0e}", spline, slope, x, rng)


def _surfaces(rng: np.random.Generator) -> Iterator[Case]:
    """Both partial derivatives of a bivariate spline, at several points."""
    x, y = np.linspace(0, 1, 7), np.linspace(0, 1, 8) * 1e3
    spline = interpolate.RectBivariateSpline(x, y, rng.normal(size=(7, 8)))
    points = rng.uniform(0.05, 0.95, (2, int(rng.integers(1, 8)))) * [[1.0], [1e3]]
    c = rng.normal(size=points.shape[1])
    yield Case(
        "interpolate.RectBivariateSpline",
        lambda p: float(c @ spline.ev(p[0], p[1])),
        lambda p: c * np.array([spline.ev(p[0], p[1], dx=1), spline.ev(p[0], p[1], dy=1)]),
        points,
    )


def _polynomials(rng: np.random.Generator) -> Iterator[Case]:
    for kind in (Polynomial, Chebyshev, Legendre, Hermite, Laguerre):
        polynomial = kind(rng.normal(size=int(rng.integers(2, 8))))
        x = rng.normal(size=int(rng.integers(1, 12))) * 10 ** rng.uniform(-2, 1)
        yield weighed(f"polynomial.{kind.__name__}.deriv", polynomial, polynomial.deriv(), x, rng)


def _of_matrices(rng: np.random.Generator) -> Iterator[Case]:
    n = int(rng.integers(2, 6))
    c, a = rng.normal(size=(n, n)), rng.normal(size=(n, n)) * 10 ** rng.uniform(-1, 0.5)
    yield Case(
        f"linalg.expm_frechet n={n}",
        lambda a: float(np.sum(c * linalg.expm(a))),
        lambda a: linalg.expm_frechet(a.T, c, compute_expm=False),
        a,
    )
    spread = np.diag(10.0 ** rng.uniform(-3, 3, n))
    yield Case(
        f"linalg.inv as the gradient of slogdet n={n}", lambda a: float(np.linalg.slogdet(a)[1]),
        lambda a: np.linalg.inv(a).T, spread @ (a + 3 * np.eye(n)),
    )  # fmt: skip
    b = rng.normal(size=n)
    yield Case(
        f"linalg.solve n={n}",
        lambda a: float(b @ np.linalg.solve(a, c[0])),
        lambda a: -np.outer(np.linalg.solve(a.T, b), np.linalg.solve(a, c[0])),
        a + 3 * np.eye(n),
    )
    yield Case(
        f"linalg.svdvals n={n}", lambda a: float(linalg.svdvals(a)[0]),
        lambda a: np.outer(linalg.svd(a)[0][:, 0], linalg.svd(a)[2][0]), a,
    )  # fmt: skip


def _densities(rng: np.random.Generator) -> Iterator[Case]:
    n = int(rng.integers(1, 7))
    unit = 10.0 ** rng.uniform(-2, 2, n)
    root = rng.normal(size=(n, n))
    covariance = (root @ root.T + np.eye(n)) * np.outer(unit, unit)
    normal = stats.multivariate_normal(np.zeros(n), covariance)
    x = rng.normal(size=n) * unit
    solved = np.linalg.inv(covariance)
    # The library factorises the matrix, which is inverted here: two roundings of an ill-conditioned problem.
    rounding = float(np.linalg.cond(covariance) * 1e-15)
    yield Case(
        f"multivariate_normal n={n}", lambda x: float(normal.logpdf(x)), lambda x: -(solved @ x), x, rounding
    )
    dof = float(rng.uniform(1, 9))
    student = stats.multivariate_t(np.zeros(n), covariance, dof)

    def score(x):
        return -(dof + n) / (dof + x @ solved @ x) * (solved @ x)

    yield Case(f"multivariate_t n={n}", lambda x: float(student.logpdf(x)), score, x, rounding)
    alpha = rng.uniform(0.5, 5, n + 1)
    p = rng.dirichlet(np.full(n + 1, 3.0))
    yield weighed(
        "special.gammaln of a Dirichlet", lambda p: (alpha - 1) * np.log(p), lambda p: (alpha - 1) / p, p, rng
    )


def _integrals(rng: np.random.Generator) -> Iterator[Case]:
    """The integrand is the derivative with respect to the upper end."""
    for name, g in (("sin", np.sin), ("gauss", lambda t: np.exp(-(t**2)))):
        x = rng.uniform(0.1, 3, int(rng.integers(1, 5)))

        def integral(x, g=g):
            return np.array([integrate.quad(g, 0, end)[0] for end in x])

        yield weighed(f"integrate.quad {name}", integral, g, x, rng, rtol=QUADRATURE)
