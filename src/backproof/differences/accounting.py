"""What truncation and round-off can explain, from a handful of probes per pre-activation.

A parameter's difference is a sum over samples of differences over one pre-activation z_l[i, j]
(see `perturbed`), and how the loss reacts to z_l[i, j] does not depend on *which* incoming
weight moved it. So slope, third derivative, noise and the distance to the nearest kink are
measured once for each (sample, unit), by four evaluations, and matrix products with the layer's
inputs carry them over to every parameter. With a = the layer's inputs and h = the step,

    truncation[j, p] = h²/6 · Σ_i |a_ip|³ · |∂³f/∂z_ij³|
    round-off[j, p]  = 1/h  · Σ_i [a_ip ≠ 0] · noise_ij

Each budget is the sum of the two and of the analytic gradient's own round-off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.differences.perturbed import Index, PerturbedLoss, difference, sides_differ, wide
from backproof.differences.steps import best_step, power_of_two_below, smallest_step
from backproof.network.arrays import Array, unit_roundoff

ROUNDINGS = 3.0
"""Units of round-off that one elementary function is allowed: a library's log or exp errs by about one."""

TRUNCATION_SAFETY = 2.0
"""How far the third derivative within the step may exceed the one measured around it."""

SHRINK = 8.0
"""By how much a probe is shortened while there is a kink in its reach."""

PROBES_AT_ONCE = 1 << 15
"""Array elements a block of moves may occupy: a few blocks fit into a core's second-level cache."""


@dataclass(frozen=True)
class LayerAccount:
    """What was measured for each (sample i, unit j) of a layer; arrays (N, units).

    Attributes:
        slope: ∂f/∂z_ij by a five-point difference: the numeric counterpart of delta.
        third: |∂³f/∂z_ij³|.
        noise: the largest rounding error of f's terms under a move of z_ij.
        reach: how far z_ij may move with no kink within four times that distance.
        blocked: a kink so near that no usable step avoids it.
        through: Σ_k |∂f/∂z_next,k|·|W_next[k, j]|, the weight with which an error of the unit's
            value arrives at the loss; the output's own slope in the last layer.
    """

    slope: Array
    third: Array
    noise: Array
    reach: Array
    blocked: NDArray[np.bool_]
    through: Array


def account(loss: PerturbedLoss, step: float | None) -> list[LayerAccount]:
    """Probe every pre-activation of every layer, the last layer first.

    `step` is a parameter step chosen by the user; None lets every probe choose its own reach.
    """
    layers: list[LayerAccount] = []
    for layer in range(loss.last, -1, -1):
        layers.insert(0, _account_layer(loss, layer, step, layers))
    return layers


def _account_layer(
    loss: PerturbedLoss, layer: int, step: float | None, above: list[LayerAccount]
) -> LayerAccount:
    z = loss.forward.pre_activations[layer]
    kind = wide(z.dtype)
    size = np.abs(loss.forward.inputs[layer]).max(axis=1, initial=0).astype(kind)
    start = np.full(len(z), best_step(z.dtype), kind) if step is None else size * step
    reach = np.repeat(start[:, None], z.shape[1], axis=1)
    slope, third = np.zeros(z.shape, kind), np.zeros(z.shape, kind)
    pending = reach > 0
    blocked = np.zeros(z.shape, bool)
    smallest = smallest_step(z.dtype)
    while pending.any():
        samples, units = np.nonzero(pending)
        s, t, kinked = _probe(loss, layer, samples, units, 2 * reach[samples, units])
        slope[samples, units], third[samples, units] = s, t
        shorter = reach[samples, units] / SHRINK
        stuck = kinked & (shorter < smallest)
        blocked[samples[stuck], units[stuck]] = True
        again = kinked & ~stuck
        pending[:] = False
        pending[samples[again], units[again]] = True
        reach[samples[again], units[again]] = shorter[again]
    # No step helps a blocked pre-activation, so it must not shorten its neighbours' steps; what its
    # third derivative is on either side is taken from the rest of the layer.
    reach[blocked] = np.repeat(start[:, None], z.shape[1], axis=1)[blocked]
    if blocked.any():
        third[blocked] = third[~blocked].max(initial=0.0)
    noise, through = _noise(loss, layer, slope, above)
    return LayerAccount(slope, third, noise, reach, blocked, through)


