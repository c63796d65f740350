"""The edges that a refinement found, as a table: one row per edge, read off the cells that are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.errors import ConfigurationError
from backproof.reports.axes import axes_of, finished, own, varying
from backproof.sweeps.experiment import refine_entry
from backproof.sweeps.overrides import REPLICATE, is_axis
from backproof.sweeps.refinement import Edge, Refinement, Spacing, edges_of, refinement_of

FOUND = (
    "axis", "below", "above", "condition_below", "condition_above", "width", "flips", "evaluations",
    "stopped", "cell_below", "cell_above",
)  # fmt: skip
"""Columns after the row's settings. `flips` is of the row; `width` is in decades where all values are
positive; `stopped` states why an edge is wider than asked for."""


@dataclass(frozen=True)
class Edges:
    """The edges of a sweep.

    Attributes:
        table: the settings of each edge's row, then `FOUND`.
        rows: how many rows were looked at.
        shown: the settings that vary in them but the axis; `grouped`: without the seed.
        problem: why nothing could be read; empty where it was.
    """

    axis: str
    table: pd.DataFrame
    spacing: Spacing = Spacing.DIFFERENCE
    condition: str = ""
    rows: int = 0
    grouped: tuple[str, ...] = ()
    problem: str = ""
    shown: tuple[str, ...] = ()

    @property
    def finding(self) -> str:
        """What was found, in a sentence or two."""
        table = self.table
        edges, rows = len(table), self.rows
        several = table[table["flips"] > 1]
        keys = several.drop(columns=[c for c in FOUND if c != "axis"]).astype(str).drop_duplicates()
        parts = [f"{edges:,} edge{'s' if edges != 1 else ''} along {self.axis} in {rows:,} rows."]
        if edges:
            parts.append(f"Each took a median of {table['evaluations'].median():.0f} evaluations.")
        if len(several):
            parts.append(
                f"In {len(keys)} row{'s' if len(keys) != 1 else ''} the condition changes more than once."
            )
        stopped = int((table["stopped"] != "").sum())
        if stopped:
            parts.append(
                f"{stopped} {'is' if stopped == 1 else 'are'} wider than asked for; `stopped` states why."
            )
        return " ".join(parts)


def edges_found(experiment: Mapping[str, object], cells: pd.DataFrame) -> Edges | None:
    """The edges that the stored cells enclose; None where the experiment refines nothing."""
    given = experiment.get("refine")
    if given is None:
        return None
    try:
        entry = refine_entry(given)
        assert entry is not None
        refinement = refinement_of(entry, own(cells))
        cells = cells.assign(refined=~cells.index.isin(own(cells).index))
        return _edges(refinement, edges_of(refinement, cells), cells)
    except ConfigurationError as error:
        axis = str(given.get("axis") if isinstance(given, Mapping) else given)
        return Edges(axis, pd.DataFrame(columns=list(FOUND)), problem=str(error))


def _edges(refinement: Refinement, found: list[Edge], cells: pd.DataFrame) -> Edges:
    axis = refinement.axis
    settings = [a for a in axes_of(cells) if a != axis]
    records = [{**edge.settings, **_record(refinement, edge)} for edge in found]
    table = pd.DataFrame.from_records(records, columns=[*settings, *FOUND])
    for name in settings:
        table[name] = table[name].astype(cells[name].dtype)
    mine = finished(own(cells))
    mine = mine[mine[axis].notna()]
    vary = [a for a in varying(mine) if a != axis]
    rows = len(mine[settings].astype(object).drop_duplicates()) if settings else min(len(mine), 1)
    condition = refinement.flips.text if refinement.flips else "the verdict"
    grouped = tuple(a for a in vary if a != REPLICATE)
    return Edges(axis, table, refinement.spacing, condition, rows, grouped, shown=tuple(vary))


def _record(refinement: Refinement, edge: Edge) -> dict[str, object]:
    below, above = edge.below, edge.above
    return {
        "axis": refinement.axis,
        "below": below.value,
        "above": above.value,
        "condition_below": below.condition,
        "condition_above": above.condition,
        "width": refinement.extent(below.value, above.value),
        "flips": edge.flips,
        "evaluations": edge.evaluations,
        "stopped": str(edge.stopped),
        "cell_below": below.cell,
        "cell_above": above.cell,
    }


def middles(edges: Edges) -> NDArray[np.float64]:
    """The middle of each edge, on the scale of its axis."""
    below, above = (edges.table[name].to_numpy(float) for name in ("below", "above"))
    if edges.spacing is Spacing.RATIO:
        return np.asarray(np.sqrt(below) * np.sqrt(above))
    return np.asarray((below + above) / 2)


def within(table: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The edges of those rows of the grid that some of these cells are in."""
    settings = [c for c in table.columns if is_axis(str(c))]
    here, there = (
        pd.MultiIndex.from_frame(t[settings].astype(object).where(t[settings].notna(), "∅"))
        for t in (table, cells)
    )
    return table[here.isin(there)]
