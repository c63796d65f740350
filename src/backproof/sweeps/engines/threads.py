"""Threads of the sweep's own process: no start-up time, for small grids of large arrays."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

from backproof.sweeps.engines import processes
from backproof.sweeps.execution import Engine, require_jobs
from backproof.sweeps.listing import Unit
from backproof.sweeps.pool import Pool
from backproof.sweeps.shards import Packed
from backproof.sweeps.tasks import Task
from backproof.sweeps.workers import compute_here


@dataclass(frozen=True)
class Threads(Engine):
    """Threads of one process.

    Attributes:
        jobs: how many; -1: as many as there are cores.
    """

    jobs: int = -1

    name: ClassVar = "threads"
    can_stop: ClassVar = False
    isolates: ClassVar = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_jobs(self.jobs)

    @property
    def workers(self) -> int:
        """How many threads there are."""
        return processes.count(self.jobs)

    def outcomes(self, tasks: Iterable[Task]) -> Generator[Packed, None, None]:
        """Compute tasks in threads; an interrupt waits for none of those at work."""
        executor = ThreadPoolExecutor(self.workers)

        def submit(cases: Sequence[Unit]) -> Future[Packed]:
            return executor.submit(compute_here, cases)

        try:
            yield from Pool(submit, 2 * self.workers, submit).outcomes(tasks)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
