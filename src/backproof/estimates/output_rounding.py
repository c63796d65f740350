"""What rounding can make of the derivative at a network's output, however it is computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.stencils import COMPLEX_STEPS, COMPLEX_TYPES, loss_takes_complex, takes_complex
from backproof.estimates.steps import best_step
from backproof.network.arrays import Array, DType, FloatType
from backproof.network.problem import Problem

ROUNDINGS = 3.0
"""Units of round-off that one elementary function is allowed: a library's log or exp errs by about one."""


def backward_error_at_output(loss: PerturbedLoss) -> Array:
    """By how much rounding can move ∂f/∂z at the output, however it is computed; (N, m).

    A gradient is computed from the rounded y. That moves the loss's derivative L'(y) by L''(y)·ulp(y),
    which is large where 1/(1 − y) is, and its own evaluation errs by a few u of its size. All of these
    are measured in a wider precision, from values; no derivative is taken on trust.
    """
    problem, y, z = loss.exact, loss.forward.outputs, loss.forward.pre_activations[-1]
    u, kind = loss.problem.unit_roundoff, wider(y.dtype)
    outputs, targets = y.astype(kind), problem.targets.astype(kind)
    ulp = loss.problem.arithmetic.spacing(y).astype(kind)
    beside = _beside_kinks(problem, y, outputs, ulp)
    derivative, change = np.max([_of_loss(problem, each, ulp, u) for each in beside], axis=0)
    size = derivative if problem.loss.uses_clip else derivative + np.abs(targets)
    error = change + ROUNDINGS * u * size
    if problem.output.elementwise:
        # The derivative is computed at a rounded z, too, and where it passes through zero its parts cancel.
        bend = bend_size(problem.output.value, z, u)
        return np.asarray(
            derivative_size(problem.output.value, z, kind) * error + ROUNDINGS * u * derivative * bend
        )
    # Softmax couples the outputs: |J| ≤ y_k (1 at k + y), and y (g − Σ g y) cancels.
    error = error + ROUNDINGS * u * derivative
    return np.asarray(outputs * (error + (outputs * error).sum(axis=1, keepdims=True)))


def _beside_kinks(problem: Problem, y: Array, outputs: Array, ulp: Array) -> list[Array]:
    """The outputs; where they lie on a kink of the loss, those a little to either side of it.

    An output on a kink has a derivative on each side, which the interval of its parameters states already. It
    is one that is not on the kink, and nearer to it than y's rounding, whose derivative rounding can change.
    """
    on_kink = np.zeros(y.shape, bool)
    for part in problem.loss.kinks(y, problem.targets):
        on_kink |= part == 0
    if not on_kink.any():
        return [outputs]
    return [outputs + np.where(on_kink, way * 2 * ulp, 0) for way in (-1, 1)]


def _of_loss(problem: Problem, outputs: Array, ulp: Array, u: float) -> tuple[Array, Array]:
    """|∂L/∂y|, and by how much it changes when y is rounded the other way; 0 where neither side is finite.

    By complex steps, which find the change whatever the distance in which the loss bends: beside a pole that
    a clip has moved by eps it is that of eps. Of a loss that takes no complex numbers by differences. Central
    where the loss is finite on both sides, else to the side on which it is: at the edge of its domain the
    derivative may be the largest of all.
    """
    loss = problem.loss
    targets, narrow = problem.targets.astype(outputs.dtype), problem.inputs.dtype

    def terms(y: Array) -> Array:
        found = loss.terms(y, targets, problem.clip, problem.eps)
        return found if loss.elementwise else found.sum(axis=-1, keepdims=True)

    takes_complex = loss_takes_complex(problem, outputs.dtype.type)
    step = None if takes_complex else _difference_step(problem, outputs, ulp, u)
    derivative, change = np.zeros_like(outputs), np.zeros_like(outputs)
    # Outputs that have each a term of their own are moved all at once.
    for k in [np.s_[:]] if loss.elementwise else [np.s_[j : j + 1] for j in range(outputs.shape[1])]:
        moved = np.zeros_like(outputs)
        moved[:, k] = 1
        if step is None:
            derivative[:, k], change[:, k] = _by_complex_steps(terms, outputs, ulp, moved, narrow)
        else:
            rise, bend = _by_differences([terms(outputs + way * step * moved) for way in (-2, -1, 0, 1, 2)])
            derivative[:, k] = rise / step[:, k]
            change[:, k] = bend / step[:, k] ** 2 * ulp[:, k]
    return np.where(np.isfinite(derivative), derivative, 0), np.where(np.isfinite(change), change, 0)


