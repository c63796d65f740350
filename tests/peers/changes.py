"""The same case with something changed that must not change a verdict, or only from agrees to unresolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from cases import Array, Case, Gradient, Source

Change = Callable[[Case, np.random.Generator], Case]


def in_other_units(case: Case, rng: np.random.Generator) -> Case:
    """Every entry in a unit of its own, a power of two from 1e-12 to 1e12: nothing is rounded by that."""
    unit = 2.0 ** rng.integers(-40, 41, case.point.shape)

    def changed(df: Gradient) -> Gradient:
        return lambda z: unit * np.asarray(df(z * unit))

    return _changed(case, "in other units", lambda z: case.f(z * unit), changed, case.point / unit)


def scaled(case: Case, rng: np.random.Generator) -> Case:
    """The function times a power of two, from 1e-30 to 1e30."""
    factor = 2.0 ** int(rng.integers(-100, 101))

    def changed(df: Gradient) -> Gradient:
        return lambda x: factor * np.asarray(df(x))

    return _changed(case, f"times {factor:.0e}", lambda x: factor * case.f(x), changed, case.point)


def offset(case: Case, rng: np.random.Generator) -> Case:
    """A constant added to the function, up to 1e8 times its value, in whose rounding an error may drown."""
    constant = (abs(case.f(case.point)) or 1.0) * 10 ** rng.uniform(0, 8)
    return _changed(case, f"plus {constant:.0e}", lambda x: case.f(x) + constant, lambda df: df, case.point)


def in_single(case: Case, _: np.random.Generator) -> Case:
    """The function's value rounded to single precision: a staircase."""
    return _changed(case, "in single", lambda x: float(np.float32(case.f(x))), lambda df: df, case.point)


CHANGES: dict[str, Change] = {
    "units": in_other_units,
    "scaled": scaled,
    "offset": offset,
    "single": in_single,
}


def _changed(
    case: Case, how: str, f: Callable[[Array], float], df: Callable[[Gradient], Gradient], point: Array
) -> Case:
    source = case.source and Source(case.source.function, lambda function: df(case.source.gradient(function)))
    return replace(case, name=f"{case.name}, {how}", f=f, df=df(case.df), point=point, source=source)


def changed(case: Case, name: str, seed: int) -> Case:
    """A case with a change; in double precision, as rounding is what some of them are about."""
    if not name or case.point.dtype != np.float64:
        return case
    return CHANGES[name](case, np.random.default_rng([seed, *case.name.encode()]))
