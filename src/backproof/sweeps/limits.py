"""The time and the memory that a cell may take, and what a process leaves behind that dies of one."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

STARTED = "started"
"""The first line of a worker's log: it died at work, not on its way there."""


class TimeIsUpError(BaseException):
    """A cell has taken longer than it may; no Exception, so that user code does not catch it as its own."""


@dataclass(frozen=True)
class Limits:
    """What bounds the computation of a cell.

    Attributes:
        seconds: how long a cell may be checked, and again trained; None for any time.
        memory: bytes that this process may take beyond what it has when the cell begins; None for any.
        guarded: whether code from outside is kept from changing what other cells compute with.
        log: where this process records what killed it; None in a process that must not end with a cell.
    """

    seconds: float | None = None
    memory: int | None = None
    guarded: bool = True
    log: TextIO | None = None

    @property
    def expendable(self) -> bool:
        """Whether this process may end with its cell, because another one takes over."""
        return self.log is not None

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Bound a computation; in a process's main thread only."""
        with self._in_time(), self._in_memory():
            yield

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Raise `TimeIsUpError` within a computation that takes longer.

        Compiled code that does not return cannot be interrupted: there an expendable process ends, a little
        later, so that Python always has its chance first.
        """
        if self.seconds is None:
            yield
            return

        def expire(_signal: int, _frame: FrameType | None) -> None:
            raise TimeIsUpError

        kept = signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        if self.log is not None:
            faulthandler.dump_traceback_later(1.25 * self.seconds + 1, exit=True, file=self.log)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, kept)

    @contextmanager
    def _in_memory(self) -> Iterator[None]:
        """Let the system refuse more, which Python makes a MemoryError of."""
        if self.memory is None:
            yield
            return
        kept = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + self.memory, kept[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, kept)


def _data_bytes() -> int:
    """What counts against the limit of this process's data (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return next(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData"))


UNLIMITED = Limits()


@contextmanager
def last_words(path: Path | None) -> Iterator[TextIO]:
    """In a worker process: a log that says where each thread was when the process died of a cell."""
    with Path(path or os.devnull).open("w", encoding="utf-8") as log:
        print(STARTED, file=log, flush=True)
        faulthandler.enable(log)
        try:
            yield log
        finally:
            faulthandler.disable()
