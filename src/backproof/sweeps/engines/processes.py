"""Processes of this machine, as joblib's loky keeps them: the executor, and a `starmap` on it.

loky is used as an executor, without `joblib.Parallel`: that runs a single worker's tasks in the calling
process, which a cell may end, and does not tell which of its tasks were lost.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import ParamSpec, TypeVar

from backproof.errors import ResultsError, first_line
from backproof.sweeps.parents import leave_to_parent, signals_wait

P = ParamSpec("P")
Result = TypeVar("Result")

ATTEMPTS = 3
"""How often a task is tried whose process dies, perhaps killed from outside."""

IDLE_SECONDS = 60
"""After so long without work a process ends; until then the next sweep or report need not start another."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
     "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
    "1",
)  # fmt: skip
"""Libraries take the number of their threads from the environment in which a process starts."""


def count(jobs: int) -> int:
    """The number of processes; negative `jobs` count from this process's cores, -1 being all of them."""
    from joblib import cpu_count

    return jobs if jobs > 0 else max(1, int(cpu_count()) + 1 + jobs)


def processes(number: int) -> Executor:
    """So many processes of a BLAS thread each, ready for tasks; new ones if one of the last died."""
    from joblib.externals.loky import get_reusable_executor

    global _size
    _size = number
    # Users need not know: a process ends itself once it holds 300 MB more than after its first call, and
    # another takes its place; and where fewer are asked for than there are, these finish earlier work first.
    silent = "A worker stopped while some jobs were given|Trying to resize an executor with running jobs"
    warnings.filterwarnings("ignore", silent, UserWarning)
    from_main = threading.current_thread() is threading.main_thread()
    executor: Executor = get_reusable_executor(
        number, timeout=IDLE_SECONDS, env=ONE_THREAD,
        initializer=leave_to_parent, initargs=(os.getpid(), from_main),
    )  # fmt: skip
    return executor


def size() -> int:
    """How many processes there are, or are about to be; to ask for fewer waits until they have no work."""
    return _size if time.monotonic() - _handed_over < IDLE_SECONDS else 0


def submitted(
    number: int, function: Callable[P, Result], *args: P.args, **keywords: P.kwargs
) -> Future[Result]:
    """A call on so many processes, which may start for it."""
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    for tracker in (resource_tracker, loky_tracker):
        tracker.ensure_running()  # else they start with the first process, and let signals through again
    global _handed_over
    with signals_wait():
        executor, before = processes(number), _handed_over
        _handed_over = time.monotonic()
        if before and _handed_over - before > IDLE_SECONDS / 2:
            # loky looks which processes there are when a call is handed over, just before it starts one in
            # place of one that was idle too long. Were the call its first, its death would not be noticed.
            executor.submit(_nothing)
        return executor.submit(function, *args, **keywords)


def warm_up(number: int, calls: Iterable[Callable[[], None]]) -> None:
    """Let so many processes start and make calls, while this one does what comes before their work.

    An error there recurs with the first task, and is reported then.
    """
    with suppress(Exception):
        for call in calls:
            submitted(number, call)


def _nothing() -> None:
    """The call before another, by which the processes are there that the other needs."""


_size = 0
"""How many processes were asked for last."""

_handed_over = 0.0
"""When a call was last handed over, on the monotonic clock; 0 before the first."""


def stop() -> None:
    """End the processes, also those at work."""
    from joblib.externals.loky import get_reusable_executor

    global _size
    _size = 0
    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


def starmap(
    function: Callable[..., Result], tasks: Iterable[tuple[object, ...]], jobs: int
) -> Iterator[Result]:
    """`itertools.starmap` on so many processes, or those that are there; they begin at once, and results are
    in the order of the tasks.

    Raises:
        ResultsError: if a process dies of the same task again and again.
    """
    tasks, number = list(tasks), max(count(jobs), size())
    futures = [submitted(number, function, *task) for task in tasks]
    return (_result(function, *pair, number) for pair in zip(tasks, futures, strict=True))


def _result(
    function: Callable[..., Result], task: tuple[object, ...], future: Future[Result], number: int
) -> Result:
    """A task's result, by other processes where those at work were killed."""
    for _ in range(ATTEMPTS - 1):
        try:
            return future.result()
        except BrokenProcessPool:
            future = submitted(number, function, *task)
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise ResultsError(
            f"a process died {ATTEMPTS} times at {function.__name__} ({first_line(error)})"
        ) from error
