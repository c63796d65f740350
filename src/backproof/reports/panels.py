"""What a page needs to answer for the places of a figure: where they lie, which cells fall into them."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproof.reports.figures import Drawn
from backproof.reports.heatmaps import boxes, number, scale
from backproof.reports.scatter import limits
from backproof.reports.tables import NULL_MEANS, UNITS, label


def panels(drawn: Drawn) -> dict[str, Any] | None:
    """A drawn figure's places, ready for JSON; None for figures that nobody can point at.

    Lists of cells are positions in the table, sorted by place; `starts` says where each place's begin.
    """
    if drawn.figure is None:
        return None
    where = boxes(drawn.figure)
    if drawn.points:
        x, y = drawn.points
        return {"kind": "points", "x": x, "y": y, "box": where[0], **limits(drawn.figure)}
    if not drawn.pivots:
        return None
    first = drawn.pivots[0]
    parts = []
    for box, part in zip(where, drawn.pivots, strict=True):
        order = np.argsort(part.where, kind="stable")
        starts = np.searchsorted(part.where[order], np.arange(part.middle.size + 1))
        texts = [
            number(m, part.value) if np.isfinite(m) and not part.words else "" for m in part.middle.ravel()
        ]
        parts.append({
            "box": box,
            "facet": [[axis, label(value)] for axis, value in part.facet],
            "rows": [[label(k) for k in key] for key in part.rows],
            "columns": [[label(k) for k in key] for key in part.columns],
            "cells": part.who[order].tolist(),
            "starts": starts.tolist(),
            "intervals": [
                [number(a, part.value), number(b, part.value)] if np.isfinite(a) and np.isfinite(b) else None
                for a, b in zip(part.sure_low.ravel(), part.sure_high.ravel(), strict=True)
            ],
            "texts": texts,
        })  # fmt: skip
    return {
        "kind": "heatmap",
        "value": first.value,
        "unit": UNITS.get(first.value, first.value),
        "aggregate": first.aggregate,
        "row_axes": first.row_axes,
        "column_axes": first.column_axes,
        "null": NULL_MEANS.get(first.value),
        "parts": parts,
        **scale(drawn.pivots),
    }
