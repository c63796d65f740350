"""One sweep by every engine: the same bits."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

SWEEP = (
    "data=gaussian", "data.samples=40", "network.hidden=[5],[7]", "output=sigmoid,relu", "fault=none,sign",
    "training=momentum", "training.steps=40", "precision=float32,float64", "seed=range(0,20)",
)  # fmt: skip

ENGINES = {
    "one process": ("engine.jobs=1",),
    "two processes": ("engine.jobs=2",),
    "four processes": ("engine.jobs=4",),
    "threads": ("engine=threads",),
    "serial": ("engine=serial",),
    "a Dask cluster of two": ("engine=dask", "engine.address={address}"),
}

MAY_DIFFER = ("seconds", "attempts")


@contextmanager
def dask_cluster(workers: int = 2) -> Iterator[str]:
    """The address of a scheduler on this machine with workers of a thread each."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    commands = [["dask_scheduler", "--host", "127.0.0.1", "--port", port]]
    commands += [["dask_worker", address, "--nthreads", "1"]] * workers
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *words, "--no-dashboard"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        for program, *words in commands
    ]  # fmt: skip
    try:
        yield address
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def engines(folder: Path) -> dict[str, str]:
    """A digest of tables, curves and tensors for each engine."""
    found = {}
    with dask_cluster() as address:
        for i, (name, words) in enumerate(ENGINES.items()):
            command = [sys.executable, "-m", "backproof", "sweep", "-m", *SWEEP, f"name=engine-{i}"]
            command += [word.format(address=address) for word in words]
            subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=600)
            found[name] = _digest(folder / "results" / f"engine-{i}")
    return found


def _digest(results: Path) -> str:
    digest = hashlib.sha256()
    for table in ("cells", "curves", "tensors"):
        frame = pd.read_parquet(results / f"{table}.parquet")
        kept = frame.drop(columns=[c for c in MAY_DIFFER if c in frame])
        for column in kept:
            numbers = pd.api.types.is_float_dtype(kept[column].dtype)
            bits = kept[column].to_numpy().tobytes() if numbers else kept[column].to_csv().encode()
            digest.update(bits)
    return f"{len(pd.read_parquet(results / 'cells.parquet'))} cells, {digest.hexdigest()[:16]}"
