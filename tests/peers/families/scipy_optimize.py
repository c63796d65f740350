"""SciPy's test functions of optimisation, its robust losses, and the problems in its own tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cases import Case, Source, of_source, projected
from scipy.optimize import rosen, rosen_der, rosen_hess_prod
from scipy.optimize._lsq.least_squares import IMPLEMENTED_LOSSES


def draw(rng: np.random.Generator) -> Iterator[Case]:
    """Some forty cases."""
    yield from _rosenbrock(rng)
    yield from _robust_losses(rng)
    yield from _problems_of_tests(rng)


def _rosenbrock(rng: np.random.Generator) -> Iterator[Case]:
    for _ in range(6):
        n, scale = int(rng.integers(2, 31)), float(10 ** rng.uniform(-4, 4))
        source = Source(rosen_der, lambda function: function)
        name = f"optimize.rosen_der n={n} scale={scale:.0e}"
        yield of_source(name, rosen, source, rng.normal(size=n) * scale)
    for _ in range(4):
        n, scale = int(rng.integers(2, 31)), float(10 ** rng.uniform(-2, 2))
        name = f"optimize.rosen_hess_prod n={n} scale={scale:.0e}"
        yield _product(name, rosen_der, rosen_hess_prod, rng.normal(size=n) * scale, rng)


def _product(name: str, gradient, product, x: np.ndarray, rng: np.random.Generator) -> Case:
    """The gradient along a vector, and the product of the Hessian with it."""
    v = rng.normal(size=len(x))
    source = Source(product, lambda function: lambda x: np.asarray(function(x, v)))
    return of_source(name, lambda x: float(v @ gradient(x)), source, x)


def _robust_losses(rng: np.random.Generator) -> Iterator[Case]:
    for name, function in IMPLEMENTED_LOSSES.items():
        if function is not None:  # as the square's is
            for order in (0, 1):
                yield _robust_loss(rng, name, function, order)


def _robust_loss(rng: np.random.Generator, name: str, function, order: int) -> Case:
    """Each takes z and fills ρ, ρ′ and ρ″."""
    n, scale = int(rng.integers(1, 20)), float(10 ** rng.uniform(-3, 3))

    def filled(function, z):
        rho = np.empty((3, len(z)))
        function(z, rho, False)
        return rho

    source = Source(function, lambda function: lambda z: filled(function, z)[order + 1].copy())
    text = f"optimize.least_squares.{name} order={order} scale={scale:.0e}"
    point = rng.exponential(size=n) * scale
    return of_source(text, lambda z: float(filled(function, z)[order].sum()), source, point)


def _problems_of_tests(rng: np.random.Generator) -> Iterator[Case]:
    from scipy.optimize.tests import test_least_squares as squares
    from scipy.optimize.tests import test_minimize_constrained as constrained

    problems = [
        (constrained.Maratos(), 2), (constrained.HyperbolicIneq(), 2), (constrained.Rosenbrock(4), 4),
        (constrained.Elec(5), 15),
    ]  # fmt: skip
    for problem, n in problems:
        yield from _problem(rng, problem, n)
    for problem, n in problems[1:2] + problems[3:]:
        constraint = problem.constr
        yield projected(
            f"optimize.tests.{type(problem).__name__}.constr",
            lambda x, fun=constraint.fun: np.atleast_1d(fun(x)),
            lambda x, jac=constraint.jac: np.atleast_2d(_dense(jac(x))),
            rng.normal(size=n),
            rng,
        )
    yield _squares("fun_rosenbrock", squares.fun_rosenbrock, squares.jac_rosenbrock, rng.normal(size=2))
    for n in (3, 20):
        tridiagonal = squares.BroydenTridiagonal(n)
        yield _squares("BroydenTridiagonal", tridiagonal.fun, tridiagonal.jac, rng.normal(size=n))
    fitting = squares.ExponentialFittingProblem(1, 0.1, 0.1, rng=rng)
    yield _squares("ExponentialFittingProblem", fitting.fun, fitting.jac, rng.normal(size=2) / 4)
    yield from _entropy(rng)


def _problem(rng: np.random.Generator, problem, n: int) -> Iterator[Case]:
    """A problem's gradient, and its Hessian along a vector."""
    kind, x = type(problem), rng.normal(size=n)
    source = Source(kind.grad, lambda grad: lambda x: np.asarray(grad(problem, x)))
    yield of_source(f"optimize.tests.{kind.__name__}.grad", problem.fun, source, x)

    def product(x, v):
        return np.asarray(problem.hess(x)) @ v

    yield _product(
        f"optimize.tests.{kind.__name__}.hess", lambda x: np.asarray(problem.grad(x)), product, x, rng
    )


def _entropy(rng: np.random.Generator) -> Iterator[Case]:
    from scipy.optimize.tests.test_optimize import CheckOptimize

    problem = CheckOptimize()
    problem.setup_method()
    kind = CheckOptimize
    for scale in (1e-3, 1.0, 3.0):
        source = Source(kind.grad, lambda grad: lambda k: grad(problem, k))
        yield of_source(
            f"optimize.tests.CheckOptimize.grad scale={scale:g}", lambda k: float(problem.func(k)), source,
            rng.normal(size=3) * scale,
        )  # fmt: skip


def _squares(name, residuals, jacobian, x) -> Case:
    """Half the sum of squares, with the gradient Jᵀr."""
    return Case(
        f"optimize.tests.{name}",
        lambda x: 0.5 * float(np.sum(residuals(x) ** 2)),
        lambda x: _dense(jacobian(x)).T @ residuals(x),
        x,
    )


def _dense(matrix):
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
