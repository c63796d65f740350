"""Initial weights, drawn from the case's own seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from backproof.network.arrays import Array

BIASES = ("zero", "normal")


def initial_weights(
    widths: Sequence[int],
    init_scale: float,
    bias: str,
    generator: np.random.Generator,
    dtype: type[np.floating[Any]],
) -> list[Array]:
    """Normal weights, standard deviation init_scale / √(units in); layer k is (widths[k+1], widths[k] + 1).

    They are drawn in float64 and then rounded, so that every precision starts from the same network.
    A `normal` bias has the weights' standard deviation.
    """
    weights = []
    for n_in, n_out in pairwise(widths):
        w = generator.standard_normal((n_out, n_in + 1)) * (init_scale / np.sqrt(max(n_in, 1)))
        if bias == "zero":
            w[:, -1] = 0
        weights.append(w.astype(dtype))
    return weights
