"""What cells are expected to take on one core: tasks are cut by it, and `plan` predicts with it.

The constants are fits to measurements on one machine. An expectation that is wrong by a factor costs
little: a task that is a little long, an estimate that is a little off; it never changes a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from backproof.sweeps.case import Case, NetworkCase
from backproof.sweeps.construction import sizes_of

CELL = 0.3e-3
"""Seconds that a cell takes which is neither checked nor trained: its row, its way to a worker and back."""

PROBLEM, MOVE = 0.4e-3, 14e-9
"""A numerical gradient: once, and per output or unit on the way of each pre-activation's four moves."""

VERDICT, CURES = 0.5e-3, 2e-3
"""A verdict with causes, and its share of cures where they are looked for."""

SCREEN, PASSES = 1e-3, 20
"""A screen of a rule: once, and in forward passes, those of the backward pass counted."""

FUNCTION = 1.0
"""A check of a function from outside, whose cost is unknown."""

STEP, FLOPS = 0.1e-3, 28e9
"""A step of a training run, and multiplications and additions a second in matrix products."""

SLOWER = {"float16": 8.0, "longdouble": 12.0}
"""Precisions that no matrix library knows."""


ROUNDED = 4.0
"""Rounding to a format takes so many times what it rounds."""


def expected_seconds(cases: Sequence[Case]) -> float:
    """Seconds that cells take together that are equal in their numerical key."""
    case, seconds = cases[0], CELL * len(cases)
    if not isinstance(case, NetworkCase):
        return seconds + FUNCTION * len(cases)
    if case.check is None and case.training is None:
        return seconds
    data = sizes_of(case.data)
    widths = (data.features, *case.network.hidden, data.outputs)
    slower = SLOWER.get(case.precision, 1.0 if case.precision.rounds_to is None else ROUNDED)
    weights = sum(a * b for a, b in pairwise(widths))
    if case.check is not None:
        samples = min(case.check.samples, data.samples)
        in_full = len(cases)
        if case.check.screened:
            seconds += (SCREEN + slower * PASSES * 2 * weights * samples / FLOPS) * len(cases)
            in_full = sum(isinstance(each, NetworkCase) and _departs(each) for each in cases)
        if in_full:
            moved = sum(units * max(widths[i:], default=1) for i, units in enumerate(widths[1:], 2))
            seconds += (
                PROBLEM
                + slower * 4 * MOVE * samples * moved
                + (VERDICT + bool(case.check.cures) * CURES) * in_full
            )
    if case.training is not None:
        run = case.training
        batch = data.samples if run.batch == "full" else min(run.batch, data.samples)
        passes = 3 * run.steps * batch + data.samples * (run.steps // run.every + 1)
        seconds += len(cases) * (STEP * run.steps + slower * 2 * weights * passes / FLOPS)
    return seconds


def _departs(case: NetworkCase) -> bool:
    """Whether a rule is likely to disagree, so that a screen goes on to the full check."""
    return case.fault.name != "none" or case.delta.name != "exact" or case.kink == "assign"
