"""Optimisers: how a gradient becomes a step. They work in place on a batch of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
    """

    name: str
    formula: str
    update: Update


def sgd() -> Optimiser:
    """Plain gradient descent."""

    def update(weights: list[Array], gradients: Sequence[Array], rate: Array, _state: State) -> None:
        for w, g in zip(weights, gradients, strict=True):
            w -= rate * g

    return Optimiser("sgd", "w - rate g", update)


def momentum(momentum: float = 0.9) -> Optimiser:
    """Heavy ball (Polyak 1964): v ← momentum·v + g, w ← w − rate·v."""
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be in [0, 1); not {momentum}")

    def update(weights: list[Array], gradients: Sequence[Array], rate: Array, state: State) -> None:
        velocity = state.setdefault("velocity", [np.zeros_like(w) for w in weights])
        for w, g, v in zip(weights, gradients, velocity, strict=True):
            v *= v.dtype.type(momentum)
            v += g
            w -= rate * v

    return Optimiser("momentum", "w - rate v", update)


def adam(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Optimiser:
    """Adam (Kingma & Ba 2015, algorithm 1).

    `epsilon` is at least the precision's smallest normal number, or float16 would divide by zero.
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

    return Optimiser("adam", "w - rate m / (√s + epsilon)", update)


OPTIMISERS: dict[str, Optimiser] = {o.name: o for o in (sgd(), momentum(), adam())}
