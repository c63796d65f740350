"""Threads of the sweep's own process: no start-up time, for small grids of large arrays."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

from backproof.sweeps.case import Case
from backproof.sweeps.engines import processes
from backproof.sweeps.execution import Engine, require_jobs
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.pool import Pool
from backproof.sweeps.tasks import Task
from backproof.sweeps.work import compute


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

    def outcomes(self, tasks: Sequence[Task]) -> Generator[list[Outcome], None, None]:
        """Compute tasks in threads; an interrupt waits for none of those at work."""
        executor = ThreadPoolExecutor(self.workers)

        def submit(cases: Sequence[Case]) -> Future[list[Outcome]]:
            return executor.submit(compute, cases)

        try:
            yield from Pool(submit, 2 * self.workers, submit).outcomes(tasks)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
