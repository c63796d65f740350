"""Mistakes in the delta of the last layer."""

from __future__ import annotations

import numpy as np

from backproof.network.arrays import Array, Precision
from backproof.network.clips import ClipBackward
from backproof.network.faults.conditions import clipped_by, several_samples
from backproof.network.faults.fault import Here, at_output_delta, convention


def _loss_derivative(here: Here) -> Array:
    problem, forward = here.problem, here.forward
    return problem.loss.derivative(forward.outputs, problem.targets, problem.clip, problem.eps)


@at_output_delta(cause="output delta: sign")
def sign(delta: Array, _here: Here) -> Array:
    """t - y in place of y - t"""
    return -delta


@at_output_delta(
    cause="output delta: derivative missing",
    matters=lambda s: not s.y_minus_t and s.output.name != "identity",
)
def missing_output_derivative(_delta: Array, here: Here) -> Array:
    """delta at the output without f'(z)"""
    return _loss_derivative(here)


@at_output_delta(cause="output delta: scale")
def doubled(delta: Array, _here: Here) -> Array:
    """½ missing from the loss: its derivative twice"""
    return 2 * delta


@at_output_delta(cause="output delta: scale", matters=several_samples)
def divided_by_samples(delta: Array, _here: Here) -> Array:
    """1/N too many"""
    return np.asarray(delta / delta.dtype.type(max(delta.shape[-2], 1)))


@at_output_delta(
    cause="output delta: scale", matters=lambda s: s.reduction.scale(s.samples, s.widths[-1]) < 1
)
def not_divided(delta: Array, here: Here) -> Array:
    """the mean's 1/N missing"""
    return np.asarray(delta / delta.dtype.type(here.problem.scale))


@at_output_delta(
    cause="output delta: softmax unit by unit",
    matters=lambda s: not s.y_minus_t and not s.output.elementwise,
)
def softmax_elementwise(delta: Array, here: Here) -> Array:
    """y(1 - y) in place of softmax's Jacobian"""
    y = here.forward.outputs
    return delta if here.problem.output.elementwise else np.asarray(_loss_derivative(here) * y * (1 - y))


@convention(cause="output delta: clip ignored", matters=clipped_by("floor", "clamp", "log_floor"))
def clip_ignored() -> dict[str, str]:
    """the clip's derivative taken as 1"""
    return {"clip_backward": ClipBackward.IGNORED}


@convention(cause="output delta: clip ignored", matters=clipped_by("shift"))
def shift_ignored() -> dict[str, str]:
    """log(p + eps) differentiated as log(p)"""
    return {"clip_backward": ClipBackward.IGNORED}


@at_output_delta(
    cause="lower precision", matters=lambda s: s.precision.unit_roundoff < Precision.FLOAT32.unit_roundoff
)
def in_float32(delta: Array, _here: Here) -> Array:
    """delta at the output rounded to float32"""
    return delta.astype(np.float32).astype(delta.dtype)


@at_output_delta(cause="output delta: samples left out")
def last_sample_left_out(delta: Array, _here: Here) -> Array:
    """a loop that ends one sample early"""
    incomplete = delta.copy()
    incomplete[..., -1:, :] = 0
    return incomplete
