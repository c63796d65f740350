"""The loss after a single pre-activation has moved: the one kernel behind every finite difference.

Moving a weight W_l[j, p] by h moves, in sample i, only the pre-activation z_l[i, j], by
h·a_{l−1}[i, p]. So a difference over one parameter is a sum over samples of differences over
one pre-activation each, and everything that does not lie downstream of it is kept from the
forward pass. The moved function is still evaluated; nothing here knows a derivative.

A *move* is a pre-activation and a distance. They come in rows: a row is a (sample, unit) of one
layer, its columns the distances by which that pre-activation moves. What a row shares is taken
once for all of its columns: the unit's weights to the next layer, and the sample's values there.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.stencils import COMPLEX_TYPES
from backproof.estimates.steps import wide
from backproof.network.activations import Kink
from backproof.network.arrays import Array, Weights, over_units
from backproof.network.problem import Forward, Problem
from backproof.targets.layout import Index

MANY_COLUMNS = 16
"""From here on the columns of a row lie side by side in memory; below it the rows do.

NumPy's inner loops run along what lies side by side, and cost about as much to start as 50 numbers.
"""

BLAS_TYPES = (np.float32, np.float64)


@dataclass(frozen=True)
class Moved:
    """What moves do.

    Attributes:
        rows: which of the rows that were asked for make a difference; all else is of these alone. A unit that
            stays as it is in every column, like a ReLU below zero, is not followed any further.
        terms: the loss terms that a move can change, (rows, columns, m), or (rows, columns, 1) where it can
            change only its own output's.
        sides: for each function with kinks on the way, on which side of them its argument lies,
            (rows, columns, units); empty if they were not asked for.
        asked: the number of rows that were asked for.
    """

    rows: Index
    terms: Array
    sides: list[NDArray[np.int8]]
    asked: int

    def difference(self, plus: int, minus: int) -> Array:
        """The terms of one column less those of another, summed: a number for each row that was asked for."""
        return self.of_all(difference(self.terms[:, plus], self.terms[:, minus]))

    def of_all(self, values: Array) -> Array:
        """Values of the rows, and zeros for those that make no difference."""
        if len(values) == self.asked:
            return values
        found = np.zeros((self.asked, *values.shape[1:]), values.dtype)
        found[self.rows] = values
        return found

    def sides_differ(self) -> NDArray[np.bool_]:
        """Per row asked for: whether, between columns, an argument on the way changes its side of a kink."""
        differ = np.zeros(len(self.rows), bool)
        for side in self.sides:
            differ |= (side != side[:, :1]).any(axis=(1, 2))
        return self.of_all(differ)

    def on_kinks(self, column: int) -> NDArray[np.bool_]:
        """Per row asked for: whether, in one of its columns, an argument on the way lies on a kink."""
        found = np.zeros(len(self.rows), bool)
        for side in self.sides:
            found |= (side[:, column] == 0).any(axis=1)
        return self.of_all(found)


class PerturbedLoss:
    """Loss terms of one problem (no batch axes) after moves in a given layer.

    Where the output works element by element, a move in the last layer changes one term; else a row.

    Attributes:
        count: how many losses it stands for, see `together`. Of several, the N samples of every array are
            those of all, one loss after another, and each of the weights is (losses, units, inputs + 1).
        pre_activations: of each layer, (units, N).
        hidden: the values of each hidden layer, (units, N).
        targets, terms_at_rest: (m, N).
    """

    def __init__(self, problem: Problem, weights: Weights, forward: Forward, count: int = 1) -> None:
        self.problem, self.exact, self.count = problem, problem.exact, count
        self.rounded = problem.arithmetic.rounded
        self.weights = weights
        self.forward = forward
        self.last = len(weights) - 1
        # Unit by unit, so that what is taken for a list of samples lies side by side.
        self.pre_activations = [np.ascontiguousarray(z.T) for z in forward.pre_activations]
        self.hidden = [np.ascontiguousarray(problem.activation.value(z)) for z in self.pre_activations[:-1]]
        self.targets = np.ascontiguousarray(problem.targets.T)
        self.terms_at_rest = np.ascontiguousarray(forward.terms.T)
        self.edges = [
            float(edge) for edge in problem.clip.edges(np.asarray(problem.eps))
        ] if problem.loss.uses_clip else []  # fmt: skip
        self.lone_output = problem.output.elementwise and problem.loss.elementwise

    @property
    def shared_key(self) -> Hashable:
        """Losses equal in this are one function of shapes that are equal, at other numbers."""
        problem = self.problem
        functions = (problem.activation, problem.output, problem.loss, problem.clip, problem.arithmetic)
        shapes = (problem.inputs.shape, *(w.shape for w in self.weights))
        return (*functions, np.asarray(problem.eps).item(), self.forward.outputs.dtype, shapes)

    @classmethod
    def together(cls, losses: Sequence[PerturbedLoss]) -> PerturbedLoss:
        """Losses equal in their shared key as one, so that moves of all are evaluated at once.

        Of networks with at most one hidden layer: a row of moves takes the weights that follow its unit from
        its own network, and what follows deeper layers is a matrix product.
        """
        if len(losses) == 1:
            return losses[0]

        def joined(arrays: Iterable[Array]) -> Array:
            return np.concatenate(list(arrays))

        def each(parts: Iterable[Sequence[Array]]) -> list[Array]:
            return [joined(layer) for layer in zip(*parts, strict=True)]

        forward = Forward(
            each(x.forward.inputs for x in losses),
            each(x.forward.pre_activations for x in losses),
            joined(x.forward.outputs for x in losses),
            joined(x.forward.terms for x in losses),
            np.stack([x.forward.loss for x in losses]),
        )
        problems = [x.problem for x in losses]
        inputs, targets = joined(p.inputs for p in problems), joined(p.targets for p in problems)
        weights = [np.stack(layer) for layer in zip(*(x.weights for x in losses), strict=True)]
        return cls(replace(problems[0], inputs=inputs, targets=targets), weights, forward, len(losses))

    @property
    def samples(self) -> int:
        """Those of each loss."""
        return len(self.forward.outputs) // self.count

    def on_complex_numbers(self) -> PerturbedLoss:
        """The same loss at the same point, ready for imaginary moves."""
        kind = COMPLEX_TYPES[self.forward.outputs.dtype.type]
        shadow = copy(self)
        shadow.pre_activations = [z.astype(kind) for z in self.pre_activations]
        shadow.hidden = [a.astype(kind) for a in self.hidden]
        return shadow

    def width(self, layer: int) -> int:
        """Array elements that a move in this layer costs: the widest layer that is recomputed."""
        return max((self.output_width(layer), *(int(w.shape[-2]) for w in self.weights[layer + 1 : -1])))

    def output_width(self, layer: int) -> int:
        """The number of outputs that a move in this layer moves."""
        return 1 if layer == self.last and self.lone_output else int(self.weights[-1].shape[-2])

    def base_terms(self, layer: int, sample: Index, unit: Index) -> Array:
        """The terms that `moved` returns, at rest; (rows, m) or (rows, 1)."""
        if layer == self.last and self.lone_output:
            return np.asarray(self.terms_at_rest[unit, sample][:, None])
        return np.asarray(self.terms_at_rest.take(sample, axis=1).T)

    def _arrived(self, layer: int, sample: Index, unit: Index, distance: Array) -> Array:
        return self.rounded(np.asarray(self.pre_activations[layer][unit, sample][:, None] + distance))

    def changes(self, layer: int, sample: Index, unit: Index, distance: Array) -> Array:
        """By how much units of a hidden layer change when z_layer[sample, unit] moves; (rows, columns)."""
        return self._change(layer, sample, unit, self._arrived(layer, sample, unit, distance))

    def _change(self, layer: int, sample: Index, unit: Index, z: Array) -> Array:
        return np.asarray(self.problem.activation.value(z) - self.hidden[layer][unit, sample][:, None])

    def moved(self, layer: int, sample: Index, unit: Index, distance: Array, *, sides: bool = True) -> Moved:
        """Move z_layer[sample, unit] by `distance`; arrays (rows), (rows) and (rows, columns)."""
        noted: list[NDArray[np.int8]] = []
        layout, asked = _layout(distance.shape[1]), len(unit)
        z = self._arrived(layer, sample, unit, layout.ordered(distance))
        if layer == self.last:
            rows = np.arange(asked)
            if self.lone_output:
                targets = self.targets[unit, sample][:, None, None]
                terms = self._at_end(z[:, :, None], targets, noted if sides else None)
                return Moved(rows, terms, noted, asked)
            base = self.pre_activations[layer].take(sample, axis=1)
            row = layout.empty(len(base), z)
            row[:] = base.T[:, None]
            row[rows, :, unit] = z
            terms = self._at_end(row, self._targets(sample), noted if sides else None)
            return Moved(rows, terms, noted, asked)
        change = self._change(layer, sample, unit, z)
        rows = np.flatnonzero(change.any(axis=1))
        if len(rows) < asked:
            sample, unit = sample[rows], unit[rows]
            change, z = layout.some(change, rows), layout.some(z, rows)
        if sides:
            self._note_sides(z[:, :, None], self.problem.activation.kinks, noted)
        z = self.at_output(layer, sample, unit, change, noted if sides else None)
        terms = self._at_end(z, self._targets(sample), noted if sides else None)
        return Moved(rows, terms, noted, asked)

    def at_output(
        self,
        layer: int,
        sample: Index,
        unit: Index,
        change: Array,
        sides: list[NDArray[np.int8]] | None = None,
    ) -> Array:
        """The output's pre-activations after units of a hidden layer have changed; (rows, columns, m)."""
        fan_out = self._fan_out(layer, sample, unit)
        base = self.pre_activations[layer + 1].take(sample, axis=1)
        layout = _layout(change.shape[1])
        z = self._on_the_spot(self.rounded(layout.spread(fan_out, base, change)), layer + 1, sample)
        for number, w in enumerate(self.weights[layer + 2 :], layer + 2):
            if sides is not None:
                self._note_sides(z, self.problem.activation.kinks, sides)
            z = self.rounded(layout.through(w, self.problem.activation.value(z)))
            z = self._on_the_spot(z, number, sample)
        return z

    def _fan_out(self, layer: int, sample: Index, unit: Index) -> Array:
        """The weights of units to the next layer; (units there, rows)."""
        w = self.weights[layer + 1]
        if self.count == 1:
            return np.asarray(w.take(unit, axis=1))
        # Side by side, the weights of one network after those of another.
        network = sample // self.samples
        side_by_side = w.swapaxes(0, 1).reshape(w.shape[1], -1)
        return np.asarray(side_by_side.take(network * w.shape[2] + unit, axis=1))

    def carried_back(self, layer: int, sizes: Array) -> Array:
        """Σ_k |W_layer[k, j]| · sizes_k of each sample; from (N, units) to (N, units of the layer before)."""
        w = np.abs(self.weights[layer][..., :-1]).astype(sizes.dtype)
        if self.count == 1:
            return np.asarray(sizes @ w)
        of_each = sizes.reshape(self.count, self.samples, sizes.shape[1])
        return np.asarray(of_each @ w).reshape(len(sizes), w.shape[2])

    def _on_the_spot(self, z: Array, layer: int, sample: Index) -> Array:
        """Of imaginary moves the pre-activations themselves: what they add to real parts is h² and rounding.

        Either would decide on which side of a kink a pre-activation lies that is on it.
        """
        if np.iscomplexobj(z):
            z.real = self.forward.pre_activations[layer][sample][:, None]
        return z

    def empty(self, change: Array) -> Array:
        """Room for the output's pre-activations of rows and columns like these."""
        return _layout(change.shape[1]).empty(len(self.targets), change)

    def terms(self, z: Array, sample: Index) -> Array:
        """The loss terms of output pre-activations (rows, columns, m)."""
        return self._at_end(z, self._targets(sample), None)

    def _targets(self, sample: Index) -> Array:
        return np.asarray(self.targets.take(sample, axis=1).T[:, None, :])

    def _at_end(self, z: Array, targets: Array, sides: list[NDArray[np.int8]] | None) -> Array:
        problem = self.problem
        y = problem.output.value(z)
        if sides is not None:
            self._note_sides(z, problem.output.kinks, sides)
            for edge in self.edges:
                sides.append(_side(y, edge))
                sides.append(_side(1 - y, edge))
            sides.extend(_side(part, 0) for part in problem.loss.kinks(y, targets))
        return problem.loss.terms(y, targets, problem.clip, problem.eps)

    @staticmethod
    def _note_sides(z: Array, kinks: Sequence[Kink], sides: list[NDArray[np.int8]]) -> None:
        sides.extend(_side(z, kink.at) for kink in kinks)


