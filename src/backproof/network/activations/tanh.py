"""The hyperbolic tangent."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation
from backproof.network.arrays import Array, Interval, magnitude


@choice
def tanh() -> Activation:
    """tanh(z)"""
    return Activation("tanh", "tanh(z)", np.tanh, derivative, range=Interval(-1, 1))


def derivative(z: Array) -> Array:
    """4e/(1 + e)² with e = exp(−2|z|): 1 − tanh² would cancel once tanh is close to 1."""
    e = np.exp(-2 * magnitude(z))
    return np.asarray(4 * e / (1 + e) ** 2)
