"""The verdict on any target, from its comparison and the evidence that the target can add."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.record import Mask
from backproof.network.arrays import unit_roundoff
from backproof.verdicts.causes import Cause, Explanation
from backproof.verdicts.comparison import Comparison, gradient_error
from backproof.verdicts.tensors import TensorJudgement, judged_tensors, verdict_of_each
from backproof.verdicts.verdict import Verdict

NOT_LOCATED = Cause("not located", "no operation departs by more than its rounding", (), 0.0, 1.0)


ROUNDINGS = 16
"""A gradient in low precision whose error is that of so many roundings is as good as the precision allows."""


class Evidence(Protocol):
    """One comparison of a target's gradient with an estimate, and what can be found out about it."""

    @property
    def comparison(self) -> Comparison:
        """The two gradients."""

    @property
    def precision(self) -> str:
        """The precision of the evaluations."""

    def explain(self) -> Explanation:
        """What departs from the right gradient, where something is wrong."""

    def doubt(self) -> Cause:
        """Why some entries are not resolved, where there are such."""


class Target(Protocol):
    """A function and the derivative under test, as `judge` asks for it."""

    @property
    def size(self) -> int:
        """The number of parameters."""

    @property
    def resolution(self) -> float:
        """The relative error that must not go unseen, beside `rtol`."""

    @property
    def rtol(self) -> float:
        """The relative error that the gradient is known to have by its nature."""

    def difference_between_calls(self, *, gradient: bool) -> str:
        """What differs between two evaluations at one point; empty if nothing does.

        With `gradient`, that is evaluated twice as well as the loss.
        """

    def own(self) -> Evidence | None:
        """The case as it was asked for; None where nothing can be compared."""

    def reference(self, own: Evidence) -> Evidence | None:
        """The same where differences are at their best: in a higher precision, with the best steps."""

    def finer(self) -> Evidence | None:
        """The same by differences that rounding does not drown; for cases that nothing else can decide."""

    def not_finite(self) -> tuple[Verdict, list[Cause]]:
        """The verdict and causes where the loss or a gradient is not finite."""

    def clipped(self) -> bool:
        """Whether a clip flattens the loss somewhere."""

    def remarks(self) -> list[Cause]:
        """What else is odd, where the gradient does not agree."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """A verdict on a target and what it rests on.

    Attributes:
        causes: what explains a disagreement, the one with the largest share of the error first.
        gradient_error: ‖a − n‖ / (‖a‖ + ‖n‖); 0 where both vanish, None where either is not finite.
        excess: the largest |a − n| / bound; at most 1 where all entries agree.
        resolution: the smallest relative error that would have been seen, wherever it is; None where nothing
            was compared.
        worst_parameter: where the excess is, as in W2[3,17] or b1[4].
        parameters: how many were compared, or all of them where none was.
        disagreeing: entries beyond their bound that no kink explains.
        comparison: of the case as it was asked for; None where nothing was compared.
        seen: the comparison that the verdict rests on: where differences are at their best.
        verdicts: of every entry of the comparison, by severity.
        rule_error: the gradient error of the reference: the rule's own, without noise.
        noise: the gradient error between the rule in the case's precision and in the reference's.
    """

    verdict: Verdict
    causes: tuple[Cause, ...]
    parameters: int
    gradient_error: float | None = None
    excess: float | None = None
    resolution: float | None = None
    worst_parameter: str | None = None
    disagreeing: int = 0
    touched: int = 0
    crossed: int = 0
    tensors: tuple[TensorJudgement, ...] = ()
    comparison: Comparison | None = None
    seen: Comparison | None = None
    verdicts: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    rule_error: float | None = None
    noise: float | None = None

    @property
    def least_seen(self) -> tuple[str, float] | None:
        """The entry that was seen worst, and the smallest error of its own size that would have been seen."""
        if self.seen is None or not len(self.seen.own_relative):
            return None
        own, estimate = self.seen.own_relative, self.seen.estimate
        k = int(np.argmax(np.nan_to_num(own, nan=np.inf)))
        return estimate.layout.location(int(estimate.index[k])), float(own[k])


@dataclass(frozen=True)
class _Conclusion:
    """A verdict, its causes, and the comparison that it rests on."""

    verdict: Verdict
    seen: Comparison
    causes: tuple[Cause, ...] = ()
    explanation: Explanation = field(default_factory=Explanation)


def asked_of(target: Target) -> float:
    """The relative bound up to which an entry counts as seen: `rtol` widens every bound by itself."""
    return target.resolution + target.rtol


def judge(target: Target, *, explain: bool = True) -> Judgement:
    """Compare a target's gradient with the numerical one and name the verdict.

    `explain` says whether to look for causes and to go through the tensors.
    """
    with np.errstate(all="ignore"):
        differs = target.difference_between_calls(gradient=explain)
        if differs:
            return Judgement(Verdict.NOT_DETERMINISTIC, (Cause("not deterministic", differs),), target.size)
        own = target.own()
        if own is None or not own.comparison.finite:
            verdict, causes = target.not_finite()
            count = len(own.comparison.analytic) if own else 0
            return Judgement(verdict, tuple(causes), count or target.size)
        reference = target.reference(own)
        best = reference if reference and reference.comparison.finite else own
        conclusion = _conclude(target, own, best, explain)
        if not explain:
            return Judgement(conclusion.verdict, (), 0, own.comparison.error)
        return _put_together(target, conclusion, own.comparison, best.comparison)


def _put_together(target: Target, conclusion: _Conclusion, mine: Comparison, best: Comparison) -> Judgement:
    causes, seen = conclusion.causes, conclusion.seen
    if conclusion.verdict is not Verdict.AGREES:
        causes = (*causes, *target.remarks())
    each = verdict_of_each(conclusion.verdict, mine, best, asked_of(target))
    tensors = conclusion.explanation.tensors or tuple(
        judged_tensors(mine, seen, conclusion.explanation.moved, each)
    )
    worst = max(tensors, key=lambda t: t.excess, default=None)
    noise = None
    if best is not mine:
        noise = gradient_error(mine.analytic, best.analytic.astype(mine.analytic.dtype))
    return Judgement(
        conclusion.verdict,
        causes,
        parameters=len(mine.analytic),
        gradient_error=mine.error,
        excess=worst.excess if worst else 0.0,
        resolution=seen.resolution,
        worst_parameter=worst.worst if worst and worst.excess > 0 else None,
        disagreeing=int(np.count_nonzero(best.wrong)),
        touched=int(np.count_nonzero(mine.estimate.touched)),
        crossed=int(np.count_nonzero(mine.estimate.crossed)),
        tensors=tensors,
        comparison=mine,
        seen=seen,
        verdicts=each,
        rule_error=best.error,
        noise=noise,
    )


def _conclude(target: Target, own: Evidence, best: Evidence, explain: bool) -> _Conclusion:
    """The verdict and its causes: faults before kinks, kinks before rounding."""
    here = best.comparison
    if here.wrong.any():
        return _at_fault(best, explain)
    if (here.open & ~here.estimate.crossed).any():
        return _Conclusion(Verdict.UNDETERMINED, here, (best.doubt(),))
    if here.jumps.any():
        return _Conclusion(Verdict.UNDETERMINED, here, (_jumps(here),))
    if (here.beyond & here.estimate.crossed & ~here.inside).any():
        return _Conclusion(Verdict.KINK_CROSSED, here, _causes_at_kinks(here))
    if here.resolution > asked_of(target):
        return _drowned(target, own, best, explain)
    return _right(target, own, here)


def _drowned(target: Target, own: Evidence, best: Evidence, explain: bool) -> _Conclusion:
    """All is within the bounds, but these are wide: does a finer difference show more?"""
    here, finer = best.comparison, target.finer()
    if finer is not None and finer.comparison.finite:
        there = finer.comparison
        # Where an output is rounded onto the edge of a clip, rounding decides on which side it is.
        if (there.wrong & ~there.estimate.touched).any():
            causes = finer.explain().causes if explain else ()
            return _Conclusion(Verdict.INCORRECT_GRADIENT, there, causes or (NOT_LOCATED,))
        if not there.wrong.any() and there.resolution <= asked_of(target):
            return _right(target, own, there)
    estimate = here.estimate
    larger = "truncation" if estimate.truncation.sum() > (estimate.bound / 2).sum() else "round-off"
    cause = Cause(
        larger, f"{best.precision} cannot resolve it" if larger == "round-off" else "", (), 0.0, 1.0
    )
    return _Conclusion(Verdict.UNRESOLVED, here, (cause,))


def _right(target: Target, own: Evidence, finest: Comparison) -> _Conclusion:
    """The rule is right, and well resolved where differences are at their best: so are its numbers?"""
    mine = own.comparison
    if (finest.beyond & finest.inside).any():
        return _Conclusion(Verdict.VALID_SUBGRADIENT, finest, _causes_at_kinks(finest))
    if not mine.beyond.any():
        if mine.resolution <= asked_of(target):
            return _Conclusion(Verdict.AGREES, mine)
        # The case's own differences are too coarse to tell; its numbers may still be held against the finest.
        here = mine.at(finest.estimate.index)
        numbers = finest.of(here.analytic, here.estimate.round_off)
        enough = max(asked_of(target), ROUNDINGS * unit_roundoff(np.dtype(own.precision)))
        if not numbers.beyond.any() and max(mine.error or 0, numbers.error or 0) <= enough:
            return _Conclusion(Verdict.AGREES, finest)
    verdict, causes = _numbers_off(mine, target.clipped())
    return _Conclusion(verdict, finest, causes)


def _at_fault(evidence: Evidence, explain: bool) -> _Conclusion:
    """Entries are wrong: which operation or structure, or kinks that only together do that?"""
    here = evidence.comparison
    at_kinks = not (here.wrong & ~here.estimate.touched).any()
    explanation = evidence.explain() if explain or at_kinks else Explanation()
    if at_kinks and not explanation.causes:
        combined = Cause(
            "kinks combined", "several are hit at once", here.layers(here.wrong), here.share(here.wrong), 1.0
        )
        return _Conclusion(Verdict.KINKS_COMBINED, here, (combined, *_causes_at_kinks(here)))
    verdict = Verdict.CLIP_ACTIVE if explanation.only_at_clip else Verdict.INCORRECT_GRADIENT
    causes = explanation.causes or (NOT_LOCATED,)
    return _Conclusion(verdict, here, (*causes, *_causes_at_kinks(here)), explanation)


def _numbers_off(mine: Comparison, clipped: bool) -> tuple[Verdict, tuple[Cause, ...]]:
    """A right rule whose numbers, in the case's precision and with its step, are off: by what?"""
    estimate, longer = mine.estimate, mine.estimate.mostly_truncation
    at_clip = mine.beyond & ~estimate.touched & ~estimate.crossed & clipped
    at_kink = estimate.touched & mine.inside
    rest = ~at_kink & ~estimate.crossed & ~at_clip
    kinds: dict[str, tuple[Verdict, Mask]] = {
        "kink touched": (Verdict.VALID_SUBGRADIENT, at_kink),
        "kink crossed": (Verdict.KINK_CROSSED, estimate.crossed & ~mine.inside),
        "clip active": (Verdict.CLIP_ACTIVE, at_clip),
        "truncation": (Verdict.TRUNCATION, rest & longer),
        "round-off": (Verdict.ROUND_OFF, rest & ~longer),
    }
    ranked = sorted(
        (
            (verdict, Cause(name, "", (), mine.share(mask & (mine.gap > 0)), mine.error_share(mask)))
            for name, (verdict, mask) in kinds.items()
            if mine.error_share(mask) > 0
        ),
        key=lambda pair: -pair[1].error,
    )
    verdict = ranked[0][0] if ranked else Verdict.ROUND_OFF
    return verdict, tuple(cause for _, cause in ranked)


def _jumps(here: Comparison) -> Cause:
    """Where the function jumps."""
    estimate = here.estimate
    first = estimate.layout.location(int(estimate.index[np.flatnonzero(here.jumps)[0]]))
    count = int(np.count_nonzero(here.jumps))
    more = f" and {count - 1} more" if count > 1 else ""
    return Cause(
        "the function jumps", f"at {first}{more}, so it has no derivative there", (), here.share(here.jumps)
    )


def _causes_at_kinks(here: Comparison) -> tuple[Cause, ...]:
    masks = {
        "kink touched": here.beyond & here.inside,
        "kink crossed": here.beyond & here.estimate.crossed & ~here.inside,
    }
    return tuple(
        Cause(name, "", here.layers(mask), here.share(mask), here.error_share(mask))
        for name, mask in masks.items()
        if mask.any()
    )
