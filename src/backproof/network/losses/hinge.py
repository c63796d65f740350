"""The hinge loss of every output against its own class, as of a support vector machine for each."""

from __future__ import annotations

from functools import partial

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array, positive_part
from backproof.network.clips import Clip, Eps
from backproof.network.losses.loss import PROBABILITIES, Loss


@choice
def hinge(at_margin: float = 0.0) -> Loss:
    """max(1 - s y, 0) with s = 2 t - 1, which is 1 for the class and -1 for all others

    Args:
        at_margin: the share of the slope -s that is its derivative where s·y is exactly 1; each from 0 to 1
            is a subgradient.
    """
    return Loss(
        "hinge",
        "max(1 - (2 t - 1) y, 0)",
        terms,
        partial(derivative, at_margin=at_margin),
        targets=PROBABILITIES,
        threshold=0.0,
        intermediate=intermediate,
        kinks=kinks,
    )


def margin(y: Array, t: Array) -> Array:
    """1 − s·y: positive where the output is not yet far enough on its side."""
    return np.asarray(1 - (2 * t - 1) * y)


def terms(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    """max(1 − s·y, 0)."""
    return positive_part(margin(y, t))


def derivative(y: Array, t: Array, _clip: Clip, _eps: Eps, at_margin: float = 0.0) -> Array:
    """−s where 1 − s·y is positive, a share of it where that is 0, else 0."""
    left = margin(y, t)
    share = np.where(left == 0, y.dtype.type(at_margin), (left > 0).astype(y.dtype))
    return np.asarray((1 - 2 * t) * share)


def intermediate(y: Array, t: Array) -> Array:
    """The two sides of 1 − s·y, where there is a margin left."""
    return np.asarray(np.where(margin(y, t) >= 0, 1 + np.abs((2 * t - 1) * y), 0))


def kinks(y: Array, t: Array) -> tuple[Array, ...]:
    """1 − s·y."""
    return (margin(y, t),)