def _probe(
    loss: PerturbedLoss, layer: int, samples: Index, units: Index, eta: Array
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Slope and third derivative at ±η, ±2η, and whether a kink lies between −2η and 2η.

    (8(f₁ − f₋₁) − (f₂ − f₋₂)) / 12η and (f₂ − 2f₁ + 2f₋₁ − f₋₂) / 2η³, errors O(η⁴) and O(η²).
    """
    slope, third = np.empty_like(eta), np.empty_like(eta)
    kinked = np.empty(len(eta), bool)
    block = max(1, PROBES_AT_ONCE // loss.width(layer))
    for start in range(0, len(eta), block):
        cut = slice(start, start + block)
        i, j = samples[cut], units[cut]
        # Powers of two times a coarse η: exact in z's precision; the realised move is what is divided by.
        step = eta[cut].astype(loss.forward.outputs.dtype)
        e = step.astype(eta.dtype)
        near_up, near_down = loss.moved(layer, i, j, step), loss.moved(layer, i, j, -step)
        far_up, far_down = loss.moved(layer, i, j, 2 * step), loss.moved(layer, i, j, -2 * step)
        near = difference(near_up.terms, near_down.terms)
        far = difference(far_up.terms, far_down.terms)
        slope[cut] = (8 * near - far) / (12 * e)
        third[cut] = np.abs(far - 2 * near) / (2 * e**3)
        kinked[cut] = (
            sides_differ(far_up, far_down) | sides_differ(near_up, far_up) | sides_differ(near_down, far_down)
        )
    return slope, third, kinked


def _noise(loss: PerturbedLoss, layer: int, slope: Array, above: list[LayerAccount]) -> tuple[Array, Array]:
    """Rounding errors downstream of a move in `layer`, carried to the loss by the slopes measured there.

    What the kernel takes unchanged from the forward pass is the same at both ends and cancels;
    what is evaluated again errs by u times its size.
    """
    forward, u = loss.forward, unit_roundoff(loss.forward.outputs.dtype)
    kind = slope.dtype
    z = np.abs(forward.pre_activations[layer]).astype(kind)
    own = u * z * np.abs(slope)
    at_output = _output_noise(loss, u, kind)
    if layer == loss.last:
        row = at_output if loss.lone_output else at_output.sum(axis=1, keepdims=True)
        return own + row, np.abs(slope)
    total = at_output.sum(axis=1, keepdims=True)
    first = np.abs(above[0].slope) * np.abs(forward.pre_activations[layer + 1])
    total = total + u * first.sum(axis=1, keepdims=True)
    for depth, w in enumerate(loss.weights[layer + 2 :]):
        values = np.abs(loss.hidden[layer + 1 + depth]).astype(kind)
        rounded = ROUNDINGS * u * (values * above[depth].through).sum(axis=1, keepdims=True)
        sums = np.abs(forward.inputs[layer + 2 + depth]) @ np.abs(transposed(w))
        added = u * (np.abs(above[depth + 1].slope) * sums).sum(axis=1, keepdims=True)
        total = total + rounded + added
    through = np.abs(above[0].slope) @ np.abs(loss.weights[layer + 1][:, :-1]).astype(kind)
    values = np.abs(loss.hidden[layer]).astype(kind)
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


def steps_of(account: LayerAccount, inputs: Array, step: float | None) -> Array:
    """The step of every parameter of a layer, (units, inputs): the longest that stays within reach.

    Steps are powers of two; an input that is zero in every sample gets the step 0.
    """
    a = np.abs(inputs).astype(account.reach.dtype)
    largest = a.max(axis=0, initial=0)
    shape = (account.reach.shape[1], a.shape[1])
    if step is not None:
        return np.broadcast_to(np.where(largest > 0, step, 0.0), shape).astype(account.reach.dtype)
    with np.errstate(divide="ignore"):
        inverse = 1 / a  # inf where a sample does not move
    usual = account.reach.max(initial=0)
    steps = np.broadcast_to(usual * inverse.min(axis=0, initial=np.inf), shape).copy()
    for sample, unit in zip(*np.nonzero(account.reach < usual), strict=True):
        np.minimum(steps[unit], account.reach[sample, unit] * inverse[sample], out=steps[unit])
    steps[:, largest == 0] = 0
    return power_of_two_below(steps)


def budgets_of(account: LayerAccount, inputs: Array, steps: Array, depth: int) -> Array:
    """The largest |analytic − numeric| that arithmetic can explain, per parameter, (units, inputs)."""
    u = unit_roundoff(inputs.dtype)
    a = np.abs(inputs).astype(account.reach.dtype)
    h = np.where(steps > 0, steps, 1)
    truncation = TRUNCATION_SAFETY * h**2 / 6 * (account.third.T @ a**3)
    roundoff = (account.noise.T @ (a > 0)) / h
    # The analytic gradient: two matrix products a layer, each sum of n terms off by about √n·u.
    roundings = ROUNDINGS * (depth + 1) + np.sqrt(len(a))
    analytic = roundings * u * (account.through.T @ a)
    return np.asarray(np.where(steps > 0, truncation + roundoff + analytic, 0))
