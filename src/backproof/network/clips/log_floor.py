"""Each logarithm is at least −100, as in PyTorch's binary cross entropy."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.network.clips.clip import Clip, Eps

FLOOR = -100.0


@choice
def log_floor() -> Clip:
    """max(log(p), -100), PyTorch's"""
    return Clip(
        "log_floor",
        "max(log(p), -100)",
        log=log,
        log_derivative=log_derivative,
        edges=edges,
        uses_eps=False,
    )


def log(q: Array, _eps: Eps) -> Array:
    """max(log q, −100)."""
    return np.asarray(np.maximum(np.log(q), FLOOR))


def log_derivative(q: Array, _eps: Eps) -> Array:
    """1/q above the floor, else 0; NaN for q < 0, where the value is NaN too."""
    above = ~(np.log(q) <= FLOOR)
    found = np.divide(1, q, out=np.zeros_like(q), where=above)
    return np.asarray(np.where(q < 0, np.nan, found).astype(q.dtype, copy=False))


def edges(eps: Array) -> tuple[Array, ...]:
    """exp(−100), in the precision of `eps`."""
    return (np.exp(np.full_like(eps, FLOOR)),)
