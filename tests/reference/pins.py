"""Verdicts and numbers of the shipped experiments, frozen as data.

    python tests/reference/pins.py compare [NAME ...]   run the experiments in an empty folder and compare
    python tests/reference/pins.py check FOLDER NAME …   compare the cells of results folders that are there
    python tests/reference/pins.py freeze FOLDER NAME …  freeze them

Cells are matched by their settings. Everything has to be equal but for what differs from run to run. Where
training diverges, or a step is chosen between two that are equally good, another processor's last digits
decide; so the runs use the instructions of SAME_ARITHMETIC, which every x86-64 processor since 2013 has. A
number may still differ by RELATIVE where it is not itself rounding.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

PINS = Path(__file__).parent / "pinned"
EXPERIMENTS = tuple(sorted(path.stem for path in PINS.glob("*.parquet")))
INCIDENTAL = ["cell", "seconds", "attempts", "command", "traceback"]
SAME_ARITHMETIC = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
"""OpenBLAS and NumPy with AVX2, whatever else the processor has; set before they are imported."""

RELATIVE = 1e-6
ROUNDING = 1e-7
"""Gradient errors below this are rounding, of which the order of magnitude is compared."""


def frozen(folder: Path) -> pd.DataFrame:
    """The columns of a sweep's cells that a later run must find again."""
    cells = pd.read_parquet(folder / "cells.parquet")
    return cells.drop(columns=[c for c in INCIDENTAL if c in cells]).dropna(axis=1, how="all")


def differences(pinned: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    """What differs, a line each; empty where nothing does."""
    if len(pinned) != len(found):
        return [f"{len(pinned)} cells were pinned, {len(found)} were found"]
    lost = sorted(set(pinned) - set(found))
    lines = [f"column {name} is gone" for name in lost]
    for name in (c for c in pinned if c in found):
        a, b = pinned[name].to_numpy(object), found[name].to_numpy(object)
        off = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if not _same(x, y)]
        if off:
            lines.append(
                f"{name}: {len(off)} cells, the first in row {off[0]}: {a[off[0]]!r} → {b[off[0]]!r}"
            )
    return lines


def _same(x: object, y: object) -> bool:
    if pd.isna(x) or pd.isna(y):
        return bool(pd.isna(x) and pd.isna(y))
    if isinstance(x, float | np.floating) and isinstance(y, float | np.floating | int):
        if x == y or max(abs(x), abs(y)) < ROUNDING:
            return True
        return x == y or bool(abs(x - y) <= RELATIVE * max(abs(x), abs(y)))
    return x == y


def compare(names: list[str]) -> int:
    """Run the experiments with the code that is there; the number of them that differ."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            subprocess.run(
                [sys.executable, "-m", "backproof", "sweep", f"experiment={name}"],
                cwd=folder, check=False, capture_output=True, env=os.environ | SAME_ARITHMETIC,
            )  # fmt: skip
        return check(Path(folder) / "results", names)


def check(folder: Path, names: list[str]) -> int:
    """Compare the cells of results folders; the number of them that differ."""
    wrong = 0
    for name in names:
        lines = differences(pd.read_parquet(PINS / f"{name}.parquet"), frozen(folder / name))
        print(f"{name}: {'the same' if not lines else f'{len(lines)} differences'}", *lines, sep="\n  ")
        wrong += bool(lines)
    return wrong


def freeze(folder: Path, names: list[str]) -> int:
    """Freeze the cells of results folders."""
    PINS.mkdir(exist_ok=True)
    for name in names:
        frozen(folder / name).to_parquet(PINS / f"{name}.parquet", compression="zstd")
    return 0


def main(words: list[str]) -> int:
    """Run a command of the module's docstring; the exit status."""
    command, *rest = words or ["compare"]
    if command == "compare":
        return compare(rest or list(EXPERIMENTS))
    return {"check": check, "freeze": freeze}[command](Path(rest[0]), rest[1:])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
