"""The Poisson loss of expected counts y: the negative log-likelihood of counts t, without the term log t!."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array, Interval
from backproof.network.clips import Clip, Eps
from backproof.network.losses.loss import Loss


@choice
def poisson() -> Loss:
    """y - t log y, for expected counts y > 0"""
    return Loss(
        "poisson",
        "y - t log y",
        terms,
        derivative,
        domain=Interval(0, np.inf, closed_low=False),
        targets=Interval(0, np.inf),
        intermediate=intermediate,
    )


def terms(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    """y − t log y."""
    return np.asarray(y - t * np.log(y))


def derivative(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    """1 − t / y."""
    return np.asarray(1 - t / y)


def intermediate(y: Array, t: Array) -> Array:
    """The two sides of y − t log y."""
    return np.asarray(np.abs(y) + np.abs(t * np.log(y)))
