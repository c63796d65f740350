"""One sweep by every engine: the same bits."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pandas as pd
from dask_processes import dask_cluster

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
