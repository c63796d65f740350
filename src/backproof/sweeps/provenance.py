"""Where results came from: code, versions, machine, configuration."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import backproof
from backproof.sweeps.case import fingerprint

PACKAGES = (
    "numpy",
    "scipy",
    "hydra-core",
    "pandas",
    "pyarrow",
    "seaborn",
    "matplotlib",
    "joblib",
    "scikit-learn",
)


def provenance(command: str) -> dict[str, Any]:
    """What can be known about this run, as plain data."""
    return {
        "command": command,
        "backproof": _version("backproof"),
        "fingerprint": fingerprint(),
        "git": _git(Path(backproof.__file__).parent),
        "python": sys.version.split()[0],
        "versions": {name: _version(name) for name in PACKAGES},
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(folder: Path) -> dict[str, Any] | None:
    """Commit and whether the tracked files differ from it; None outside a checkout of this package."""
    commit = _run("git", "-C", str(folder), "rev-parse", "HEAD")
    tracked = _run("git", "-C", str(folder), "ls-files", "__init__.py")
    if not commit or not tracked:
        return None
    return {
        "commit": commit,
        "dirty": bool(_run("git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no")),
    }


def _run(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
