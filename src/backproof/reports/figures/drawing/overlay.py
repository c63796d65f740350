"""What a page needs of a heatmap: to answer for its tiles, and to colour them again under a filter."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from backproof.reports.aggregation import Tiles
from backproof.reports.axes import label
from backproof.reports.figures.drawing.style import Box, boxes
from backproof.reports.figures.drawing.tiles import colour_of, scale_of, symbol_of
from backproof.reports.numbers import number

STOPS = 33
"""By how many colours a page interpolates the map."""


def overlay(figure: Figure, parts: Sequence[Tiles]) -> dict[str, object]:
    """What a page needs to answer for the tiles, and to colour them again under a filter.

    Lists of cells are positions in the table, sorted by tile; `starts` holds where each tile's begin.
    """
    first, scale = parts[0], scale_of(parts)
    stops = [mpl.colors.to_hex(c) for c in scale.colours(np.linspace(0, 1, STOPS))]
    categories = [
        {"name": c, "symbol": symbol_of(c, i), "colour": colour_of(c, i, len(first.categories))}
        for i, c in enumerate(first.categories)
    ]
    return {
        "kind": "heatmap", "value": first.column.name, "aggregate": first.aggregate,
        "row_axes": first.row_axes, "column_axes": first.column_axes,
        "categories": categories if first.column.categories else None,
        "colours": stops, "low": float(scale.norm.vmin or 0), "high": float(scale.norm.vmax or 0),
        "log": isinstance(scale.norm, LogNorm), "pooled": first.pooled,
        "parts": [_overlay_part(box, part) for box, part in zip(boxes(figure), parts, strict=True)],
    }  # fmt: skip


def _overlay_part(box: Box, part: Tiles) -> dict[str, object]:
    order = np.argsort(part.tile, kind="stable")
    starts = np.searchsorted(part.tile[order], np.arange(len(part.stats) + 1))
    ends = zip(part.stats["interval_low"], part.stats["interval_high"], strict=True)
    return {
        "box": box,
        "facet": [[axis, label(value)] for axis, value in part.facet],
        "rows": [[label(k) for k in key] for key in part.rows],
        "columns": [[label(k) for k in key] for key in part.columns],
        "cells": part.cells[order].tolist(),
        "starts": starts.tolist(),
        "settings": part.stats["settings"].astype(int).tolist(),
        "intervals": [
            [number(v, part.column.format) for v in pair] if np.isfinite(pair).all() else None
            for pair in ends
        ],
    }
