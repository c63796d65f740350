"""Processes of this machine; one that dies costs only the cell that it died of."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from backproof.sweeps.case import Case
from backproof.sweeps.deaths import Death
from backproof.sweeps.engines import processes
from backproof.sweeps.execution import Engine, require_jobs, require_timeout
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.pool import Pool
from backproof.sweeps.tasks import Task
from backproof.sweeps.work import compute
from backproof.sweeps.workers import Origin, compute_in_process


@dataclass(frozen=True)
class Loky(Engine):
    """Processes of this machine.

    Attributes:
        jobs: how many; -1: as many as there are cores.
        timeout: seconds that a cell may take; then its status is timeout.
    """

    jobs: int = -1
    timeout: float | None = None

    name: ClassVar = "loky"
    can_stop: ClassVar = True
    isolates: ClassVar = True

    def __post_init__(self) -> None:
        require_jobs(self.jobs)
        require_timeout(self.timeout)

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return processes.count(self.jobs)

    def outcomes(self, tasks: Sequence[Task]) -> Generator[list[Outcome], None, None]:
        """Compute tasks in processes, or in this one where starting others costs more than the work."""
        if self.timeout is None and len(tasks) <= 1 and not any(map(_custom, tasks)):
            yield from (compute(task.cases) for task in tasks)
            return
        number, done = min(self.workers, len(tasks)), False
        with TemporaryDirectory() as folder:
            try:
                yield from self._pool(number, Path(folder) / "last-words").outcomes(tasks)
                done = True
            finally:
                if not done:
                    processes.stop()

    def _pool(self, number: int, log: Path) -> Pool:
        origin = Origin.here()

        def submit(cases: Sequence[Case], log: Path | None = None) -> Future[list[Outcome]]:
            return processes.processes(number).submit(compute_in_process, cases, self.timeout, origin, log)

        def submit_alone(cases: Sequence[Case]) -> Future[list[Outcome]]:
            log.unlink(missing_ok=True)
            return submit(cases, log)

        return Pool(
            submit,
            2 * number,
            submit_alone,
            died=(BrokenProcessPool,),
            death=lambda error: Death.of(log, error),
            seconds=self.timeout,
        )


def _custom(task: Task) -> bool:
    """Whether code from outside is computed, which may end its process and so never runs in the sweep's."""
    return any(case.code for case in task.cases)
