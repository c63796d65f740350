"""The work of a sweep: a task of cells in, their outcomes out. This is what runs in the workers.

Cells of a task share what can be shared: one numerical gradient per problem, one array program for all
networks of one shape. Nothing here depends on which cells share a task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import TypeVar

from backproof.sweeps.case import Case, DerivativeCase, FunctionCase, NetworkCase, grouped
from backproof.sweeps.checking import AT_ONCE, Point, check_networks
from backproof.sweeps.limits import UNLIMITED, Limits
from backproof.sweeps.listing import batched
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.status import Status
from backproof.sweeps.surroundings import guarded, put_back
from backproof.sweeps.training_runs import train_alike

C = TypeVar("C", bound=Case)


def compute(cases: Sequence[Case], limits: Limits = UNLIMITED) -> list[Outcome]:
    """Check and train every case; a case that fails has an outcome that says why, and the others go on.

    Each case may take as long as the limits allow to be checked, and again to be trained.
    """
    outcomes = {case.id: Outcome(case.id) for case in cases}
    networks = [c for c in cases if isinstance(c, NetworkCase)]
    for some in batched(grouped(networks, lambda c: c.numerical_key), AT_ONCE):
        points = _points(some, outcomes, limits)
        for same_problem in some:  # and what was measured goes once it is judged
            _together(same_problem, outcomes, partial(check_networks, points.pop(0)), limits)
    for function in (c for c in cases if isinstance(c, FunctionCase | DerivativeCase)):
        _together([function], outcomes, _check_function, limits)
    fit = [c for c in networks if c.training and outcomes[c.id].status is Status.OK]
    for alike in grouped(fit, lambda c: c.family_key):
        _together(alike, outcomes, train_alike, limits)
    if not limits.guarded and any(case.code for case in cases):
        put_back()  # the next task, of this sweep or another, may have no code from outside
    return [outcomes[case.id] for case in cases]


def _points(
    problems: Sequence[list[NetworkCase]], outcomes: dict[str, Outcome], limits: Limits
) -> list[Point]:
    """The problems of cells, each list's one; measured at once where no cell can hurt another."""
    points = [Point(cases[0]) for cases in problems]
    free = [k for k, point in enumerate(points) if not point.case.code]
    if limits.seconds is None and limits.memory is None and len(free) > 1:
        start = time.perf_counter()
        with suppress(Exception):  # a cell that fails does so when it is checked, and is blamed alone
            Point.measure([points[k] for k in free])
        _charge([case for k in free for case in problems[k]], outcomes, start)
    return points


def _check_function(cases: list[FunctionCase | DerivativeCase], outcomes: list[Outcome]) -> None:
    from backproof.sweeps.function_checks import check_function_case  # a worker's networks do without

    check_function_case(cases[0], outcomes[0])


def _together(
    cases: list[C],
    outcomes: dict[str, Outcome],
    step: Callable[[list[C], list[Outcome]], None],
    limits: Limits,
) -> None:
    """Run a step for several cases at once; if that fails, for each alone, so that one spoils no other."""
    start = time.perf_counter()
    try:
        with limits.applied(), _guard(cases[0], limits):
            step(cases, [outcomes[case.id] for case in cases])
    except BaseException as error:  # the user's code may raise anything
        if isinstance(error, KeyboardInterrupt) and not limits.expendable:
            raise
        if len(cases) == 1:
            outcomes[cases[0].id].fail(error, limits)
        else:
            for case in cases:
                _together([case], outcomes, step, limits)
            return
    _charge(cases, outcomes, start)


def _charge(cases: Sequence[Case], outcomes: dict[str, Outcome], start: float) -> None:
    """Share the time since a start among the cases that it was spent on."""
    each = (time.perf_counter() - start) / len(cases)
    for case in cases:
        outcomes[case.id].seconds += each


def _guard(case: Case, limits: Limits) -> AbstractContextManager[None]:
    """What code from outside runs in; cells that are computed together run the same code."""
    if not case.code or not limits.guarded:
        return nullcontext()
    return guarded(case.code[0][0], case.seed)
