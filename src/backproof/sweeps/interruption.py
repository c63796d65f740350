"""Signals that ask to stop: at once with what is finished, within a time of grace, or twice to leave."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from backproof.errors import ExitStatus

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C; a job manager's, and `kill`'s; a terminal that is closed."""

GRACE_SECONDS = 20.0
"""Job managers kill 30 s after their first signal."""


class StopRequested(KeyboardInterrupt):
    """A signal asked to stop.

    A class of its own: where a plain KeyboardInterrupt has passed through `exec` of a text, as dataclasses do
    when they are made, CPython ends the process by SIGINT even though it was caught.
    """


class _Interruption:
    """The signals of this process while it is interruptible."""

    def __init__(self, grace: float) -> None:
        self.grace, self.times = grace, 0
        self.timer: threading.Timer | None = None

    def __call__(self, *_: object) -> None:
        """Act on a signal.

        Raises:
            StopRequested: at the first.
        """
        self.times += 1
        if self.times > 1:
            leave("interrupted twice: left at once")
        self.timer = threading.Timer(self.grace, leave, [f"left after {self.grace:g} s of grace"])
        self.timer.daemon = True
        self.timer.start()
        raise StopRequested

    def end(self) -> None:
        """Let what follows take its time."""
        if self.timer:
            self.timer.cancel()


_active: _Interruption | None = None


@contextmanager
def interruptible(grace: float | None = None) -> Iterator[None]:
    """Within, the first signal is a `StopRequested`; the process ends where it stands at the second, or
    when so many seconds have passed.

    What is stored is safe either way: rows are written in transactions, files under another name first. In a
    thread other than the main one nothing is changed, since Python delivers no signals there. May be nested:
    the inner one sets the grace.
    """
    global _active
    if _active is not None:
        _active.grace = grace or _active.grace
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _active = here = _Interruption(grace or GRACE_SECONDS)
    try:
        with handled(here):
            yield
    finally:
        here.end()
        _active = None


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within, a handler gets the signals that ask to stop, but for those that this process was started to
    ignore: `nohup` is to outlive its terminal.
    """
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    kept = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, before in kept.items():
            signal.signal(number, before)


def leave(why: str) -> None:
    """End this process where it stands; its workers end with it."""
    try:
        print(f"{why}; what is finished is kept", file=sys.stderr, flush=True)
    finally:  # the terminal may be gone
        os._exit(ExitStatus.INTERRUPTED)
