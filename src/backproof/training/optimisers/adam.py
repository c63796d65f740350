"""Adam (Kingma & Ba 2015, algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.training.optimisers.optimiser import Optimiser, State


@choice
def adam(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Optimiser:
    """Adam

    Args:
        beta1: decay of the mean gradient.
        beta2: decay of the mean squared gradient.
        epsilon: added to the root of the latter; at least the precision's smallest normal number.

    Raises:
        ValueError: unless `beta1` and `beta2` are in [0, 1) and `epsilon` is positive.
    """
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= beta < 1:
            raise ValueError(f"{name} must be in [0, 1); not {beta}")
    if not epsilon > 0:
        raise ValueError(f"epsilon must be positive; not {epsilon}")

    def update(weights: list[Array], gradients: Sequence[Array], rate: Array, state: State) -> None:
        if not state:
            state["step"] = 0
            state["mean"] = [np.zeros_like(w) for w in weights]
            state["square"] = [np.zeros_like(w) for w in weights]
        state["step"] += 1
        for w, g, mean, square in zip(weights, gradients, state["mean"], state["square"], strict=True):
            kind = w.dtype.type
            mean += kind(1 - beta1) * (g - mean)
            square += kind(1 - beta2) * (g * g - square)
            unbiased = mean / kind(1 - beta1 ** state["step"])
            spread = np.sqrt(square / kind(1 - beta2 ** state["step"]))
            w -= rate * unbiased / (spread + kind(max(epsilon, float(np.finfo(w.dtype).tiny))))

    return Optimiser("adam", "w - rate m / (√s + epsilon)", update, learning_rate=0.01)
