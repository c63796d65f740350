"""Hydra's own application as a child process, through which its output, interrupts and status pass."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from backproof.sweeps.interruption import handled

APPLICATION = "backproof.interfaces.hydra_app"

PARENT = "BACKPROOF_PARENT"
"""The variable that tells the child whom it ends with."""


def run_hydra(arguments: Sequence[str], variables: Mapping[str, str] = MappingProxyType({})) -> int:
    """Run the application with these arguments and variables of the environment; its exit status.

    Hydra prints its errors itself, with a traceback or a hint at one, unless it is asked to raise them.
    """
    command = [sys.executable, "-m", APPLICATION, *arguments]
    # In a group of its own, so that a terminal's signals reach it once: by way of this process.
    environment = {**os.environ, "HYDRA_FULL_ERROR": "1", PARENT: str(os.getpid()), **variables}
    with (
        subprocess.Popen(command, env=environment, process_group=0) as process,
        handled(lambda number, _: process.send_signal(number)),
    ):
        return process.wait()
