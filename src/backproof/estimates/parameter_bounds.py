"""From what was measured at pre-activations to the steps and error bounds of parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.error_bounds import ErrorBounds
from backproof.estimates.output_rounding import ROUNDINGS
from backproof.estimates.stencils import COMPLEX_STEPS, Scheme
from backproof.estimates.steps import power_of_two_below
from backproof.network.arrays import Array
from backproof.network.problem import Problem

TRUNCATION_SAFETY = 12.0
"""How far truncation may exceed what the third derivative measured around the point suggests.

The worst for one term is a jump J of the second derivative (ELU's at zero): a central difference
with step δ errs by up to δ·J/4, whatever the distance r that z may move. The probe, with η = 2r,
reads a third derivative of J/(2η) = J/(4r) from it, and δ·r/6 times that is δ·J/24; with δ² instead
of δ·r it would be too little for a sample that moves by less than r. Another factor of two,
since jumps of several outputs may cancel in the probe.
"""


SECOND_SAFETY = 2.0
"""How far f'' may exceed, within a step, what was measured at the point; for one-sided differences."""


def steps_of(
    bounds: ErrorBounds, inputs: Array, step: float | None, problem: Problem, factor: float = 1.0
) -> Array:
    """The step of every parameter of a layer, (units, inputs): the longest that stays within reach.

    `factor` shortens it for schemes whose best step is shorter. Steps are powers of two; an input that is
    zero in every sample gets the step 0.
    """
    a = np.abs(inputs).astype(bounds.reach.dtype)
    largest = a.max(axis=0, initial=0)
    shape = (bounds.reach.shape[1], a.shape[1])
    if step is not None:
        return np.broadcast_to(np.where(largest > 0, step, 0.0), shape).astype(bounds.reach.dtype)
    with np.errstate(divide="ignore"):
        inverse = 1 / a  # inf where a sample does not move
    usual = bounds.reach.max(initial=0)
    steps = np.broadcast_to(usual * inverse.min(axis=0, initial=np.inf), shape).copy()
    for sample, unit in zip(*np.nonzero(bounds.reach < usual), strict=True):
        np.minimum(steps[unit], bounds.reach[sample, unit] * inverse[sample], out=steps[unit])
    steps[:, largest == 0] = 0
    finite = problem.arithmetic.largest(inputs.dtype) / 4  # an input of 1e-6 asks for more than float16 has
    return power_of_two_below(np.minimum(steps * factor, finite))


def within_reach(bounds: ErrorBounds, inputs: Array, steps: Array) -> NDArray[np.bool_]:
    """Of which parameters the step meets no kink in any sample, as the probes have shown; (units, inputs)."""
    a = np.abs(inputs).astype(bounds.reach.dtype)
    meets = bounds.blocked.T.astype(a.dtype) @ (a > 0).astype(a.dtype) > 0
    usual = bounds.reach.max(axis=1, initial=0)
    for sample, unit in zip(*np.nonzero(bounds.reach < usual[:, None]), strict=True):
        meets[unit] |= steps[unit] * a[sample] > bounds.reach[sample, unit]
    return np.asarray(~meets)


def carried(bounds: ErrorBounds, inputs: Array) -> Array:
    """∂f/∂w of a layer's weights, unscaled, from the derivatives at its pre-activations; (units, inputs)."""
    derivative = np.where(bounds.blocked, 0, bounds.derivative)
    return np.asarray(derivative.T @ inputs.astype(derivative.dtype))


def _analytic_rounding(bounds: ErrorBounds, inputs: Array, depth: int, u: float) -> Array:
    """What rounding can make of an analytic gradient, unscaled.

    Two matrix products a layer, each a sum of n terms off by √n·u, or twice that.
    """
    a = np.abs(inputs).astype(bounds.reach.dtype)
    roundings = ROUNDINGS * (depth + 1) + 2 * np.sqrt(len(a))
    return np.asarray(roundings * u * (bounds.through.T @ a) + bounds.backward.T @ a)


@dataclass(frozen=True)
class Parts:
    """The parts of a bound on |analytic − numerical|, per parameter; arrays (units, inputs)."""

    truncation: Array
    noise: Array
    round_off: Array

    def where(self, mask: NDArray[np.bool_], other: Parts) -> Parts:
        """These where a mask is true, and others elsewhere."""
        return Parts(
            np.where(mask, self.truncation, other.truncation),
            np.where(mask, self.noise, other.noise),
            np.where(mask, self.round_off, other.round_off),
        )


def parts_of(
    bounds: ErrorBounds, inputs: Array, steps: Array, depth: int, problem: Problem, scheme: Scheme
) -> Parts:
    """What arithmetic can explain of |analytic − numerical|; 0 where a parameter changes nothing.

    `depth` is the number of layers.
    """
    scale = problem.scale
    a = np.abs(inputs).astype(bounds.reach.dtype)
    h = np.where(steps > 0, steps, 1)
    analytic = _analytic_rounding(bounds, inputs, depth, problem.unit_roundoff)
    # Products below the smallest number of the precision are rounded to a multiple of it.
    lost = problem.arithmetic.smallest(inputs.dtype) * (1 + len(a) + a.sum(axis=0))
    if scheme is Scheme.COMPLEX:  # `by_complex_steps` knows more
        lost = lost / COMPLEX_STEPS[inputs.dtype.type]  # of imaginary parts that underflow
        truncation = noise = np.zeros_like(h)
    elif scheme is Scheme.FIVE_POINT:
        truncation, noise = bounds.derivative_truncation.T @ a, bounds.derivative_noise.T @ a + analytic
    else:
        # |h·a| is at most the reach, but for a step of the user's.
        bend = np.maximum((bounds.third * bounds.reach).T @ a**2, h * (bounds.third.T @ a**3))
        truncation = TRUNCATION_SAFETY * h / 6 * bend
        if scheme.order == 1:
            truncation = truncation + SECOND_SAFETY * h / 2 * (bounds.second.T @ a**2)
        noise = scheme.noise * (bounds.noise.T @ (a > 0)) / h
    parts = truncation * scale, noise * scale, analytic * scale + lost.astype(h.dtype)
    idle = steps <= 0
    if idle.any():
        for part in parts:
            part[idle] = 0
    return Parts(*parts)


def unsure_of(bounds: ErrorBounds, inputs: Array) -> Array:
    """What blocked pre-activations add to the bound of a parameter that passes none of their kinks."""
    a = np.abs(inputs).astype(bounds.reach.dtype)
    finite = np.where(np.isfinite(bounds.unsure), bounds.unsure, 0).T @ a
    endless = np.isinf(bounds.unsure).astype(a.dtype).T @ (a > 0)
    return np.asarray(np.where(endless > 0, np.inf, finite))
