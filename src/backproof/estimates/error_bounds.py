"""What truncation and round-off can explain, from a handful of probes per pre-activation.

A parameter's difference is a sum over samples of differences over one pre-activation z_l[i, j]
(see `perturbed`), and how the loss reacts to z_l[i, j] does not depend on *which* incoming
weight moved it. So derivative, third derivative, noise and the distance to the nearest kink are
measured once for each (sample, unit), by four evaluations, and matrix products with the layer's
inputs carry them over to every parameter. With a = the layer's inputs, the derivative itself becomes the
derivative, Σ_i a_ip · ∂f/∂z_ij, and for weights that are moved by a step h,

    truncation[j, p] = h/6 · Σ_i |a_ip|² · reach_ij · |∂³f/∂z_ij³|
    round-off[j, p]  = 1/h  · Σ_i [a_ip ≠ 0] · noise_ij

Each bound is the sum of these and of the rounding of the analytic gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.moves import BLOCK, cut
from backproof.estimates.perturbed import PerturbedLoss, difference
from backproof.estimates.stencils import COMPLEX_STEP, Scheme
from backproof.estimates.steps import best_step, power_of_two_below, smallest_step, wide
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.layout import Index

ROUNDINGS = 3.0
"""Units of round-off that one elementary function is allowed: a library's log or exp errs by about one."""

TRUNCATION_SAFETY = 12.0
"""How far truncation may exceed what the third derivative measured around the point suggests.

The worst for one term is a jump J of the second derivative (ELU's at zero): a central difference
with step δ errs by up to δ·J/4, whatever the distance r that z may move. The probe, with η = 2r,
reads a third derivative of J/(2η) = J/(4r) from it, and δ·r/6 times that is δ·J/24; with δ² instead
of δ·r it would be too little for a sample that moves by less than r. Another factor of two,
since jumps of several outputs may cancel in the probe.
"""

DERIVATIVE_SAFETY = 4.0
"""How far a five-point derivative's truncation may exceed η²/4 times the third derivative that was measured.

For a smooth loss it is far less, O(η⁴). A jump J of the second derivative at the point makes the derivative
err by J·η/6, and the third derivative read J/2η: a third of η² times that, at most, wherever within reach
the jump lies. Three times as much is allowed, since several jumps may cancel in the probe.
"""

SECOND_SAFETY = 2.0
"""How far f'' may exceed, within a step, what was measured at the point; for one-sided differences."""

SHRINK = 8.0
"""By how much a probe is shortened while there is a kink in its reach."""


@dataclass(frozen=True)
class ErrorBounds:
    """What was measured for each (sample i, unit j) of a layer; arrays (N, units).

    Attributes:
        derivative: ∂f/∂z_ij by a five-point difference: the numerical counterpart of delta.
        derivative_noise, derivative_truncation: by how much rounding and curvature may make that err.
        second: |∂²f/∂z_ij²|.
        third: |∂³f/∂z_ij³|.
        noise: the largest rounding error of f's terms under a move of z_ij.
        reach: how far z_ij may move with no kink within four times that distance.
        blocked: a kink so near that no usable step avoids it.
        unsure: how far secants around a blocked z_ij differ in derivative, so how far a difference that
            comes near its kink may be off; 0 elsewhere, infinite at the edge of the loss's domain.
        through: Σ_k |∂f/∂z_next,k|·|W_next[k, j]|, the weight with which an error of the unit's
            value arrives at the loss; the output's own derivative in the last layer.
        backward: what rounding of y and of the loss's derivative can make of an analytic ∂f/∂z_ij.
    """

    derivative: Array
    derivative_noise: Array
    derivative_truncation: Array
    second: Array
    third: Array
    noise: Array
    reach: Array
    blocked: NDArray[np.bool_]
    unsure: Array
    through: Array
    backward: Array

    @property
    def derivative_error(self) -> Array:
        """By how much the derivative may be off."""
        return self.derivative_noise + self.derivative_truncation + self.unsure


def error_bounds(loss: PerturbedLoss, step: float | None) -> list[ErrorBounds]:
    """Probe every pre-activation of every layer, the last layer first.

    `step` is a parameter step chosen by the user; None lets every probe choose its own reach.
    """
    layers: list[ErrorBounds] = []
    for layer in range(loss.last, -1, -1):
        layers.insert(0, _bounds_of_layer(loss, layer, step, layers))
    return layers


