"""Tolerances that other checkers take, beside error bounds that are derived."""

from __future__ import annotations

from backproof.verdicts.check import Check


def passes(check: Check, absolute: float, relative: float) -> bool:
    """Whether a check agrees, or all that it compared lies within tolerances that were asked for.

    What was found by other means than differences is not excused by them.
    """
    comparison = check.judgement.seen
    if check.agrees or comparison is None or check.judgement.refused:
        return check.agrees
    allowed = absolute + relative * abs(comparison.estimate.value)
    return bool(absolute or relative) and bool((comparison.gap <= allowed).all())
