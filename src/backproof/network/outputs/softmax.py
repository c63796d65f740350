"""Softmax; an output only, since it couples the units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Kink
from backproof.network.arrays import Array, Interval, over_units


@dataclass(frozen=True)
class Softmax:
    """exp(z) / sum(exp(z)) over the last axis. Its Jacobian is no diagonal, so it has a pullback instead."""

    name: str = "softmax"
    formula: str = "exp(z_k) / Σ exp(z_j)"
    range: Interval = field(default=Interval(0, 1))
    kinks: tuple[Kink, ...] = ()
    elementwise: ClassVar[bool] = False

    def value(self, z: Array) -> Array:
        """Shifted by the largest z, so that no exponential overflows."""
        if z.shape[-1] == 0:
            return z.copy()
        e = np.exp(z - over_units(np.maximum, z))
        return np.asarray(e / over_units(np.add, e))

    def pullback(self, y: Array, g: Array) -> Array:
        """The Jacobian diag(y) − y yᵀ applied to g = ∂L/∂y; shapes (..., m)."""
        return np.asarray(y * (g - over_units(np.add, g * y)))


@choice
def softmax() -> Softmax:
    """exp(z_k) / Σ exp(z_j)"""
    return Softmax()
