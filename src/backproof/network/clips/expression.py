"""A clip from an expression in q and eps, `log(maximum(q, eps))`: what is computed in place of log q."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from backproof.network.arrays import Array
from backproof.network.clips.clip import Clip, Eps
from backproof.network.formula import Evaluated, Formula, switches
from backproof.network.scan import bisected

VARIABLES = ("q", "eps")

SMALLEST, LARGEST, POINTS = 1e-300, 2.0, 6000
"""Where the formula may switch is looked for between these values of q, evenly in their logarithm."""


def clip_of(name: str, value: Formula) -> Clip:
    """The clip of an expression; q is a probability or one minus it.

    Raises:
        ValueError: in one line, if it does not depend on q.
    """
    if "q" not in value.used:
        raise ValueError(f"'{value.text}' must depend on q")
    return Clip(
        name,
        value.text,
        log=_OfClip(value.value()),
        log_derivative=_Derivative(value.derivative()),
        edges=_Edges(value.value()),
        uses_eps="eps" in value.used,
    )


@dataclass(frozen=True)
class _OfClip:
    """A function of q and eps, in q's precision."""

    function: Evaluated

    def __call__(self, q: Array, eps: Eps) -> Array:
        return self.function(q, np.asarray(eps, q.real.dtype))


@dataclass(frozen=True)
class _Derivative:
    """The derivative by q. At 0, where it may be 0 · ∞, it is that of the smallest q above."""

    function: Evaluated

    def __call__(self, q: Array, eps: Eps) -> Array:
        kept = np.asarray(eps, q.dtype)
        found = self.function(q, kept)
        lost = np.isnan(found) & (q == 0)
        if lost.any():
            found = np.where(lost, self.function(np.full_like(q, np.finfo(q.dtype).tiny), kept), found)
        return found


@dataclass(frozen=True)
class _Edges:
    """eps to the values of q at which the expression switches; infinite where another eps has more."""

    function: Evaluated

    def __call__(self, eps: Array) -> tuple[Array, ...]:
        values = [_edges_at(self.function, float(each)) for each in eps.ravel()]
        most = max(map(len, values), default=0)
        padded = [(*found, *[np.inf] * (most - len(found))) for found in values]
        return tuple(np.array([p[k] for p in padded], eps.dtype).reshape(eps.shape) for k in range(most))


@lru_cache(maxsize=1 << 12)
def _edges_at(function: Evaluated, eps: float) -> tuple[float, ...]:
    """Where an argument of a function with a kink, or of a condition, changes its sign."""
    found = set()
    with np.errstate(all="ignore"):
        for switch in switches(function):
            q = np.geomspace(SMALLEST, LARGEST, POINTS)
            sides = np.sign(np.broadcast_to(switch(q, eps), q.shape))
            for i in np.flatnonzero(sides[1:] != sides[:-1]):
                low, high = float(q[i]), float(q[i + 1])
                side = np.sign(switch(low, eps))
                found.add(bisected(partial(_on_other_side, switch, eps, side), low, high))
    return tuple(sorted(found))


def _on_other_side(switch: Callable[..., Array | float], eps: float, side: Array, q: float) -> bool:
    return bool(np.sign(switch(q, eps)) != side)
