"""The probability is kept in [eps, 1 − eps]."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.network.clips.clip import Clip, Eps, edge_at_eps


@choice
def clamp() -> Clip:
    """log(p) with p clamped to [eps, 1 - eps]"""
    return Clip("clamp", "log(min(max(p, eps), 1 - eps))", prepare, prepare_derivative, edges=edge_at_eps)


def prepare(p: Array, eps: Eps) -> Array:
    """max(min(p, 1 − eps), eps)."""
    return np.asarray(np.maximum(np.minimum(p, 1 - eps), eps))


def prepare_derivative(p: Array, eps: Eps) -> Array:
    """1 inside, 0 at the edges and beyond."""
    return ((p > eps) & (p < 1 - eps)).astype(p.dtype)
