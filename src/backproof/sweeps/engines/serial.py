"""The sweep's own process alone, for debugging and for grids of moments."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from backproof.sweeps.execution import Engine, require_timeout
from backproof.sweeps.limits import Limits
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.tasks import Task
from backproof.sweeps.work import compute


@dataclass(frozen=True)
class Serial(Engine):
    """This process alone.

    Attributes:
        timeout: seconds that a cell may take; then its status is timeout.
    """

    timeout: float | None = None

    name: ClassVar = "serial"
    can_stop: ClassVar = True
    isolates: ClassVar = False

    def __post_init__(self) -> None:
        require_timeout(self.timeout)

    @property
    def workers(self) -> int:
        """One."""
        return 1

    def outcomes(self, tasks: Sequence[Task]) -> Generator[list[Outcome], None, None]:
        """Compute tasks one after another."""
        for task in tasks:
            yield compute(task.cases, Limits(self.timeout))
