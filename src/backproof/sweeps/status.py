"""What can become of a cell."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The state of a cell in the store; the text is what tables and the page show."""

    OK = "ok"
    FAILED = "failed"
    KILLED = "killed"
    TIMEOUT = "timeout"
    EXCLUDED = "excluded"
    PENDING = "pending"

    @property
    def failed(self) -> bool:
        """Whether the cell ran and has no result."""
        return self in FAILURES

    @property
    def shown(self) -> str:
        """The status as a reader of a report meets it."""
        return "still to come" if self is Status.PENDING else str(self)


FAILURES = (Status.FAILED, Status.KILLED, Status.TIMEOUT)
"""Statuses of cells that ran and have no result."""
