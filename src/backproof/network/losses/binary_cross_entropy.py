"""The cross entropy of two classes on probabilities: the puzzle's.

0·log 0 is NaN, as in the puzzle's program and in any plain array code: that a saturated output
breaks the loss is one of the things to be measured, not to be hidden.
"""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.network.clips import Clip, Eps
from backproof.network.losses.loss import PROBABILITIES, Loss


@choice
def binary_cross_entropy() -> Loss:
    """-(t log y + (1 - t) log(1 - y)), the puzzle's cross entropy"""
    return Loss(
        "binary_cross_entropy",
        "-(t log y + (1 - t) log(1 - y))",
        terms,
        derivative,
        domain=PROBABILITIES,
        targets=PROBABILITIES,
        uses_clip=True,
        matching_output="sigmoid",
        intermediate=intermediate,
    )


def terms(y: Array, t: Array, clip: Clip, eps: Eps) -> Array:
    """−t log y − (1 − t) log(1 − y), both logarithms as the clip evaluates them."""
    p = clip.prepare(y, eps)
    return np.asarray((t - 1) * clip.log(1 - p, eps) - t * clip.log(p, eps))


def derivative(y: Array, t: Array, clip: Clip, eps: Eps) -> Array:
    """The derivative of what was computed, the clip included."""
    p = clip.prepare(y, eps)
    through_logs = (1 - t) * clip.log_derivative(1 - p, eps) - t * clip.log_derivative(p, eps)
    return np.asarray(through_logs * clip.prepare_derivative(y, eps))


def intermediate(y: Array, _t: Array) -> Array:
    """1: 1 − y and y + eps are rounded to u, and so are their logarithms near 1."""
    return np.ones_like(y)
