"""Hints for a function whose parameters are not its first argument, as in f(X, y, w)."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.targets.container import Container
from backproof.targets.source import UserFunction

MOST = 8
"""Arguments up to which other orders are tried."""


def order_hint(
    function: UserFunction, container: Container, w: Any, args: Sequence[Any], *, loss: bool, gradient: bool
) -> str:
    """In which order of its arguments a function does what it should; empty if in none.

    Args:
        w: the parameters, in their container.
        loss, gradient: what it should return; both as a pair.
    """
    if len(args) > MOST:
        return ""
    for place in range(1, len(args) + 1):
        ordered = [*args[:place], w, *args[place:]]
        try:
            with np.errstate(all="ignore"):
                found = function(*copy.deepcopy(ordered))
            if _is_right(found, container, loss=loss, gradient=gradient):
                return _advice(function, place, len(ordered))
        except Exception:  # whatever the user's function makes of arguments in a wrong order
            continue
    return ""


def _is_right(found: Any, container: Container, *, loss: bool, gradient: bool) -> bool:
    """Whether it is a number, a gradient in W's container, or both."""
    if loss and gradient:
        if not isinstance(found, tuple | list) or len(found) != 2:
            return False
        return _is_right(found[0], container, loss=True, gradient=False) and _is_right(
            found[1], container, loss=False, gradient=True
        )
    if loss:
        number = np.asarray(found)
        return number.size == 1 and number.dtype.kind == "f"
    try:
        parts = container.parts(found, "")
    except FunctionError:
        return False
    pairs = zip(parts, container.layout.tensors, strict=True)
    return all(np.asarray(part).shape == tensor.shape for part, tensor in pairs)


def _advice(function: UserFunction, place: int, count: int) -> str:
    """What to write instead, with the function's own names where it has them."""
    names = [f"arg{i + 1}" for i in range(count)]
    try:
        own = [p.name for p in inspect.signature(function).parameters.values()]
        names = own[:count] if len(own) >= count else names
    except (TypeError, ValueError):
        pass
    first = [names[place], *names[:place], *names[place + 1 :]]
    called = getattr(function, "__name__", "f")
    return (
        f"; is {names[place]} its parameters? They come first: "
        f"lambda {', '.join(first)}: {called}({', '.join(names)})"
    )
