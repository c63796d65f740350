"""The rectified linear unit."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation, Kink
from backproof.network.arrays import Array, Interval


@choice
def relu() -> Activation:
    """max(z, 0)"""
    return Activation("relu", "max(z, 0)", value, derivative, (Kink(0, 0, 1),), Interval(0, np.inf))


def value(z: Array) -> Array:
    """max(z, 0); NaN stays NaN."""
    return np.asarray(np.maximum(z, 0))


def derivative(z: Array) -> Array:
    """1 where z > 0, else 0."""
    return (z > 0).astype(z.dtype)
