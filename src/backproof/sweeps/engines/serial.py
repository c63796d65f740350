"""The sweep's own process alone, for debugging and for grids of moments."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import ClassVar

from backproof.sweeps.execution import Engine, limits_of, require_isolate, require_timeout
from backproof.sweeps.shards import Packed
from backproof.sweeps.tasks import Task
from backproof.sweeps.workers import compute_here


@dataclass(frozen=True)
class Serial(Engine):
    """This process alone.

    Attributes:
        timeout: seconds that a cell may take; then its status is timeout.
        memory: what a cell may take beyond what the process has, as 2GB; then its status is failed.
        isolate: task: what code from outside changes in NumPy and in global state is looked for and put back;
            none: it is not.
    """

    timeout: float | None = None
    memory: int | str | None = None
    isolate: str = "task"

    name: ClassVar = "serial"
    can_stop: ClassVar = True
    isolates: ClassVar = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_timeout(self.timeout)
        require_isolate(self.isolate, ("task", "none"))
        limits_of(self.timeout, self.memory, self.isolate)

    @property
    def workers(self) -> int:
        """One."""
        return 1

    def outcomes(self, tasks: Iterable[Task]) -> Generator[Packed, None, None]:
        """Compute tasks one after another."""
        limits = limits_of(self.timeout, self.memory, self.isolate)
        for task in tasks:
            yield compute_here(task.cases, limits)
