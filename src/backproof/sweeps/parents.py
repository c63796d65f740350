"""Processes that end with their parent, however that ends, and leave it to act on signals."""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from backproof.sweeps.interruption import SIGNALS

LOOK_SECONDS = 0.25
"""How often a process looks whether its parent is there."""

PR_SET_PDEATHSIG = 1
"""Linux: the signal that a process gets when the thread that started it ends."""


def leave_to_parent(parent: int, from_main_thread: bool) -> None:
    """Of a worker: end with its parent, and let that alone act on signals; see `end_with_parent`."""
    heed_no_signals()
    end_with_parent(parent, from_main_thread)
    atexit.register(gc.freeze)  # else it looks for garbage as it ends, while its parent waits


def heed_no_signals() -> None:
    """Leave signals to the parent.

    An interrupt reaches every process of a terminal, and a cluster's job manager signals all of a job.
    """
    for number in SIGNALS:
        signal.signal(number, _nothing)  # not SIG_IGN, which programs started from here would inherit
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


@contextmanager
def signals_wait() -> Iterator[None]:
    """Within, signals wait; a process that is started here lets them wait until it leaves them to its parent.

    They would interrupt its imports, which prints a traceback.
    """
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)


def end_with_parent(parent: int, from_main_thread: bool) -> None:
    """Let this process end when its parent does, or at once if it already has.

    Args:
        parent: the number of its process.
        from_main_thread: whether its main thread started this one. Then the kernel can be asked, which also
            ends a process whose compiled code never returns.
    """
    if from_main_thread and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="watch the parent").start()


def end_with_pipe(reader: int) -> None:
    """Let this process end when the last writer of a pipe does, whoever its parent is.

    The pipe must be this process's own. The system sends the signal, so it also ends a process whose compiled
    code never returns.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)  # which is to end
    fcntl.fcntl(reader, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)
    readable, _, _ = select.select([reader], [], [], 0)
    if readable:  # it has ended already
        os._exit(1)


def _nothing(*_: object) -> None:
    """Act on no signal."""


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)
