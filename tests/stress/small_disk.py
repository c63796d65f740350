"""A sweep on a disk that is too small for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SWEEP = ("data=xor", "network.hidden=[8]", "training.steps=60", "seed=range(0,{seeds})", "name=disk")


def mounted(folder: Path, megabytes: float) -> bool:
    """Give a folder a disk of its own; whether this machine lets us."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * 1024)}k", "tmpfs", str(folder)]
    return shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0


def sweep(folder: Path, seeds: int) -> subprocess.CompletedProcess[str]:
    """Run it there."""
    words = [w.format(seeds=seeds) for w in SWEEP]
    command = [sys.executable, "-m", "backproof", "sweep", "-m", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def full_disk(folder: Path, seeds: int = 400) -> dict[str, object]:
    """Sweep into 1.2 MB, then into 64 MB; what was said, and how many cells the first left for the second.

    Raises:
        OSError: if no disk can be mounted.
    """
    results = folder / "results"
    results.mkdir()
    if not mounted(results, 1.2):
        raise OSError("no disk can be mounted here")
    try:
        small = sweep(folder, seeds)
        told = [line for line in small.stderr.splitlines() if line.startswith("backproof: ")]
        left = sorted(p.name for p in (results / "disk").iterdir())
        subprocess.run(["mount", "-o", "remount,size=64m", str(results)], check=True)
        large = sweep(folder, seeds)
    finally:
        subprocess.run(["umount", "-l", str(results)], check=True)
    return {
        "status": small.returncode,
        "told": told,
        "traceback": "Traceback" in small.stderr + large.stderr,
        "left": left,
        "then": large.returncode,
        "went on": next(line for line in large.stderr.splitlines() if "already there" in line),
    }
