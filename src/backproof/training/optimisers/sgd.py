"""Plain gradient descent."""

from __future__ import annotations

from collections.abc import Sequence

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.training.optimisers.optimiser import Optimiser, State


@choice
def sgd() -> Optimiser:
    """gradient descent"""
    return Optimiser("sgd", "w - rate g", update, learning_rate=0.1)


def update(weights: list[Array], gradients: Sequence[Array], rate: Array, _state: State) -> None:
    """w ← w − rate·g."""
    for w, g in zip(weights, gradients, strict=True):
        w -= rate * g
