"""Refinement of a grid: where a condition flips along an axis, bisected to a stated width.

A row is the cells that are equal in all settings but the axis. Neighbours in the grid whose conditions differ
enclose an edge. Which cells an edge still needs follows from the table of those that are there: a sweep that
was interrupted goes on where it stopped, and a report finds the edges in what is stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps.columns import CELLS, Of
from backproof.sweeps.expressions import Expression, parse
from backproof.sweeps.overrides import REPLICATE, is_axis
from backproof.sweeps.status import Status

if TYPE_CHECKING:  # pandas takes a quarter of a second to import, and most experiments refine nothing
    import pandas as pd

WIDTH = 0.1
"""The width of an edge unless it is given: a tenth of a decade, a factor of 1.26."""

Number = int | float

Key = tuple[object, ...]


class Spacing(StrEnum):
    """How an axis is halved, and what its width is."""

    RATIO = "decades"
    DIFFERENCE = "absolute"
    WHOLE = "whole numbers"


@dataclass(frozen=True)
class Refinement:
    """What is refined.

    Attributes:
        flips: the condition; None for the verdict itself.
        width: at which an edge is narrow enough; whole numbers end at neighbours.
    """

    axis: str
    spacing: Spacing
    width: float = WIDTH
    flips: Expression | None = None

    def extent(self, below: Number, above: Number) -> float:
        """How far two values are apart, in the unit of the width."""
        if self.spacing is Spacing.RATIO:
            return math.log10(above) - math.log10(below)
        return above - below

    def middle(self, below: Number, above: Number) -> Number | None:
        """The value that halves an edge; None where it is narrow enough, or no number lies between."""
        if self.spacing is Spacing.WHOLE:
            return None if above - below <= 1 else (int(below) + int(above)) // 2
        if self.extent(below, above) <= self.width:
            return None
        # Square roots are rounded correctly everywhere, as powers and logarithms are not.
        ratio = self.spacing is Spacing.RATIO
        middle = math.sqrt(below) * math.sqrt(above) if ratio else below / 2 + above / 2
        return middle if below < middle < above else None

    def rounds(self, below: Number, above: Number) -> int:
        """How many cells an edge between two values takes."""
        if self.spacing is Spacing.WHOLE:
            return max(int(above) - int(below) - 1, 0).bit_length()
        return max(math.ceil(math.log2(self.extent(below, above) / self.width)), 0)

    def conditions(self, cells: pd.DataFrame) -> list[str]:
        """The condition of each cell, as text."""
        if self.flips is None:
            return [str(v) for v in cells["verdict"].astype(object).fillna("null")]
        return ["true" if v else "false" for v in self.flips.truth(cells)]


@dataclass(frozen=True)
class Point:
    """A cell in its row. The condition is None where the cell has no result."""

    value: Number
    cell: str
    status: str
    condition: str | None
    refined: bool


@dataclass(frozen=True)
class Edge:
    """Two values of the axis between which the condition flips.

    Attributes:
        settings: of the row, without the axis.
        flips: how often the condition changes along the row, in all cells that were computed.
        evaluations: cells of the refinement that narrowed this edge.
        wanted: the value whose cell is needed next; None where there is none to come.
        stopped: why the edge is wider than asked for; empty where it is not.
    """

    settings: Mapping[str, object]
    below: Point
    above: Point
    flips: int
    evaluations: int
    wanted: Number | None = None
    stopped: str = ""


def refinement_of(given: Mapping[str, object], cells: pd.DataFrame) -> Refinement:
    """What an experiment's `refine` asks for, in the table of its cells, computed or not.

    Raises:
        ConfigurationError: naming the key and the nearest right name.
    """
    axis = given.get("axis")
    names = [str(c) for c in cells.columns if is_axis(str(c))]
    if axis not in names:
        raise ConfigurationError(f"refine.axis: unknown axis {axis}{nearest(str(axis), names)}")
    axis = str(axis)
    if axis == REPLICATE:
        raise ConfigurationError(f"refine.axis: {axis} is of replicates, between which there is nothing")
    values = cells[axis].dropna()
    if values.dtype.kind not in "iuf":
        raise ConfigurationError(f"refine.axis: must be an axis of numbers; {axis} is none")
    rows = _by_row(cells[cells["status"] != Status.EXCLUDED], axis)
    if not any(len(set(row)) > 1 for row in rows.values()):
        raise ConfigurationError(f"refine.axis: {axis} needs two values or more in a row of the grid")
    whole = values.dtype.kind in "iu"
    spacing = Spacing.RATIO if (values > 0).all() else Spacing.DIFFERENCE
    return Refinement(
        axis, Spacing.WHOLE if whole else spacing, _width(given, axis, whole=whole), _condition(given, cells)
    )


def _width(given: Mapping[str, object], axis: str, *, whole: bool) -> float:
    width = given.get("width")
    if width is None:
        return WIDTH
    if whole:
        raise ConfigurationError(
            f"refine.width: {axis} has whole numbers, and ends at neighbours; it takes no width"
        )
    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width < math.inf:
        raise ConfigurationError(f"refine.width: must be a number > 0; not {width!r}")
    return float(width)


def _condition(given: Mapping[str, object], cells: pd.DataFrame) -> Expression | None:
    text = given.get("flips")
    if text is None:
        return None
    condition = parse("refine.flips", text, [str(c) for c in cells.columns])
    of_run = sorted(condition.columns & {c.name for c in CELLS if c.of is Of.RUN})
    if of_run:
        raise ConfigurationError(f"refine.flips: {of_run[0]} is not the same in every run")
    condition.truth(cells)  # refuses what is neither true nor false
    return condition


def edges_of(refinement: Refinement, cells: pd.DataFrame) -> list[Edge]:
    """The edges in a table of cells, in the order of its rows."""
    names = [str(c) for c in cells.columns if is_axis(str(c)) and c != refinement.axis]
    return [
        edge
        for key, row in _points_by_row(refinement, cells).items()
        for edge in _edges_of_row(refinement, dict(zip(names, key, strict=True)), row)
    ]


def _points_by_row(refinement: Refinement, cells: pd.DataFrame) -> dict[Key, list[Point]]:
    there = cells[cells[refinement.axis].notna() & ((cells["status"] != Status.EXCLUDED) | cells["refined"])]
    points = [
        Point(value, cell, status, condition if status == Status.OK else None, bool(refined))
        for value, cell, status, condition, refined in zip(
            there[refinement.axis].tolist(), there["cell"], there["status"],
            refinement.conditions(there), there["refined"], strict=True,
        )
    ]  # fmt: skip
    rows: dict[Key, list[Point]] = {}
    for key, point in zip(row_keys(there, refinement.axis), points, strict=True):
        rows.setdefault(key, []).append(point)
    return rows


def _edges_of_row(
    refinement: Refinement, settings: Mapping[str, object], row: Iterable[Point]
) -> Iterator[Edge]:
    at = {point.value: point for point in row}
    known = [at[value] for value in sorted(at) if at[value].condition is not None]
    flips = sum(a.condition != b.condition for a, b in pairwise(known))
    for a, b in pairwise(point for point in known if not point.refined):
        if a.condition != b.condition:
            yield _bisected(refinement, Edge(settings, a, b, flips, 0), at)


def _bisected(refinement: Refinement, edge: Edge, at: Mapping[Number, Point]) -> Edge:
    """An edge as narrow as the cells make it that are there.

    Of a condition with more than two values the edge is where the lower one ends; that others lie between
    is seen in the number of flips.
    """
    below, above, evaluations = edge.below, edge.above, 0
    wanted, stopped = refinement.middle(below.value, above.value), ""
    while wanted is not None and wanted in at:
        found = at[wanted]
        if found.condition is None:
            wanted, stopped = None, found.status
            break
        evaluations += 1
        if found.condition == edge.below.condition:
            below = found
        else:
            above = found
        wanted = refinement.middle(below.value, above.value)
    stopped = stopped if wanted is None else Status.PENDING
    return Edge(edge.settings, below, above, edge.flips, evaluations, wanted, stopped)


def expected_cells(refinement: Refinement, cells: pd.DataFrame) -> int:
    """How many more cells a refinement takes, from the table of a grid's cells, computed or not.

    Of a row that is computed its edges are known. Of any other one edge is expected, as likely between any
    two neighbours.
    """
    return round(sum(_still_to_come(refinement, row) for row in _points_by_row(refinement, cells).values()))


def _still_to_come(refinement: Refinement, row: list[Point]) -> float:
    if any(point.status == Status.PENDING and not point.refined for point in row):
        values = sorted({point.value for point in row if not point.refined})
        rounds = [refinement.rounds(a, b) for a, b in pairwise(values)]
        return sum(rounds) / max(len(rounds), 1)
    edges = _edges_of_row(refinement, {}, row)
    return sum(refinement.rounds(e.below.value, e.above.value) for e in edges if e.wanted is not None)


def _by_row(cells: pd.DataFrame, axis: str) -> dict[Key, list[Number]]:
    """The values of the axis in each row; cells without the axis are in none."""
    there = cells[cells[axis].notna()]
    rows: dict[Key, list[Number]] = {}
    for key, value in zip(row_keys(there, axis), there[axis].tolist(), strict=True):
        rows.setdefault(key, []).append(value)
    return rows


def row_keys(cells: pd.DataFrame, *without: str) -> list[Key]:
    """The row of each cell: its settings but some axes."""
    names = [str(c) for c in cells.columns if is_axis(str(c)) and c not in without]
    columns = [cells[name].astype(object).where(cells[name].notna(), None) for name in names]
    return list(zip(*columns, strict=True)) if columns else [()] * len(cells)
