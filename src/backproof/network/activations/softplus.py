"""A smooth ReLU."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations import sigmoid
from backproof.network.activations.activation import Activation
from backproof.network.arrays import Array, Interval, log1p, magnitude, positive_part


@choice
def softplus() -> Activation:
    """log(1 + exp(z)), a smooth ReLU"""
    return Activation("softplus", "log(1 + exp(z))", value, sigmoid.value, range=Interval(0, np.inf))


def value(z: Array) -> Array:
    """log(1 + exp(z)) without overflow."""
    return np.asarray(positive_part(z) + log1p(np.exp(-magnitude(z))))
