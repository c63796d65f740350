"""The absolute value."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation, Kink
from backproof.network.arrays import Array, Interval, magnitude


@choice
def abs() -> Activation:
    """|z|"""
    return Activation("abs", "|z|", magnitude, derivative, (Kink(0, -1, 1),), Interval(0, np.inf))


def derivative(z: Array) -> Array:
    """1 where z > 0, else −1."""
    return np.asarray(np.where(z > 0, z.dtype.type(1), z.dtype.type(-1)))
