"""What became of a cell: the row, curves and tensors that a worker sends back."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field

from backproof.errors import FunctionError
from backproof.network.arrays import Array
from backproof.sweeps.limits import UNLIMITED, Limits, TimeIsUpError
from backproof.sweeps.status import Status
from backproof.sweeps.surroundings import TamperedError
from backproof.targets.source import PACKAGE

Entry = None | bool | int | float | str
"""What a column of a table may hold."""


@dataclass
class Outcome:
    """What became of a cell.

    Attributes:
        values: the columns of the row that are not settings.
        curves: series name to (steps, values).
        tensors: a record per weight tensor: what the check concludes of it.
        attempts: how often it was computed; more than once where processes died.
    """

    id: str
    status: Status = Status.OK
    error: str | None = None
    traceback: str | None = None
    values: dict[str, Entry] = field(default_factory=dict)
    curves: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    tensors: list[dict[str, Entry]] = field(default_factory=list)
    seconds: float = 0.0
    attempts: int = 1

    def fail(self, error: BaseException, limits: Limits = UNLIMITED) -> None:
        """Turn into a row that says why."""
        self.values, self.curves, self.tensors = {}, {}, []
        self.traceback = "".join(traceback.format_exception(error))
        if isinstance(error, FunctionError | TamperedError):  # they say themselves whose code it was
            self.status, self.error = Status.FAILED, f"{error}{_of_memory(error, limits)}"
            return
        where = traceback.extract_tb(error.__traceback__)
        if isinstance(error, TimeIsUpError):
            frames = [f for f in where if not f.filename.startswith(PACKAGE)] or where
            at = f"at the last in {frames[-1].filename}:{frames[-1].lineno}"
            self.status, self.error = (
                Status.TIMEOUT,
                f"took longer than {limits.seconds:g} s (engine.timeout), {at}",
            )
            return
        at = f" ({where[-1].filename}:{where[-1].lineno})" if where else ""
        self.status, self.error = (
            Status.FAILED,
            f"{type(error).__name__}: {error}{_of_memory(error, limits)}{at}",
        )


def _of_memory(error: BaseException | None, limits: Limits) -> str:
    """What is added where a cell had less memory than it asked for."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__
    return f" (engine.memory allows {limits.memory:,} bytes)" if error and limits.memory else ""