def _bounds_of_layer(
    loss: PerturbedLoss, layer: int, step: float | None, above: list[ErrorBounds]
) -> ErrorBounds:
    z = loss.forward.pre_activations[layer]
    kind = wide(z.dtype)
    size = np.abs(loss.forward.inputs[layer]).max(axis=1, initial=0).astype(kind)
    start = np.full(len(z), best_step(z.dtype), kind) if step is None else size * step
    reach = np.repeat(start[:, None], z.shape[1], axis=1)
    derivative, second, third, swing, unsure = (np.zeros(z.shape, kind) for _ in range(5))
    pending = reach > 0
    blocked = np.zeros(z.shape, bool)
    smallest = smallest_step(z.dtype)
    while pending.any():
        samples, units = np.nonzero(pending)
        *measured, kinked = _probe(loss, layer, samples, units, 2 * reach[samples, units])
        for array, values in zip((derivative, second, third, swing, unsure), measured, strict=True):
            array[samples, units] = values
        shorter = reach[samples, units] / SHRINK
        stuck = kinked & (shorter < smallest)
        blocked[samples[stuck], units[stuck]] = True
        again = kinked & ~stuck
        pending[:] = False
        pending[samples[again], units[again]] = True
        reach[samples[again], units[again]] = shorter[again]
    probed = reach.copy()
    # No step helps a blocked pre-activation, so it must not shorten its neighbours' steps; what its
    # third derivative is on either side is taken from the rest of the layer.
    reach[blocked] = np.repeat(start[:, None], z.shape[1], axis=1)[blocked]
    if blocked.any():
        second[blocked] = second[~blocked].max(initial=0.0)
        third[blocked] = third[~blocked].max(initial=0.0)
    unsure[~blocked] = 0
    noise, through = _noise(loss, layer, derivative, above)
    noise += ROUNDINGS * unit_roundoff(z.dtype) * swing
    if layer == loss.last:
        backward = backward_error_at_output(loss).astype(kind)
    else:
        arriving = above[0].backward @ np.abs(loss.weights[layer + 1][:, :-1]).astype(kind)
        backward = _derivative_size(loss.problem.activation.value, z, kind) * arriving
    # The weights 8, 8, 1 and 1 over 12η amplify noise by 3/2; the probe's η is twice its reach.
    derivative_noise, derivative_truncation = (
        1.5 * noise / (2 * probed),
        DERIVATIVE_SAFETY * probed**2 * third,
    )
    return ErrorBounds(
        derivative,
        derivative_noise,
        derivative_truncation,
        second,
        third,
        noise,
        reach,
        blocked,
        unsure,
        through,
        backward,
    )


