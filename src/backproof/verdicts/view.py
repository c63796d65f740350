"""A problem at a point, evaluated: what a backward rule is held against."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from backproof.estimates import Numeric, numeric_gradient
from backproof.network.arrays import Array, Weights
from backproof.network.problem import Forward, Problem


@dataclass(frozen=True)
class View:
    """A problem, the weights at which it is checked, the forward pass there, and the numeric gradient.

    Attributes:
        deterministic: whether a second forward pass gave the same bits.
        known: what was worked out at this point and any rule's causes may need, by name.
    """

    problem: Problem
    weights: Weights
    forward: Forward
    numeric: Numeric
    deterministic: bool = True
    known: dict[Hashable, Array] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def outputs(self) -> Outputs:
        """What its loss makes of its outputs."""
        return look_at_outputs(self.problem, self.forward)

    def once(self, name: Hashable, work: Callable[[], Array]) -> Array:
        """The result of `work`, done once for all backward rules that are held against this view."""
        if name not in self.known:
            self.known[name] = work()
        return self.known[name]


@dataclass(frozen=True)
class Outputs:
    """Shares of the outputs that a loss on probabilities cannot take as they are."""

    outside_domain: float
    saturated: float
    clip_active: float


def look_at_outputs(problem: Problem, forward: Forward) -> Outputs:
    """Shares of outputs outside the loss's domain, at 0 or 1 exactly, and flattened by the clip."""
    y = forward.outputs
    if not problem.loss.uses_clip or not y.size:
        return Outputs(0.0, 0.0, 0.0)
    outside = (y < problem.loss.domain.low) | (y > problem.loss.domain.high)
    with np.errstate(all="ignore"):
        active = problem.clip.active(y, problem.eps)
    return Outputs(float(outside.mean()), float(((y == 0) | (y == 1)).mean()), float(active.mean()))


def view_of(problem: Problem, weights: Weights, **how: Any) -> View:
    """Evaluate a problem at a point; `how` are the options of `numeric_gradient`."""
    forward = problem.forward(weights)
    again = problem.forward(weights)
    same = np.array_equal(forward.terms, again.terms, equal_nan=True)
    return View(problem, weights, forward, numeric_gradient(problem, weights, forward, **how), same)


def in_precision(
    problem: Problem, weights: Weights, dtype: type[np.floating[Any]]
) -> tuple[Problem, list[Array]]:
    """The same problem at the same point, to be evaluated in another precision."""
    wider = replace(problem, inputs=problem.inputs.astype(dtype), targets=problem.targets.astype(dtype))
    return wider, [w.astype(dtype) for w in weights]
