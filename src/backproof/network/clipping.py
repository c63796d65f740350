"""Clipping: what is put between a probability and its logarithm.

Each kind says how log p and log(1 − p) are evaluated and what the derivative of *that* is.
Both logarithms are computed as a program computes them: from p, and from the rounded 1 − p,
so that `min(p, 1 − eps)` does nothing once eps is below half an ulp of one, as in real code.

`eps` is a number or an array that broadcasts against p (one value a problem of a batch).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backproof.network.arrays import Array

Eps = Array | float


@dataclass(frozen=True)
class Clip:
    """How the logarithm of a probability is protected.

    Attributes:
        prepare: (p, eps) to the probability that is used in both logarithms.
        prepare_slope: its derivative with respect to p.
        log: (q, eps) to the protected logarithm of q, q being p or 1 − p.
        log_slope: its derivative with respect to q.
        edges: eps to the values of q at which the formula switches; kinks of the loss.
        uses_eps: whether eps has any effect.
    """

    name: str
    formula: str
    prepare: Callable[[Array, Eps], Array]
    prepare_slope: Callable[[Array, Eps], Array]
    log: Callable[[Array, Eps], Array]
    log_slope: Callable[[Array, Eps], Array]
    edges: Callable[[Array], tuple[Array, ...]]
    uses_eps: bool = True

    def active(self, p: Array, eps: Eps) -> Array:
        """True where the clip flattens log p or log(1 − p), so that a derivative vanishes."""
        used = self.prepare(p, eps)
        flat = self.prepare_slope(p, eps) == 0
        return np.asarray(flat | (self.log_slope(used, eps) == 0) | (self.log_slope(1 - used, eps) == 0))


LOG_FLOOR = -100.0
"""PyTorch's binary cross entropy floors the logarithm here."""


def _same(p: Array, _eps: Eps) -> Array:
    return p


def _one(p: Array, _eps: Eps) -> Array:
    return np.ones_like(p)


def _log(q: Array, _eps: Eps) -> Array:
    return np.asarray(np.log(q))


def _reciprocal(q: Array, _eps: Eps) -> Array:
    return np.asarray(1 / q)


def _clamp(p: Array, eps: Eps) -> Array:
    return np.asarray(np.maximum(np.minimum(p, 1 - eps), eps))


def _clamp_slope(p: Array, eps: Eps) -> Array:
    return ((p > eps) & (p < 1 - eps)).astype(p.dtype)


def _floored_log(q: Array, eps: Eps) -> Array:
    return np.asarray(np.log(np.maximum(q, eps)))


def _floored_slope(q: Array, eps: Eps) -> Array:
    above = q > eps
    return np.asarray(np.divide(1, q, out=np.zeros_like(q), where=above))


def _shifted_log(q: Array, eps: Eps) -> Array:
    return np.asarray(np.log(q + eps))


def _shifted_slope(q: Array, eps: Eps) -> Array:
    return np.asarray(1 / (q + eps))


def _log_with_floor(q: Array, _eps: Eps) -> Array:
    return np.asarray(np.maximum(np.log(q), LOG_FLOOR))


def _log_with_floor_slope(q: Array, _eps: Eps) -> Array:
    # NaN (q < 0) compares false: the floor keeps NaN in the value, so the slope there is NaN too.
    above = ~(np.log(q) <= LOG_FLOOR)
    slope = np.divide(1, q, out=np.zeros_like(q), where=above)
    return np.asarray(np.where(q < 0, np.nan, slope).astype(q.dtype, copy=False))


def _no_edges(_eps: Array) -> tuple[Array, ...]:
    return ()


def _eps_edge(eps: Array) -> tuple[Array, ...]:
    return (eps,)


def _log_floor_edge(eps: Array) -> tuple[Array, ...]:
    return (np.exp(np.full_like(eps, LOG_FLOOR)),)


NONE = Clip("none", "log(p)", _same, _one, _log, _reciprocal, _no_edges, uses_eps=False)
FLOOR = Clip("floor", "log(max(p, eps))", _same, _one, _floored_log, _floored_slope, _eps_edge)
CLAMP = Clip("clamp", "log(min(max(p, eps), 1 - eps))", _clamp, _clamp_slope, _log, _reciprocal, _eps_edge)
SHIFT = Clip("shift", "log(p + eps)", _same, _one, _shifted_log, _shifted_slope, _no_edges)
LOG_FLOOR_CLIP = Clip(
    "log_floor",
    "max(log(p), -100)",
    _same,
    _one,
    _log_with_floor,
    _log_with_floor_slope,
    _log_floor_edge,
    uses_eps=False,
)

CLIPS: dict[str, Clip] = {c.name: c for c in (NONE, FLOOR, CLAMP, SHIFT, LOG_FLOOR_CLIP)}
