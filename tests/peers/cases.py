"""Gradients written by hand in public libraries, as cases for a judge of `backproof.check`.

A case is a function, the gradient that its library has for it, and a point. Cases come from families:
functions that draw them from a generator of random numbers, so that one seed gives several hundred and any
number of seeds may be drawn. Nothing in here is known to the code under test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Gradient = Callable[[Array], Array]
Draw = Callable[[np.random.Generator], Iterator["Case"]]

FAMILIES = {
    "scipy_optimize": "scipy",
    "scipy_special": "scipy",
    "scipy_distributions": "scipy",
    "scipy_others": "scipy",
    "sklearn_losses": "sklearn",
    "sklearn_models": "sklearn",
    "statsmodels_likelihoods": "statsmodels",
}
"""The modules in families/, and the library that each needs; a family whose library is absent is left out."""


@dataclass(frozen=True)
class Source:
    """The Python function of a library in which a gradient is computed, and how the gradient is made of it.

    Attributes:
        function: has its source at hand, so that a mutator may edit it.
        gradient: the case's gradient with another function in the place of `function`.
    """

    function: Callable[..., object]
    gradient: Callable[[Callable[..., object]], Gradient]


@dataclass(frozen=True)
class Case:
    """A function and its gradient at a point.

    Attributes:
        name: the library's function, and what was drawn.
        rtol: the relative error that the gradient has by its nature, as by an inner solver; 0 where it is
            exact but for rounding.
        source: where the gradient is computed in Python; None where it is compiled.
        wrong: why the library's gradient is not that of its function; empty where it is.
    """

    name: str
    f: Callable[[Array], float]
    df: Gradient
    point: Array
    rtol: float = 0.0
    source: Source | None = None
    wrong: str = ""


def of_source(
    name: str,
    f: Callable[[Array], float],
    source: Source,
    point: Array,
    rtol: float = 0.0,
    wrong: str = "",
) -> Case:
    """A case whose gradient is computed in a Python function."""
    return Case(name, f, source.gradient(source.function), point, rtol, source, wrong)


def available() -> list[str]:
    """The families whose libraries are installed."""
    return [name for name, library in FAMILIES.items() if find_spec(library)]


def cases(seed: int, families: list[str] | None = None) -> Iterator[Case]:
    """The cases of a seed; those of one family do not depend on which others are drawn."""
    for name in families or available():
        module = import_module(f"families.{name}")
        yield from module.draw(np.random.default_rng([seed, *name.encode()]))


def units(rng: np.random.Generator, count: int) -> Array:
    """Units for so many columns: of each, or of all together, or none; powers of ten from 1e-6 to 1e6."""
    match rng.integers(3):
        case 0:
            return np.ones(count)
        case 1:
            return np.full(count, 10.0 ** rng.uniform(-6, 6))
        case _:
            return 10.0 ** rng.uniform(-6, 6, count)


def in_units(rng: np.random.Generator, rows: int, columns: int) -> tuple[Array, Array]:
    """A design matrix (rows, columns) in random units, and those units: coefficients are divided by them."""
    scale = units(rng, columns)
    return rng.normal(size=(rows, columns)) * scale, scale


def weighed(
    name: str,
    function: Callable[[Array], Array],
    derivative: Callable[[Array], Array],
    point: Array,
    rng: np.random.Generator,
    rtol: float = 0.0,
) -> Case:
    """A function that works entry by entry, its values summed with random weights."""
    c = rng.normal(size=point.shape)
    return Case(name, lambda x: float(np.sum(c * function(x))), lambda x: c * derivative(x), point, rtol)


def projected(
    name: str,
    function: Callable[[Array], Array],
    jacobian: Callable[[Array], Array],
    point: Array,
    rng: np.random.Generator,
) -> Case:
    """A function with several values, and its Jacobian (values, entries), along random weights."""
    c = rng.normal(size=np.shape(function(point)))
    return Case(name, lambda x: float(c @ function(x)), lambda x: np.asarray(jacobian(x)).T @ c, point)
