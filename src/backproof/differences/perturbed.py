"""The loss after a single pre-activation has moved: the one kernel behind every finite difference.

Moving a weight W_l[j, p] by h moves, in sample i, only the pre-activation z_l[i, j], by
h·a_{l−1}[i, p]. So a difference over one parameter is a sum over samples of differences over
one pre-activation each, and everything that does not lie downstream of it is kept from the
forward pass. The moved function is still evaluated; nothing here knows a derivative.

A *move* is a triple (sample, unit, distance) in one layer. Moves are independent of each other
and are worked on as flat arrays, so any selection of parameters can share one array operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.differences.schemes import COMPLEX_TYPES
from backproof.network.activations import Kink
from backproof.network.arrays import Array, Weights, transpose, with_ones
from backproof.network.problem import Forward, Problem

Index = NDArray[np.intp]


@dataclass(frozen=True)
class Moved:
    """What a move does, one row a move.

    Attributes:
        terms: the loss terms that the move can change, (moves, m), or (moves, 1) where it can
            change only its own output's.
        sides: for each function with kinks on the way, on which side of them its argument lies.
    """

    terms: Array
    sides: list[NDArray[np.int8]]


class PerturbedLoss:
    """Loss terms of one problem (no batch axes) after moves in a given layer.

    Where the output works element by element, a move in the last layer changes one term; else a row.
    """

    def __init__(self, problem: Problem, weights: Weights, forward: Forward) -> None:
        self.problem = problem
        self.weights = weights
        self.forward = forward
        self.last = len(weights) - 1
        self.hidden_type: type[np.generic] = forward.outputs.dtype.type
        self.hidden = [problem.activation.value(z) for z in forward.pre_activations[:-1]]
        self.edges = [
            float(edge) for edge in problem.clip.edges(np.asarray(problem.eps))
        ] if problem.loss.uses_clip else []  # fmt: skip
        self.lone_output = problem.output.elementwise and problem.loss.elementwise

    def on_complex_numbers(self) -> PerturbedLoss:
        """The same loss at the same point, ready for imaginary moves."""
        kind = COMPLEX_TYPES[self.forward.outputs.dtype.type]
        shadow = copy(self)
        shadow.forward = replace(
            self.forward, pre_activations=[z.astype(kind) for z in self.forward.pre_activations]
        )
        shadow.hidden = [a.astype(kind) for a in self.hidden]
        shadow.hidden_type = kind
        return shadow

    def width(self, layer: int) -> int:
        """Array elements that a move in this layer costs: the widest layer that is recomputed."""
        if layer == self.last and self.lone_output:
            return 1
        return max(int(w.shape[0]) for w in self.weights[min(layer + 1, self.last) :])

    def base_terms(self, layer: int, sample: Index, unit: Index) -> Array:
        """The terms that `moved` returns, at rest."""
        if layer == self.last and self.lone_output:
            return np.asarray(self.forward.terms[sample, unit][:, None])
        return np.asarray(self.forward.terms[sample])

    def moved(self, layer: int, sample: Index, unit: Index, distance: Array) -> Moved:
        """Move z_layer[sample, unit] by `distance`; three arrays of one length."""
        problem = self.problem
        sides: list[NDArray[np.int8]] = []
        z = self.forward.pre_activations[layer][sample, unit] + distance
        if layer == self.last:
            if self.lone_output:
                return self._at_output(z[:, None], problem.targets[sample, unit][:, None], sides)
            row = self.forward.pre_activations[layer][sample]
            row[np.arange(len(unit)), unit] = z
            return self._at_output(row, problem.targets[sample], sides)
        self._note_sides(z[:, None], problem.activation.kinks, sides)
        change = problem.activation.value(z) - self.hidden[layer][sample, unit]
        fan_out = transpose(self.weights[layer + 1][:, :-1])[unit]
        z = change[:, None] * fan_out
        z += self.forward.pre_activations[layer + 1][sample]
        for w in self.weights[layer + 2 :]:
            self._note_sides(z, problem.activation.kinks, sides)
            z = with_ones(problem.activation.value(z)) @ transpose(w)
        return self._at_output(z, problem.targets[sample], sides)

    def _at_output(self, z: Array, targets: Array, sides: list[NDArray[np.int8]]) -> Moved:
        problem = self.problem
        self._note_sides(z, problem.output.kinks, sides)
        y = problem.output.value(z)
        for edge in self.edges:
            sides.append(_side(y, edge))
            sides.append(_side(1 - y, edge))
        return Moved(problem.loss.terms(y, targets, problem.clip, problem.eps), sides)

    @staticmethod
    def _note_sides(z: Array, kinks: Sequence[Kink], sides: list[NDArray[np.int8]]) -> None:
        sides.extend(_side(z, kink.at) for kink in kinks)


def _side(x: Array, at: float) -> NDArray[np.int8]:
    """−1, 0 or 1: below, at or above the kink; by the real part, of complex numbers."""
    x = x.real
    return np.subtract(x > at, x < at, dtype=np.int8)


def sides_differ(one: Moved, other: Moved) -> NDArray[np.bool_]:
    """Per move: whether any argument on the way lies on another side of a kink."""
    differ = np.zeros(len(one.terms), bool)
    for a, b in zip(one.sides, other.sides, strict=True):
        differ |= (a != b).any(axis=1)
    return differ


def wide(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """The precision in which differences are formed: float64, or the problem's own if that is wider."""
    return np.longdouble if dtype == np.longdouble else np.float64


def difference(plus: Array, minus: Array) -> Array:
    """Subtract term by term, then sum each row: cancellation happens before anything is added up."""
    kind = wide(plus.dtype)
    return np.asarray((plus.astype(kind, copy=False) - minus.astype(kind, copy=False)).sum(axis=1))
