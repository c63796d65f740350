"""Initial weights, drawn from the case's own seed."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

import numpy as np

from backproof.network.arrays import Array, FloatType


class Bias(StrEnum):
    """How biases are drawn."""

    ZERO = "zero"
    NORMAL = "normal"
    """With the weights' standard deviation."""


def initial_weights(
    widths: Sequence[int],
    init_scale: float,
    bias: Bias,
    generator: np.random.Generator,
    dtype: FloatType,
) -> list[Array]:
    """Normal weights, standard deviation init_scale / √(units in); layer k is (widths[k+1], widths[k] + 1).

    They are drawn in float64 and then rounded, so that every precision starts from the same network.
    """
    weights = []
    for n_in, n_out in pairwise(widths):
        w = generator.standard_normal((n_out, n_in + 1)) * (init_scale / np.sqrt(max(n_in, 1)))
        if bias == Bias.ZERO:
            w[:, -1] = 0
        weights.append(w.astype(dtype))
    return weights
