"""What a page tells of one cell on demand: its tensors and curves, in pieces that are opened one by one."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from backproof.sweeps.columns import TENSORS, names_of
from backproof.verdicts import RIGHT
from backproof.verdicts.evidence import STEPS

SERIES = ("loss", "accuracy", "cosine", STEPS)
MOST_POINTS = 40
"""A curve in a cell's detail is drawn by so many of its points."""

MOST_CELLS = 10_000
"""So many cells have their details in the page, those first whose gradients are not right."""

PIECE = 100
"""Cells to a piece."""


def packed(value: Any) -> str:
    """A value as JSON, compressed, in characters that are never markup."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def plain(value: Any) -> Any:
    """A value of a table as JSON has it: numbers in four digits, what is not finite as text."""
    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, float | np.floating):
        return float(f"{value:.4g}") if math.isfinite(value) else str(float(value))
    return int(value) if isinstance(value, int | np.integer) else str(value)


def details(cells: pd.DataFrame, tensors: pd.DataFrame, curves: pa.Table) -> tuple[list[str], list[int]]:
    """Pieces of details, packed, and for every cell of the table the piece it is in; -1 for none."""
    right = cells["verdict"].isin(RIGHT).to_numpy(bool)
    order = np.argsort(right, kind="stable")[:MOST_CELLS]
    of_tensors: dict[str, list[list[Any]]] = {}
    by_column = [[plain(v) for v in tensors[name].tolist()] for name in names_of(TENSORS)]
    for cell, *row in zip(tensors["cell"], *by_column, strict=True):
        of_tensors.setdefault(cell, []).append(row)
    ids = cells["cell"].tolist()
    kept = pa.array([ids[i] for i in order], pa.string())
    wanted = pc.and_(
        pc.is_in(curves["series"], value_set=pa.array(SERIES)), pc.is_in(curves["cell"], value_set=kept)
    )
    of_curves = _thinned(curves.filter(wanted).to_pandas())
    piece_of = [-1] * len(cells)
    pieces: list[str] = []
    for start in range(0, len(order), PIECE):
        members = order[start : start + PIECE]
        for i in members:
            piece_of[i] = len(pieces)
        names = [ids[i] for i in members]
        pieces.append(
            packed({n: {"tensors": of_tensors.get(n, []), "curves": of_curves.get(n, {})} for n in names})
        )
    return pieces, piece_of


def _thinned(long: pd.DataFrame) -> Mapping[str, Mapping[str, Sequence[Any]]]:
    """Curves by cell and series: steps and values, evenly spaced, the last point always among them."""
    if not len(long):
        return {}
    cells, series = pd.factorize(long["cell"])[0], pd.factorize(long["series"])[0]
    starts = np.flatnonzero(np.r_[True, (np.diff(cells) != 0) | (np.diff(series) != 0)])
    ends = np.r_[starts[1:], len(long)]
    steps, values = long["step"].to_numpy(), long["value"].to_numpy(float)
    names = zip(long["cell"].iloc[starts], long["series"].iloc[starts], starts, ends, strict=True)
    found: dict[str, dict[str, Sequence[Any]]] = {}
    for cell, name, start, end in names:
        count = end - start
        at = start + (
            np.arange(count) if count <= MOST_POINTS else np.linspace(0, count - 1, MOST_POINTS).astype(int)
        )
        at = at[np.isfinite(values[at])]
        of_cell = found.setdefault(cell, {})
        of_cell[name] = [
            steps[at].tolist(), [float(f"{v:.4g}") for v in values[at]],
        ]  # fmt: skip
    return found
