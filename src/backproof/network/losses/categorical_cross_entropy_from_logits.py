"""The cross entropy of several classes on logits."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array, over_units
from backproof.network.clips import Clip, Eps
from backproof.network.losses.loss import PROBABILITIES, Loss


@choice
def categorical_cross_entropy_from_logits() -> Loss:
    """categorical cross entropy on logits: t (log Σ exp(y) - y)"""
    return Loss(
        "categorical_cross_entropy_from_logits",
        "t (log Σ exp(y) - y)",
        terms,
        derivative,
        targets=PROBABILITIES,
        one_hot=True,
        elementwise=False,
        threshold=0.0,
        takes_logits=True,
        intermediate=intermediate,
    )


def terms(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    """t·(log Σ exp(y) − y)."""
    return np.asarray(t * (_log_sum_exp(y) - y)) if y.shape[-1] else t * y


def derivative(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    """softmax(y)·Σt − t."""
    if not y.shape[-1]:
        return t * y
    return np.asarray(np.exp(y - _log_sum_exp(y)) * over_units(np.add, t) - t)


def intermediate(y: Array, t: Array) -> Array:
    """The largest logit, weighed by t: log Σ exp(y) − y cancels."""
    return np.asarray(np.abs(t) * np.abs(y).max(axis=-1, keepdims=True, initial=0))


def _log_sum_exp(y: Array) -> Array:
    top = over_units(np.maximum, y)
    return np.asarray(top + np.log(over_units(np.add, np.exp(y - top))))
