"""A sweep's cases, cut into tasks: what one worker computes at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from backproof.sweeps.case import Case, grouped
from backproof.sweeps.cost import expected_seconds
from backproof.sweeps.listing import Unit, batched

TASK_SECONDS = 0.35
"""Expected duration of a task: short enough that rows arrive steadily and that no worker is left with a long
task at the end, long enough that what its cells share is shared. With 0.1 `thread` takes 15 % longer."""

WINDOW = 20_000
"""Cells that are cut into tasks together: a grid of any size is never held as a whole."""

LONG_TASK_SECONDS = 1.5
"""Expected duration of a task while more than `WINDOW` cells are left. Handing over a task and taking it back
costs the sweep's own process the same whatever its length, which is what bounds the number of workers."""

MOST_PER_TASK = 48
"""Where more cells share one numerical gradient, computing it again is cheaper than an idle worker."""


@dataclass
class Task:
    """Cases that are computed together, and the seconds that they are expected to take."""

    cases: list[Unit] = field(default_factory=list)
    seconds: float = 0.0


def tasks_from(cases: Iterable[Unit]) -> Iterator[Task]:
    """Cases cut into tasks as they come, however many there are."""
    for some in batched(cases, WINDOW):
        yield from tasks_of(some, LONG_TASK_SECONDS if len(some) == WINDOW else TASK_SECONDS)


def tasks_of(cases: Iterable[Unit], at_most: float | None = None) -> list[Task]:
    """Cases cut into tasks, the longest first.

    Cases that share a numerical gradient stay together, and then those that train as one batch.

    Args:
        at_most: seconds that several such groups may take together; `TASK_SECONDS` by default.
    """
    at_most = TASK_SECONDS if at_most is None else at_most
    tasks: list[Task] = []
    seconds_of = Durations()
    for family in grouped(cases, attrgetter("family_key")):
        task = Task()
        for shared in _shares(family):
            seconds = seconds_of(shared)
            if task.cases and task.seconds + seconds > at_most:
                tasks.append(task)
                task = Task()
            task.cases += shared
            task.seconds += seconds
        tasks.append(task)
    return sorted(tasks, key=attrgetter("seconds"), reverse=True)


class Durations:
    """What cells are expected to take; of listed ones, a case of each family is looked at and no more."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, float]] = {}

    def __call__(self, shared: Sequence[Unit]) -> float:
        """Seconds that cells take together that share one numerical gradient."""
        first = shared[0]
        if isinstance(first, Case):
            return expected_seconds([case for case in shared if isinstance(case, Case)])
        if first.family_key not in self._known:
            case = first.case()
            alone = expected_seconds([case])
            self._known[first.family_key] = alone, expected_seconds([case, case]) - alone
        alone, more = self._known[first.family_key]
        return alone + more * (len(shared) - 1)


def _shares(cases: Iterable[Unit]) -> Iterable[list[Unit]]:
    """Cases that share one numerical gradient, at most `MOST_PER_TASK` at a time."""
    for shared in grouped(cases, attrgetter("numerical_key")):
        for start in range(0, len(shared), MOST_PER_TASK):
            yield shared[start : start + MOST_PER_TASK]
