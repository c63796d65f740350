"""Ctrl-C: once to stop with a report, twice to leave at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from backproof.errors import ExitStatus

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, the first interrupt is a KeyboardInterrupt, and the second ends the process where it stands.

    What is stored is safe either way: rows are written in transactions, files under another name first.
    In a thread other than the main one nothing is changed, since Python delivers no signals there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    times = 0

    def interrupted(*_: object) -> None:
        nonlocal times
        times += 1
        if times > 1:
            print("interrupted twice: left at once; what is finished is kept", file=sys.stderr, flush=True)
            os._exit(ExitStatus.INTERRUPTED)
        raise KeyboardInterrupt

    kept = {number: signal.signal(number, interrupted) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
