"""The sigmoid in three straight pieces."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation, Kink
from backproof.network.arrays import Array, Interval, within


@choice
def hard_sigmoid() -> Activation:
    """min(max(z + 3, 0), 6) / 6"""
    kinks = Kink(-3, 0, 1 / 6), Kink(3, 1 / 6, 0)
    return Activation("hard_sigmoid", "min(max(z + 3, 0), 6) / 6", value, derivative, kinks, Interval(0, 1))


def value(z: Array) -> Array:
    """(z + 3)/6, cut off at 0 and 1."""
    return np.asarray(np.clip(z + 3, 0, 6) / 6)


def derivative(z: Array) -> Array:
    """1/6 between the kinks; divided in z's own precision, where 1/6 is not double's 1/6."""
    return np.asarray(within(z, -3, 3) / z.dtype.type(6))
