"""Derivatives of activations and losses from their values, to about twelve digits."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from backproof.estimates.stencils import COMPLEX_STEPS, takes_complex
from backproof.network.activations import Activation
from backproof.network.arrays import Array


def one_sided_derivatives(activation: Activation, z: Array) -> tuple[Array, Array]:
    """An activation's derivatives to the left and to the right of z, by differences of its values.

    They differ only where z is on a kink. By complex steps where the function takes them, which are good
    to rounding even where it saturates; else in extended precision, with an error of about 1e-13.
    """
    if z.dtype == np.float64 and takes_complex(activation.value, np.float64):
        length = COMPLEX_STEPS[np.float64]
        with np.errstate(all="ignore"):
            ends = [activation.value(z + way * length).imag / (length * way.imag) for way in (1j, -1j)]
        return np.minimum(*ends), np.maximum(*ends)
    x = z.astype(np.longdouble)
    room = np.full(z.shape, np.inf)
    for kink in activation.kinks:
        room = np.minimum(room, np.abs(x - kink.at))
    on_kink = room == 0
    step = _step(np.where(on_kink, np.inf, room))
    with np.errstate(all="ignore"):
        near = activation.value(x + step) - activation.value(x - step)
        far = activation.value(x + 2 * step) - activation.value(x - 2 * step)
        middle = (8 * near - far) / (12 * step)
        if not on_kink.any():
            return middle.astype(z.dtype), middle.astype(z.dtype)
        sides = []
        for h in (-step, step):
            near, far = activation.value(x + h / 2), activation.value(x + h)
            one_sided = (4 * near - 3 * activation.value(x) - far) / h
            sides.append(np.where(on_kink, one_sided, middle).astype(z.dtype))
    return np.minimum(*sides), np.maximum(*sides)


def _step(room: Array) -> Array:
    """Powers of two, so that x ± h is exact: 2^-10 of the room there is, within what 64 bits resolve."""
    return np.asarray(np.exp2(np.clip(np.floor(np.log2(room)), -52, 0) - 10))


def middle_derivative(activation: Activation, z: Array) -> Array:
    low, high = one_sided_derivatives(activation, z)
    return np.asarray((low + high) / 2)


def derivative_by_columns(
    terms: Callable[[Array], Array], x: Array, edges: Iterable[float] = (), *, apart: bool = False
) -> Array:
    """∂(sum of a row's terms)/∂x by five-point differences in extended precision.

    A column at a time, or all at once where each has a term `apart` from the others. No difference reaches
    over an edge, nor over 0 and 1, where logarithms of probabilities end.
    """
    wide = x.astype(np.longdouble)
    room = np.full(x.shape, np.inf, np.longdouble)
    for edge in (0.0, 1.0, *edges):
        distance = np.abs(wide - edge)
        room = np.where(distance > 0, np.minimum(room, distance), room)
    step = _step(room)
    if apart:
        near, far = terms(wide + step) - terms(wide - step), terms(wide + 2 * step) - terms(wide - 2 * step)
        return np.asarray(((8 * near - far) / (12 * step)).astype(x.dtype))
    derivative = np.zeros_like(wide)
    for k in range(x.shape[1]):
        h = np.zeros_like(wide)
        h[:, k] = step[:, k]
        near, far = terms(wide + h) - terms(wide - h), terms(wide + 2 * h) - terms(wide - 2 * h)
        derivative[:, k] = (8 * near - far).sum(axis=1) / (12 * step[:, k])
    return derivative.astype(x.dtype)
