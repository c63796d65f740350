"""The comparison of each named array, and the verdict on every entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.record import Mask
from backproof.targets.layout import Index
from backproof.verdicts.comparison import Comparison, gradient_error
from backproof.verdicts.verdict import Verdict

BY_SEVERITY = tuple(Verdict)


@dataclass(frozen=True)
class TensorJudgement:
    """The comparison over one named array.

    Attributes:
        verdict: the gravest of its entries'.
        worst: the entry with the largest excess; the numbers after it are its own.
        low, high: the interval of the one-sided derivatives, NaN where it touches no kink.
        touched, crossed: how many entries do.
        resolution: the smallest relative error that would have been seen in it, wherever it is.
        causes: name of a cause to the share of this tensor's entries that it moves.
    """

    name: str
    size: int
    gradient_error: float | None
    excess: float
    disagreeing: int
    worst: str
    analytic: float
    numerical: float
    bound: float
    low: float
    high: float
    touched: int
    crossed: int
    verdict: Verdict
    resolution: float = 0.0
    causes: dict[str, float] = field(default_factory=dict)


def verdict_of_each(
    verdict: Verdict, mine: Comparison, best: Comparison, resolution: float
) -> NDArray[np.int8]:
    """The verdict on every entry by itself, by severity; `resolution` is the error that must be seen."""
    own, there = mine.estimate, best.estimate
    each = np.full(len(mine.analytic), Verdict.AGREES.severity, np.int8)
    if verdict is Verdict.AGREES and best.settled:
        return each
    if verdict is Verdict.UNRESOLVED:
        each[best.relative > resolution] = verdict.severity
    elif verdict is not Verdict.AGREES and (best is not mine or verdict is Verdict.ROUND_OFF):
        off = mine.off(resolution)
        each[off & own.mostly_truncation] = Verdict.TRUNCATION.severity
        each[off & ~own.mostly_truncation] = Verdict.ROUND_OFF.severity
        each[off & own.crossed] = Verdict.KINK_CROSSED.severity
        each[off & mine.inside] = Verdict.VALID_SUBGRADIENT.severity
    each[best.open | best.jumps] = Verdict.UNDETERMINED.severity
    each[best.beyond & there.crossed] = Verdict.KINK_CROSSED.severity
    each[best.beyond & best.inside] = Verdict.VALID_SUBGRADIENT.severity
    faults = (Verdict.INCORRECT_GRADIENT, Verdict.CLIP_ACTIVE)
    each[best.wrong] = (verdict if verdict in faults else Verdict.INCORRECT_GRADIENT).severity
    if verdict in (Verdict.INCORRECT_GRADIENT, Verdict.UNDETERMINED) and not (each == verdict.severity).any():
        each[there.touched] = verdict.severity  # entries that are so only together
    return each


def judged_tensors(
    mine: Comparison, seen: Comparison, moved: Sequence[tuple[str, Mask]], each: NDArray[np.int8]
) -> Iterator[TensorJudgement]:
    """A judgement for every tensor of which some entry was compared.

    Args:
        seen: the comparison that the verdict rests on, of the same entries or some of them.
        moved: names of causes, and which entries each moves by more than their bounds.
        each: the verdict on every entry, by severity.
    """
    estimate, ordered = mine.estimate, mine.estimate.by_tensor
    excess, analytic, value = ordered.of(mine.excess), ordered.of(mine.analytic), estimate.value_by_tensor
    severities = ordered.of(each) if each.any() else None
    relative = seen.estimate.by_tensor.of(seen.relative)
    # Mostly they hold no entry at all.
    beyond, touched, crossed = (
        mask if mask.any() else None for mask in (mine.beyond, estimate.touched, estimate.crossed)
    )
    parts = zip(
        estimate.layout.tensors, estimate.members, ordered.spans, seen.estimate.by_tensor.spans, strict=True
    )
    for tensor, members, span, finest in parts:
        if not len(members):
            continue
        worst = members[int(np.argmax(excess[span]))]
        shares: dict[str, float] = {}
        for name, mask in moved:
            if mask[members].any():
                shares[name] = max(shares.get(name, 0.0), float(mask[members].mean()))
        yield TensorJudgement(
            name=tensor.name,
            size=len(members),
            gradient_error=gradient_error(analytic[span], value[span]),
            excess=float(mine.excess[worst]),
            disagreeing=_count(beyond, members),
            worst=estimate.layout.location(int(estimate.index[worst])),
            analytic=float(mine.analytic[worst]),
            numerical=float(estimate.value[worst]),
            bound=float(mine.bound[worst]),
            low=float(estimate.low[worst]),
            high=float(estimate.high[worst]),
            touched=_count(touched, members),
            crossed=_count(crossed, members),
            verdict=Verdict.AGREES if severities is None else _gravest(severities[span]),
            resolution=float(relative[finest].max(initial=0)),
            causes=shares,
        )


def _count(mask: Mask | None, members: Index) -> int:
    """How many members a mask holds; None holds none."""
    return 0 if mask is None else int(np.count_nonzero(mask[members]))


def _gravest(severities: NDArray[np.int8]) -> Verdict:
    """The gravest verdict; one that is known before one that is open."""
    wrong, gravest = Verdict.INCORRECT_GRADIENT.severity, int(severities.max())
    return BY_SEVERITY[wrong if gravest > wrong and (severities == wrong).any() else gravest]
