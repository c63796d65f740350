"""Signals that ask to stop: at once with what is finished, within a time of grace, or twice to leave."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from backproof.errors import ExitStatus

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C; a job manager's, and `kill`'s; a terminal that is closed."""

GRACE_SECONDS = 20.0
"""Job managers kill 30 s after their first signal."""

SECONDS_BETWEEN_LOOKS = 0.02
"""How often it is asked whether an import has ended."""

IMPORT_SYSTEM = "<frozen importlib._bootstrap>"

T = TypeVar("T")


class StopRequested(KeyboardInterrupt):
    """A signal asked to stop.

    A class of its own: where a plain KeyboardInterrupt has passed through `exec` of a text, as dataclasses do
    when they are made, CPython ends the process by SIGINT even though it was caught.
    """


class _Interruption:
    """The signals of this process while it is interruptible."""

    def __init__(self, grace: float) -> None:
        self.grace, self.times = grace, 0
        self.deferred, self.imports = False, _imports(sys._getframe())
        self.timer: threading.Timer | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Act on a signal, at the end of the import that it came in: an exception that is raised within one
        comes out as another or not at all, since modules in C replace it and some libraries import what is
        optional within `except:`.

        Raises:
            StopRequested: at the first.
        """
        if not self.deferred:
            self.times += 1
            if self.times > 1:
                leave("interrupted twice: left at once")
            self.timer = _after(self.grace, leave, f"left after {self.grace:g} s of grace")
        self.deferred = _imports(frame) > self.imports
        if self.deferred:
            _after(SECONDS_BETWEEN_LOOKS, _signal_main_thread, number)
            return
        raise StopRequested

    def end(self) -> None:
        """Let what follows take its time."""
        if self.timer:
            self.timer.cancel()


def _after(seconds: float, action: Callable[[T], object], argument: T) -> threading.Timer:
    """A timer that does not keep the process alive."""
    timer = threading.Timer(seconds, action, [argument])
    timer.daemon = True
    timer.start()
    return timer


def _signal_main_thread(number: int) -> None:
    """As from outside: what it waits for is interrupted too."""
    signal.pthread_kill(threading.main_thread().ident or 0, number)


def _imports(frame: FrameType | None) -> int:
    """How many imports are under way at a frame."""
    number = 0
    while frame is not None:
        number += frame.f_code.co_name == "_find_and_load" and frame.f_code.co_filename == IMPORT_SYSTEM
        frame = frame.f_back
    return number


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


def ending(status: int) -> None:
    """From here on a signal ends this process at once, with a status that it would have ended with anyway."""
    for number in _heeded():
        signal.signal(number, lambda *_: os._exit(status))


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within, a handler gets the signals that ask to stop."""
    kept = {number: signal.signal(number, handler) for number in _heeded()}
    try:
        yield
    finally:
        for number, before in kept.items():
            signal.signal(number, before)


def _heeded() -> list[signal.Signals]:
    """The signals that ask to stop, but for those that this process was started to ignore: `nohup` is to
    outlive its terminal.
    """
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def leave(why: str) -> None:
    """End this process where it stands; its workers end with it."""
    try:
        print(f"{why}; what is finished is kept", file=sys.stderr, flush=True)
    finally:  # the terminal may be gone
        os._exit(ExitStatus.INTERRUPTED)
