"""What a derivative that is zero at the point is elsewhere within the entry's reach.

At a stationary point an entry has no size of its own that its error could be relative to, and the sizes of
others are in other units. What it would be, were it wrong, is of the size of the derivative at points as far
away as the entry is large: so much the function changes along it, for the distance. That number has the unit
of a derivative, so that multiplying the entry's unit multiplies both it and the bound.
"""

from __future__ import annotations

import numpy as np

from backproof.estimates.differencer import CoordinateDifferencer
from backproof.estimates.record import Estimate
from backproof.network.arrays import Array
from backproof.targets.layout import Index

REACH = 2.0**-3
"""How far an entry is moved, relative to its size."""

CLEAR = 4.0
"""A change counts if it is so many times the noise of the function."""


def variation_along(
    differencer: CoordinateDifferencer, estimate: Estimate, chosen: Index, enough: Array
) -> Array:
    """The largest mean derivative of a function up to some distances to either side; 0 of other entries.

    The first is the step by which the entry was measured, which tells of one whose unit is far smaller than
    others', and the second a part of its size, if the first does not tell enough.

    Args:
        chosen: among the entries of the estimate.
        enough: the derivative beyond which none that is larger is looked for, (entries).

    Returns:
        (entries).
    """
    found = np.zeros(len(estimate.index))
    start, kind = differencer.function.start, differencer.function.dtype.type
    for k in map(int, chosen):
        index = int(estimate.index[k])
        noise = float(estimate.noise[k] * estimate.step[k])
        near, far = float(estimate.step[k]), REACH * float(estimate.unit[k])
        for step in (near, -near, far, -far):
            moved = start[index] + kind(step)
            if moved == start[index] or (abs(step) == far and found[k] >= enough[k]):
                continue
            change = abs(float(differencer.value_with(index, moved) - differencer.value))
            if CLEAR * noise < change < np.inf:
                found[k] = max(found[k], change / abs(float(moved - start[index])))
    return found
