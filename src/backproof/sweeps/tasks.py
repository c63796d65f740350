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
"""Where more cells share their work, doing it again is cheaper than an idle worker."""


SAVED = 1.05
"""Where cells take less than so many times as long one by one, they need not stay in one task."""


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

    Cases that share a numerical gradient stay together, and then those that train as one batch; cases
    that are only trained come part by part.

    Args:
        at_most: seconds that several such groups may take together; `TASK_SECONDS` by default.
    """
    at_most = TASK_SECONDS if at_most is None else at_most
    tasks: list[Task] = []
    seconds_of = Durations()
    for family in grouped(cases, attrgetter("family_key")):
        task = Task()
        for shared in _shares(family, at_most, seconds_of):
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
        """Seconds that cells take together that share their work."""
        first = shared[0]
        if isinstance(first, Case):
            return expected_seconds([case for case in shared if isinstance(case, Case)])
        if first.family_key not in self._known:
            case = first.case()
            alone = expected_seconds([case])
            self._known[first.family_key] = alone, expected_seconds([case, case]) - alone
        alone, more = self._known[first.family_key]
        return alone + more * (len(shared) - 1)


def _shares(family: Iterable[Unit], at_most: float, seconds_of: Durations) -> Iterator[list[Unit]]:
    """Cases that share their work, `MOST_PER_TASK` at most; cut by time where sharing saves little."""
    for shared in grouped(family, attrgetter("share_key")):
        alone, together = seconds_of(shared[:1]), seconds_of(shared)
        linear = alone * len(shared) < SAVED * together
        size = max(1, int(at_most / alone)) if linear else MOST_PER_TASK
        yield from batched(shared, min(size, MOST_PER_TASK))
