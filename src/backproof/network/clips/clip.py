"""The record of a clip: how log p and log(1 − p) are evaluated, and the derivative of *that*.

Both logarithms are computed as a program computes them: from p, and from the rounded 1 − p,
so that `min(p, 1 − eps)` does nothing once eps is below half an ulp of one, as in real code.

`eps` is a number or an array that broadcasts against p (one value per problem of a batch).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from backproof.network.arrays import Array

Eps = Array | float


class ClipBackward(StrEnum):
    """What the backward rule makes of the clip."""

    CONSISTENT = "consistent"
    """It differentiates what was computed."""
    IGNORED = "ignored"
    """It differentiates as if there were no clip."""


def _unchanged(p: Array, _eps: Eps) -> Array:
    return p


def _one(p: Array, _eps: Eps) -> Array:
    return np.ones_like(p)


def _log(q: Array, _eps: Eps) -> Array:
    return np.asarray(np.log(q))


def _reciprocal(q: Array, _eps: Eps) -> Array:
    return np.asarray(1 / q)


def _no_edges(_eps: Array) -> tuple[Array, ...]:
    return ()


def edge_at_eps(eps: Array) -> tuple[Array, ...]:
    """The formula switches at eps."""
    return (eps,)


@dataclass(frozen=True)
class Clip:
    """How the logarithm of a probability is protected; by default, not at all.

    Attributes:
        prepare: (p, eps) to the probability that is used in both logarithms.
        prepare_derivative: its derivative with respect to p.
        log: (q, eps) to the protected logarithm of q, q being p or 1 − p.
        log_derivative: its derivative with respect to q.
        edges: eps to the values of q at which the formula switches; kinks of the loss.
        uses_eps: whether eps has any effect.
    """

    name: str
    formula: str
    prepare: Callable[[Array, Eps], Array] = _unchanged
    prepare_derivative: Callable[[Array, Eps], Array] = _one
    log: Callable[[Array, Eps], Array] = _log
    log_derivative: Callable[[Array, Eps], Array] = _reciprocal
    edges: Callable[[Array], tuple[Array, ...]] = _no_edges
    uses_eps: bool = True

    def active(self, p: Array, eps: Eps) -> Array:
        """True where the clip flattens log p or log(1 − p), so that a derivative vanishes."""
        used = self.prepare(p, eps)
        flat = self.prepare_derivative(p, eps) == 0
        of_p, of_not_p = self.log_derivative(used, eps), self.log_derivative(1 - used, eps)
        return np.asarray(flat | (of_p == 0) | (of_not_p == 0))
