"""A problem whose kinks are given a derivative, for imaginary moves from the point.

A backward pass multiplies derivatives along each path from a parameter to the loss. With the weight q of the
right-hand derivative at each kink, its gradient is the mean over gradients at points nearby: in each of these
a unit that lies on a kink is to one side of it, the biases alone can put each unit on either side whatever
those of other layers do, and the gradient is affine in the derivative of each unit. So it is an element of
Clarke's subdifferential for every q from 0 to 1, and differences of the problem made here find it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from backproof.network.activations import Activation, Kink
from backproof.network.arrays import Array
from backproof.network.problem import Problem


def with_derivative_at_kinks(problem: Problem, weight: float) -> Problem:
    """The problem with `weight` of the right branch and 1 − `weight` of the left one at each kink."""
    hidden, output = problem.activation, problem.output
    return replace(
        problem,
        activation=replace(hidden, value=_Mixed(hidden, weight), kinks=()),
        output=replace(output, value=_Mixed(output, weight), kinks=())
        if isinstance(output, Activation)
        else output,
    )


@dataclass(frozen=True)
class _Mixed:
    """An activation's value; at z = kink + i·t, t real, both branches mixed."""

    activation: Activation
    weight: float

    def __call__(self, z: Array) -> Array:
        found = self.activation.value(z)
        if np.iscomplexobj(z):
            for kink in self.activation.kinks:
                at = z.real == kink.at
                if at.any():
                    found[at] = self._between(z[at], kink)
        return found

    def _between(self, z: Array, kink: Kink) -> Array:
        """Branches continue beyond the kink by reflection: +i·t is to its right, −i·t to its left."""
        away = z.imag >= 0
        right, left = np.where(away, z, 2 * kink.at - z), np.where(away, 2 * kink.at - z, z)
        middle = self.activation.value(np.full(1, kink.at, z.real.dtype))
        sign = np.where(away, 1, -1).astype(z.real.dtype)
        rise = (self.activation.value(right) - middle) * sign
        fall = (self.activation.value(left) - middle) * -sign
        weight = z.real.dtype.type(self.weight)
        return np.asarray(middle + weight * rise + (1 - weight) * fall)
