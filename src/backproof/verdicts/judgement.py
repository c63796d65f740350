"""The verdict on any target, from its comparison and the evidence that the target can add."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.screen import MISS, Screen
from backproof.verdicts.causes import Cause
from backproof.verdicts.comparison import Comparison, gradient_error
from backproof.verdicts.conclusion import Conclusion, Question, conclude, wrong_beside_kinks
from backproof.verdicts.protocols import Evidence, Target, asked_of
from backproof.verdicts.subgradients import Standing
from backproof.verdicts.tensors import TensorJudgement, judged_tensors, verdict_of_each
from backproof.verdicts.verdict import Verdict


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
        refused: the causes that were found by other means than differences.
        screen: what the verdict rests on where no entry was compared by itself.
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
    refused: tuple[Cause, ...] = ()
    screen: Screen | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """How likely a screen is to miss an error; nothing of a full check."""
        if self.screen is None:
            return ()
        return (
            f"screened along {self.screen.directions} random directions: a relative error of "
            f"{self.resolution:.2g}, in one entry or in several together (2-norm), is missed with a "
            f"probability of at most {MISS:g}",
        )

    @property
    def least_seen(self) -> tuple[str, float] | None:
        """The entry that was seen worst, and the smallest error of its own size that would have been seen."""
        if self.seen is None or not len(self.seen.own_relative):
            return None
        own, estimate = self.seen.own_relative, self.seen.estimate
        k = int(np.argmax(np.nan_to_num(own, nan=np.inf)))
        return estimate.layout.location(int(estimate.index[k])), float(own[k])


def judge(target: Target, *, explain: bool = True) -> Judgement:
    """Compare a target's gradient with the numerical one and name the verdict.

    `explain` says whether to look for causes and to go through the tensors.
    """
    with np.errstate(all="ignore"):
        differs = target.difference_between_calls(gradient=explain)
        if differs:
            return Judgement(Verdict.NOT_DETERMINISTIC, (Cause("not deterministic", differs),), target.size)
        own = _finite(target, target.own())
        if own is None or not own.comparison.finite:
            verdict, causes = target.not_finite()
            count = len(own.comparison.analytic) if own else 0
            return Judgement(verdict, tuple(causes), count or target.size)
        reference = target.reference(own)
        best = reference if reference and reference.comparison.finite else own
        here = best.comparison
        # Kinks change no verdict where entries beside all of them are wrong; and the search takes long.
        joint = best.joint() if explain or not wrong_beside_kinks(here) else None
        if joint is not None and joint.standing is Standing.SUBGRADIENT:
            here = replace(here, excused=True, at_kinks=joint.resolution)
        mine = here if best is own else own.comparison
        conclusion = conclude(Question(target, own, best, mine, here, joint, explain))
        if not explain:
            return Judgement(conclusion.verdict, (), 0, mine.error)
        return _put_together(target, conclusion, mine, here)


def _finite(target: Target, own: Evidence | None) -> Evidence | None:
    """The evidence to start from: where only its differences leave the finite numbers, others may not."""
    if own is None or own.comparison.finite or not np.isfinite(own.comparison.analytic).all():
        return own
    for other in (target.reference(own), target.finer()):
        if other is not None and other.comparison.finite:
            return other
    return own


def _put_together(target: Target, conclusion: Conclusion, mine: Comparison, best: Comparison) -> Judgement:
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
