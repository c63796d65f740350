"""Screens of the built-in network; see `screening`."""

from __future__ import annotations

import numpy as np

from backproof.estimates.incremental import units_of
from backproof.estimates.kinks import kink_arguments
from backproof.estimates.screen import Changes, screened
from backproof.estimates.steps import wide
from backproof.network.arrays import Array, Weights, keep_memory, sum_over_terms, unit_roundoff
from backproof.network.problem import Forward, Problem
from backproof.targets.layout import flattened, of_network
from backproof.targets.network import in_precision
from backproof.verdicts.judgement import Judgement
from backproof.verdicts.network import NetworkTarget
from backproof.verdicts.screening import STREAM, are_finite, is_coarse, judged

AT_ONCE = 1 << 18
"""Numbers that an array of moved weights or units may hold, so that it stays in a core's cache."""


def screened_network(target: NetworkTarget, seed: int) -> Judgement | None:
    """The verdict on a backward rule if a screen can give it: that it agrees.

    Args:
        target: its view needs no estimate.
    """
    view, rule = target.view, target.rule
    if is_coarse(view.problem.unit_roundoff, target.resolution):
        return None
    if target.difference_between_calls(gradient=True) or _on_kinks(view.problem, view.forward):
        return None
    keep_memory()
    with np.errstate(all="ignore"):
        gradient = target.analytic
        problem, weights, forward = view.problem, view.weights, view.forward
        kind, rounding = wide(gradient.dtype), None
        analytic = gradient
        if kind is not gradient.dtype.type or problem.arithmetic.format is not None:
            problem, weights = in_precision(problem, view.weights, kind)
            forward = problem.forward(weights)
            analytic = flattened(rule.backward(problem, forward, weights).gradients)
            rounding = gradient.astype(kind) - analytic
        if not are_finite(forward.loss, view.forward.loss, gradient, analytic):
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
    return judged(found, len(gradient))


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
            moved = np.multiply.outer(steps.astype(w.dtype), part.reshape(-1, *w.shape))
            moved += w
            weights.append(moved)
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
