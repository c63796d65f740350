"""A loss from an expression in y and t, `where(abs(y - t) < d, (y - t)**2 / 2, d * (abs(y - t) - d / 2))`.

Its derivative is SymPy's, the outputs that it is meant for and its kinks are found by a scan, and how far
rounding on the way reaches its terms by a running error analysis of the expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from backproof.network.arrays import REALS, Array, Interval
from backproof.network.clips import Clip, Eps
from backproof.network.formula import Evaluated, Formula, formula_of, switches
from backproof.network.losses.loss import Loss
from backproof.network.programs import compiled
from backproof.network.scan import bisected, find_kinks

VARIABLES = ("y", "t")
TARGETS = (0.0, 1.0)
"""The targets at which an expression is looked at; the domain is where it is a number for all of them."""

FARTHEST, PIECES = 64.0, 4096
NEAR, BESIDE = 1e-5, 1e-10
"""How far to either side of a kink signs are looked at, and derivatives, relative to where it is."""

JUMP, MOST_CHANGES = 1e-5, 64
"""What the derivative must jump by to be a kink, relatively; and how many changes of a sign are looked at."""

SMALL = 1e-3
"""Of a derivative, below which a jump is not relative to it."""

Switch = Callable[..., Array | float]

SAME = 1e-6
"""A derivative that is given and SymPy's are the same within this, relatively."""


def loss_of(name: str, value: Formula, derivative: Formula | None = None) -> Loss:
    """The loss of an expression.

    Raises:
        ValueError: in one line, if it has no finite values, a jump, or a kink at a place that no part of it
            states, or if the derivative is wrong.
    """
    domain = _domain(value.value())
    found = value.derivative() if derivative is None else derivative.value()
    if derivative is not None:
        _compare(found, value.derivative(), domain)
    return Loss(
        name,
        value.text,
        _Terms(value.value()),
        _Terms(found),
        domain=domain,
        intermediate=_Rounding(value.value()),
        kinks=_Kinks(value.value(), _at_kinks(value.value(), value.derivative())),
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


def _at_kinks(value: Evaluated, derivative: Evaluated) -> tuple[int, ...]:
    """The numbers of the switches at which the derivative jumps; the pieces of a Huber loss meet smoothly."""
    every = switches(value)
    for t in TARGETS:
        try:
            kinks = find_kinks(lambda y, t=t: value(y, np.full_like(y, t)))  # type: ignore[misc]
        except ValueError as error:
            raise ValueError(f"{error}, for t = {t:g}") from error
        for kink in kinks:
            low, high = kink.at + NEAR * max(1.0, abs(kink.at)) * np.array([-1.0, 1.0])
            if not any(_sign(switch, low, t) != _sign(switch, high, t) for switch in every):
                raise ValueError(
                    f"its derivative jumps at y = {kink.at:.6g} for t = {t:g}, and no abs, maximum, minimum"
                    " or where in it states that"
                )
    return tuple(k for k, switch in enumerate(every) if any(_jumps(derivative, switch, t) for t in TARGETS))


def _jumps(derivative: Evaluated, switch: Switch, t: float) -> bool:
    """Whether the derivative jumps where a switch changes its sign."""
    points = _points()
    with np.errstate(all="ignore"):
        sides = np.sign(np.broadcast_to(switch(points, np.full_like(points, t)), points.shape))
    changes = np.flatnonzero(sides[1:] != sides[:-1])[:MOST_CHANGES]
    ends = [(float(points[i]), float(points[i + 1]), sides[i]) for i in changes]
    at = np.array([
        bisected(lambda y, side=side: _sign(switch, y, t) != side, low, high)  # type: ignore[misc]
        for low, high, side in ends
    ])  # fmt: skip
    beside = BESIDE * np.maximum(1, np.abs(at))
    below, above = (derivative(at + way * beside, np.full_like(at, t)) for way in (-1, 1))
    size = np.maximum(np.maximum(np.abs(above), np.abs(below)), SMALL)
    return bool((np.abs(above - below) > JUMP * size).any())


def _sign(switch: Switch, y: float, t: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.sign(np.broadcast_to(switch(np.array([y]), np.array([t])), 1)[0]))


@dataclass(frozen=True)
class _Kinks:
    """(y, t) to the values of the switches at which the derivative jumps."""

    function: Evaluated
    numbers: tuple[int, ...]

    def __call__(self, y: Array, t: Array) -> tuple[Array, ...]:
        shape, every = np.broadcast_shapes(y.shape, t.shape), switches(self.function) if self.numbers else ()
        with np.errstate(all="ignore"):
            return tuple(np.broadcast_to(np.asarray(every[k](y, t)), shape) for k in self.numbers)


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
