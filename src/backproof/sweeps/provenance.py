"""Where results came from: code, versions, machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from backproof.sweeps.fingerprint import FRAMEWORKS, code_digest, deciding_versions, version

ALL_FRAMEWORKS = tuple(name for names in FRAMEWORKS.values() for name in names)

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
    "sympy",
    *ALL_FRAMEWORKS,
)


class Commit(TypedDict):
    """The commit of a checkout, and whether its tracked files differ from it."""

    commit: str
    dirty: bool


class Machine(TypedDict):
    """What computed."""

    system: str
    processor: str
    cores: int | None


class Provenance(TypedDict):
    """What can be known about a run; plain data, as `provenance.json` holds it.

    `fingerprint` is of the code that computes, and `git` null outside a checkout of this package.
    """

    command: str
    backproof: str | None
    fingerprint: str
    git: Commit | None
    python: str
    versions: dict[str, str | None]
    machine: Machine


def provenance(command: str) -> Provenance:
    """What can be known about this run, which `command` started."""
    return {
        "command": command,
        "backproof": version("backproof"),
        "fingerprint": code_digest(),
        "git": _commit(Path(__file__).parents[1]),
        "python": sys.version.split()[0],
        "versions": {name: version(name) for name in PACKAGES},
        "machine": {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()},
    }


def changed_since(before: Mapping[str, object]) -> list[str]:
    """What decides bits and is another than in the provenance of an earlier run, in words."""
    changed = []
    if before.get("fingerprint") != code_digest():
        changed.append("backproof's computing code")
    versions = before.get("versions")
    for name, now in deciding_versions(*ALL_FRAMEWORKS).items():
        then = versions.get(name) if isinstance(versions, Mapping) else None
        if then != now:
            changed.append(f"{name} {then} → {now}")
    return changed


def _commit(folder: Path) -> Commit | None:
    commit = _git(folder, "rev-parse", "HEAD")
    tracked = _git(folder, "ls-files", "__init__.py")
    if not commit or not tracked:
        return None
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
