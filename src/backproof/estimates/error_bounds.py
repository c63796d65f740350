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

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.moves import BLOCK, cut
from backproof.estimates.output_rounding import ROUNDINGS, backward_error_at_output, derivative_size
from backproof.estimates.perturbed import PerturbedLoss, difference, sum_of
from backproof.estimates.steps import best_step_of, smallest_step_of, wide
from backproof.network.arrays import Array, DType
from backproof.targets.layout import Index

DERIVATIVE_SAFETY = 4.0
"""How far a five-point derivative's truncation may exceed η²/4 times the third derivative that was measured.

For a smooth loss it is far less, O(η⁴). A jump J of the second derivative at the point makes the derivative
err by J·η/6, and the third derivative read J/2η: a third of η² times that, at most, wherever within reach
the jump lies. Three times as much is allowed, since several jumps may cancel in the probe.
"""


SHRINK = 8.0
"""By how much a probe is shortened while there is a kink in its reach."""

TOGETHER = 1 << 14
"""Pre-activations of a layer that are probed together at most: beyond, more at once are no faster."""


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

    def of(self, rows: slice) -> ErrorBounds:
        """Those of some of the samples, (samples, units) each, in memory of their own."""
        return ErrorBounds(*(getattr(self, f.name)[rows].copy() for f in fields(self)))

    @property
    def derivative_error(self) -> Array:
        """By how much the derivative may be off."""
        return self.derivative_noise + self.derivative_truncation + self.unsure


def error_bounds(losses: Sequence[PerturbedLoss], step: float | None) -> list[list[ErrorBounds]]:
    """Probe every pre-activation of every layer of every loss; the bounds of its layers.

    Those of small networks that differ in their numbers alone are probed together, with the same bits.
    `step` is a parameter step chosen by the user; None lets every probe choose its own reach.
    """
    found: list[list[ErrorBounds]] = [[] for _ in losses]
    for some in _groups(losses):
        layers = _bounds_of(PerturbedLoss.together([losses[k] for k in some]), step)
        samples = losses[some[0]].samples
        for position, k in enumerate(some):
            rows = slice(position * samples, (position + 1) * samples)
            found[k] = [layer.of(rows) for layer in layers]
    return found


