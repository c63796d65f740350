"""A digest of the code that computes a cell's numbers, so that ids change when it does."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

COMPUTING = (
    "network",
    "targets",
    "estimates",
    "verdicts",
    "training",
    "data",
    "sweeps/canonical.py",
    "sweeps/checking.py",
    "sweeps/components.py",
    "sweeps/construction.py",
    "sweeps/cures.py",
    "sweeps/custom.py",
    "sweeps/limits.py",
    "sweeps/subject.py",
    "sweeps/training_runs.py",
    "sweeps/work.py",
)
"""The code that a cell's numbers depend on."""


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """A digest of the computing code's source."""
    root = Path(__file__).parents[1]
    digest = blake2b(digest_size=8)
    for name in COMPUTING:
        for path in sorted((root / name).rglob("*.py")) if "." not in name else [root / name]:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