def _probe(
    loss: PerturbedLoss, layer: int, samples: Index, units: Index, eta: Array
) -> tuple[Array, Array, Array, Array, Array, NDArray[np.bool_]]:
    """What four moves, by ±η and ±2η, tell of a pre-activation.

    Derivative; second and third derivative; by how much the terms grow over ±η, rounding with them; how far
    derivatives of secants spread, where there is a kink; whether there is one.

    (8(f₁ − f₋₁) − (f₂ − f₋₂)) / 12η and (f₂ − 2f₁ + 2f₋₁ − f₋₂) / 2η³, errors O(η⁴) and O(η²).
    """
    derivative, second, third, swing, spread = (np.zeros_like(eta) for _ in range(5))
    kinked = np.empty(len(eta), bool)
    for block in cut(len(eta), BLOCK // (5 * loss.width(layer))):
        i, j = samples[block], units[block]
        # Powers of two times a coarse η: exact in z's precision; the realised move is what is divided by.
        step = eta[block].astype(loss.forward.outputs.dtype)
        e = step.astype(eta.dtype)
        # The point itself last, so that the four moves are compared among each other.
        moved = loss.moved(layer, i, j, step[:, None] * np.array([-2, -1, 1, 2, 0], step.dtype))
        rows, e = block.start + moved.rows, e[moved.rows]
        far_down, near_down, near_up, far_up, rest = (moved.terms[:, k] for k in range(5))
        sizes = [np.abs(terms).sum(axis=1) for terms in (near_up, near_down)]
        swing[rows] = np.maximum(np.fmax(*sizes) - np.abs(rest).sum(axis=1), 0)
        near, far = difference(near_up, near_down), difference(far_up, far_down)
        derivative[rows] = (8 * near - far) / (12 * e)
        second[rows] = np.abs(difference(near_up, rest) + difference(near_down, rest)) / e**2
        third[rows] = np.abs(far - 2 * near) / (2 * e**3)
        # The edge of the function's domain within reach is as bad as a kink.
        kinked[block] = moved.sides_differ(np.s_[:4]) | ~np.isfinite(third[block])
        doubtful = np.flatnonzero(kinked[rows])
        if len(doubtful):
            ends = [terms[doubtful] for terms in (far_down, near_down, rest, near_up, far_up)]
            secants = np.stack([difference(b, a) for a, b in pairwise(ends)]) / e[doubtful]
            secants[~np.isfinite(secants)] = np.nan
            lost = np.isnan(secants).any(axis=0)
            spread[rows[doubtful]] = np.where(lost, np.inf, np.ptp(secants, axis=0))
            known = np.where(np.isnan(secants), 0, np.abs(secants)).max(axis=0)
            read = derivative[rows[doubtful]]
            derivative[rows[doubtful]] = np.where(np.isfinite(read), read, known)
    return derivative, second, third, np.nan_to_num(swing, nan=0, posinf=0), spread, kinked


def _noise(
    loss: PerturbedLoss, layer: int, derivative: Array, above: list[ErrorBounds]
) -> tuple[Array, Array]:
    """Rounding errors downstream of a move in `layer`, carried to the loss by the derivatives measured there.

    What the kernel takes unchanged from the forward pass is the same at both ends and cancels;
    what is evaluated again errs by u times its size.
    """
    forward, u = loss.forward, unit_roundoff(loss.forward.outputs.dtype)
    kind = derivative.dtype
    z = np.abs(forward.pre_activations[layer]).astype(kind)
    own = u * z * np.abs(derivative)
    at_output = _output_noise(loss, u, kind)
    if layer == loss.last:
        row = at_output if loss.lone_output else at_output.sum(axis=1, keepdims=True)
        return own + row, np.abs(derivative)
    total = at_output.sum(axis=1, keepdims=True)
    first = np.abs(above[0].derivative) * np.abs(forward.pre_activations[layer + 1])
    total = total + u * first.sum(axis=1, keepdims=True)
    for depth, w in enumerate(loss.weights[layer + 2 :]):
        values = np.abs(loss.hidden[layer + 1 + depth].T).astype(kind)
        rounded = ROUNDINGS * u * (values * above[depth].through).sum(axis=1, keepdims=True)
        sums = np.abs(forward.inputs[layer + 2 + depth]) @ np.abs(transposed(w))
        added = u * (np.abs(above[depth + 1].derivative) * sums).sum(axis=1, keepdims=True)
        total = total + rounded + added
    through = np.abs(above[0].derivative) @ np.abs(loss.weights[layer + 1][:, :-1]).astype(kind)
    values = np.abs(loss.hidden[layer].T).astype(kind)
    return own + total + ROUNDINGS * u * values * through, through


def transposed(w: Array) -> Array:
    """A contiguous transpose."""
    return np.ascontiguousarray(w.T)


def _output_noise(loss: PerturbedLoss, u: float, kind: np.dtype[Any]) -> Array:
    """Noise of each loss term: its own rounding, and what one ulp of y does to it (log(1 − y) near 1)."""
    problem, y, terms = loss.problem, loss.forward.outputs, loss.forward.terms
    jitter = np.zeros(terms.shape, kind)
    for direction in (-np.inf, np.inf):
        beside = problem.loss.terms(
            np.nextafter(y, y.dtype.type(direction)), problem.targets, problem.clip, problem.eps
        )
        moved = np.abs(beside.astype(kind) - terms.astype(kind))
        jitter = np.maximum(jitter, np.where(np.isfinite(moved), moved, 0))
    sizes = np.abs(terms).astype(kind) + problem.loss.intermediate(y, problem.targets)
    return np.asarray(ROUNDINGS * (u * sizes + jitter))


def backward_error_at_output(loss: PerturbedLoss) -> Array:
    """By how much rounding can move ∂f/∂z at the output, however it is worked out; (N, m).

    A gradient is computed from the rounded y. That moves the loss's derivative L'(y) by L''(y)·ulp(y),
    which is large where 1/(1 − y) is, and its own evaluation errs by a few u of its size. L', L'' and
    the output's derivative are differences of values in a wider precision; no derivative is taken on trust.
    """
    problem, y, z = loss.problem, loss.forward.outputs, loss.forward.pre_activations[-1]
    u, kind = unit_roundoff(y.dtype), _wider(y.dtype)
    outputs, targets = y.astype(kind), problem.targets.astype(kind)
    ulp = np.abs(np.spacing(y)).astype(kind)
    step = np.maximum(ulp, np.sqrt(u) * np.abs(outputs))
    if problem.loss.uses_clip:  # stay on this side of the logarithms' poles
        for end in (problem.loss.domain.low, problem.loss.domain.high):
            distance = np.abs(outputs - end) / 4
            step = np.where(distance > 0, np.minimum(step, np.maximum(distance, ulp)), step)
    derivative, curvature = np.zeros_like(outputs), np.zeros_like(outputs)
    # Outputs that have each a term of their own are moved all at once.
    for k in [np.s_[:]] if problem.loss.elementwise else range(y.shape[1]):
        moved = np.zeros_like(outputs)
        moved[:, k] = step[:, k]
        up, rest, down = (
            problem.loss.terms(outputs + way * moved, targets, problem.clip, problem.eps)
            for way in (1, 0, -1)
        )
        rise, bend = up - down, (up - rest) + (down - rest)
        if not problem.loss.elementwise:
            rise, bend = rise.sum(axis=1), bend.sum(axis=1)
        derivative[:, k] = np.abs(rise) / (2 * step[:, k])
        curvature[:, k] = np.abs(bend) / step[:, k] ** 2
    derivative, curvature = (np.where(np.isfinite(x), x, 0) for x in (derivative, curvature))
    size = derivative if problem.loss.uses_clip else derivative + np.abs(targets)
    error = curvature * ulp + ROUNDINGS * u * size
    if problem.output.elementwise:
        # The derivative is worked out at a rounded z, too, and where it passes through zero its parts cancel.
        bend = _bend_size(problem.output.value, z)
        return np.asarray(
            _derivative_size(problem.output.value, z, kind) * error + ROUNDINGS * u * derivative * bend
        )
    # Softmax couples the outputs: |J| ≤ y_k (1 at k + y), and y (g − Σ g y) cancels.
    error = error + ROUNDINGS * u * derivative
    return np.asarray(outputs * (error + (outputs * error).sum(axis=1, keepdims=True)))


def _derivative_size(value: Callable[[Array], Array], z: Array, kind: type[np.floating[Any]]) -> Array:
    """|f'(z)| by central differences of f in a precision; off by about the ⅔rd power of its round-off."""
    wide_z = z.astype(kind)
    step = best_step(np.dtype(kind)) * np.maximum(np.abs(wide_z), 1)
    return np.asarray(np.abs(value(wide_z + step) - value(wide_z - step)) / (2 * step))


def _bend_size(value: Callable[[Array], Array], z: Array) -> Array:
    """|z·f''(z)| by central differences of f in a wider precision."""
    wide_z = z.astype(_wider(z.dtype))
    step = np.sqrt(unit_roundoff(z.dtype)) * np.maximum(np.abs(wide_z), 1)
    bend = np.abs((value(wide_z + step) - value(wide_z)) - (value(wide_z) - value(wide_z - step))) / step**2
    return np.asarray(np.abs(wide_z) * bend)


def _wider(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    return np.float64 if dtype in (np.float16, np.float32) else np.longdouble


def steps_of(bounds: ErrorBounds, inputs: Array, step: float | None, factor: float = 1.0) -> Array:
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
    finite = float(np.finfo(inputs.dtype).max) / 4  # an input of 1e-6 would ask for more than float16 has
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


def _analytic_rounding(bounds: ErrorBounds, inputs: Array, depth: int) -> Array:
    """What rounding can make of an analytic gradient, unscaled.

    Two matrix products a layer, each a sum of n terms off by √n·u, or twice that.
    """
    a = np.abs(inputs).astype(bounds.reach.dtype)
    roundings = ROUNDINGS * (depth + 1) + 2 * np.sqrt(len(a))
    u = unit_roundoff(inputs.dtype)
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
    bounds: ErrorBounds, inputs: Array, steps: Array, depth: int, scale: float, scheme: Scheme
) -> Parts:
    """What arithmetic can explain of |analytic − numerical|; 0 where a parameter changes nothing.

    `depth` is the number of layers; `scale` turns the sum of all terms into the loss.
    """
    a = np.abs(inputs).astype(bounds.reach.dtype)
    h = np.where(steps > 0, steps, 1)
    analytic = _analytic_rounding(bounds, inputs, depth)
    # Products below the smallest number of the precision are rounded to a multiple of it.
    lost = float(np.finfo(inputs.dtype).smallest_subnormal) * (1 + len(a) + a.sum(axis=0))
    if (
        scheme is Scheme.COMPLEX
    ):  # it runs through the same products as an analytic gradient, and rounds like one
        lost = lost / COMPLEX_STEP  # of imaginary parts that underflow
        truncation, noise = np.zeros_like(h), analytic
    elif scheme is Scheme.FIVE_POINT:
        truncation, noise = bounds.derivative_truncation.T @ a, bounds.derivative_noise.T @ a + analytic
    else:
        # |h·a| is at most the reach, but for a step of the user's.
        bend = np.maximum((bounds.third * bounds.reach).T @ a**2, h * (bounds.third.T @ a**3))
        truncation = TRUNCATION_SAFETY * h / 6 * bend
        if scheme.order == 1:
            truncation = truncation + SECOND_SAFETY * h / 2 * (bounds.second.T @ a**2)
        noise = scheme.noise * (bounds.noise.T @ (a > 0)) / h
    parts = truncation * scale, noise * scale, analytic * scale + lost
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
