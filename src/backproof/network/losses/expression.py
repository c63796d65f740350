"""A loss from an expression in y and t, `where(abs(y - t) < d, (y - t)**2 / 2, d * (abs(y - t) - d / 2))`.

Its derivative is SymPy's, the outputs that it is meant for are found by a scan, and how far rounding on the
way reaches its terms by a running error analysis of the expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from backproof.network.arrays import REALS, Array, Interval
from backproof.network.clips import Clip, Eps
from backproof.network.formula import Evaluated, Formula, formula_of
from backproof.network.losses.loss import PROBABILITIES, Loss
from backproof.network.programs import compiled
from backproof.network.scan import bisected, find_kinks

VARIABLES = ("y", "t")
TARGETS = (0.0, 1.0)
"""The targets at which an expression is looked at; the domain is where it is a number for all of them."""

FARTHEST, PIECES = 64.0, 4096
SAME = 1e-6
"""A derivative that is given and SymPy's are the same within this, relatively."""


def loss_of(name: str, value: Formula, derivative: Formula | None = None) -> Loss:
    """The loss of an expression.

    Raises:
        ValueError: in one line, if it has no finite values, a kink or a jump, or the derivative is wrong.
    """
    domain = _domain(value.value())
    _refuse_kinks(value.value())
    found = value.derivative() if derivative is None else derivative.value()
    if derivative is not None:
        _compare(found, value.derivative(), domain)
    return Loss(
        name,
        value.text,
        _Terms(value.value()),
        _Terms(found),
        domain=domain,
        matching_output="sigmoid" if domain == PROBABILITIES else "identity",
        intermediate=_Rounding(value.value()),
    )


@dataclass(frozen=True)
class _Terms:
    """A function of y and t as the record of a loss has it: the clip is not in it."""

    function: Evaluated

    def __call__(self, y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
        return self.function(y, t)


# --- what an expression does not state -------------------------------------------------------------


def _points() -> Array:
    # An odd offset, so that ends at round numbers lie inside of pieces.
    return np.linspace(-FARTHEST, FARTHEST, PIECES + 1) + FARTHEST / PIECES * 0.37


def _is_finite(value: Evaluated, y: Array) -> Array:
    return np.asarray(np.isfinite([value(y, np.full_like(y, t)) for t in TARGETS]).all(axis=0))


def _domain(value: Evaluated) -> Interval:
    """The outputs between the first and the last at which the loss is a number for every target."""
    points = _points()
    finite = np.flatnonzero(_is_finite(value, points))
    if not finite.size:
        raise ValueError("is a finite number for no output")
    low, high = -np.inf, np.inf
    if finite[0] > 0:
        low = _edge(value, float(points[finite[0] - 1]), float(points[finite[0]]))
    if finite[-1] < len(points) - 1:
        high = _edge(value, float(points[finite[-1] + 1]), float(points[finite[-1]]))
    return Interval(low, high) if np.isfinite([low, high]).any() else REALS


def _edge(value: Evaluated, outside: float, inside: float) -> float:
    """Where finite values end, to 12 digits."""
    end = bisected(lambda y: bool(_is_finite(value, np.array([y]))[0]), outside, inside)
    return round(end, 12) + 0.0


def _refuse_kinks(value: Evaluated) -> None:
    for t in TARGETS:
        try:
            kinks = find_kinks(lambda y, t=t: value(y, np.full_like(y, t)))  # type: ignore[misc]
        except ValueError as error:
            raise ValueError(f"{error}, for t = {t:g}") from error
        if kinks:
            raise ValueError(
                f"its derivative jumps at y = {kinks[0].at:.6g} for t = {t:g}; a loss must be differentiable"
            )


def _compare(given: Evaluated, right: Evaluated, domain: Interval) -> None:
    y = _points()[None, :]
    t = np.array(TARGETS)[:, None]
    mine, exact = given(y, t), right(y, t)
    looked_at = np.isfinite(exact) & domain.contains(np.broadcast_to(y, exact.shape))
    wrong = looked_at & ~(np.abs(mine - exact) <= SAME * (1 + np.abs(exact)))
    if wrong.any():
        i, k = np.argwhere(wrong)[0]
        at = f"y = {y[0, k]:.6g}, t = {t[i, 0]:g}"
        raise ValueError(f"its derivative is {mine[i, k]:.6g} at {at}; it must be {exact[i, k]:.6g}")


# --- rounding on the way ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rounding:
    """(y, t) to the rounding error of the expression's value, in units of one rounding of 1."""

    function: Evaluated

    def __call__(self, y: Array, t: Array) -> Array:
        formula = formula_of(self.function)
        values = {formula.symbols["y"]: y, formula.symbols["t"]: t}
        with np.errstate(all="ignore"):
            _, error = _with_error(formula.expression, values)
        known = np.where(np.isnan(error), np.inf, error)  # what is not known bounds nothing
        return np.asarray(np.broadcast_to(known, np.broadcast_shapes(y.shape, t.shape)), y.dtype)


def _with_error(node: Any, values: Mapping[Any, Array]) -> tuple[Any, Any]:
    """A node's value, and how far the roundings of its operations may have moved it: to first order."""
    import sympy as sp

    if node.is_Symbol:
        return values[node], 0.0
    if node.is_number:
        return float(node), 0.0 if node.is_Integer else abs(float(node))
    if isinstance(node, sp.Piecewise):
        return _of_pieces(node, values)
    inner = [_with_error(argument, values) for argument in node.args]
    if node.is_Pow and node.exp.is_number:
        (base, error), power = inner[0], float(node.exp)
        return base**power, abs(power * base ** (power - 1)) * error + abs(base**power)
    if node.is_Add:
        total = sum(v for v, _ in inner)
        partial = sum(abs(v) for v, _ in inner) if len(inner) > 2 else abs(total)
        return total, sum(e for _, e in inner) + partial
    if node.is_Mul:
        product, error = inner[0]
        for v, e in inner[1:]:
            product, error = product * v, abs(product) * e + abs(v) * error + abs(product * v)
        return product, error
    value = _function(node.func, len(inner), None)(*(v for v, _ in inner))
    error = abs(value)
    for k, (_, e) in enumerate(inner):
        if np.any(e):
            error = error + abs(_function(node.func, len(inner), k)(*(v for v, _ in inner))) * e
    return value, error


def _of_pieces(node: Any, values: Mapping[Any, Array]) -> tuple[Any, Any]:
    value: Any = np.nan
    error: Any = 0.0
    for branch, condition in reversed(node.args):
        v, e = _with_error(branch, values)
        holds = np.asarray(compiled(condition, tuple(values))(*values.values()), bool)
        value, error = np.where(holds, v, value), np.where(holds, e, error)
    return value, error


@cache
def _function(function: Any, arguments: int, by: int | None) -> Callable[..., Any]:
    """A function of SymPy's on arrays, or its derivative by one of its arguments."""
    import sympy as sp

    symbols = tuple(sp.symbols([f"x{k}" for k in range(arguments)], real=True))
    found = function(*symbols)
    return compiled(found if by is None else found.diff(symbols[by]), symbols)
