"""Where a function's derivative jumps, found by a scan: for activations that do not declare their kinks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backproof.network.activations import Kink
from backproof.network.arrays import Array, Interval

FARTHEST = 32.0
"""Kinks are searched for between this and its negative."""

CELLS = 1 << 14
"""Pieces of that interval; two kinks within one of them are found as one."""

JUMP = 1e-5
"""Jumps of the derivative below this, relative to its size, are not found."""


def find_kinks(value: Callable[[Array], Array]) -> tuple[Kink, ...]:
    """The kinks of a function of float64, in ascending order.

    From one piece of width w to the next the difference quotient changes by J at a kink, by w·f'' where f is
    smooth. Pieces where it changes by more than nearby are narrowed down until the change is gone, or the
    kink is found.

    Raises:
        ValueError: if the function itself jumps.
    """
    # An odd offset, so that kinks at round numbers lie inside of pieces.
    edges = np.linspace(-FARTHEST, FARTHEST, CELLS + 1) + FARTHEST / CELLS * 0.37
    found: list[Kink] = []
    with np.errstate(all="ignore"):
        y = value(edges)
        width = edges[1] - edges[0]
        quotients = np.diff(y) / width
        bend = np.abs(np.diff(quotients))
        typical = np.maximum(np.abs(quotients[1:]), np.abs(quotients[:-1])) + JUMP
        around = np.minimum(np.roll(bend, 2), np.roll(bend, -2))
        suspects = np.flatnonzero(np.isfinite(bend) & (bend > JUMP * typical) & (bend > 4 * around))
    for i in suspects:
        kink = _within(value, float(edges[i]), float(edges[i + 2]))
        if kink is not None and not (found and abs(found[-1].at - kink.at) < width):
            found.append(kink)
    return tuple(found)


def _within(value: Callable[[Array], Array], low: float, high: float) -> Kink | None:
    """The kink between two points: where the lines through both sides meet, refined step by step."""
    left = right = at = 0.0
    for _ in range(40):
        span = high - low
        points = np.array([low - span / 2, low - span / 4, low, high, high + span / 4, high + span / 2])
        y = value(points)
        left, right = (y[2] - y[0]) / (points[2] - points[0]), (y[5] - y[3]) / (points[5] - points[3])
        bends, across = abs(right - left), abs(y[3] - y[2]) / span
        if bends <= JUMP * max(abs(left), abs(right), 1e-3) and across > 4 * max(abs(left), abs(right), 1e-3):
            if span < 1e-6:
                raise ValueError(f"the value jumps near z = {low:.6g}")
            low, high = _steeper_half(value, low, high)  # flat on both sides of a step
            continue
        if bends <= JUMP * max(abs(left), abs(right), 1e-3):
            return None  # it closes up as the points come nearer to each other: no kink
        at = float((y[3] - y[2] + left * low - right * high) / (left - right))
        if not low <= at <= high:
            if abs((y[3] - y[2]) / span) > 4 * max(abs(left), abs(right)) and span < 1e-6:
                raise ValueError(f"the value jumps near z = {low:.6g}")
            at = (low + high) / 2
        shorter = span / 8
        low, high = at - shorter, at + shorter
        if span < 1e-7:
            break
    near = round(at, 6)
    if abs(at - near) < 1e-7:
        at = float(near) + 0.0
    h = 2.0**-20
    y = value(np.array([at - 2 * h, at - h, at, at + h, at + 2 * h]))
    left, right = (3 * y[2] - 4 * y[1] + y[0]) / (2 * h), (-3 * y[2] + 4 * y[3] - y[4]) / (2 * h)
    if abs(right - left) <= JUMP * max(abs(left), abs(right), 1e-3):
        return None  # a bend that is sharper than the pieces, and smooth
    return Kink(at, _rounded(float(left)), _rounded(float(right)))


def _steeper_half(value: Callable[[Array], Array], low: float, high: float) -> tuple[float, float]:
    middle = (low + high) / 2
    first, at, last = value(np.array([low, middle, high]))
    return (low, middle) if abs(at - first) > abs(last - at) else (middle, high)


def bisected(holds: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where a condition begins to hold that does inside and not outside, to the last bits."""
    for _ in range(100):
        middle = (outside + inside) / 2
        if holds(middle):
            inside = middle
        else:
            outside = middle
    return inside


def _rounded(derivative: float) -> float:
    near = round(derivative, 8)
    return near + 0.0 if abs(derivative - near) < 1e-9 else derivative


def find_range(value: Callable[[Array], Array]) -> Interval:
    """Where the values lie, as far as a scan can show: an end that still moves far out is infinite."""
    with np.errstate(all="ignore"):
        z = np.concatenate([np.linspace(-FARTHEST, FARTHEST, CELLS + 1), [-1e4, -1e3, 1e3, 1e4]])
        y = value(z)
    y = y[np.isfinite(y)]
    if not len(y):
        return Interval(-np.inf, np.inf)
    low, high = float(y.min()), float(y.max())
    return Interval(-np.inf if low < -100 else low, np.inf if high > 100 else high)
