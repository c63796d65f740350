"""A problem at a point, evaluated and measured: what backward rules are compared with."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from backproof.estimates.incremental import NetworkEstimate, numerical_gradient
from backproof.network.arrays import Array, Weights
from backproof.network.problem import Forward, Problem
from backproof.targets.network import Outputs, look_at_outputs


@dataclass(frozen=True)
class View:
    """A problem, the weights at which it is checked, the forward pass there, and the numerical gradient.

    Attributes:
        estimate: None where the loss is not finite, and where nothing was asked for.
        deterministic: whether a second forward pass gave the same bits.
        known: what was computed at this point and any rule's causes may need, by name.
    """

    problem: Problem
    weights: Weights
    forward: Forward
    estimate: NetworkEstimate | None
    deterministic: bool = True
    known: dict[Hashable, Array] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def outputs(self) -> Outputs:
        """What its loss makes of its outputs."""
        return look_at_outputs(self.problem, self.forward)

    def once(self, name: Hashable, work: Callable[[], Array]) -> Array:
        """The result of `work`, done once for all backward rules that are compared with this view."""
        if name not in self.known:
            self.known[name] = work()
        return self.known[name]


def view_of(problem: Problem, weights: Weights, **how: Any) -> View:
    """Evaluate a problem at a point; `how` are the options of `numerical_gradient`."""
    forward = problem.forward(weights)
    again = problem.forward(weights)
    same = np.array_equal(forward.terms, again.terms, equal_nan=True)
    return View(problem, weights, forward, numerical_gradient(problem, weights, forward, **how), same)
