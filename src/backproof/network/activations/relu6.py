"""ReLU that saturates at 6."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation, Kink
from backproof.network.arrays import Array, Interval, within


@choice
def relu6() -> Activation:
    """min(max(z, 0), 6)"""
    kinks = Kink(0, 0, 1), Kink(6, 1, 0)
    return Activation("relu6", "min(max(z, 0), 6)", value, derivative, kinks, Interval(0, 6))


def value(z: Array) -> Array:
    """z, cut off at 0 and 6."""
    return np.asarray(np.clip(z, 0, 6))


def derivative(z: Array) -> Array:
    """1 between the kinks, else 0."""
    return within(z, 0, 6)
