"""The built-in network before the judge: a backward rule, and views of the problem that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from backproof.estimates.kink_steps import balanced_steps
from backproof.network.arrays import Array
from backproof.network.rules import Backward
from backproof.targets.layout import flattened
from backproof.targets.network import Rule, first_in_backward, first_in_forward
from backproof.verdicts.causes import Cause, Explanation, explained_by
from backproof.verdicts.comparison import RESOLUTION, Comparison
from backproof.verdicts.conclusion import wrong_beside_kinks
from backproof.verdicts.details import NetworkDetails
from backproof.verdicts.evidence import evidence_of
from backproof.verdicts.judgement import Judgement, judge
from backproof.verdicts.operations import localise
from backproof.verdicts.subgradients import Joint, Standing, joint_standing
from backproof.verdicts.verdict import Verdict
from backproof.verdicts.view import View

LARGEST = 1e150
"""Causes are found by products of gradients, which overflow beyond."""

USUAL_WEIGHTS = (0.0, 0.5, 1.0)
"""Weights of the right-hand derivative at kinks that are tried on any rule."""


@dataclass(frozen=True)
class NetworkEvidence:
    """A backward rule compared with the estimate of one view, which must have one."""

    rule: Rule
    view: View
    rtol: float = 0.0

    @cached_property
    def backward(self) -> Backward:
        """The backward pass."""
        return self.rule.backward(self.view.problem, self.view.forward, self.view.weights)

    @cached_property
    def comparison(self) -> Comparison:
        """The rule's gradient and the numerical one."""
        estimate = self.view.estimate
        assert estimate is not None
        return Comparison(estimate.selected(flattened(self.backward.gradients)), estimate, self.rtol)

    @property
    def precision(self) -> str:
        """The precision of the forward pass."""
        return self.view.problem.precision

    def explain(self) -> Explanation:
        """The operations that depart from the chain rule."""
        if np.abs(self.comparison.size).max(initial=0) > LARGEST:
            return Explanation()
        try:
            return explained_by(localise(self.backward, self.view), self.comparison)
        except np.linalg.LinAlgError:
            return Explanation()

    def joint(self) -> Joint | None:
        """What its kinks say together; the derivatives along directions serve all rules of the view."""
        estimate = self.comparison.estimate
        touched = np.flatnonzero(estimate.touched)
        if not len(touched):
            return None
        weighted = self._weighted()
        if weighted is not None:
            return weighted
        if len(touched) < 2:
            return None
        steps = balanced_steps(estimate, flattened(self.view.weights), touched, estimate.step[touched])
        kinked = self.view.kinked(estimate.index[touched], steps)
        # Where entries beside all kinks are wrong it is of less weight, and the search takes long.
        joint = joint_standing(self.comparison, kinked, at_once=wrong_beside_kinks(self.comparison))
        if joint is None:
            return None
        # A mixture is near in units of an entry's largest derivative, which may exceed its scale.
        largest = np.fmax(np.abs(estimate.low), np.abs(estimate.high))[touched]
        ratio = float((largest / self.comparison.scale[touched]).max())
        return replace(joint, resolution=joint.resolution * max(ratio, 1.0))

    def _weighted(self) -> Joint | None:
        """Whether it is the chain rule's gradient with one weight at all kinks, which is a subgradient."""
        touched = self.comparison.estimate.touched
        own = getattr(self.rule, "relu_at_zero", None)
        given = [float(own)] if isinstance(own, float | int) and 0 <= own <= 1 else []
        for weight in dict.fromkeys([*given, *USUAL_WEIGHTS]):
            estimate = self.view.at_kinks(weight)
            if estimate is None:
                return None
            there = Comparison(self.comparison.analytic, estimate, self.rtol)
            if not there.beyond[touched].any():
                words = f"together the derivative with {weight:g} at kinks"
                return Joint(
                    Standing.SUBGRADIENT, words=words, resolution=float(there.relative[touched].max())
                )
        return None

    def doubt(self) -> Cause:
        """Every parameter of a network is resolved; the kernel knows its kinks."""
        raise NotImplementedError


