"""Processes of this machine; one that dies costs only the cell that it died of."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from backproof.sweeps.case import Case
from backproof.sweeps.deaths import Death
from backproof.sweeps.engines import processes
from backproof.sweeps.engines.own_processes import DiedError, OwnProcesses
from backproof.sweeps.execution import Engine, limits_of, require_isolate, require_jobs, require_timeout
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
        memory: what a cell may take beyond what its process has, as 2GB; then its status is failed.
        isolate: what keeps code from outside apart. task: what it changes in NumPy and in global state is
            looked for after every cell, and put back; cell: every cell has a process of its own besides;
            none: nothing.
    """

    jobs: int = -1
    timeout: float | None = None
    memory: int | str | None = None
    isolate: str = "task"

    name: ClassVar = "loky"
    can_stop: ClassVar = True
    isolates: ClassVar = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_jobs(self.jobs)
        require_timeout(self.timeout)
        require_isolate(self.isolate, ("cell", "task", "none"))
        limits_of(self.timeout, self.memory, self.isolate)

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return processes.count(self.jobs)

    def outcomes(self, tasks: Sequence[Task]) -> Generator[list[Outcome], None, None]:
        """Compute tasks in processes, or in this one where starting others costs more than the work."""
        if self.isolate == "cell":
            own = [Task([case]) for task in tasks for case in task.cases if case.code]
            tasks = [task for task in tasks if not _custom(task)]
            if own:
                yield from self._apart(own)
        yield from self._shared(tasks)

    def _shared(self, tasks: Sequence[Task]) -> Generator[list[Outcome], None, None]:
        """In processes that compute one task after another."""
        bounded = self.timeout is not None or self.memory is not None
        if len(tasks) <= 1 and not bounded and not any(map(_custom, tasks)):
            yield from (compute(task.cases) for task in tasks)
            return
        number, done = min(self.workers, len(tasks)), False

        def submit(*words: Any) -> Future[list[Outcome]]:
            return processes.processes(number).submit(*words)

        try:
            yield from self._outcomes(tasks, submit, number, BrokenProcessPool)
            done = True
        finally:
            if not done:
                processes.stop()

    def _apart(self, tasks: Sequence[Task]) -> Generator[list[Outcome], None, None]:
        """Each in a process of its own."""
        number = min(self.workers, len(tasks))
        own = OwnProcesses(number)
        try:
            yield from self._outcomes(tasks, own.submit, number, DiedError)
        finally:
            own.stop()

    def _outcomes(
        self,
        tasks: Sequence[Task],
        submit: Callable[..., Future[list[Outcome]]],
        number: int,
        died: type[BaseException],
    ) -> Iterator[list[Outcome]]:
        origin, limits = Origin.here(), limits_of(self.timeout, self.memory, self.isolate)
        with TemporaryDirectory() as folder:
            log = Path(folder) / "last-words"

            def among_others(cases: Sequence[Case]) -> Future[list[Outcome]]:
                return submit(compute_in_process, cases, limits, origin)

            def alone(cases: Sequence[Case]) -> Future[list[Outcome]]:
                log.unlink(missing_ok=True)
                return submit(compute_in_process, cases, limits, origin, log)

            yield from Pool(
                among_others, 2 * number, alone, died=(died,),
                death=lambda error: Death.of(log, error), seconds=self.timeout,
            ).outcomes(tasks)  # fmt: skip


def _custom(task: Task) -> bool:
    """Whether code from outside is computed, which may end its process and so never runs in the sweep's."""
    return any(case.code for case in task.cases)
