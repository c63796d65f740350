"""How good a check is: which causes it names for those that were planted, and which errors it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from backproof.reports.tables import Pivot

NOTHING = "nothing"
"""What stands for a cause where none was named."""

DECADES = (-np.inf, 1e-12, 1e-9, 1e-7, 1e-6, 1e-4, 1e-2, 1.0, np.inf)
"""Bounds of the sizes of errors; a fault smaller than the first changes nothing that could be seen."""

ACCUSING = ("incorrect gradient", "clip active")

TESTS: dict[str, Callable[[pd.DataFrame], pd.Series[Any]]] = {
    "backproof": lambda cells: cells["verdict"].isin(ACCUSING).astype("boolean"),
    "relative 1e-2": lambda cells: cells["relative_1e_2"],
    "relative 1e-4": lambda cells: cells["relative_1e_4"],
    "relative 1e-7": lambda cells: cells["relative_1e_7"],
    "rtol 1e-3, atol 1e-5": lambda cells: cells["allclose"],
    "quadratic, 5 points": lambda cells: cells["quadratic"],
}
"""Each test, and whether it raises an alarm over a cell; null where it was not asked."""


def confusion(cells: pd.DataFrame) -> Pivot:
    """Planted causes against the causes named first, as shares of each planted one."""
    done = cells[(cells["status"] == "ok") & cells["planted"].notna()]
    planted, named = done["planted"], done["cause"].fillna(NOTHING)
    rows = list(dict.fromkeys(planted))
    columns = rows + [c for c in dict.fromkeys(named) if c not in rows]
    tally = pd.crosstab(planted, named).reindex(index=rows, columns=columns, fill_value=0).to_numpy()
    totals = tally.sum(axis=1, keepdims=True)
    shares = np.where(tally > 0, tally / np.maximum(totals, 1), np.nan)
    return _shares("confusion", ["planted"], rows, ["named first"], columns, shares, tally)


def detection(cells: pd.DataFrame) -> Pivot:
    """The share of cells in which each test raises an alarm, by the size of the error that was planted."""
    done = cells[(cells["status"] == "ok") & (cells["verdict"] != "not checked")]
    size = done["fault_size"].where(done["planted"].notna(), -np.inf).astype(float)
    bucket = np.searchsorted(DECADES[1:-1], size, side="right")
    names = ["no error"] + [f"≤ {high:.0e}" for high in DECADES[2:-1]] + [f"> {DECADES[-2]:g}"]
    shares = np.full((len(TESTS), len(names)), np.nan)
    counts = np.zeros(shares.shape, int)
    for i, alarm in enumerate(TESTS.values()):
        raised = alarm(done)
        for j in range(len(names)):
            here = raised[bucket == j].dropna()
            counts[i, j] = len(here)
            if len(here):
                shares[i, j] = float(here.astype(float).mean())
    seen = [j for j in range(len(names)) if counts[:, j].any()]
    names, shares, counts = [names[j] for j in seen], shares[:, seen], counts[:, seen]
    return _shares("detection", ["test"], list(TESTS), ["size of the error"], names, shares, counts)


def _shares(
    value: str,
    row_axes: list[str],
    rows: Sequence[str],
    column_axes: list[str],
    columns: Sequence[str],
    shares: np.ndarray[Any, Any],
    n: np.ndarray[Any, Any],
) -> Pivot:
    none, unknown, nobody = np.zeros(shares.shape, int), np.full(shares.shape, np.nan), np.zeros(0, int)
    return Pivot(
        value, tuple(row_axes), tuple(column_axes), [(r,) for r in rows], [(c,) for c in columns],
        shares, shares, shares, unknown, unknown, n, n, n, none, none, none, nobody, nobody,
    )  # fmt: skip
