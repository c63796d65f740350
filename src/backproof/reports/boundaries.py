"""Where edges of a refinement lie in a heatmap that has the refined axis innermost in its rows or columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from backproof.reports.aggregation import Tiles
from backproof.reports.axes import Key
from backproof.reports.edges import Edges, middles
from backproof.sweeps.refinement import Spacing

Segment = tuple[tuple[float, float], tuple[float, float]]
"""Both ends of a line in tiles: across, down."""


def boundaries(edges: Edges | None, rows: Sequence[int], tiles: Tiles) -> list[Segment]:
    """One line across a tile's width for each edge that belongs there.

    Between the middles of two tiles a line stands where its value is, on the scale of the axis.

    Args:
        rows: of the edges' table, those that the figure shows.
    """
    if edges is None or edges.problem:
        return []
    if tiles.row_axes[-1:] == (edges.axis,):
        inner, others, axes, other_axes = tiles.rows, tiles.columns, tiles.row_axes, tiles.column_axes
    elif tiles.column_axes[-1:] == (edges.axis,):
        inner, others, axes, other_axes = tiles.columns, tiles.rows, tiles.column_axes, tiles.row_axes
    else:
        return []
    down, found, middle = tiles.row_axes[-1:] == (edges.axis,), list[Segment](), middles(edges)
    settings = [{str(k): v for k, v in row.items()} for row in edges.table.to_dict("records")]
    for i in rows:
        if not _fits(settings[i], dict(tiles.facet)):
            continue
        across = [j for j, key in enumerate(others) if _fits(settings[i], _named(other_axes, key))]
        for along in _positions(edges, axes, inner, settings[i], float(middle[i])):
            for j in across:
                ends: Segment = ((j, along), (j + 1, along)) if down else ((along, j), (along, j + 1))
                found.append(ends)
    return list(dict.fromkeys(found))


def _positions(
    edges: Edges, axes: Sequence[str], keys: Sequence[Key], settings: Mapping[str, object], value: float
) -> Iterator[float]:
    """Where a value lies along the side of the axis, once for each group of tiles that shows the row."""
    scale: Callable[..., float] = math.log if edges.spacing is Spacing.RATIO else float
    groups: dict[Key, list[tuple[float, float]]] = {}
    for i, key in enumerate(keys):
        if key[-1] is not None and _fits(settings, _named(axes[:-1], key[:-1])):
            groups.setdefault(key[:-1], []).append((scale(key[-1]), i + 0.5))
    for group in groups.values():
        values, centres = zip(*group, strict=True)
        if values[0] <= scale(value) <= values[-1]:
            yield float(np.interp(scale(value), values, centres))


def _named(axes: Sequence[str], key: Key) -> dict[str, object]:
    return dict(zip(axes, key, strict=True))


def _fits(settings: Mapping[str, Any], key: Mapping[str, object]) -> bool:
    """Whether a row of the grid is shown under a key: a setting that cannot matter stands for every value."""
    return all(pd.isna(settings[axis]) or settings[axis] == value for axis, value in key.items())
