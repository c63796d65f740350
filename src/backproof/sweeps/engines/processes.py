"""Processes of this machine, as joblib's loky keeps them: the executor, and a `starmap` on it.

loky is used as an executor, without `joblib.Parallel`: that runs a single worker's tasks in the calling
process, which a cell may end, and does not tell which of its tasks were lost.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import TypeVar

Result = TypeVar("Result")

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

    executor: Executor = get_reusable_executor(
        number, timeout=IDLE_SECONDS, initializer=ignore_interrupts, env=ONE_THREAD
    )
    return executor


def stop() -> None:
    """End the processes, also those at work."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


def ignore_interrupts() -> None:
    """An interrupt reaches every process of the terminal; the parent is the one to act on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def starmap(
    function: Callable[..., Result], tasks: Iterable[tuple[object, ...]], jobs: int
) -> Iterator[Result]:
    """`itertools.starmap` on so many processes, which begin at once; results in the order of the tasks."""
    executor = processes(count(jobs))
    futures = [executor.submit(function, *task) for task in tasks]
    return (future.result() for future in futures)