class _ManyRows:
    """Values of (rows, columns, units) that lie in memory as (units, columns, rows).

    NumPy's element-wise functions keep the order in memory of what they are given.
    """

    @staticmethod
    def ordered(values: Array) -> Array:
        """Values of (rows, columns) in the same order."""
        return np.asarray(values, order="F")

    @staticmethod
    def some(values: Array, rows: Index) -> Array:
        """Some of the rows of values (rows, columns)."""
        return np.asarray(values.T.take(rows, axis=1).T)

    @staticmethod
    def empty(units: int, like: Array) -> Array:
        """Of as many rows and columns, and of the type, of an array (rows, columns)."""
        return np.empty((units, *like.shape[::-1]), like.dtype).T

    @staticmethod
    def spread(fan_out: Array, base: Array, change: Array) -> Array:
        """fan_out·change + base; arrays (units, rows) twice and (rows, columns)."""
        z = fan_out[:, None, :] * np.ascontiguousarray(change.T)
        z += base[:, None, :]
        return np.asarray(z.T)

    @staticmethod
    def through(w: Array, a: Array) -> Array:
        """The next layer's pre-activations."""
        below = a.T
        z = w[:, :-1] @ below.reshape(len(below), below.shape[1] * below.shape[2])
        z += w[:, -1:]
        return np.asarray(z.reshape(len(z), *below.shape[1:]).T)


