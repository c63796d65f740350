"""What a page shows of one cell on demand: its tensors and curves, in pieces that are opened one by one."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from backproof.network.arrays import evenly_spaced
from backproof.reports.series import OF_A_CELL
from backproof.sweeps.columns import TENSORS, names_of
from backproof.verdicts.verdict import RIGHT

MOST_POINTS = 40
"""A curve in a cell's details is drawn by so many of its points."""

MOST_CELLS = 10_000
"""So many cells have their details in the page, those first whose gradients are not right."""

PIECE = 100
"""Cells to a piece."""

Plain = str | int | float | None
Curve = tuple[list[int], list[float]]
"""Steps and values."""


@dataclass(frozen=True)
class Details:
    """Packed details of cells, and for every cell of the table the piece that it is in; -1 for none."""

    pieces: list[str]
    piece_of: list[int]


def packed(value: object) -> str:
    """A value as JSON, compressed, in characters that are never markup."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def plain(value: object, digits: int = 4) -> Plain:
    """A value of a table as JSON has it: numbers in so many digits, what is not finite as text."""
    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else str(float(value))
    return int(value) if isinstance(value, int | np.integer) else str(value)


def details(cells: pd.DataFrame, tensors: pd.DataFrame, curves: pa.Table) -> Details:
    """The tensors and curves of cells, those first whose gradients are not right."""
    right = cells["verdict"].isin(RIGHT).to_numpy(bool)
    order = np.argsort(right, kind="stable")[:MOST_CELLS]
    ids = cells["cell"].tolist()
    of_tensors = _by_cell(tensors)
    of_curves = _thinned(_curves_of(curves, [ids[i] for i in order]))
    piece_of, pieces = [-1] * len(cells), list[str]()
    for start in range(0, len(order), PIECE):
        members = order[start : start + PIECE]
        for i in members:
            piece_of[i] = len(pieces)
        names = [ids[i] for i in members]
        pieces.append(
            packed({n: {"tensors": of_tensors.get(n, []), "curves": of_curves.get(n, {})} for n in names})
        )
    return Details(pieces, piece_of)


def _by_cell(tensors: pd.DataFrame) -> dict[str, list[list[Plain]]]:
    """The rows of each cell's tensors."""
    found: dict[str, list[list[Plain]]] = {}
    by_column = [[plain(v) for v in tensors[name].tolist()] for name in names_of(TENSORS)]
    for cell, *row in zip(tensors["cell"], *by_column, strict=True):
        found.setdefault(cell, []).append(row)
    return found


def _curves_of(curves: pa.Table, cells: list[str]) -> pd.DataFrame:
    series = pa.array([s.name for s in OF_A_CELL])
    wanted = pc.and_(
        pc.is_in(curves["series"], value_set=series),
        pc.is_in(curves["cell"], value_set=pa.array(cells, pa.string())),
    )
    found: pd.DataFrame = curves.filter(wanted).to_pandas()
    return found


def _thinned(long: pd.DataFrame) -> Mapping[str, Mapping[str, Curve]]:
    """Curves by cell and series: steps and values, evenly spaced, the last point always among them."""
    if not len(long):
        return {}
    cells, series = pd.factorize(long["cell"])[0], pd.factorize(long["series"])[0]
    starts = np.flatnonzero(np.r_[True, (np.diff(cells) != 0) | (np.diff(series) != 0)])
    ends = np.r_[starts[1:], len(long)]
    steps, values = long["step"].to_numpy(), long["value"].to_numpy(float)
    names = zip(long["cell"].iloc[starts], long["series"].iloc[starts], starts, ends, strict=True)
    found: dict[str, dict[str, Curve]] = {}
    for cell, name, start, end in names:
        at = start + evenly_spaced(end - start, MOST_POINTS)
        at = at[np.isfinite(values[at])]
        found.setdefault(cell, {})[name] = steps[at].tolist(), [float(f"{v:.4g}") for v in values[at]]
    return found
