"""Figures: one file per kind, found by importing every file of this package.

A kind is a function that takes a specification and the tables and returns a drawing, decorated with its name
and what it needs. Drawing libraries are imported inside those functions, so that a specification can be
validated without them.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from backproof.reports.axes import finished, flagged, own
from backproof.reports.figures.kind import Drawn, FigureSpec, Kind, NothingToDrawError, Tables
from backproof.reports.labels import Labels, shipped

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from backproof.reports.edges import Edges


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by the values of `value` that ask for it."""
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(__path__):
        members = vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        found |= {name: kind for kind in members if isinstance(kind, Kind) for name in kind.names}
    return found


def draw(
    spec: FigureSpec, cells: pd.DataFrame, curves: pa.Table, edges: Edges | None = None,
    labels: Labels | None = None,
) -> Drawn:  # fmt: skip
    """Draw one figure; whatever prevents it is its `problem`, and costs no other figure."""
    cells = own(cells.reset_index(drop=True), spec.where)
    try:
        chosen = cells[flagged(cells, "tuned")] if spec.tuned else cells
        chosen = chosen[spec.where.truth(chosen)] if spec.where and len(chosen) else chosen
        if not len(chosen):
            raise NothingToDrawError("no cell fits its `where`")
        drawing = kinds()[spec.value].draw(spec, Tables(chosen, curves, edges, labels or shipped()))
        return Drawn(spec, drawing, "", spec.caption.filled(finished(chosen)), chosen.index.to_list())
    except Exception as error:
        return Drawn.undrawn(spec, error)
