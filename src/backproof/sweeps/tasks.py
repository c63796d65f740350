"""A sweep's cases, cut into tasks: what one worker computes at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from backproof.sweeps.case import Case, grouped
from backproof.sweeps.cost import expected_seconds

TASK_SECONDS = 0.35
"""Expected duration of a task: short enough that rows arrive steadily and that no worker is left with a long
task at the end, long enough that what its cells share is shared. With 0.1 `thread` takes 15 % longer."""

MOST_PER_TASK = 48
"""Where more cells share one numerical gradient, computing it again is cheaper than an idle worker."""


@dataclass
class Task:
    """Cases that are computed together, and the seconds that they are expected to take."""

    cases: list[Case] = field(default_factory=list)
    seconds: float = 0.0


def tasks_of(cases: Iterable[Case]) -> list[Task]:
    """Cases cut into tasks, the longest first.

    Cases that share a numerical gradient stay together, and then those that train as one batch.
    """
    tasks: list[Task] = []
    for family in grouped(cases, lambda c: c.family_key):
        task = Task()
        for shared in _shares(family):
            seconds = expected_seconds(shared)
            if task.cases and task.seconds + seconds > TASK_SECONDS:
                tasks.append(task)
                task = Task()
            task.cases += shared
            task.seconds += seconds
        tasks.append(task)
    return sorted(tasks, key=attrgetter("seconds"), reverse=True)


def _shares(cases: Iterable[Case]) -> Iterable[list[Case]]:
    """Cases that share one numerical gradient, at most `MOST_PER_TASK` at a time."""
    for shared in grouped(cases, lambda c: c.numerical_key):
        for start in range(0, len(shared), MOST_PER_TASK):
            yield shared[start : start + MOST_PER_TASK]
