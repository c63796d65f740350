"""What rounding can make of the derivative at a network's output, however it is computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.stencils import COMPLEX_STEPS, COMPLEX_TYPES, takes_complex
from backproof.estimates.steps import best_step
from backproof.network.arrays import Array, DType, FloatType, unit_roundoff
from backproof.network.problem import Problem

ROUNDINGS = 3.0
"""Units of round-off that one elementary function is allowed: a library's log or exp errs by about one."""


def backward_error_at_output(loss: PerturbedLoss) -> Array:
    """By how much rounding can move ∂f/∂z at the output, however it is computed; (N, m).

    A gradient is computed from the rounded y. That moves the loss's derivative L'(y) by L''(y)·ulp(y),
    which is large where 1/(1 − y) is, and its own evaluation errs by a few u of its size. L', L'' and
    the output's derivative are differences of values in a wider precision; no derivative is taken on trust.
    """
    problem, y, z = loss.problem, loss.forward.outputs, loss.forward.pre_activations[-1]
    u, kind = unit_roundoff(y.dtype), wider(y.dtype)
    outputs, targets = y.astype(kind), problem.targets.astype(kind)
    ulp = np.abs(np.spacing(y)).astype(kind)
    # Probabilities matter by their ratios, all other outputs by their differences.
    size = np.abs(outputs) if problem.loss.uses_clip else np.maximum(np.abs(outputs), 1)
    step = np.maximum(ulp, np.sqrt(u) * size)
    if problem.loss.uses_clip:  # stay on this side of the logarithms' poles
        for end in (problem.loss.domain.low, problem.loss.domain.high):
            distance = np.abs(outputs - end) / 4
            step = np.where(distance > 0, np.minimum(step, np.maximum(distance, ulp)), step)
    derivative, curvature = _of_loss(problem, outputs, step)
    size = derivative if problem.loss.uses_clip else derivative + np.abs(targets)
    error = curvature * ulp + ROUNDINGS * u * size
    if problem.output.elementwise:
        # The derivative is computed at a rounded z, too, and where it passes through zero its parts cancel.
        bend = bend_size(problem.output.value, z)
        return np.asarray(
            derivative_size(problem.output.value, z, kind) * error + ROUNDINGS * u * derivative * bend
        )
    # Softmax couples the outputs: |J| ≤ y_k (1 at k + y), and y (g − Σ g y) cancels.
    error = error + ROUNDINGS * u * derivative
    return np.asarray(outputs * (error + (outputs * error).sum(axis=1, keepdims=True)))


def _of_loss(problem: Problem, outputs: Array, step: Array) -> tuple[Array, Array]:
    """|∂L/∂y| and |∂²L/∂y²| by differences; 0 where they are not finite on either side.

    Central where the loss is finite on both sides, else to the side on which it is: at the edge of its domain
    the derivative may be the largest of all.
    """
    targets = problem.targets.astype(outputs.dtype)
    derivative, curvature = np.zeros_like(outputs), np.zeros_like(outputs)
    # Outputs that have each a term of their own are moved all at once.
    for k in [np.s_[:]] if problem.loss.elementwise else range(outputs.shape[1]):
        moved = np.zeros_like(outputs)
        moved[:, k] = step[:, k]
        terms = [
            problem.loss.terms(outputs + way * moved, targets, problem.clip, problem.eps)
            for way in (-2, -1, 0, 1, 2)
        ]
        if not problem.loss.elementwise:
            terms = [each.sum(axis=1) for each in terms]
        found = np.zeros((2, *terms[0].shape), outputs.dtype)
        for low, middle, high in (terms[:3], terms[2:], terms[1:4]):  # the last that is finite counts
            rise, bend = np.abs(high - low) / 2, np.abs((high - middle) + (low - middle))
            known = np.isfinite(rise) & np.isfinite(bend)
            found = np.where(known, np.stack([rise, bend]), found)
        derivative[:, k], curvature[:, k] = found[0] / step[:, k], found[1] / step[:, k] ** 2
    return np.where(np.isfinite(derivative), derivative, 0), np.where(np.isfinite(curvature), curvature, 0)


def derivative_size(value: Callable[[Array], Array], z: Array, kind: FloatType) -> Array:
    """|f'(z)| by complex steps in a precision, which see it however small it is.

    Of a function that takes no complex numbers by central differences, off by the ⅔rd power of round-off.
    """
    wide_z = z.astype(kind)
    if takes_complex(value, kind):
        h = kind(COMPLEX_STEPS[kind])
        return np.asarray(np.abs(value(wide_z + h * COMPLEX_TYPES[kind](1j)).imag) / h)
    step = best_step(np.dtype(kind)) * np.maximum(np.abs(wide_z), 1)
    return np.asarray(np.abs(value(wide_z + step) - value(wide_z - step)) / (2 * step))


def bend_size(value: Callable[[Array], Array], z: Array) -> Array:
    """|z·f''(z)| by central differences of f in a wider precision."""
    wide_z = z.astype(wider(z.dtype))
    step = np.sqrt(unit_roundoff(z.dtype)) * np.maximum(np.abs(wide_z), 1)
    bend = np.abs((value(wide_z + step) - value(wide_z)) - (value(wide_z) - value(wide_z - step))) / step**2
    return np.asarray(np.abs(wide_z) * bend)


def wider(dtype: DType) -> FloatType:
    return np.float64 if dtype in (np.float16, np.float32) else np.longdouble
