"""The record of an activation: value, derivative and kinks.

A derivative here is the mathematical one. At a kink, where there is none, the record holds the
derivatives on both sides; which number to use there is the backward rule's choice.

Shapes: every function maps an array to an array of the same shape and precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np

from backproof.network.arrays import REALS, Array, Interval


@dataclass(frozen=True)
class Kink:
    """A point where the derivative jumps, with its limits from the left and from the right."""

    at: float
    left: float
    right: float


class KinkRule(StrEnum):
    """What the backward rule does at a kink."""

    MULTIPLY = "multiply"
    """The chain rule: the arriving gradient times the derivative chosen there."""
    ASSIGN = "assign"
    """That derivative replaces the arriving gradient, as hand-written code sometimes has it."""


@dataclass(frozen=True)
class Activation:
    """An element-wise function of the pre-activation z.

    Attributes:
        value: z to the unit's value.
        derivative: z to f'(z); at a kink its value is not used.
        kinks: where the derivative jumps, in ascending order.
        range: where the values lie.
    """

    name: str
    formula: str
    value: Callable[[Array], Array]
    derivative: Callable[[Array], Array]
    kinks: tuple[Kink, ...] = ()
    range: Interval = REALS
    elementwise: ClassVar[bool] = True

    def derivative_at(self, z: Array, at_kink: Array | float) -> Array:
        """f'(z), with `at_kink` deciding what it is at a kink.

        `at_kink` is a weight from the left derivative to the right one, so that for ReLU it is the
        derivative at zero itself: 0, 0.5 or 1. It may be an array that broadcasts against z.
        """
        d = self.derivative(z)
        for kink in self.kinks:
            touched = z == kink.at
            if touched.any():
                left, right = z.dtype.type(kink.left), z.dtype.type(kink.right)
                d = np.where(touched, left + np.asarray(at_kink, z.dtype) * (right - left), d)
        return d

    def at_kink(self, z: Array) -> Array:
        """True where z lies exactly on a kink."""
        touched = np.zeros(z.shape, bool)
        for kink in self.kinks:
            touched |= z == kink.at
        return touched