def _groups(losses: Sequence[PerturbedLoss]) -> Iterator[list[int]]:
    """Positions of losses that are probed together."""
    groups: dict[Hashable, list[int]] = {}
    for k, loss in enumerate(losses):
        key: Hashable = loss.shared_key if len(losses) > 1 and len(loss.weights) <= 2 else k
        try:
            groups.setdefault(key, []).append(k)
        except TypeError:  # the user's functions need not be hashable
            groups[k] = [k]
    for group in groups.values():
        moved = max(z.size for z in losses[group[0]].forward.pre_activations)
        for part in cut(len(group), TOGETHER // max(moved, 1)):
            yield group[part]


def _bounds_of(loss: PerturbedLoss, step: float | None) -> list[ErrorBounds]:
    """Those of each layer, found from the last layer on."""
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
    start = np.full(len(z), best_step_of(loss.problem.unit_roundoff), kind) if step is None else size * step
    found = _probe_layer(loss, layer, np.repeat(start[:, None], z.shape[1], axis=1))
    noise, through = _noise(loss, layer, found.derivative, above)
    noise += ROUNDINGS * loss.problem.unit_roundoff * found.swing
    if layer == loss.last:
        backward = backward_error_at_output(loss).astype(kind)
    else:
        arriving = loss.carried_back(layer + 1, above[0].backward)
        backward = derivative_size(loss.exact.activation.value, z, kind) * arriving
    return ErrorBounds(
        derivative=found.derivative,
        # The weights 8, 8, 1 and 1 over 12η amplify noise by 3/2; the probe's η is twice its reach.
        derivative_noise=1.5 * noise / (2 * found.probed),
        derivative_truncation=DERIVATIVE_SAFETY * found.probed**2 * found.third,
        second=found.second,
        third=found.third,
        noise=noise,
        reach=found.reach,
        blocked=found.blocked,
        unsure=found.unsure,
        through=through,
        backward=backward,
    )


@dataclass(frozen=True)
class _Probed:
    """What probes find of a layer; arrays (N, units), see `ErrorBounds`.

    Attributes:
        swing: by how much the terms grow over a probe, and rounding with them.
        probed: half the probe's η.
    """

    derivative: Array
    second: Array
    third: Array
    swing: Array
    unsure: Array
    probed: Array
    reach: Array
    blocked: NDArray[np.bool_]


def _probe_layer(loss: PerturbedLoss, layer: int, start: Array) -> _Probed:
    """Probe every pre-activation, with shorter and shorter moves while there is a kink in reach."""
    units, smallest = start.shape[1], smallest_step_of(loss.problem.unit_roundoff)
    derivative, second, third, swing, unsure = (np.zeros(start.size, start.dtype) for _ in range(5))
    reach, blocked = start.flatten(), np.zeros(start.size, bool)
    pending = np.flatnonzero(reach > 0)
    while len(pending):
        *measured, kinked = _probe(loss, layer, *np.divmod(pending, units), 2 * reach[pending])
        for array, values in zip((derivative, second, third, swing, unsure), measured, strict=True):
            array[pending] = values
        pending = pending[kinked]
        shorter = reach[pending] / SHRINK
        stuck = shorter < smallest
        blocked[pending[stuck]] = True
        pending = pending[~stuck]
        reach[pending] = shorter[~stuck]
    probed = reach.copy()
    # No step helps a blocked pre-activation, so it must not shorten its neighbours' steps; what its
    # third derivative is on either side is taken from the rest of the layer.
    reach[blocked] = start.ravel()[blocked]
    if blocked.any():
        of_each = blocked.reshape(loss.count, loss.samples * units)
        for array in (second, third):
            here = array.reshape(of_each.shape)  # a view
            largest = np.where(of_each, 0, here).max(axis=1, keepdims=True, initial=0)
            np.copyto(here, largest, where=of_each)
    unsure[~blocked] = 0
    found = (derivative, second, third, swing, unsure, probed, reach, blocked)
    return _Probed(*(array.reshape(start.shape) for array in found))


def _probe(
    loss: PerturbedLoss, layer: int, samples: Index, units: Index, eta: Array
) -> tuple[Array, Array, Array, Array, Array, NDArray[np.bool_]]:
    """What four moves, by ±η and ±2η, show of a pre-activation.

    Derivative; second and third derivative; by how much the terms grow over ±η, rounding with them; how far
    derivatives of secants spread, where there is a kink; whether there is one.

    (8(f₁ − f₋₁) − (f₂ − f₋₂)) / 12η and (f₂ − 2f₁ + 2f₋₁ − f₋₂) / 2η³, errors O(η⁴) and O(η²).
    """
    derivative, second, third, swing, spread = (np.zeros_like(eta) for _ in range(5))
    kinked = np.empty(len(eta), bool)
    for block in cut(len(eta), BLOCK // (4 * loss.width(layer))):
        i, j = samples[block], units[block]
        # Powers of two times a coarse η: exact in z's precision; the realised move is what is divided by.
        step = eta[block].astype(loss.forward.outputs.dtype)
        e = step.astype(eta.dtype)
        moved = loss.moved(layer, i, j, step[:, None] * np.array([-2, -1, 1, 2], step.dtype))
        rows, e = block.start + moved.rows, e[moved.rows]
        rest = loss.base_terms(layer, i[moved.rows], j[moved.rows])
        changes = difference(moved.terms, rest[:, None])
        far_down, near_down, near_up, far_up = changes.T
        down, up = sum_of(np.abs(moved.terms[:, 1:3])).T
        swing[rows] = np.maximum(np.fmax(up, down) - sum_of(np.abs(rest)), 0)
        near, far = near_up - near_down, far_up - far_down
        derivative[rows] = (8 * near - far) / (12 * e)
        second[rows] = np.abs(near_up + near_down) / e**2
        third[rows] = np.abs(far - 2 * near) / (2 * e**3)
        # The edge of the function's domain within reach is as bad as a kink.
        kinked[block] = moved.sides_differ() | ~np.isfinite(third[block])
        doubtful = np.flatnonzero(kinked[rows])
        if len(doubtful):
            ends = [*moved.terms[doubtful].swapaxes(0, 1)]
            ends.insert(2, rest[doubtful])
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
    forward, u = loss.forward, loss.problem.unit_roundoff
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
    through = loss.carried_back(layer + 1, np.abs(above[0].derivative))
    values = np.abs(loss.hidden[layer].T).astype(kind)
    return own + total + ROUNDINGS * u * values * through, through


def transposed(w: Array) -> Array:
    """A contiguous transpose."""
    return np.ascontiguousarray(w.T)


def _output_noise(loss: PerturbedLoss, u: float, kind: DType) -> Array:
    """Noise of each loss term: its own rounding, and what one ulp of y does to it (log(1 − y) near 1)."""
    problem, y, terms = loss.problem, loss.forward.outputs, loss.forward.terms
    change = np.zeros(terms.shape, kind)
    for direction in (-np.inf, np.inf):
        beside = problem.loss.terms(
            problem.arithmetic.beside(y, direction), problem.targets, problem.clip, problem.eps
        )
        moved = np.abs(beside.astype(kind) - terms.astype(kind))
        change = np.maximum(change, np.where(np.isfinite(moved), moved, 0))
    sizes = np.abs(terms).astype(kind) + problem.loss.intermediate(y, problem.targets)
    return np.asarray(ROUNDINGS * (u * sizes + change))
