"""The cross entropy of two classes on logits."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations import sigmoid
from backproof.network.arrays import Array, log1p, magnitude, positive_part
from backproof.network.clips import Clip, Eps
from backproof.network.losses.loss import PROBABILITIES, Loss


@choice
def binary_cross_entropy_from_logits() -> Loss:
    """binary cross entropy on logits: log(1 + exp(y)) - t y"""
    return Loss(
        "binary_cross_entropy_from_logits",
        "log(1 + exp(y)) - t y",
        terms,
        derivative,
        targets=PROBABILITIES,
        threshold=0.0,
        takes_logits=True,
        intermediate=intermediate,
    )


def terms(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    """softplus(y) − t·y, written so that neither half overflows."""
    return np.asarray(positive_part(y) - t * y + log1p(np.exp(-magnitude(y))))


def derivative(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    """σ(y) − t."""
    return sigmoid.value(y) - t


def intermediate(y: Array, t: Array) -> Array:
    """The two sides of max(y, 0) − t·y, which is exact for t of 0 or 1."""
    return np.asarray(np.abs(y) * np.minimum(4 * np.abs(t * (1 - t)), 1 + np.abs(t)))
