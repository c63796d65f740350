"""Derivatives of a network by complex steps, which subtract nothing."""

from __future__ import annotations

import numpy as np

from backproof.estimates.measured_layer import MeasuredLayer
from backproof.estimates.moves import Moves
from backproof.estimates.record import EntryStatus, Mask
from backproof.estimates.stencils import COMPLEX_STEP, COMPLEX_TYPES
from backproof.network.arrays import unit_roundoff

COMPLEX_ROUNDINGS = 8.0
"""Units of round-off, a layer, that the terms of a complex step and of a backward pass may differ by."""


def by_complex_steps(layer: MeasuredLayer, todo: Mask) -> None:
    """Derivatives by complex steps."""
    loss, inputs, kind = layer.loss, layer.inputs, layer.value.dtype
    # Where outputs saturate, the probes of the bounds see nothing; imaginary parts still are exact to the
    # rounding of their factors, and exp(−z) is off by z·u.
    largest = max(float(np.abs(z).max(initial=0)) for z in loss.forward.pre_activations)
    relative = COMPLEX_ROUNDINGS * (len(loss.weights) + largest) * unit_roundoff(inputs.dtype)
    ways = np.array([1j, -1j]).astype(COMPLEX_TYPES[inputs.dtype.type])
    moves, evaluated = Moves(inputs), loss.on_complex_numbers()
    units, columns = np.nonzero(todo)
    for cut in moves.blocks(columns, 2 * loss.width(layer.number)):
        j, p = units[cut], columns[cut]
        sample, owner, starts = moves.of(p)
        unit, a = j[owner], inputs[sample, p[owner]]
        distance = a[:, None] * ways * ways.real.dtype.type(COMPLEX_STEP)
        imagined = evaluated.moved(layer.number, sample, unit, distance)
        parts = imagined.terms.imag.sum(axis=2, dtype=kind) / (COMPLEX_STEP * ways.imag) * layer.scale
        parts = imagined.of_all(parts)
        sides = np.add.reduceat(parts, starts, axis=0).T
        layer.value[j, p] = sides.mean(axis=0)
        layer.noise[j, p] += relative * np.add.reduceat(np.abs(parts[:, 1]), starts)
        rest = loss.base_terms(layer.number, sample[imagined.rows], unit[imagined.rows])
        strays = ~np.isclose(imagined.terms[:, 1].real, rest, rtol=1e-6, atol=1e-6).all(axis=1)
        # log(0 + ih) is another number than log(0): no derivative can be read off there.
        layer.kink[j, p] += np.where(np.logical_or.reduceat(imagined.of_all(strays), starts), np.inf, 0)
        # Complex numbers are compared by their imaginary parts where the real ones are equal, so at a
        # kink +ih takes the derivative to the right and −ih the one to the left.
        on_kink = np.logical_or.reduceat(imagined.on_kinks(1), starts)
        layer.mark(j, p, EntryStatus.TOUCHED, on_kink)
        bound = layer.bound_at(j, p)
        layer.low[j, p] = np.where(on_kink, sides.min(axis=0) - bound, np.nan)
        layer.high[j, p] = np.where(on_kink, sides.max(axis=0) + bound, np.nan)
