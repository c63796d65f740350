"""The delta at the output: whether it departs from the chain rule, and what it is instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.activations import ACTIVATIONS, Activation
from backproof.network.arrays import Array
from backproof.network.clips import Clip
from backproof.network.clips.none import none as no_clip
from backproof.network.losses import LOSSES, Loss
from backproof.network.outputs import Softmax
from backproof.verdicts.backward_pass import BackwardPass
from backproof.verdicts.fit import Candidate, Error, Known, first_fit
from backproof.verdicts.local_derivatives import derivative_by_columns
from backproof.verdicts.output_operands import OutputOperands
from backproof.verdicts.shape import shape_of
from backproof.verdicts.structures import (
    NOT_IDENTIFIED,
    Found,
    common_structures,
    constants,
    full_name,
    in_lower_precision,
)

UNMATCHED = "y - t for another pair"


def output_delta(at: BackwardPass) -> Found | None:
    """How the delta at the output departs; None if it does not.

    The right one is a difference of the loss, so it errs by what the estimate's bounds say.
    """
    delta, bounds, scale = at.deltas[at.last], at.output_bounds, at.problem.scale
    right = (bounds.derivative * scale).astype(delta.dtype)
    measured = (bounds.derivative_error + bounds.backward) * scale
    tolerance = measured + 64 * at.u * np.abs(right) + np.finfo(delta.dtype).tiny
    tolerance = at.amplified * (tolerance + at.inferred * np.abs(right).max(initial=0))
    error = Error(delta, right, tolerance, np.isfinite(tolerance))
    departs = error.departs
    if not departs.any():
        return None
    residual = np.where(departs, delta - right, 0)
    if not (departs & ~_clip_active(at)).any():
        detail = "only where the clip flattens the loss"
        return Found("output delta: clip ignored", detail, residual, at_clip=True)
    output = at.problem.output
    if (
        isinstance(output, Activation)
        and not (departs & ~output.at_kink(at.forward.pre_activations[-1])).any()
    ):
        return Found("output delta: at a kink", "only where the output lies on one", residual)
    known = in_lower_precision(error, scale) or first_fit(error, _candidates(at, error))
    known = known or Known(NOT_IDENTIFIED, shape_of(delta - right, tolerance, ("sample", "unit")))
    return Found(full_name("output delta", known.name), known.detail, residual, share=known.share)


def _clip_active(at: BackwardPass) -> Mask:
    """Outputs at which the clip flattens the loss."""
    if not at.problem.loss.uses_clip:
        return np.zeros(at.forward.outputs.shape, bool)
    return np.asarray(at.problem.clip.active(at.forward.outputs, at.problem.eps))


def _candidates(at: BackwardPass, error: Error) -> Iterator[Candidate]:
    problem, y = at.problem, at.forward.outputs
    yield from constants(error, error.right, *y.shape)
    if problem.loss.uses_clip and problem.clip is not no_clip():
        instead = f"as if {no_clip().formula} in place of {problem.clip.formula}"
        unclipped = _derivative_of_loss(at, problem.loss, no_clip())
        yield Candidate("clip ignored", instead, _through_output(at, unclipped))
    yield Candidate(
        "derivative missing", "∂L/∂y without f'(z)", _derivative_of_loss(at, problem.loss, problem.clip)
    )
    difference, pair = (
        (y - problem.targets) * problem.scale,
        f"{problem.output.name} with {problem.loss.name}",
    )
    yield Candidate(UNMATCHED, pair, difference)
    for multiple in constants(error, difference, *y.shape):
        yield replace(multiple, name=UNMATCHED, detail=f"{pair}, {multiple.detail}")
    yield from _of_activation(at)
    for loss in LOSSES.records():
        values = _through_output(at, _derivative_of_loss(at, loss, problem.clip))
        yield Candidate("of another loss", loss.name, values)
    yield from common_structures(error)
    yield from OutputOperands(at).candidates(error)


def _of_activation(at: BackwardPass) -> Iterator[Candidate]:
    """What may have been made of the output's own derivative."""
    problem, y, z = at.problem, at.forward.outputs, at.forward.pre_activations[-1]
    derivative_of_loss = _derivative_of_loss(at, problem.loss, problem.clip)
    if isinstance(problem.output, Softmax):
        yield Candidate("softmax unit by unit", "∂L/∂y · y (1 − y)", derivative_of_loss * y * (1 - y))
        return
    derivative = at.derivative_of(problem.output, "z", at.last, z)
    yield Candidate("derivative squared", "f'(z)² ∂L/∂y", derivative_of_loss * derivative**2)
    at_value = at.derivative_of(problem.output, "f(z)", at.last, y)
    yield Candidate("derivative of the value", "f'(y) ∂L/∂y", derivative_of_loss * at_value)
    for other in ACTIVATIONS.records():
        values = derivative_of_loss * at.derivative_of(other, "z", at.last, z)
        yield Candidate("another activation's derivative", other.name, values)


def _derivative_of_loss(at: BackwardPass, loss: Loss, clip: Clip) -> Array:
    """∂(terms)/∂y of any loss and clip at the y that was rounded, scaled; computed once per view."""
    problem, eps = at.problem, np.asarray(at.problem.eps)
    edges = [float(e) for e in clip.edges(eps)] if loss.uses_clip else []

    def computed() -> Array:
        return problem.scale * derivative_by_columns(
            lambda y: loss.terms(y, problem.targets.astype(y.dtype), clip, eps.astype(y.dtype)),
            at.forward.outputs,
            [*edges, *(1 - e for e in edges)],
            apart=loss.elementwise,
        )

    return at.view.once((loss, clip), computed)


def _through_output(at: BackwardPass, derivative_of_loss: Array) -> Array:
    """From ∂L/∂y to ∂L/∂z, with the output's Jacobian by differences."""
    output, z = at.problem.output, at.forward.pre_activations[-1]
    if isinstance(output, Activation):
        return derivative_of_loss * at.derivative_of(output, "z", at.last, z)
    wide = derivative_of_loss.astype(np.longdouble)
    return derivative_by_columns(lambda x: output.value(x) * wide, z)