def _by_complex_steps(
    terms: Callable[[Array], Array], outputs: Array, ulp: Array, moved: Array, narrow: DType
) -> tuple[Array, Array]:
    """|derivative| of terms along a move, at y or beside it, and its largest change to one rounding of y.

    `narrow` is the precision of which y and what lies one rounding beside it are numbers.
    """
    beside = outputs + np.array([0, -1, 1])[:, None, None] * ulp * moved
    found = _complex_step(terms, beside, moved, narrow)
    derivative = found[0]
    for side in found[1:]:
        derivative = np.where(np.isfinite(derivative), derivative, side)
    changes = np.abs(found - derivative)
    return np.abs(derivative), np.where(np.isfinite(changes), changes, 0).max(axis=0)


def _complex_step(terms: Callable[[Array], Array], y: Array, moved: Array, narrow: DType) -> Array:
    """The derivative of terms along a move, (..., N, m); NaN where there are none at y."""
    kind = y.dtype.type
    step = kind(COMPLEX_STEPS[kind])
    found = terms(y + moved * (step * COMPLEX_TYPES[kind](1j))).imag / step
    # A logarithm's imaginary part jumps at its pole, which y is on in any precision that holds it.
    return np.where(np.isfinite(terms(y.astype(narrow))), found, np.nan)


def _difference_step(problem: Problem, outputs: Array, ulp: Array, u: float) -> Array:
    """The step of differences, which stays on this side of the logarithms' poles."""
    # Probabilities matter by their ratios, all other outputs by their differences.
    size = np.abs(outputs) if problem.loss.uses_clip else np.maximum(np.abs(outputs), 1)
    step = np.maximum(ulp, np.sqrt(u) * size)
    if problem.loss.uses_clip:
        for end in (problem.loss.domain.low, problem.loss.domain.high):
            distance = np.abs(outputs - end) / 4
            step = np.where(distance > 0, np.minimum(step, np.maximum(distance, ulp)), step)
    return np.asarray(step)


def _by_differences(terms: list[Array]) -> tuple[Array, Array]:
    """|rise| and |bend| over a step, of values at two steps down to two steps up."""
    found = np.zeros((2, *terms[0].shape), terms[0].dtype)
    for low, middle, high in (terms[:3], terms[2:], terms[1:4]):  # the last that is finite counts
        rise, bend = np.abs(high - low) / 2, np.abs((high - middle) + (low - middle))
        known = np.isfinite(rise) & np.isfinite(bend)
        found = np.where(known, np.stack([rise, bend]), found)
    return found[0], found[1]


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


def bend_size(value: Callable[[Array], Array], z: Array, u: float) -> Array:
    """|z·f''(z)| by central differences of f in a wider precision."""
    wide_z = z.astype(wider(z.dtype))
    step = np.sqrt(u) * np.maximum(np.abs(wide_z), 1)
    above, middle, below = value(wide_z + step), value(wide_z), value(wide_z - step)
    bend = np.abs((above - middle) - (middle - below)) / step**2
    return np.asarray(np.abs(wide_z) * bend)


def wider(dtype: DType) -> FloatType:
    return np.float64 if dtype in (np.float16, np.float32) else np.longdouble
