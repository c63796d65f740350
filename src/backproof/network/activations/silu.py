"""The sigmoid linear unit, also called swish (Elfwing et al. 2018)."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations import sigmoid
from backproof.network.activations.activation import Activation
from backproof.network.arrays import Array, Interval, finite


@choice
def silu() -> Activation:
    """z sigmoid(z), also called swish"""
    return Activation("silu", "z / (1 + exp(-z))", value, derivative, range=Interval(-0.2785, np.inf))


def value(z: Array) -> Array:
    """z·σ(z), which tends to 0 as z → −∞."""
    return finite(z) * sigmoid.value(z)


def derivative(z: Array) -> Array:
    """σ(z)·(1 + z·σ(−z))."""
    return np.asarray(sigmoid.value(z) * (1 + finite(z) * sigmoid.value(-z)))
