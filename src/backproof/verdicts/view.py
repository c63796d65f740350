"""A problem at a point, evaluated: what a backward rule is held against."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from backproof.differences import Numeric, numeric_gradient
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

    def once(self, name: Hashable, work: Callable[[], Array]) -> Array:
        """The result of `work`, done once for all backward rules that are held against this view."""
        if name not in self.known:
            self.known[name] = work()
        return self.known[name]


def view_of(problem: Problem, weights: Weights, **how: Any) -> View:
    """Evaluate a problem at a point; `how` are the options of `numeric_gradient`."""
    forward = problem.forward(weights)
    again = problem.forward(weights)
    same = np.array_equal(forward.terms, again.terms, equal_nan=True)
    return View(problem, weights, forward, numeric_gradient(problem, weights, **how), same)


def in_precision(
    problem: Problem, weights: Weights, dtype: type[np.floating[Any]]
) -> tuple[Problem, list[Array]]:
    """The same problem at the same point, to be evaluated in another precision."""
    wider = replace(problem, inputs=problem.inputs.astype(dtype), targets=problem.targets.astype(dtype))
    return wider, [w.astype(dtype) for w in weights]
