"""Derivatives of a network by complex steps, which subtract nothing.

How f reacts to a pre-activation z does not depend on which incoming weight moves it. So every z of every
sample is moved by ih and by −ih, and the derivatives are carried to the weights by the layer's inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backproof.estimates.measured_layer import MeasuredLayer
from backproof.estimates.moves import BLOCK, cut
from backproof.estimates.output_rounding import backward_error_at_output, derivative_size
from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.record import EntryStatus, Mask
from backproof.estimates.stencils import COMPLEX_STEPS, COMPLEX_TYPES
from backproof.estimates.steps import wide
from backproof.network.arrays import Array

COMPLEX_ROUNDINGS = 8.0
"""Units of round-off, a layer, that the terms of a complex step and of a backward pass may differ by."""


@dataclass(frozen=True)
class Imagined:
    """What imaginary moves find of the pre-activations of a layer; arrays (N, units).

    Attributes:
        right, left: ∂f/∂z on either side; the same but at a kink.
        strays: where the real part of the loss changes as well.
        on_kink: where something on the way lies on a kink.
        error: by how much rounding may make them, or those of a backward pass, err.
    """

    right: Array
    left: Array
    strays: Mask
    on_kink: Mask
    error: Array


def imagined(loss: PerturbedLoss) -> list[Imagined]:
    """Move every pre-activation of every layer by ih and −ih."""
    z, kind = loss.forward.pre_activations, wide(loss.forward.outputs.dtype)
    # Imaginary parts are exact to the rounding of their factors, and exp(−z) is off by z·u.
    largest = max(float(np.abs(each).max(initial=0)) for each in z)
    relative = COMPLEX_ROUNDINGS * (len(z) + largest) * loss.problem.unit_roundoff
    layers: list[Imagined] = []
    for number in range(loss.last, -1, -1):
        right, left, strays, on_kink = _moved(loss, number)
        size = np.maximum(np.abs(right), np.abs(left))
        if layers:
            w = np.abs(loss.weights[number + 1][:, :-1]).astype(kind)
            error = derivative_size(loss.exact.activation.value, z[number], kind) * (layers[0].error @ w)
        else:
            error = backward_error_at_output(loss).astype(kind)
        layers.insert(0, Imagined(right, left, strays, on_kink, error + relative * size))
    return layers


def by_complex_steps(layer: MeasuredLayer, found: Imagined, todo: Mask) -> None:
    """Derivatives of a layer's parameters, from what imaginary moves find of its pre-activations."""
    a = layer.inputs.astype(layer.value.dtype)
    up, down, size, moves = np.maximum(a, 0), np.minimum(a, 0), np.abs(a), (a != 0).astype(a.dtype)
    sides = np.stack([
        found.right.T @ up + found.left.T @ down,
        found.left.T @ up + found.right.T @ down,
    ]) * layer.scale  # fmt: skip
    still = np.maximum(np.abs(found.right), np.abs(found.left)).T @ moves == 0
    error = found.error.T @ size * layer.scale
    layer.value[todo] = sides.mean(axis=0)[todo]
    layer.noise[todo] += error[todo]
    layer.round_off[todo] += error[todo]
    # log(0 + ih) is another number than log(0): no derivative can be read off there.
    layer.kink[todo & (found.strays.T.astype(a.dtype) @ moves > 0)] = np.inf
    on_kink = todo & (found.on_kink.T.astype(a.dtype) @ moves > 0)
    layer.status[on_kink] |= np.uint8(EntryStatus.TOUCHED)
    layer.status[todo & still] |= np.uint8(EntryStatus.FLAT)
    bound = layer.bound_at(*np.nonzero(on_kink))
    layer.low[on_kink] = sides.min(axis=0)[on_kink] - bound
    layer.high[on_kink] = sides.max(axis=0)[on_kink] + bound


def _moved(loss: PerturbedLoss, number: int) -> tuple[Array, Array, Mask, Mask]:
    """What moves by ±ih find of one layer; see `Imagined`."""
    z = loss.forward.pre_activations[number]
    shape, evaluated = z.shape, loss.on_complex_numbers()
    ways = np.array([1j, -1j]).astype(COMPLEX_TYPES[z.dtype.type])
    step = z.dtype.type(COMPLEX_STEPS[z.dtype.type])
    sides = np.zeros((2, z.size), wide(z.dtype))
    strays, on_kink = np.zeros(z.size, bool), np.zeros(z.size, bool)
    samples, units = (index.ravel() for index in np.indices(shape))
    for block in cut(z.size, BLOCK // (4 * loss.width(number))):
        i, j = samples[block], units[block]
        distance = np.broadcast_to(ways * step, (len(i), 2))
        moved = evaluated.moved(number, i, j, distance)
        # Complex numbers are compared by their imaginary parts where the real ones are equal, so at a
        # kink +ih takes the derivative to the right and −ih the one to the left.
        parts = moved.terms.imag.sum(axis=2, dtype=sides.dtype) / (step * ways.imag)
        sides[:, block] = moved.of_all(parts).T
        rest = loss.base_terms(number, i[moved.rows], j[moved.rows])
        strayed = ~np.isclose(moved.terms[:, 1].real, rest, rtol=1e-6, atol=1e-6).all(axis=1)
        strays[block], on_kink[block] = moved.of_all(strayed), moved.on_kinks(1)
    right, left = sides.reshape(2, *shape)
    return right, left, strays.reshape(shape), on_kink.reshape(shape)
