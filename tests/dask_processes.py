"""A Dask cluster on this machine, of processes of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

IDLE = "5 minutes"
"""A scheduler without work for so long ends with its workers, where a killed test run has left it behind."""


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def dask_cluster(workers: int = 2) -> Iterator[str]:
    """The address of a scheduler on this machine with workers of a thread each."""
    with dask_scheduler(workers) as (address, _):
        yield address


@contextmanager
def dask_scheduler(workers: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The same, and the scheduler's process."""
    port = str(free_port())
    address = f"tcp://127.0.0.1:{port}"
    commands = [["dask_scheduler", "--host", "127.0.0.1", "--port", port, "--idle-timeout", IDLE]]
    commands += [["dask_worker", address, "--nthreads", "1", "--death-timeout", "60"]] * workers
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *words, "--no-dashboard"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,  # a worker's nanny and the worker itself end together
        )
        for program, *words in commands
    ]  # fmt: skip
    try:
        yield address, started[0]
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
