"""What a cell may not exceed, and what is left to say of a process that dies of one."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

STARTED = "started"
"""The first line of a worker's last words: it died at work, not on its way there."""

_log: TextIO | None = None
"""Where this process says what killed it; None in a process that must not end with a cell."""


class TimeIsUpError(BaseException):
    """A cell has taken longer than it may; no Exception, so that nobody's code takes it for its own."""


def expendable() -> bool:
    """Whether this process may end with its cell: somebody starts another."""
    return _log is not None


@contextmanager
def last_words(path: Path | None) -> Iterator[None]:
    """In a worker's process: say in a file where it stood if it dies, or never returns from compiled code."""
    global _log
    with Path(path or os.devnull).open("w", encoding="utf-8") as log:
        print(STARTED, file=log, flush=True)
        faulthandler.enable(log)
        _log = log
        try:
            yield
        finally:
            _log = None
            faulthandler.disable()


@contextmanager
def at_most(seconds: float | None) -> Iterator[None]:
    """Raise `TimeIsUpError` in the midst of what takes longer; in a process's main thread only.

    Compiled code that does not come back cannot be interrupted: there an expendable process ends, a little
    later, so that Python always has its chance first.
    """
    if seconds is None:
        yield
        return

    def expire(*_: Any) -> None:
        raise TimeIsUpError

    kept = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    if _log is not None:
        faulthandler.dump_traceback_later(1.25 * seconds + 1, exit=True, file=_log)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, kept)
