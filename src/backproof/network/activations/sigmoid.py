"""The logistic sigmoid."""

from __future__ import annotations

from functools import cache

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation
from backproof.network.arrays import Array, Interval, magnitude


@choice
def sigmoid() -> Activation:
    """1 / (1 + exp(-z))"""
    return Activation("sigmoid", "1 / (1 + exp(-z))", value, derivative, range=Interval(0, 1))


def value(z: Array) -> Array:
    """exp(z) / (1 + exp(z)), which is 1 / (1 + exp(−z)) and keeps all digits where σ is small.

    From where exp(z) would be lost beside 1 the quotient is 1 to the last bit, so z need not be followed
    until it overflows; but complex steps see the derivative there, and need exp(−z).
    """
    if np.iscomplexobj(z):
        e = np.exp(-magnitude(z))
        return np.asarray(np.where(z.real >= 0, z.dtype.type(1), e) / (1 + e))
    e = np.exp(np.minimum(z, _saturated(z.dtype)))
    return np.asarray(e / (1 + e))


def derivative(z: Array) -> Array:
    """σ(z)·σ(−z) = e/(1 + e)² with e = exp(−|z|): no cancellation where σ is close to 1."""
    e = np.exp(-magnitude(z))
    return np.asarray(e / (1 + e) ** 2)


@cache
def _saturated(dtype: np.dtype) -> Array:
    """9, 18, 39 and 46: exp(−z) is less than an eighth of the distance from 1 to the next number."""
    return np.asarray(np.ceil(-np.log(np.finfo(dtype).eps)) + 2, dtype)
