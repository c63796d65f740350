"""Bounds on the parameters: no point outside of them is asked of the function."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array
from backproof.targets.function import Function


def bound(function: Function, bounds: Any) -> None:
    """Keep a function's parameters within bounds.

    Args:
        bounds: (low, high), each a number, None, an array or W's container of these; or an object with `lb`
            and `ub`, as SciPy's `Bounds`.

    Raises:
        FunctionError: if they are none, do not fit W, or the point lies outside of them; it names the entry.
    """
    given = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") and hasattr(bounds, "ub") else bounds
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise FunctionError(f"bounds: must be (low, high); not {bounds!r}")
    low, high = (_flat(function, side, other) for side, other in zip(given, (-np.inf, np.inf), strict=True))
    _refuse_no_room(function, low, high)
    outside = np.flatnonzero(~((function.start >= low) & (function.start <= high)))
    if len(outside):
        first = int(outside[0])
        where, value = function.layout.location(first), function.start[first]
        raise FunctionError(f"bounds: {where} is {value:g}; not from {low[first]:g} to {high[first]:g}")
    function.low, function.high = low, high


def _refuse_no_room(function: Function, low: Array, high: Array) -> None:
    """Refuse bounds that are no numbers, or between which a parameter cannot move."""
    for wrong, words in (
        (np.isnan(low) | np.isnan(high), "must be numbers"),
        (low > high, "must be low before high"),
        (low == high, "must leave room to move it, or nothing can be checked"),
    ):
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            where = function.layout.location(first)
            raise FunctionError(f"bounds: of {where} {words}; not from {low[first]:g} to {high[first]:g}")


def _flat(function: Function, side: Any, missing: float) -> Array:
    """One side of the bounds for every parameter."""
    size = function.layout.size
    if side is None:
        return np.full(size, missing)
    if np.ndim(side) == 0 and not isinstance(side, dict):
        return np.full(size, float(side))
    flat = []
    parts = function.container.parts(side, "bounds")
    for part, tensor in zip(parts, function.layout.tensors, strict=True):
        array = np.asarray(missing if part is None else part, float)
        try:
            flat.append(np.broadcast_to(array, tensor.shape).ravel())
        except ValueError:
            raise FunctionError(
                f"bounds: of {tensor.name} have shape {array.shape}; must fit {tensor.shape}"
            ) from None
    return np.concatenate(flat)
