"""The engine: tasks of cells over joblib's workers, rows into the store as they come.

joblib is imported where it is used, since arguments are refused sooner without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, cast

from backproof.sweeps.case import Case, grouped
from backproof.sweeps.cost import expected_seconds
from backproof.sweeps.work import Outcome, compute

TASK_SECONDS = 0.35
"""What a task is expected to take: so little that rows come steadily and that no worker is left with a long
one at the end; so much that what its cells share is shared. With 0.1 `thread` takes 15 % longer."""

MOST_PER_TASK = 48
"""Where more cells share one numeric gradient, computing it again is cheaper than an idle worker."""

BACKENDS = ("loky", "threading", "sequential")


@dataclass(frozen=True)
class Engine:
    """Where tasks run: a joblib backend, a number of workers, and the seconds that a cell may take."""

    backend: str = "loky"
    jobs: int = -1
    timeout: float | None = None

    @property
    def workers(self) -> int:
        """The number of workers; negative `jobs` count from the machine's cores, as in joblib."""
        from joblib import cpu_count

        return self.jobs if self.jobs > 0 else max(1, cpu_count() + 1 + self.jobs)


def tasks_of(cases: Iterable[Case]) -> list[tuple[float, list[Case]]]:
    """Cells cut into tasks, each with the seconds expected of it, the longest first.

    Those that share a numeric gradient are kept together, and then those that train alike.
    """
    tasks: list[tuple[float, list[Case]]] = []
    for relatives in grouped(cases, lambda c: c.family_key):
        task, seconds = list[Case](), 0.0
        shares = grouped(relatives, lambda c: c.numeric_key)
        for shared in (s[i : i + MOST_PER_TASK] for s in shares for i in range(0, len(s), MOST_PER_TASK)):
            more = expected_seconds(shared)
            if task and seconds + more > TASK_SECONDS:
                tasks.append((seconds, task))
                task, seconds = [], 0.0
            task, seconds = task + shared, seconds + more
        tasks.append((seconds, task))
    return sorted(tasks, key=itemgetter(0), reverse=True)


def run(
    cases: Sequence[Case], engine: Engine, write: Callable[[list[Outcome]], None]
) -> Iterator[list[Outcome]]:
    """Compute all cases; yields each task's outcomes once they are written.

    One BLAS thread a worker: workers do not fight over cores, and sums are formed in one order.
    """
    from threadpoolctl import threadpool_limits

    tasks = [task for _, task in tasks_of(cases)]
    workers = min(engine.workers, max(len(tasks), 1))
    if engine.backend == "sequential" or (workers == 1 and engine.backend == "loky"):
        with threadpool_limits(1):
            for task in tasks:
                outcomes = compute(task, engine.timeout)
                write(outcomes)
                yield outcomes
        return
    for outcomes in _in_parallel(tasks, engine, workers):
        write(outcomes)
        yield outcomes


def _in_parallel(tasks: list[list[Case]], engine: Engine, workers: int) -> Iterator[list[Outcome]]:
    """Outcomes of the tasks as they come.

    A process that dies, of memory or in somebody's compiled code, takes all tasks in flight with it; their
    cells are then computed one at a time, so that only the one to blame is lost.
    """
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError
    from threadpoolctl import threadpool_limits

    limits = {"inner_max_num_threads": 1} if engine.backend == "loky" else {}
    with threadpool_limits(1), parallel_config(backend=engine.backend, n_jobs=workers, **limits):
        while tasks:
            done: set[int] = set()
            try:
                for number, outcomes in Parallel(return_as="generator_unordered", batch_size=1)(
                    delayed(_numbered)(i, task, engine.timeout) for i, task in enumerate(tasks)
                ):
                    done.add(number)
                    yield outcomes
                return
            except TerminatedWorkerError:
                left = [task for i, task in enumerate(tasks) if i not in done]
                # joblib hands out twice as many tasks as there are workers, in order.
                suspects, tasks = left[: 2 * workers], left[2 * workers :]
            for case in chain.from_iterable(suspects):
                yield [_alone(case, engine.timeout)]


def blocks_on(jobs: int) -> Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], list[Any]]:
    """A `map` over tuples of arguments that runs on so many processes, one BLAS thread each."""

    def starmap(function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> list[Any]:
        from joblib import Parallel, delayed, parallel_config

        with parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1):
            return list(Parallel()(delayed(function)(*task) for task in tasks))

    return starmap


def _numbered(number: int, task: list[Case], timeout: float | None) -> tuple[int, list[Outcome]]:
    return number, compute(task, timeout)


def _alone(case: Case, timeout: float | None) -> Outcome:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        # Two workers, because joblib would run a single one within this process.
        (outcomes,) = Parallel(n_jobs=2)([delayed(compute)([case], timeout)])
    except TerminatedWorkerError:
        return Outcome(case.id, "killed", "the process that computed it died, of memory or in compiled code")
    return cast(Outcome, outcomes[0])
