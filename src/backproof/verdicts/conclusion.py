"""What is concluded from a comparison and the evidence beside it: a verdict and its causes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.number_formats import unit_roundoff_of
from backproof.verdicts.causes import Cause, Explanation
from backproof.verdicts.comparison import Comparison
from backproof.verdicts.protocols import Evidence, Target, asked_of
from backproof.verdicts.subgradients import Joint, Standing
from backproof.verdicts.verdict import Verdict

NOT_LOCATED = Cause("not located", "no operation departs by more than its rounding", (), 0.0, 1.0)

DOUBTFUL = 1e3
"""Entries that are off by fewer bounds are looked at with finer differences before they are called wrong."""

ROUNDINGS = 16
"""A gradient in low precision whose error is that of so many roundings is as good as the precision allows."""


@dataclass(frozen=True)
class Conclusion:
    """A verdict, its causes, and the comparison that it rests on."""

    verdict: Verdict
    seen: Comparison
    causes: tuple[Cause, ...] = ()
    explanation: Explanation = field(default_factory=Explanation)


@dataclass(frozen=True)
class Question:
    """All that a conclusion is drawn from.

    Attributes:
        best: the evidence where differences are at their best.
        mine: the comparison of the case as it was asked for.
        here: the comparison of `best`.
        joint: what its kinks say together.
        explain: whether to look for causes.
    """

    target: Target
    own: Evidence
    best: Evidence
    mine: Comparison
    here: Comparison
    joint: Joint | None
    explain: bool


def conclude(q: Question) -> Conclusion:
    """The verdict and its causes: faults before kinks, kinks before rounding."""
    here, joint = q.here, q.joint
    if here is q.mine and here.settled and here.resolution <= asked_of(q.target):
        return Conclusion(Verdict.AGREES, here)  # most do; nothing below would say otherwise
    undecided = joint is not None and joint.standing is Standing.UNDECIDED
    if joint is not None and undecided and not (here.wrong & ~here.estimate.touched).any():
        return _at_joint_kinks(here, joint)
    if here.wrong.any():
        return _cleared(q) or _at_fault(q.best, here, q.explain)
    if (here.open & ~here.estimate.crossed).any():
        return Conclusion(Verdict.UNDETERMINED, here, (q.best.doubt(),))
    if here.jumps.any():
        return Conclusion(Verdict.UNDETERMINED, here, (_jumps(here),))
    if joint is not None and joint.standing is not Standing.SUBGRADIENT:
        return _at_joint_kinks(here, joint)
    crossed = (here.beyond & here.estimate.crossed & ~here.inside).any()
    if not crossed and here.resolution <= asked_of(q.target):
        return _right(q, here)
    finer = _by_finer(q)
    if finer is not None:
        return finer
    if crossed:
        return Conclusion(Verdict.KINK_CROSSED, here, _causes_at_kinks(here))
    return _drowned(q)


def wrong_beside_kinks(here: Comparison) -> bool:
    """Whether entries that touch no kink are wrong by so much that no closer look could clear them."""
    wrong = here.wrong & ~here.estimate.touched
    return bool(wrong.any() and here.excess[wrong].max() >= DOUBTFUL)


def _at_joint_kinks(here: Comparison, joint: Joint) -> Conclusion:
    """Within the interval of every entry, but not within what all of them allow together."""
    mask = here.estimate.touched
    decided = joint.standing is Standing.NONE
    name = "no subgradient" if decided else "kinks combined"
    cause = Cause(name, str(joint), here.layers(mask), here.share(mask), 1.0)
    verdict = Verdict.INCORRECT_GRADIENT if decided else Verdict.UNDETERMINED
    return Conclusion(verdict, here, (cause,))


def _cleared(q: Question) -> Conclusion | None:
    """What finer differences say of entries that are off by few bounds, if not that they are wrong.

    Truncation is extrapolated from differences as long as the steps, which a loss that bends within them can
    deceive.
    """
    wrong = q.here.wrong
    finer = q.target.finer() if q.here.excess[wrong].max() < DOUBTFUL else None
    if finer is None or not finer.comparison.finite:
        return None
    there, index = finer.comparison, q.here.estimate.index[wrong]
    if not np.isin(index, there.estimate.index).all():
        return None
    found = _by_finer(q)
    if found is not None:
        return None if found.verdict is Verdict.INCORRECT_GRADIENT else found
    return None if there.wrong.any() else _drowned(q)


def _by_finer(q: Question) -> Conclusion | None:
    """What finer differences show where a kink is too near for these, or rounding hides too much."""
    finer = q.target.finer()
    if finer is None or not finer.comparison.finite:
        return None
    there, joint = finer.comparison, finer.joint()
    if joint is not None and joint.standing is Standing.SUBGRADIENT:
        there = replace(there, excused=True, at_kinks=joint.resolution)
    # Where an output is rounded onto the edge of a clip, rounding decides on which side it is.
    if (there.wrong & ~there.estimate.touched).any():
        causes = finer.explain().causes if q.explain else ()
        return Conclusion(Verdict.INCORRECT_GRADIENT, there, causes or (NOT_LOCATED,))
    elsewhere = ~np.isin(q.here.estimate.index, there.estimate.index)
    left = q.here.relative[elsewhere].max(initial=0), q.here.estimate.crossed[elsewhere].any()
    if there.wrong.any() or max(there.resolution, *left) > asked_of(q.target):
        return None
    return _right(q, there)


def _drowned(q: Question) -> Conclusion:
    """All is within the bounds, but these are wide."""
    estimate = q.here.estimate
    larger = "truncation" if estimate.truncation.sum() > (estimate.bound / 2).sum() else "round-off"
    precision = q.target.precision if q.best is q.own else q.best.precision
    words = f"{precision} cannot resolve it" if larger == "round-off" else ""
    return Conclusion(Verdict.UNRESOLVED, q.here, (Cause(larger, words, (), 0.0, 1.0),))


def _right(q: Question, finest: Comparison) -> Conclusion:
    """The rule is right, and well resolved where differences are at their best: so are its numbers?"""
    mine, asked = q.mine, asked_of(q.target)
    if (finest.beyond & finest.inside).any():
        how = q.joint.words if q.joint else ""
        return Conclusion(Verdict.VALID_SUBGRADIENT, finest, _causes_at_kinks(finest, how))
    if not mine.beyond.any() and mine.resolution <= asked:
        return Conclusion(Verdict.AGREES, mine)
    # The case's own differences are too coarse to tell; its numbers may still be held against the finest.
    here = mine.at(finest.estimate.index)
    numbers = finest.of(here.analytic, here.estimate.round_off)
    enough = max(asked, ROUNDINGS * unit_roundoff_of(q.own.precision))
    if not q.target.differences_chosen:  # then it is no fault of the case that these are off
        off = mine.beyond | mine.estimate.touched | mine.estimate.crossed
        mine = mine.at(mine.estimate.index[~off])
    # Rounding before the gradient's own arithmetic, in the forward pass, is in no bound.
    beyond = float((numbers.gap[numbers.beyond] / numbers.scale[numbers.beyond]).max(initial=0))
    far = mine.beyond.any() or beyond > enough
    if not far and max(mine.error or 0, numbers.error or 0) <= enough:
        seen = replace(numbers, rtol=numbers.rtol + beyond)
        # Half precision resolves too little itself; that its rule is right is known from a higher one.
        return Conclusion(Verdict.AGREES, seen if seen.resolution <= asked else finest)
    verdict, causes = _numbers_off(mine, q.target.clipped())
    return Conclusion(verdict, finest, causes)


def _at_fault(evidence: Evidence, here: Comparison, explain: bool) -> Conclusion:
    """Entries are wrong: which operation or structure, or kinks that only together do that?"""
    at_kinks = not (here.wrong & ~here.estimate.touched).any()
    explanation = evidence.explain() if explain or at_kinks else Explanation()
    if at_kinks and not explanation.causes:
        words = "several kinks are hit at once, and what is chosen at each gives no derivative of the loss"
        cause = Cause("no subgradient", words, here.layers(here.wrong), here.share(here.wrong), 1.0)
        return Conclusion(Verdict.INCORRECT_GRADIENT, here, (cause, *_causes_at_kinks(here)))
    verdict = Verdict.CLIP_ACTIVE if explanation.only_at_clip else Verdict.INCORRECT_GRADIENT
    causes = explanation.causes or (NOT_LOCATED,)
    return Conclusion(verdict, here, (*causes, *_causes_at_kinks(here)), explanation)


def _numbers_off(mine: Comparison, clipped: bool) -> tuple[Verdict, tuple[Cause, ...]]:
    """A right rule whose numbers, in the case's precision and with its step, are off: by what?"""
    estimate, longer = mine.estimate, mine.estimate.mostly_truncation
    at_clip = mine.beyond & ~estimate.touched & ~estimate.crossed & clipped
    at_kink = estimate.touched & mine.inside
    rest = ~at_kink & ~estimate.crossed & ~at_clip
    kinds: dict[str, tuple[Verdict, Mask]] = {
        "kink touched": (Verdict.VALID_SUBGRADIENT, at_kink),
        "kink crossed": (Verdict.KINK_CROSSED, estimate.crossed & ~mine.inside),
        "clip active": (Verdict.ROUND_OFF, at_clip),
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
    """Where steps shrink and what the function does within them does not: a jump, or what looks like one."""
    estimate = here.estimate
    first = int(np.flatnonzero(here.jumps)[0])
    count = int(np.count_nonzero(here.jumps))
    more = f" and {count - 1} more" if count > 1 else ""
    words = (
        f"{estimate.layout.location(int(estimate.index[first]))}{more}: within {estimate.step[first]:.1e} of "
        "the point, the shortest step tried, the loss changes by as much as within longer ones: it jumps "
        "there, or a kink, a pole or a steep place is nearer than that"
    )
    return Cause("not smooth at any step", words, (), here.share(here.jumps))


def _causes_at_kinks(here: Comparison, how: str = "") -> tuple[Cause, ...]:
    """The kinks that explain a gap; `how` it was decided that those which are touched do."""
    masks = {
        "kink touched": here.beyond & here.inside,
        "kink crossed": here.beyond & here.estimate.crossed & ~here.inside,
    }
    return tuple(
        Cause(
            name,
            how if name == "kink touched" else "",
            here.layers(mask),
            here.share(mask),
            here.error_share(mask),
        )
        for name, mask in masks.items()
        if mask.any()
    )
