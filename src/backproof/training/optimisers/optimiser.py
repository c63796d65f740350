"""The record of an optimiser, which works in place on a batch of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backproof.network.arrays import Array

State = dict[str, Any]
Update = Callable[[list[Array], Sequence[Array], Array, State], None]


@dataclass(frozen=True)
class Optimiser:
    """An update rule.

    Attributes:
        update: (weights, gradients, learning rates, state) changes the weights in place. The gradients
            are those of the mean loss over samples, the rates (..., 1, 1); `state` starts as an empty
            dictionary.
        learning_rate: the default one.
    """

    name: str
    formula: str
    update: Update
    learning_rate: float
