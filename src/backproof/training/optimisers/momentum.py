"""The heavy ball (Polyak 1964)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.training.optimisers.optimiser import Optimiser, State


@choice
def momentum(momentum: float = 0.9) -> Optimiser:
    """heavy ball

    Args:
        momentum: of v ← momentum·v + g, w ← w − rate·v.

    Raises:
        ValueError: unless `momentum` is in [0, 1).
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be in [0, 1); not {momentum}")

    def update(weights: list[Array], gradients: Sequence[Array], rate: Array, state: State) -> None:
        velocity = state.setdefault("velocity", [np.zeros_like(w) for w in weights])
        for w, g, v in zip(weights, gradients, velocity, strict=True):
            v *= v.dtype.type(momentum)
            v += g
            w -= rate * v

    return Optimiser("momentum", "w - rate v", update, learning_rate=0.02)