class _WideRows:
    """The same, lying in memory as (rows, units, columns)."""

    @staticmethod
    def ordered(values: Array) -> Array:
        return np.asarray(values, order="C")

    @staticmethod
    def some(values: Array, rows: Index) -> Array:
        return np.asarray(values[rows])

    @staticmethod
    def empty(units: int, like: Array) -> Array:
        return np.empty((len(like), units, like.shape[1]), like.dtype).swapaxes(1, 2)

    @staticmethod
    def spread(fan_out: Array, base: Array, change: Array) -> Array:
        if change.dtype not in BLAS_TYPES:
            return np.asarray((fan_out.T[:, :, None] * change[:, None] + base.T[:, :, None]).swapaxes(1, 2))
        # One product a row, [fan_out base]·[change 1]ᵀ, is faster than multiplying and adding.
        left = np.stack([fan_out.T, base.T], axis=2)
        right = np.ones((len(change), 2, change.shape[1]), change.dtype)
        right[:, 0] = change
        return np.asarray((left @ right).swapaxes(1, 2))

    @staticmethod
    def through(w: Array, a: Array) -> Array:
        z = w[:, :-1] @ a.swapaxes(1, 2)
        z += w[:, -1:]
        return np.asarray(z.swapaxes(1, 2))


def _layout(columns: int) -> type[_ManyRows] | type[_WideRows]:
    return _WideRows if columns >= MANY_COLUMNS else _ManyRows


def _side(x: Array, at: float) -> NDArray[np.int8]:
    """−1, 0 or 1: below, at or above the kink; by the real part, of complex numbers."""
    x = x.real
    return np.subtract(x > at, x < at, dtype=np.int8)


def difference(plus: Array, minus: Array) -> Array:
    """Subtract term by term, then sum over the last axis: cancellation comes before addition."""
    kind = wide(plus.dtype)
    return sum_of(plus.astype(kind, copy=False) - minus.astype(kind, copy=False))


def sum_of(terms: Array) -> Array:
    """The sum over the last axis, (..., m) to (...); of each row as it would be among others."""
    return np.asarray(over_units(np.add, terms)[..., 0])
