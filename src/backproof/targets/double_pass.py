"""Rounding errors of a backward pass in low precision that are the same in every run beside its point.

Where an output is saturated, y in 1 − y² (tanh), y(1 − y) (sigmoid) or y(g − Σ g y) (softmax) is rounded to
the same number in every run, and runs beside the point show nothing of the error, about u·|g|. The same pass
in double precision shows it: what the two differ by is rounding, be the pass right or wrong. An error is
raised to that as far as rounding can make it: up to `MOST` units of round-off of the array's largest entry,
or of what its entries would be without saturation, which the outputs' change from near zero tells. A larger
difference is a mistake that is made in low precision alone, and is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from backproof.network.arrays import Array
from backproof.targets.dithered import Dithered, Formatted

MOST = 16.0
"""By how many units of round-off of its array's size an entry may differ between the two precisions."""

STEEPER = 2.0
"""How much larger than on average from zero on derivatives are, where a function is not yet saturated."""

MARGIN = 1.25
"""How much more than it is a difference is taken for: the mean of runs beside the point is no run at it."""


def with_double(
    found: Dithered, double: Array, x: Array, gradients: Sequence[Formatted], unit: float, change: float
) -> Dithered:
    """A gradient whose error covers what the same pass in double precision differs by.

    Args:
        double: the gradient that the pass makes in double precision; (entries).
        x: the inputs, each array in the place of its gradient; (entries).
        gradients: the formats in which the pass returns its gradients.
        unit: the unit round-off of the pass.
        change: ‖cotangent · change of the outputs‖₂ from near zero to x.
    """
    lost, error = MARGIN * np.abs(found.mean - double), found.error.copy()
    if not np.isfinite(lost).all():
        return found
    for each in gradients:
        part, u = each.part, max(unit, each.format.unit_roundoff)
        length = float(np.linalg.norm(x[part]))
        size = float(np.abs(found.mean[part]).max(initial=0))
        if length and np.isfinite(change):
            size = max(size, STEEPER * change / length)
        error[part] = np.maximum(error[part], np.minimum(lost[part], MOST * u * size))
    return replace(found, error=error)
