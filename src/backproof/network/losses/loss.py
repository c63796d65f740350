"""The record of a loss: the terms of the sum, and their derivative with respect to the network's output y.

Every loss is a sum of terms over samples and outputs, (..., N, m) each, so that differences
of two losses can be formed term by term before anything is summed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from backproof.network.arrays import REALS, Array, Interval
from backproof.network.clips import Clip, Eps

Terms = Callable[[Array, Array, Clip, Eps], Array]

PROBABILITIES = Interval(0, 1)


class Reduction(StrEnum):
    """How the terms become one number."""

    SUM = "sum"
    """Over samples and outputs, the puzzle's."""
    MEAN = "mean"
    """Over both."""
    SAMPLE_MEAN = "sample_mean"
    """The sum over outputs, the mean over samples."""

    def scale(self, samples: int, outputs: int) -> float:
        """The factor that turns the sum of all terms into the loss; 1 for an empty batch."""
        match self:
            case Reduction.SUM:
                count = 1
            case Reduction.MEAN:
                count = samples * outputs
            case Reduction.SAMPLE_MEAN:
                count = samples
        return 1 / max(count, 1)


def _none(y: Array, _t: Array) -> Array:
    return np.zeros_like(y)


def _smooth(_y: Array, _t: Array) -> tuple[Array, ...]:
    return ()


@dataclass(frozen=True)
class Loss:
    """A loss of outputs y and targets t.

    Attributes:
        terms: (y, t, clip, eps) to the terms of the sum, shape (..., N, m).
        derivative: the same to ∂(sum of terms)/∂y, shape (..., N, m).
        domain: the outputs for which the loss is meant.
        targets: the targets for which it is meant.
        one_hot: whether each row of targets must add up to one.
        uses_clip: whether a logarithm of a probability, hence the clip, is in it.
        elementwise: whether a term depends on its own output alone.
        threshold: the single output above which the predicted class is 1.
        matching_output: the output activation of its matching pair, whose delta at the output is y − t; empty
            where there is none.
        takes_logits: whether it applies its link function itself, so that y are no probabilities.
        intermediate: (y, t) to the size of results on the way whose rounding reaches the term whole, however
            small the term is: the 1 in log(1 − y), the two sides of a difference. Zero where there are none.
        kinks: (y, t) to arrays that are zero where the derivative jumps, and of other signs on either side; a
            clip's kinks are not among them.
    """

    name: str
    formula: str
    terms: Terms
    derivative: Terms
    domain: Interval = REALS
    targets: Interval = REALS
    one_hot: bool = False
    uses_clip: bool = False
    elementwise: bool = True
    threshold: float = 0.5
    matching_output: str = ""
    takes_logits: bool = False
    intermediate: Callable[[Array, Array], Array] = _none
    kinks: Callable[[Array, Array], tuple[Array, ...]] = _smooth
