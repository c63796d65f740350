"""Losses: the terms of the sum, and their derivative with respect to the network's output y.

Every loss is a sum of terms over samples and outputs, (..., N, m) each, so that differences
of two losses can be formed term by term before anything is summed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backproof.network.activations import sigmoid
from backproof.network.arrays import REALS, Array, Interval, magnitude, over_units, positive_part
from backproof.network.clipping import Clip, Eps

Terms = Callable[[Array, Array, Clip, Eps], Array]

REDUCTIONS = ("sum", "mean", "sample_mean")
"""The sum over samples and outputs (the puzzle's), the mean over both, the mean over samples."""


def _nothing(y: Array, _t: Array) -> Array:
    return np.zeros_like(y)


@dataclass(frozen=True)
class Loss:
    """A loss of outputs y and targets t.

    Attributes:
        terms: (y, t, clip, eps) to the terms of the sum, shape (..., N, m).
        slope: the same to ∂(sum of terms)/∂y, shape (..., N, m).
        domain: the outputs for which the loss is meant.
        targets: the targets for which it is meant.
        one_hot: whether each row of targets must add up to one.
        uses_clip: whether a logarithm of a probability, hence the clip, is in it.
        elementwise: whether a term depends on its own output alone.
        threshold: the single output above which the predicted class is 1.
        intermediate: (y, t) to the size of results on the way whose rounding reaches the term whole, however
            small the term is: the 1 in log(1 − y), the two sides of a difference. Zero where there are none.
    """

    name: str
    formula: str
    terms: Terms
    slope: Terms
    domain: Interval = REALS
    targets: Interval = REALS
    one_hot: bool = False
    uses_clip: bool = False
    elementwise: bool = True
    threshold: float = 0.5
    intermediate: Callable[[Array, Array], Array] = _nothing


def scale(reduction: str, samples: int, outputs: int) -> float:
    """The factor that turns the sum of all terms into the loss; 1 for an empty batch."""
    count = {"sum": 1, "mean": samples * outputs, "sample_mean": samples}[reduction]
    return 1 / max(count, 1)


def _squared(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    return np.asarray((y - t) ** 2 / 2)


def _squared_slope(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    return y - t


# In the two losses on probabilities 0·log 0 is NaN, as in the puzzle's program and in any plain array
# code: that a saturated output breaks them is one of the things to be measured, not to be hidden.


def _binary_cross_entropy(y: Array, t: Array, clip: Clip, eps: Eps) -> Array:
    p = clip.prepare(y, eps)
    return np.asarray((t - 1) * clip.log(1 - p, eps) - t * clip.log(p, eps))


def _binary_cross_entropy_slope(y: Array, t: Array, clip: Clip, eps: Eps) -> Array:
    p = clip.prepare(y, eps)
    through_logs = (1 - t) * clip.log_slope(1 - p, eps) - t * clip.log_slope(p, eps)
    return np.asarray(through_logs * clip.prepare_slope(y, eps))


def _both_sides(y: Array, _t: Array) -> Array:
    return np.ones_like(y)  # 1 − y and y + eps are rounded to u, and so are their logarithms near 1


def _own_side(_y: Array, t: Array) -> Array:
    return t


def _categorical_cross_entropy(y: Array, t: Array, clip: Clip, eps: Eps) -> Array:
    return np.asarray(-t * clip.log(clip.prepare(y, eps), eps))


def _categorical_cross_entropy_slope(y: Array, t: Array, clip: Clip, eps: Eps) -> Array:
    p = clip.prepare(y, eps)
    return np.asarray(-t * clip.log_slope(p, eps) * clip.prepare_slope(y, eps))


def _binary_cross_entropy_from_logits(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    # softplus(y) − t·y, written so that neither half overflows.
    return np.asarray(positive_part(y) - t * y + np.log1p(np.exp(-magnitude(y))))


def _binary_cross_entropy_from_logits_slope(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    return sigmoid(y) - t


def _logits_difference(y: Array, t: Array) -> Array:
    return np.asarray(4 * np.abs(y) * t * (1 - t))  # max(y, 0) − t·y is exact for t of 0 or 1


def _log_sum_exp(y: Array) -> Array:
    top = over_units(np.maximum, y)
    return np.asarray(top + np.log(over_units(np.add, np.exp(y - top))))


def _categorical_cross_entropy_from_logits(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    return np.asarray(t * (_log_sum_exp(y) - y)) if y.shape[-1] else t * y


def _categorical_cross_entropy_from_logits_slope(y: Array, t: Array, _clip: Clip, _eps: Eps) -> Array:
    if not y.shape[-1]:
        return t * y
    return np.asarray(np.exp(y - _log_sum_exp(y)) * over_units(np.add, t) - t)


def _largest_logit(y: Array, t: Array) -> Array:
    return np.asarray(t * np.abs(y).max(axis=-1, keepdims=True, initial=0))  # log Σ exp(y) − y cancels


PROBABILITIES = Interval(0, 1)

SQUARED_ERROR = Loss("squared_error", "½ (y - t)²", _squared, _squared_slope)
BINARY_CROSS_ENTROPY = Loss(
    "binary_cross_entropy",
    "-(t log y + (1 - t) log(1 - y))",
    _binary_cross_entropy,
    _binary_cross_entropy_slope,
    domain=PROBABILITIES,
    targets=PROBABILITIES,
    uses_clip=True,
    intermediate=_both_sides,
)
CATEGORICAL_CROSS_ENTROPY = Loss(
    "categorical_cross_entropy",
    "-t log y",
    _categorical_cross_entropy,
    _categorical_cross_entropy_slope,
    domain=PROBABILITIES,
    targets=PROBABILITIES,
    one_hot=True,
    uses_clip=True,
    intermediate=_own_side,
)
BINARY_CROSS_ENTROPY_FROM_LOGITS = Loss(
    "binary_cross_entropy_from_logits",
    "log(1 + exp(y)) - t y",
    _binary_cross_entropy_from_logits,
    _binary_cross_entropy_from_logits_slope,
    targets=PROBABILITIES,
    threshold=0.0,
    intermediate=_logits_difference,
)
CATEGORICAL_CROSS_ENTROPY_FROM_LOGITS = Loss(
    "categorical_cross_entropy_from_logits",
    "t (log Σ exp(y) - y)",
    _categorical_cross_entropy_from_logits,
    _categorical_cross_entropy_from_logits_slope,
    targets=PROBABILITIES,
    one_hot=True,
    elementwise=False,
    threshold=0.0,
    intermediate=_largest_logit,
)

LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        SQUARED_ERROR,
        BINARY_CROSS_ENTROPY,
        CATEGORICAL_CROSS_ENTROPY,
        BINARY_CROSS_ENTROPY_FROM_LOGITS,
        CATEGORICAL_CROSS_ENTROPY_FROM_LOGITS,
    )
}
