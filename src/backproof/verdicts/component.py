"""An activation examined alone: derivative, kinks, range, overflow, and every precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from backproof.network.activations import Activation, Kink
from backproof.network.arrays import Array, Precision, unit_roundoff
from backproof.network.scan import FARTHEST, find_kinks

NEAR, FAR = 50.0, 1e4
"""Up to where a derivative must be a number, and where overflow is looked for."""

STEP = 2.0**-10
"""The step of five-point differences, relative to |z| or 1."""

SLACK = 1e-8
"""A derivative may be off by so much beside what differences may err by, relative to 1 + |f'|."""


@dataclass(frozen=True)
class Finding:
    """What an examination finds about one property.

    Attributes:
        right: False where it is a mistake; None where it is a limit worth knowing.
    """

    what: str
    right: bool | None
    remark: str


def examine(activation: Activation) -> list[Finding]:
    """Compare what an activation declares with its values."""
    with np.errstate(all="ignore"):
        return [
            _derivative(activation),
            *_kinks(activation),
            _range(activation),
            *(_precision(activation, name) for name in Precision),
        ]


def _points(activation: Activation) -> Array:
    """Points with no kink within a few steps."""
    z = np.concatenate([np.linspace(-8, 8, 801) + 0.00123, [-1e3, -50, -20, 20, 50, 1e3]])
    far = np.full(z.shape, np.inf)
    for kink in activation.kinks:
        far = np.minimum(far, np.abs(z - kink.at))
    return np.asarray(z[far > 4 * STEP * np.maximum(np.abs(z), 1)])


def _derivative(activation: Activation) -> Finding:
    z = _points(activation)
    declared = np.asarray(activation.derivative(z), float)
    coarse, fine = (_five_point(activation, z, h) for h in (STEP, STEP / 2))
    noise = 32 * unit_roundoff(np.float64) * np.abs(activation.value(z)) / (STEP / 2)
    allowed = 4 * np.abs(coarse - fine) + noise + SLACK * (1 + np.abs(declared))
    gap = np.abs(declared - fine)
    # Far out a formula may overflow; that is a limit of its precision, and reported as one.
    wrong = ~(gap <= allowed) & np.isfinite(fine) & (np.isfinite(declared) | (np.abs(z) <= NEAR))
    if wrong.any():
        i = int(np.argmax(np.where(wrong, gap, -1)))
        return Finding(
            "derivative",
            False,
            f"is {declared[i]:.6g} at z = {z[i]:.6g}, where that of its values is {fine[i]:.6g}",
        )
    return Finding("derivative", True, f"is that of its values at {len(z)} points")


def _five_point(activation: Activation, z: Array, relative: float) -> Array:
    h = relative * np.maximum(np.abs(z), 1)
    ends = [activation.value(z + k * h) for k in (-2, -1, 1, 2)]
    return np.asarray((8 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / (12 * h), float)


def _kinks(activation: Activation) -> Iterator[Finding]:
    try:
        there = find_kinks(activation.value)
    except ValueError as error:
        yield Finding("value", False, f"has no derivative: {error}")
        return
    declared = [k for k in activation.kinks if abs(k.at) < FARTHEST]
    for kink in there:
        same = [k for k in declared if abs(k.at - kink.at) < 1e-5]
        if not same:
            yield Finding("kinks", False, f"lack the one at z = {kink.at:.6g}, from {_sides(kink)}")
        elif max(abs(same[0].left - kink.left), abs(same[0].right - kink.right)) > 1e-5:
            yield Finding(
                "kinks", False, f"say {_sides(same[0])} at z = {kink.at:.6g}; the values, {_sides(kink)}"
            )
    for kink in declared:
        if all(abs(k.at - kink.at) >= 1e-5 for k in there):
            yield Finding("kinks", False, f"name z = {kink.at:.6g}, where the values have none")
    named = "; ".join(f"z = {k.at:g}: derivative {_sides(k)}" for k in declared) or "none"
    yield Finding("kinks", True, f"{named}, as a scan from {-FARTHEST:g} to {FARTHEST:g} finds them")


def _sides(kink: Kink) -> str:
    return f"{kink.left:.6g} to {kink.right:.6g}"


def _range(activation: Activation) -> Finding:
    z = np.concatenate([np.linspace(-FARTHEST, FARTHEST, 4001), [-FAR, FAR]])
    y = np.asarray(activation.value(z), float)
    low, high = activation.range.low, activation.range.high
    slack = 1e-4 * (1 + min(abs(low), abs(high), 1e300))
    outside = np.isfinite(y) & ((y < low - slack) | (y > high + slack))
    if outside.any():
        i = int(np.flatnonzero(outside)[0])
        return Finding(
            "range", False, f"is said to be {activation.range}, but at z = {z[i]:.6g} it is {y[i]:.6g}"
        )
    return Finding("range", True, f"{activation.range}")


def _precision(activation: Activation, name: Precision) -> Finding:
    dtype = name.dtype
    far = np.array([-FAR, -100, 100, FAR], dtype)
    near = (np.linspace(-8, 8, 161) + 0.00123).astype(dtype)
    largest = float(np.finfo(dtype).max) if dtype is not np.longdouble else np.inf
    for what, function in (("value", activation.value), ("derivative", activation.derivative)):
        at_far = np.asarray(function(far))
        if at_far.dtype != dtype:
            return Finding(name, False, f"the {what} of {name} is {at_far.dtype}")
        exact = np.asarray(function(far.astype(np.longdouble)))
        lost = ~np.isfinite(at_far) & (np.abs(np.where(np.isfinite(exact), exact, 0)) < largest)
        lost &= np.isfinite(exact) | np.isnan(at_far)
        if lost.any():
            i = int(np.flatnonzero(lost)[0])
            return Finding(
                name, None, f"the {what} at z = {float(far[i]):g} is {float(at_far[i])}: it overflows"
            )
    exact = np.asarray(activation.value(near.astype(np.longdouble)))
    error = np.abs(np.asarray(activation.value(near), np.longdouble) - exact)
    size = unit_roundoff(dtype) * np.maximum(np.abs(exact), float(np.finfo(dtype).tiny))
    return Finding(name, True, f"within {float((error / size).max()):.1f} roundings, finite at ±{FAR:g}")
