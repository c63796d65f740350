"""Mistakes in the weights that carry a delta down to the layer below."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from backproof.network.arrays import Array, square_part_transposed
from backproof.network.faults.conditions import some_hidden_layer
from backproof.network.faults.fault import Here, at_carried_weights


@at_carried_weights(cause="carried weights: updated", matters=some_hidden_layer)
def updated_weights(weights: Array, here: Here) -> Array:
    """weights updated before they carry delta down"""
    return np.asarray(weights - weights.dtype.type(0.01) * here.gradient)


@at_carried_weights(
    cause="carried weights: transposed",
    matters=lambda s: any(a == b > 1 for a, b in pairwise(s.widths[1:])),
)
def weights_transposed(weights: Array, _here: Here) -> Array:
    """a square weight matrix carries delta down the wrong way round"""
    return square_part_transposed(weights)
