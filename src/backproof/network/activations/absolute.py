"""The absolute value."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation, Kink
from backproof.network.arrays import Array, Interval


@choice
def abs() -> Activation:
    """|z|"""
    return Activation("abs", "|z|", value, derivative, (Kink(0, -1, 1),), Interval(0, np.inf))


def value(z: Array) -> Array:
    """|z|; of complex numbers z or −z, the larger, by the imaginary part where the real one is 0."""
    return np.asarray(np.maximum(z, -z) if np.iscomplexobj(z) else np.abs(z))


def derivative(z: Array) -> Array:
    """1 where z > 0, else −1."""
    return np.asarray(np.where(z > 0, z.dtype.type(1), z.dtype.type(-1)))
