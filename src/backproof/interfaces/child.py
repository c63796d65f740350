"""Hydra's own application as a child process, through which its output, interrupts and status pass."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

APPLICATION = "backproof.interfaces.hydra_app"


def run_hydra(arguments: Sequence[str]) -> int:
    """Run the application with these arguments; its exit status.

    Hydra prints its errors itself, with a traceback or a hint at one, unless it is asked to raise them.
    """
    command = [sys.executable, "-m", APPLICATION, *arguments]
    with (
        subprocess.Popen(command, env={**os.environ, "HYDRA_FULL_ERROR": "1"}) as process,
        _passing_on(process),
    ):
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the child has it from the terminal too, and ends the sweep in order
                continue


@contextmanager
def _passing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass a request to terminate on to the child."""
    kept = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)
