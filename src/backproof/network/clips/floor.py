"""Each logarithm's argument is at least eps: the puzzle's clip."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.network.clips.clip import Clip, Eps, edge_at_eps


@choice
def floor() -> Clip:
    """log(max(p, eps)), the puzzle's"""
    return Clip("floor", "log(max(p, eps))", log=log, log_derivative=log_derivative, edges=edge_at_eps)


def log(q: Array, eps: Eps) -> Array:
    """log(max(q, eps))."""
    return np.asarray(np.log(np.maximum(q, eps)))


def log_derivative(q: Array, eps: Eps) -> Array:
    """1/q above eps, else 0."""
    return np.asarray(np.divide(1, q, out=np.zeros_like(q), where=q > eps))
