"""The cross entropy of several classes on probabilities: the softmax cost. 0·log 0 is NaN here, too."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.network.clips import Clip, Eps
from backproof.network.losses.loss import PROBABILITIES, Loss


@choice
def categorical_cross_entropy() -> Loss:
    """-t log y, the softmax cost"""
    return Loss(
        "categorical_cross_entropy",
        "-t log y",
        terms,
        derivative,
        domain=PROBABILITIES,
        targets=PROBABILITIES,
        one_hot=True,
        uses_clip=True,
        matching_output="softmax",
        intermediate=intermediate,
    )


def terms(y: Array, t: Array, clip: Clip, eps: Eps) -> Array:
    """−t log y, as the clip evaluates the logarithm."""
    return np.asarray(-t * clip.log(clip.prepare(y, eps), eps))


def derivative(y: Array, t: Array, clip: Clip, eps: Eps) -> Array:
    """The derivative of what was computed, the clip included."""
    p = clip.prepare(y, eps)
    return np.asarray(-t * clip.log_derivative(p, eps) * clip.prepare_derivative(y, eps))


def intermediate(_y: Array, t: Array) -> Array:
    """t: y + eps is rounded to u, and so is its logarithm near 1, which t weighs."""
    return np.asarray(np.abs(t))
