"""eps is added to each logarithm's argument."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.network.clips.clip import Clip, Eps


@choice
def shift() -> Clip:
    """log(p + eps)"""
    return Clip("shift", "log(p + eps)", log=log, log_derivative=log_derivative)


def log(q: Array, eps: Eps) -> Array:
    """log(q + eps)."""
    return np.asarray(np.log(q + eps))


def log_derivative(q: Array, eps: Eps) -> Array:
    """1/(q + eps)."""
    return np.asarray(1 / (q + eps))
