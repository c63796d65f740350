"""The noise of a function of which nothing is known but its values, and of a gradient."""

from __future__ import annotations

from math import factorial

import numpy as np

from backproof.estimates.steps import wide
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.function import Function

POINTS = 9
"""Values of f from which its noise is read."""

SPACING = 8.0
"""The distance between them, in units of round-off of the parameters' size."""

COARSER = 16.0
"""By how much they are moved apart while f does not change at all."""


def noise_of(function: Function, direction: Array) -> float:
    """The standard deviation of f's rounding errors along a direction, from a table of differences.

    Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011): differences of order k of
    values so near to each other that a smooth f contributes nothing have variance ε² (2k)!/(k!)².
    """
    theta, u = function.start, unit_roundoff(function.dtype)
    kind, relative = wide(function.dtype), SPACING * u
    along = sizes_of(function) * direction
    while True:
        spacing = (relative * along).astype(theta.dtype)
        table = np.array([function.value(theta + (k - POINTS // 2) * spacing) for k in range(POINTS)], kind)
        if not np.isfinite(table).all():
            return float("nan")
        # A function that computes in a lower precision internally does not see so small a move.
        if np.ptp(table) > 0 or relative > u**0.25:
            break
        relative *= COARSER
    found = unit_roundoff(np.dtype(kind)) * float(np.abs(table).max())
    for order in range(1, 6):
        table = np.diff(table)
        if order >= 3:
            gamma = factorial(order) ** 2 / factorial(2 * order)
            found = max(found, float(np.sqrt(gamma * np.mean(table**2))))
    return found


def sizes_of(function: Function) -> Array:
    """What a step is relative to: a parameter's size, at least its tensor's, or 1 where that is nothing."""
    sizes = np.empty(function.layout.size, wide(function.dtype))
    for tensor in function.layout.tensors:
        part = np.abs(function.start[tensor.block].astype(sizes.dtype))
        typical = np.sqrt(np.mean(part**2)) if part.size else 0.0
        sizes[tensor.block] = np.maximum(part, typical if typical > 0 else 1.0)
    return sizes


def gradient_rounding_error(function: Function, analytic: Array, generator: np.random.Generator) -> Array:
    """By how much a gradient's own rounding may move it: what it does when W moves by its last digits."""
    u = unit_roundoff(function.dtype)
    theta, kind = function.start, wide(function.dtype)
    largest = np.zeros(len(theta), kind)
    for _ in range(2):
        beside = theta + (2 * u * theta * generator.choice([-1, 1], len(theta))).astype(theta.dtype)
        moved = np.abs(function.gradient(beside).astype(kind) - analytic.astype(kind))
        largest = np.fmax(largest, np.where(np.isfinite(moved), moved, 0))
    own = unit_roundoff(analytic.dtype) if analytic.dtype != theta.dtype else u
    typical = np.zeros(len(theta), kind)
    for tensor in function.layout.tensors:
        part = np.abs(analytic[tensor.block]).astype(kind)
        typical[tensor.block] = np.median(part[part > 0]) if (part > 0).any() else 0
    return np.asarray(4 * largest + 16 * max(u, own) * (np.abs(analytic).astype(kind) + typical))
