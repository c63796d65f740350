"""tanh in three straight pieces."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation, Kink
from backproof.network.arrays import Array, Interval, within


@choice
def hard_tanh() -> Activation:
    """min(max(z, -1), 1)"""
    kinks = Kink(-1, 0, 1), Kink(1, 1, 0)
    return Activation("hard_tanh", "min(max(z, -1), 1)", value, derivative, kinks, Interval(-1, 1))


def value(z: Array) -> Array:
    """z, cut off at −1 and 1."""
    return np.asarray(np.clip(z, -1, 1))


def derivative(z: Array) -> Array:
    """1 between the kinks, else 0."""
    return within(z, -1, 1)
