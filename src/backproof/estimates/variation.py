"""What a derivative that is zero at the point is elsewhere within the entry's reach.

At a stationary point an entry has no size of its own that its error could be relative to, and the sizes of
others are in other units. What it would be, were it wrong, is of the size of the derivative at points as far
away as the entry is large: so much the function changes along it, for the distance. That number has the unit
of a derivative, so that multiplying the entry's unit multiplies both it and the bound.
"""

from __future__ import annotations

import numpy as np

from backproof.estimates.record import Estimate
from backproof.network.arrays import Array
from backproof.targets.function import Function
from backproof.targets.layout import Index

REACH = 2.0**-3
"""How far an entry is moved, relative to its size."""

CLEAR = 4.0
"""A change counts if it is so many times the noise of the function."""


def variation_along(function: Function, value: float, estimate: Estimate, chosen: Index) -> Array:
    """The largest mean derivative of a function up to two distances to either side; 0 of other entries.

    Those are the step by which it was measured, which tells of an entry whose unit is far smaller than
    others', and a part of its size.

    Args:
        value: the function at the point.
        chosen: among the entries of the estimate.

    Returns:
        (entries).
    """
    found = np.zeros(len(estimate.index))
    function.reset()
    for k in map(int, chosen):
        index, start = int(estimate.index[k]), function.start[estimate.index[k]]
        noise = float(estimate.noise[k] * estimate.step[k])
        for distance in (float(estimate.step[k]), REACH * float(estimate.unit[k])):
            for step in (distance, -distance):
                moved = start + function.dtype.type(step)
                change = abs(float(function.value_with(index, moved)) - value)
                if moved != start and CLEAR * noise < change < np.inf:
                    found[k] = max(found[k], change / abs(float(moved - start)))
    return found
