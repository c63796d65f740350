"""How long the first step of each parameter of a function from outside should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backproof.estimates.steps import wide
from backproof.network.arrays import Array, root_mean_square

if TYPE_CHECKING:
    from backproof.targets.function import Function

SMALLER = 64.0
"""A parameter so many times smaller than is typical of its tensor is counted in a unit of its own."""


def sizes_of(function: Function, value: float | np.longdouble | Array, analytic: Array) -> Array:
    """What a first step is relative to, (parameters); of several values and their gradients at once, (…, 1)
    and (…, parameters), as well.

    A parameter's size, but at least its tensor's, unless it is so much smaller that its unit must be another.
    A parameter that is 0 has no size; where its tensor has none either, all others' is taken, or else 1. And
    the gradient under test tells how far it can at most be moved: by |f| / |∂f/∂θ|. That the gradient may be
    wrong does no harm, since steps that do not suit are changed.
    """
    kind = wide(function.dtype)
    sizes = np.empty(analytic.shape, kind)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        reach = np.abs(np.asarray(value, kind)) / np.abs(analytic.astype(kind))
    reach[~np.isfinite(reach) | (reach == 0)] = np.inf
    theta = np.abs(function.start.astype(kind))
    usual = root_mean_square(theta[theta > 0]) or 1.0
    for tensor in function.layout.tensors:
        part = theta[tensor.block]
        typical = root_mean_square(part) or usual
        zero = np.minimum(typical, reach[..., tensor.block])
        own = np.where(SMALLER * part < typical, part, np.maximum(part, typical))
        sizes[..., tensor.block] = np.where(part == 0, zero, own)
    return sizes
