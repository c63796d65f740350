"""Which pre-activations the parameters of a layer move, cut into blocks that fit a core's cache."""

from __future__ import annotations

import numpy as np

from backproof.estimates.perturbed import MANY_COLUMNS, PerturbedLoss, difference
from backproof.estimates.steps import realised, wide
from backproof.network.arrays import Array
from backproof.targets.layout import Index

BLOCK = 1 << 17
"""Array elements that a block of moves occupies: a megabyte, about what a second-level cache holds."""


class Moves:
    """Which samples each input of a layer moves: those in which it is not zero."""

    def __init__(self, inputs: Array) -> None:
        by_input, self.samples = np.nonzero(inputs.T)
        self.first = np.searchsorted(by_input, np.arange(inputs.shape[1] + 1))

    def blocks(self, inputs: Index, width: int) -> list[slice]:
        """Cut a list of parameters (given by their input) into blocks that fit the cache."""
        cost = np.cumsum(np.diff(self.first)[inputs] * width)
        cuts, start = [], 0
        while start < len(inputs):
            spent = cost[start - 1] if start else 0
            end = max(int(np.searchsorted(cost, spent + BLOCK, side="right")), start + 1)
            cuts.append(slice(start, end))
            start = end
        return cuts

    def of(self, inputs: Index) -> tuple[Index, Index, Index]:
        """The moves of a block: sample of each, index of its parameter, first move of each parameter."""
        counts = np.diff(self.first)[inputs]
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        owner = np.repeat(np.arange(len(inputs)), counts)
        within = np.arange(len(owner)) - starts[owner]
        return self.samples[self.first[inputs][owner] + within], owner, starts


def changes_of_parameters(loss: PerturbedLoss, entries: Index, steps: Array) -> tuple[Array, Array]:
    """By how much the loss changes as single parameters move up and as they move down; (n) each.

    Args:
        entries: their positions among all parameters, layer by layer, each row-major with the bias last, (n).
        steps: how far each moves, (n).
    """
    problem, ends = loss.problem, np.cumsum([w.size for w in loss.weights])
    found = np.zeros((2, len(entries)), wide(loss.forward.outputs.dtype))
    for layer, w in enumerate(loss.weights):
        here = np.flatnonzero((entries >= ends[layer] - w.size) & (entries < ends[layer]))
        unit, column = np.unravel_index(entries[here] - (ends[layer] - w.size), w.shape)
        up, down = realised(w[unit, column], steps[here], loss.rounded)
        distances = np.stack([up, -down])
        found[:, here] = _changes_in_layer(loss, layer, unit, column, distances) * problem.scale
        if problem.l2:
            moved = np.repeat(w[None], 2, axis=0)
            for each, distance in zip(moved, distances, strict=True):
                each[unit, column] += distance
            found[:, here] += (problem.penalty(moved) - problem.penalty(w))[:, unit, column]
    return found[0], found[1]


def _changes_in_layer(loss: PerturbedLoss, layer: int, unit: Index, column: Index, distances: Array) -> Array:
    """The same of some parameters of a layer, without penalty and reduction; (ends, parameters)."""
    inputs = loss.forward.inputs[layer]
    moves, found = Moves(inputs), np.zeros(distances.shape, wide(distances.dtype))
    for some in moves.blocks(column, 3 * loss.width(layer)):
        sample, owner, _ = moves.of(column[some])
        a, ends = inputs[sample, column[some][owner]], distances[:, some][:, owner]
        points = np.stack([*(ends * a), np.zeros_like(a)], axis=1)
        moved = loss.moved(layer, sample, unit[some][owner], points, sides=False)
        for end in range(len(found)):
            change = moved.difference(end, len(found))
            np.add.at(found[end], owner + some.start, change)
    return found


def totals_of_units(loss: PerturbedLoss, layer: int, units: Index, near: Array, far: Array) -> Array:
    """f(θ + near) − f(θ + far), unscaled, for every parameter of some units of a layer; 0 for other units.

    A row of moves is a unit and a sample; its columns are the inputs that are not zero in that sample,
    filled up with a column that belongs to no input. A unit that stays as it is at both ends, like a ReLU
    below zero, is not followed any further: nothing downstream of it can differ.
    """
    inputs = loss.forward.inputs[layer]
    column, a = _nonzero(inputs)
    near, far = (np.pad(ends, ((0, 0), (0, 1))) for ends in (near, far))
    totals = np.zeros(near.shape, wide(near.dtype))
    unit, sample = np.repeat(units, len(inputs)), np.tile(np.arange(len(inputs)), len(units))
    for columns in cut(a.shape[1], max(MANY_COLUMNS, BLOCK // (2 * loss.width(layer)))):
        of, b = column[:, columns], a[:, columns]
        for rows in cut(len(unit), BLOCK // (2 * b.shape[1])):
            j, i = unit[rows], sample[rows]
            position = j[:, None] * near.shape[1] + of[i]
            distance = np.concatenate([near.take(position) * b[i], far.take(position) * b[i]], axis=1)
            np.add.at(totals.reshape(-1), position, _differences(loss, layer, i, j, distance))
    return totals[:, :-1]


def _nonzero(inputs: Array) -> tuple[Index, Array]:
    """For each sample the inputs that are not zero, and their values; (N, most of any sample)."""
    moves = inputs != 0
    most = int(moves.sum(axis=1).max(initial=0))
    column = np.argsort(~moves, axis=1, kind="stable")[:, :most]
    a = np.take_along_axis(inputs, column, axis=1)
    column[a == 0] = inputs.shape[1]
    return column, a


def _differences(loss: PerturbedLoss, layer: int, sample: Index, unit: Index, distance: Array) -> Array:
    """Of the loss between the first and the second half of each row's columns."""
    columns = distance.shape[1]
    half = columns // 2
    found = np.zeros((len(unit), half), wide(distance.dtype))
    if layer == loss.last:
        rows, ends = np.arange(len(unit)), distance
    else:
        ends = loss.changes(layer, sample, unit, distance)
        rows = np.flatnonzero(ends.any(axis=1))
    for block in cut(len(rows), BLOCK // (columns * loss.output_width(layer))):
        some = rows[block]
        i, j, there = sample[some], unit[some], ends[some]
        if layer == loss.last:
            terms = loss.moved(layer, i, j, there, sides=False).terms
        else:
            terms = loss.terms(_at_output(loss, layer, i, j, there), i)
        found[some] = difference(terms[:, :half], terms[:, half:])
    return found


def _at_output(loss: PerturbedLoss, layer: int, sample: Index, unit: Index, change: Array) -> Array:
    """The output's pre-activations, by blocks that suit the hidden layers on the way."""
    at_once = BLOCK // (change.shape[1] * loss.width(layer))
    if len(unit) <= at_once:
        return loss.at_output(layer, sample, unit, change)
    z = loss.empty(change)
    for rows in cut(len(unit), at_once):
        z[rows] = loss.at_output(layer, sample[rows], unit[rows], change[rows])
    return z


def cut(length: int, at_once: int) -> list[slice]:
    """Slices that cover a length, each of so many positions, at least one."""
    size = max(1, at_once)
    return [slice(start, start + size) for start in range(0, length, size)]
