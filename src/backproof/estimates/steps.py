"""Step sizes, and the precision in which differences are formed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backproof.network.arrays import Array, DType, FloatType, unit_roundoff


def wide(dtype: DType | FloatType) -> FloatType:
    """The precision in which differences are formed: float64, or the problem's own if that is wider."""
    return np.longdouble if dtype == np.longdouble else np.float64


def best_step(dtype: DType) -> float:
    """That of a precision; about 0.1, 4e-3, 8e-6 and 5e-7 for float16, float32, float64 and long double."""
    return best_step_of(unit_roundoff(dtype))


def best_step_of(u: float) -> float:
    """The power of two next to u^⅓, where h²/6 of truncation and u/h of round-off balance at unit scale.

    From E(h) = h²·M₃/6 + u·|f|/h with M₃ = |f| = 1.
    """
    return float(2.0 ** np.round(np.log2(np.cbrt(u * 3))))


def smallest_step_of(u: float) -> float:
    """√u: below it round-off is the larger part of any difference, and a kink this near is crossed."""
    return float(np.sqrt(u))


def power_of_two_below(h: Array) -> Array:
    """Round down to a power of two, so that θ + h loses as few bits as can be; 0 stays 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp2(np.floor(np.log2(h))))


def _as_it_is(x: Array) -> Array:
    return x


def realised(theta: Array, h: Array, rounded: Callable[[Array], Array] = _as_it_is) -> tuple[Array, Array]:
    """The steps up and down that θ + h and θ − h really make in θ's precision, `rounded` to its format.

    A step that is lost beside θ stays as it is: differences of a network move its pre-activations by h times
    an input, which may be large where h is small.
    """
    h = h.astype(theta.dtype)
    up, down = rounded(theta + h) - theta, theta - rounded(theta - h)
    lost = (up == 0) | (down == 0)
    return np.where(lost, h, up), np.where(lost, h, down)
