"""The engine: tasks of cells over joblib's workers, rows into the store as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from joblib import Parallel, cpu_count, delayed, parallel_config
from threadpoolctl import threadpool_limits

from backproof.sweeps.case import Case
from backproof.sweeps.work import Outcome, compute

CELLS_PER_TASK = 12
"""Cells of a task: enough to share their work, few enough that rows come every second or so."""

BACKENDS = ("loky", "threading", "sequential")


@dataclass(frozen=True)
class Engine:
    """Where tasks run: a joblib backend and a number of workers."""

    backend: str = "loky"
    jobs: int = -1

    @property
    def workers(self) -> int:
        """The number of workers; negative `jobs` count from the machine's cores, as in joblib."""
        return self.jobs if self.jobs > 0 else max(1, cpu_count() + 1 + self.jobs)


def tasks_of(cases: Iterable[Case]) -> list[list[Case]]:
    """Cells cut into tasks: those that share a numeric gradient together, then those that train alike."""

    def family(case: Case) -> str:
        return repr(case.family_key)

    def numeric(case: Case) -> str:
        return repr(case.numeric_key)

    tasks: list[list[Case]] = []
    for _, relatives in groupby(sorted(cases, key=family), key=family):
        task: list[Case] = []
        for _, sharing in groupby(sorted(relatives, key=numeric), key=numeric):
            shared = list(sharing)
            if task and len(task) + len(shared) > CELLS_PER_TASK:
                tasks.append(task)
                task = []
            task = task + shared
        tasks.append(task)
    # The largest first, so that no worker is left with a long task at the end.
    return sorted(tasks, key=len, reverse=True)


def run(
    cases: Sequence[Case], engine: Engine, write: Callable[[list[Outcome]], None]
) -> Iterator[list[Outcome]]:
    """Compute all cases; yields each task's outcomes once they are written.

    One BLAS thread a worker: workers do not fight over cores, and sums are formed in one order.
    """
    tasks = tasks_of(cases)
    workers = min(engine.workers, max(len(tasks), 1))
    if engine.backend == "sequential" or (workers == 1 and engine.backend == "loky"):
        with threadpool_limits(1):
            for task in tasks:
                outcomes = compute(task)
                write(outcomes)
                yield outcomes
        return
    limits = {"inner_max_num_threads": 1} if engine.backend == "loky" else {}
    with threadpool_limits(1), parallel_config(backend=engine.backend, n_jobs=workers, **limits):
        for outcomes in Parallel(return_as="generator_unordered", batch_size=1)(
            delayed(compute)(t) for t in tasks
        ):
            write(outcomes)
            yield outcomes