@dataclass(frozen=True)
class NetworkTarget:
    """A backward rule at a point.

    Attributes:
        view: the case as it was asked for.
        in_reference: the same case where differences are at their best: in a higher precision, with steps of
            the bounds' choice. Given, it decides whether the rule is right, and `view` what the case's
            precision and step make of it.
        by_finer: makes the case by differences that rounding does not drown.
        resolution: the relative error that must not go unseen, beside `rtol`.
        rtol: the relative error that the gradient is known to have by its nature.
        own_code: whether the rule is made of this package's code alone, which computes the same every time.
    """

    rule: Rule
    view: View
    in_reference: View | None = None
    by_finer: Callable[[], View | None] | None = None
    resolution: float = RESOLUTION
    rtol: float = 0.0
    own_code: bool = False

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(w.size for w in self.view.weights)

    evaluations: ClassVar[None] = None
    directions: ClassVar[int] = 0
    probability_of_a_miss: ClassVar[float] = 0.0
    notes: ClassVar[tuple[str, ...]] = ()

    @cached_property
    def analytic(self) -> Array:
        """The gradient under test, flat, in the precision of the case."""
        return flattened(self._own.backward.gradients)

    @property
    def loss(self) -> float:
        """The value at the point."""
        return float(self.view.forward.loss)

    @property
    def precision(self) -> str:
        """The precision of the forward pass."""
        return self.view.problem.precision

    @property
    def differences_chosen(self) -> bool:
        """Whether a step or a scheme was asked for."""
        return self.view.chosen

    @property
    def parameters(self) -> Array:
        """The weights, flat."""
        return flattened(self.view.weights)

    @cached_property
    def details(self) -> NetworkDetails:
        """What else is known at this point."""
        return NetworkDetails(self.view)

    def curves(self) -> dict[str, tuple[Array, Array]]:
        """Evidence to look at."""
        return evidence_of(self.rule, self.view)

    @cached_property
    def _own(self) -> NetworkEvidence:
        return self._compared(self.view)

    def _compared(self, view: View) -> NetworkEvidence:
        return NetworkEvidence(self.rule, view, self.rtol)

    def difference_between_calls(self, *, gradient: bool) -> str:
        """Whether the loss or the backward pass differs between two evaluations."""
        if not self.view.deterministic:
            return "the loss"
        if self.own_code or not gradient:
            return ""
        again = self._compared(self.view).backward.gradients
        pairs = zip(self._own.backward.gradients, again, strict=True)
        same = all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)
        return "" if same else "the analytic gradient"

    def own(self) -> NetworkEvidence | None:
        """The rule and the case's own estimate."""
        return self._own if self.view.estimate is not None else None

    def reference(self, _own: object) -> NetworkEvidence | None:
        """The rule and the estimate of the reference."""
        view = self.in_reference
        return self._compared(view) if view and view.estimate is not None else None

    def finer(self) -> NetworkEvidence | None:
        """The rule and an estimate that rounding does not drown."""
        view = self.by_finer() if self.by_finer else None
        return self._compared(view) if view and view.estimate is not None else None

    def clipped(self) -> bool:
        """Whether the clip flattens the loss somewhere."""
        return self.view.problem.loss.uses_clip and self.view.outputs.clip_active > 0

    def remarks(self) -> list[Cause]:
        """The share of outputs outside the domain, where there are such."""
        share = self.view.outputs.outside_domain
        return [Cause("outside domain", f"{share:.1%} of the outputs")] if share else []

    def not_finite(self) -> tuple[Verdict, list[Cause]]:
        """The first operation that is not finite, and what the outputs have to do with it."""
        causes, outputs = [], self.view.outputs
        where = first_in_forward(self.view.forward, self.view.weights)
        if where:
            causes.append(Cause("loss not finite", where))
        else:
            where = first_in_backward(self._own.backward)
            if where:
                causes.append(Cause("analytic gradient not finite", where))
            estimate = self.view.estimate
            if estimate is not None and not np.isfinite(estimate.value).all():
                first = int(estimate.index[np.flatnonzero(~np.isfinite(estimate.value))[0]])
                detail = f"the loss is not finite within a step of {estimate.layout.location(first)}"
                causes.append(Cause("numerical gradient not finite", detail))
        if outputs.saturated:
            causes.append(Cause("saturated outputs", f"{outputs.saturated:.1%} are exactly 0 or 1"))
        outside = self.view.estimate is None and outputs.outside_domain > 0
        return (Verdict.OUTSIDE_DOMAIN if outside else Verdict.NOT_FINITE), [*causes, *self.remarks()]


def judge_network(
    rule: Rule,
    own: View,
    reference: View | None = None,
    finer: Callable[[], View | None] | None = None,
    *,
    resolution: float = RESOLUTION,
    explain: bool = True,
) -> Judgement:
    """The verdict on a backward rule; the arguments are those of `NetworkTarget` and of `judge`."""
    return judge(NetworkTarget(rule, own, reference, finer, resolution), explain=explain)
