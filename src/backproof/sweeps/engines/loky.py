"""Processes of this machine; one that dies costs only the cell that it died of."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from backproof.sweeps.deaths import Death
from backproof.sweeps.engines import processes
from backproof.sweeps.engines.own_processes import DiedError, OwnProcesses
from backproof.sweeps.execution import Engine, limits_of, require_isolate, require_jobs, require_timeout
from backproof.sweeps.listing import Unit, batched
from backproof.sweeps.pool import Pool
from backproof.sweeps.shards import Packed
from backproof.sweeps.tasks import Task
from backproof.sweeps.workers import Origin, compute_here, compute_in_process, load_computing

AT_A_TIME = 1_000
"""Tasks that are sorted at a time into those with code from outside, whose cells are apart, and others."""


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

    def start_early(self, function: Callable[[], None], number: int) -> None:
        """Let the processes start and load what cells are computed with."""
        if self.isolate != "cell":
            # Both in one call, the first of the process: see `reports.drawers.load_tables`.
            more = partial(load_computing, function)
            calls = (more if i < number else load_computing for i in range(self.workers))
            processes.warm_up(self.workers, calls)

    def outcomes(self, tasks: Iterable[Task]) -> Generator[Packed, None, None]:
        """Compute tasks in processes, or in this one where starting others costs more than the work."""
        if self.isolate != "cell":
            yield from self._shared(tasks)
            return
        for some in batched(tasks, AT_A_TIME):
            own = [Task([case]) for task in some for case in task.cases if case.code]
            if own:
                yield from self._apart(own)
            yield from self._shared(task for task in some if not _custom(task))

    def _shared(self, tasks: Iterable[Task]) -> Generator[Packed, None, None]:
        """In processes that compute one task after another."""
        bounded = self.timeout is not None or self.memory is not None
        left = iter(tasks)
        first = list(islice(left, max(2, self.workers)))
        if not first:
            return
        if len(first) == 1 and not bounded and not any(map(_custom, first)):
            yield compute_here(first[0].cases)
            return
        number, done = min(self.workers, max(len(first), processes.size())), False

        def submit(*words: Any) -> Future[Packed]:
            return processes.submitted(number, *words)

        try:
            yield from self._outcomes(chain(first, left), submit, number, BrokenProcessPool)
            done = True
        finally:
            if not done:
                processes.stop()

    def _apart(self, tasks: Sequence[Task]) -> Generator[Packed, None, None]:
        """Each in a process of its own."""
        number = min(self.workers, len(tasks))
        own = OwnProcesses(number)
        try:
            yield from self._outcomes(tasks, own.submit, number, DiedError)
        finally:
            own.stop()

    def _outcomes(
        self,
        tasks: Iterable[Task],
        submit: Callable[..., Future[Packed]],
        number: int,
        died: type[BaseException],
    ) -> Iterator[Packed]:
        origin, limits = Origin.here(), limits_of(self.timeout, self.memory, self.isolate)
        with TemporaryDirectory() as folder:
            log = Path(folder) / "last-words"

            def among_others(cases: Sequence[Unit]) -> Future[Packed]:
                return submit(compute_in_process, cases, limits, origin)

            def alone(cases: Sequence[Unit]) -> Future[Packed]:
                log.unlink(missing_ok=True)
                return submit(compute_in_process, cases, limits, origin, log)

            yield from Pool(
                among_others, 2 * number, alone, died=(died,),
                death=lambda error: Death.of(log, error), seconds=self.timeout,
            ).outcomes(tasks)  # fmt: skip


def _custom(task: Task) -> bool:
    """Whether code from outside is computed, which may end its process and so never runs in the sweep's."""
    return any(case.code for case in task.cases)
