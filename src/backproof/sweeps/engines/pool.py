"""The engine: tasks of cells over joblib's workers, rows into the store as they come.

joblib is imported where it is used, since arguments are refused sooner without it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from backproof.errors import ResultsError
from backproof.sweeps.case import Case, grouped
from backproof.sweeps.components import targets_of
from backproof.sweeps.cost import expected_seconds
from backproof.sweeps.work import Outcome, compute

TASK_SECONDS = 0.35
"""What a task is expected to take: so little that rows come steadily and that no worker is left with a long
one at the end; so much that what its cells share is shared. With 0.1 `thread` takes 15 % longer."""

MOST_PER_TASK = 48
"""Where more cells share one numeric gradient, computing it again is cheaper than an idle worker."""

BACKENDS = ("loky", "threading", "sequential", "dask")

MOST_STARTS = 30
"""So many workers may die before they begin to compute; then there is no use in starting another."""

Work = Callable[..., tuple[int, list[Outcome]]]
"""What runs in a worker: (number, task, timeout) to the number and the outcomes."""


@dataclass(frozen=True)
class Engine:
    """Where tasks run: a joblib backend, a number of workers, and the seconds that a cell may take.

    `address` is the scheduler's of a Dask cluster, whose workers are as many as it has.
    """

    backend: str = "loky"
    jobs: int = -1
    timeout: float | None = None
    address: str = ""

    @property
    def workers(self) -> int:
        """The number of workers; negative `jobs` count from the machine's cores, as in joblib."""
        from joblib import cpu_count

        if self.backend == "dask":
            from backproof.sweeps.engines.dask import connected

            with connected(self.address) as client:
                return sum(client.ncores().values())
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
) -> Generator[list[Outcome], None, None]:
    """Compute all cases; yields each task's outcomes once they are written.

    One BLAS thread a worker: workers do not fight over cores, and sums are formed in one order.
    """
    from threadpoolctl import threadpool_limits

    tasks = [task for _, task in tasks_of(cases)]
    with threadpool_limits(1), ExitStack() as stack:
        if _here(tasks, engine):
            found: Iterable[list[Outcome]] = (compute(task, engine.timeout) for task in tasks)
        else:
            found = stack.enter_context(pool_of(engine, len(tasks))).outcomes(tasks)
        for outcomes in found:
            write(outcomes)
            yield outcomes


def _here(tasks: list[list[Case]], engine: Engine) -> bool:
    """Whether to compute in this process: on request, or where starting others costs more than the work.

    Code that is not the package's own never runs here otherwise: it may end its process.
    """
    if engine.backend == "sequential":
        return True
    few = engine.backend == "loky" and engine.timeout is None and len(tasks) <= 1
    return few and not any(targets_of(case.values) for task in tasks for case in task)


@dataclass
class Pool:
    """Workers, and how they are given work.

    Attributes:
        at_once: how many tasks they are given before the first is done.
        work: what a worker does with a task.
        died: what tells that a worker's process died with its task.
        logs: a folder for last words; None where workers have no file in common with us.
        attempts: so often a cell is computed before it is to blame for the death of its process: a process
            may be killed from outside as well, for memory that another one took.
    """

    at_once: int
    work: Work
    timeout: float | None
    died: tuple[type[BaseException], ...] = ()
    logs: Path | None = None
    attempts: int = 3

    def outcomes(self, tasks: list[list[Case]]) -> Iterator[list[Outcome]]:
        """Outcomes of the tasks as they come.

        A process that dies, of memory or in somebody's compiled code, takes all tasks in flight with it; they
        are then computed one at a time, so that only the cell to blame is lost.
        """
        from joblib import Parallel, delayed

        while tasks:
            done: set[int] = set()
            in_parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch=self.at_once)
            try:
                for number, outcomes in in_parallel(
                    delayed(self.work)(i, task, self.timeout) for i, task in enumerate(tasks)
                ):
                    done.add(number)
                    yield outcomes
                return
            except self.died:
                left = [task for i, task in enumerate(tasks) if i not in done]
                suspects, tasks = left[: self.at_once], left[self.at_once :]  # they are handed out in order
            for task in suspects:
                yield from self._alone(task)

    def _alone(self, task: list[Case]) -> Iterator[list[Outcome]]:
        """A task with nothing beside it; if its process dies again, cell by cell."""
        from joblib import Parallel, delayed

        from backproof.sweeps.workers import Death

        attempts = starts = 0
        log = self.logs / "last-words" if self.logs else None
        while True:
            if log:
                log.unlink(missing_ok=True)
            try:
                words = {"log": log} if log else {}
                ((_, outcomes),) = Parallel(pre_dispatch=1)(
                    [delayed(self.work)(0, task, self.timeout, **words)]
                )
            except self.died as error:
                death = Death.of(log, error)
                attempts, starts = attempts + death.started, starts + (not death.started)
                if starts >= MOST_STARTS:
                    raise ResultsError(f"engine: its processes do not start ({death.told})") from error
                if death.started and len(task) > 1:
                    for case in task:
                        yield from self._alone([case])
                    return
                if death.started and (death.timed_out or attempts >= self.attempts):
                    yield [death.outcome(task[0], attempts, self.timeout)]
                    return
            else:
                for outcome in outcomes:
                    outcome.attempts += attempts
                yield outcomes
                return


@contextmanager
def pool_of(engine: Engine, tasks: int) -> Iterator[Pool]:
    """The engine's workers, made ready.

    Raises:
        ConfigurationError: if there is no Dask scheduler at the engine's address, or it has no worker.
    """
    from joblib import parallel_config

    from backproof.sweeps import workers as worker

    # When a sweep is stopped, joblib says that tasks in flight were in vain.
    warnings.filterwarnings("ignore", message=r"\d+ tasks .* successfully executed", module="joblib")
    home = worker.Home.here()
    if engine.backend == "dask":
        from backproof.sweeps.engines.dask import DIED, connected, registered

        with connected(engine.address) as client, parallel_config(backend=registered(client)):
            work = partial(worker.elsewhere, home=home)
            yield Pool(2 * sum(client.ncores().values()), work, engine.timeout, DIED, attempts=1)
        return
    workers = min(engine.workers, max(tasks, 1))
    if engine.backend == "threading":
        with parallel_config(backend="threading", n_jobs=workers):
            yield Pool(2 * workers, worker.in_thread, engine.timeout)
        return
    from joblib.externals.loky.process_executor import BrokenProcessPool

    with (
        TemporaryDirectory() as logs,
        # Two at least, because joblib would run a single one within this process.
        parallel_config(backend="loky", n_jobs=max(workers, 2), inner_max_num_threads=1),
    ):
        at_once = 1 if workers == 1 else 2 * workers
        work = partial(worker.in_process, home=home)
        yield Pool(at_once, work, engine.timeout, (BrokenProcessPool,), Path(logs))


def begun(function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], jobs: int) -> Iterator[Any]:
    """Results of tasks in their order, from so many processes that start at once, before any is asked for."""
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1):
        parallel = Parallel(return_as="generator", pre_dispatch="all")
        return iter(parallel(delayed(function)(*task) for task in tasks))


def blocks_on(jobs: int) -> Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], list[Any]]:
    """A `map` over tuples of arguments that runs on so many processes, one BLAS thread each."""

    def starmap(function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> list[Any]:
        from joblib import Parallel, delayed, parallel_config

        with parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1):
            return list(Parallel()(delayed(function)(*task) for task in tasks))

    return starmap
