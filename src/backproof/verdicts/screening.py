"""Screens of targets: a verdict where all directions agree, and else none, so that the full check decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backproof.estimates.incremental import units_of
from backproof.estimates.kinks import kink_arguments
from backproof.estimates.screen import Changes, Screen, screened
from backproof.estimates.sizes import sizes_of
from backproof.estimates.steps import wide
from backproof.network.arrays import Array, DType, Weights, keep_memory, sum_over_terms, unit_roundoff
from backproof.network.problem import Forward, Problem
from backproof.targets.function import Function
from backproof.targets.layout import flattened, of_network
from backproof.targets.leaves import FunctionError
from backproof.targets.network import in_precision
from backproof.verdicts.comparison import gradient_error
from backproof.verdicts.judgement import Judgement
from backproof.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from backproof.verdicts.function import FunctionTarget
    from backproof.verdicts.network import NetworkTarget

AT_ONCE = 1 << 17
"""Numbers that an array of moved weights or units may hold, so that it stays in a core's cache."""

COARSE = 100.0
"""Units of round-off of the case's own precision that the resolution must leave room for. In coarser ones
only differences in that precision say what rounding makes of the numbers."""

STREAM = 0x5C
"""Sets the directions apart from whatever else is drawn with a seed."""


def screened_network(target: NetworkTarget, seed: int) -> Judgement | None:
    """The verdict on a backward rule if a screen can give it: that it agrees.

    Args:
        target: its view needs no estimate.
    """
    view, rule = target.view, target.rule
    if _is_coarse(view.problem.inputs.dtype, target.resolution):
        return None
    if target.difference_between_calls(gradient=True) or _on_kinks(view.problem, view.forward):
        return None
    keep_memory()
    with np.errstate(all="ignore"):
        gradient = target.analytic
        problem, weights, forward = view.problem, view.weights, view.forward
        kind, rounding = wide(gradient.dtype), None
        analytic = gradient
        if kind is not gradient.dtype.type:
            problem, weights = in_precision(problem, view.weights, kind)
            forward = problem.forward(weights)
            analytic = flattened(rule.backward(problem, forward, weights).gradients)
            rounding = gradient.astype(kind) - analytic
        if not _finite(forward.loss, view.forward.loss, gradient, analytic):
            return None
        spacing = unit_roundoff(kind) * float(np.linalg.norm(forward.terms)) * problem.scale
        units = [
            np.broadcast_to(units_of(a, kind), w.shape) for a, w in zip(forward.inputs, weights, strict=True)
        ]
        found = screened(
            _Network(problem, weights, forward).along, spacing, analytic, flattened(units),
            of_network(weights), generator=np.random.default_rng([seed, STREAM]),
            asked=target.resolution, allowed=target.rtol, rounding=rounding,
        )  # fmt: skip
    return _judged(found, len(gradient))


def screened_function(target: FunctionTarget) -> Judgement | None:
    """The same of a function from outside. What has several rows, or a known error, is checked in full."""
    function = target.function
    known = np.any(np.asarray(function.gradient_error()) > 0)
    if len(function.rows) > 1 or known or _is_coarse(function.dtype, target.resolution):
        return None
    if target.difference_between_calls(gradient=True):
        return None
    with np.errstate(all="ignore"):
        value, analytic, rounding = target.loss, target.analytic, None
        kind = wide(function.dtype)
        if kind is not function.dtype.type:
            try:
                function = target.elsewhere = function.in_precision(kind)
                value, analytic = function.value_at_start(), function.gradient()
            except FunctionError:
                return None
            rounding = target.analytic.astype(kind) - analytic
        if function.notes or not _finite(value, target.loss, target.analytic, analytic):
            return None
        spacing, units = unit_roundoff(kind) * abs(float(value)), sizes_of(function, value, analytic)
        found = screened(
            _Function(function, value).along, spacing, analytic.astype(kind), units, function.layout,
            generator=np.random.default_rng([target.sampling.seed, STREAM]),
            asked=target.resolution, allowed=target.rtol, rounding=rounding,
        )  # fmt: skip
    return _judged(found, target.size)


def _is_coarse(dtype: DType, asked: float) -> bool:
    """Whether a precision is coarse beside a resolution."""
    return COARSE * unit_roundoff(dtype) > asked


def _judged(found: Screen | None, parameters: int) -> Judgement | None:
    """The judgement on a gradient that agrees along all directions."""
    if found is None or not found.agrees:
        return None
    return Judgement(
        Verdict.AGREES, (), parameters, gradient_error(found.analytic, found.value), found.excess,
        found.resolution, screen=found,
    )  # fmt: skip


def _finite(*numbers: Array | float | np.longdouble) -> bool:
    return all(bool(np.isfinite(each).all()) for each in numbers)


def _on_kinks(problem: Problem, forward: Forward) -> bool:
    """Whether the point lies on a kink, so that there are only one-sided derivatives."""
    return any((values == at).any() for _, _, at, values in kink_arguments(problem, forward))


class _Network:
    """A network that is moved along directions, many at a time as one array program."""

    def __init__(self, problem: Problem, weights: Weights, forward: Forward) -> None:
        self.problem, self.weights, self.forward = problem, weights, forward
        self.sides = [values > at for _, _, at, values in kink_arguments(problem, forward)]

    def along(self, steps: Array, moves: Array) -> Changes:
        """How the loss changes, formed term by term before anything is summed."""
        samples = len(self.problem.inputs)
        largest = max(max(w.size, samples * max(w.shape)) for w in self.weights)
        block = max(1, AT_ONCE // (len(steps) * largest))
        found = [self._block(steps, moves[i : i + block]) for i in range(0, len(moves), block)]
        return Changes(np.concatenate([c.values for c in found], axis=1), any(c.kinked for c in found))

    def _block(self, steps: Array, moves: Array) -> Changes:
        """The same of some directions."""
        cuts = np.cumsum([w.size for w in self.weights])[:-1]
        weights = []
        for w, part in zip(self.weights, np.split(moves, cuts, axis=1), strict=True):
            weights.append(w + steps.astype(w.dtype)[:, None, None, None] * part.reshape(-1, *w.shape))
        forward = self.problem.forward(weights)
        changes = sum_over_terms(forward.terms - self.forward.terms) * self.problem.scale
        if self.problem.l2:
            for moved, w in zip(weights, self.weights, strict=True):
                changes = changes + sum_over_terms(self.problem.penalty(moved) - self.problem.penalty(w))
        return Changes(changes, self._crosses(forward))

    def _crosses(self, forward: Forward) -> bool:
        """Whether anything lies on another side of a kink than at the point."""
        arguments = kink_arguments(self.problem, forward)
        pairs = zip(arguments, self.sides, strict=True)
        return any(((values > at) != side).any() for (_, _, at, values), side in pairs)


class _Function:
    """A function from outside that is moved along directions."""

    def __init__(self, function: Function, value: float | np.longdouble) -> None:
        self.function, self.value = function, value

    def along(self, steps: Array, moves: Array) -> Changes:
        """How the function changes."""
        start = self.function.start
        points = [start + (step * move).astype(start.dtype) for step in steps for move in moves]
        values = np.array([self.function.value_near(point) for point in points])
        return Changes(values.reshape(len(steps), -1) - self.value, kinked=False)
