"""A problem at a point, evaluated and measured: what backward rules are compared with."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from backproof.estimates.incremental import (
    NetworkEstimate,
    ProblemAt,
    numerical_gradient,
    numerical_gradients,
)
from backproof.estimates.kinks import kink_arguments
from backproof.estimates.moves import changes_of_parameters
from backproof.estimates.one_sided import Kinked
from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.record import Mask
from backproof.estimates.stencils import Scheme, refuses_complex
from backproof.network.arrays import Array, Weights, cut_like
from backproof.network.at_kinks import with_derivative_at_kinks
from backproof.network.problem import Forward, Problem
from backproof.targets.layout import Index, flattened
from backproof.targets.network import Outputs, look_at_outputs


@dataclass(frozen=True)
class View:
    """A problem, the weights at which it is checked, the forward pass there, and the numerical gradient.

    Attributes:
        estimate: None where the loss is not finite, and where nothing was asked for.
        deterministic: whether a second forward pass gave the same bits.
        chosen: whether the estimate's step or scheme was asked for, rather than left to the error bounds.
        known: what was computed at this point and any rule's causes may need, by name.
    """

    problem: Problem
    weights: Weights
    forward: Forward
    estimate: NetworkEstimate | None
    deterministic: bool = True
    chosen: bool = False
    known: dict[Hashable, Array] = field(default_factory=dict, compare=False, repr=False)
    shared: dict[str, Kinked] = field(default_factory=dict, compare=False, repr=False)
    weighted: dict[float, NetworkEstimate | None] = field(default_factory=dict, compare=False, repr=False)

    def loss_of(self, flat: Array) -> float:
        """The loss at other weights, (parameters)."""
        return float(self.losses_of(flat))

    def losses_of(self, flat: Array) -> Array:
        """The losses at many other weights, (..., parameters); (...)."""
        return self.problem.forward(cut_like(flat, self.weights)).loss.astype(float)

    def changes_of(self, flat: Array, entries: Index, steps: Array) -> tuple[float, Array, Array]:
        """The loss at other weights, and its changes as single entries move up and down; (n) each."""
        weights = cut_like(flat, self.weights)
        loss = PerturbedLoss(self.problem, weights, self.problem.forward(weights))
        with np.errstate(all="ignore"):
            return float(loss.forward.loss), *changes_of_parameters(loss, entries, steps)

    def kinked(self, entries: Index, steps: Array) -> Kinked:
        """The loss near the kinks that some entries touch; it serves all rules, which share the estimate."""
        if "kinked" not in self.shared:
            self.shared["kinked"] = Kinked(
                self.loss_of,
                flattened(self.weights),
                entries,
                steps.astype(float),
                values=self.losses_of,
                changes=self.changes_of,
            )
        return self.shared["kinked"]

    def at_kinks(self, weight: float) -> NetworkEstimate | None:
        """The gradient with a weight of the right-hand derivative at kinks; None where that cannot be found.

        It is that of one problem, so it serves all rules; see `with_derivative_at_kinks`.
        """
        if weight not in self.weighted:
            assert self.estimate is not None
            chosen = np.isin(np.arange(sum(w.size for w in self.weights)), self.estimate.index)
            problem = with_derivative_at_kinks(self.problem, weight)
            self.weighted[weight] = None if refuses_complex(problem) else numerical_gradient(
                problem, self.weights, scheme=Scheme.COMPLEX, selected=cut_like(chosen, self.weights)
            )  # fmt: skip
        return self.weighted[weight]

    @cached_property
    def outputs(self) -> Outputs:
        """What its loss makes of its outputs."""
        return look_at_outputs(self.problem, self.forward)

    @cached_property
    def meets_kinks(self) -> bool:
        """Whether a pre-activation lies exactly on a kink, or a kink of any kind has a say in the estimate.

        Elsewhere what a backward rule does at kinks changes none of its numbers.
        """
        arguments = kink_arguments(self.problem, self.forward)
        met = any(bool((values == at).any()) for what, _, at, values in arguments if what == "unit")
        return met or (self.estimate is not None and not self.estimate.smooth)

    def once(self, name: Hashable, work: Callable[[], Array]) -> Array:
        """The result of `work`, done once for all backward rules that are compared with this view."""
        if name not in self.known:
            self.known[name] = work()
        return self.known[name]


def view_of(
    problem: Problem,
    weights: Weights,
    *,
    step: float | None = None,
    scheme: Scheme = Scheme.FIVE_POINT,
    selected: Sequence[Mask] | None = None,
) -> View:
    """Evaluate and measure a problem at a point; the options are those of `numerical_gradient`."""
    return views_of([(problem, weights, selected)], step=step, scheme=scheme)[0]


def views_of(
    points: Sequence[tuple[Problem, Weights, Sequence[Mask] | None]],
    *,
    step: float | None = None,
    scheme: Scheme = Scheme.FIVE_POINT,
) -> list[View]:
    """The same for several points, each a problem, its weights and which of them are selected."""
    views = [evaluated_at(problem, weights) for problem, weights, _ in points]
    asked = [ProblemAt(v.problem, v.weights, v.forward, p[2]) for v, p in zip(views, points, strict=True)]
    estimates = numerical_gradients(asked, step=step, scheme=scheme)
    chosen = step is not None or scheme is not Scheme.FIVE_POINT
    return [replace(v, estimate=e, chosen=chosen) for v, e in zip(views, estimates, strict=True)]


def evaluated_at(problem: Problem, weights: Weights) -> View:
    """A problem at a point, evaluated twice and not measured."""
    forward, again = problem.forward(weights), problem.forward(weights)
    same = np.array_equal(forward.terms, again.terms, equal_nan=True)
    return View(problem, weights, forward, None, same)
