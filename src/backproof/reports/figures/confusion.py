"""Planted causes against the causes named first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backproof.reports.aggregation import Tiles
from backproof.reports.axes import finished
from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.reports.figures.shares import share_column, share_tiles

NOTHING = "nothing"
"""Stands for a cause where none was named."""

SHARE = share_column("confusion", "share of the planted cause's cells")


@figure_kind(SHARE.name, title="Planted cause and cause named first")
def confusion_kind(spec: FigureSpec, tables: Tables) -> Drawing:
    """One row per planted cause; shares of its cells by the cause named first."""
    from backproof.reports.figures.drawing.tiles import draw_tiles

    tiles = confusion(tables.cells)
    if not tiles.rows:
        raise NothingToDrawError("none of its cells has a planted fault")
    shares = tiles["value"]
    same = [shares[i, tiles.columns.index(row)] for i, row in enumerate(tiles.rows)]
    least = np.nanmin(same) if np.isfinite(same).any() else 0.0
    n = tiles["n"].sum()
    finding = f"Of {n:.0f} cases, each planted cause is named first in at least {least:.0%} of its own."
    return Drawing(draw_tiles([tiles], spec.title), finding, tiles.table())


def confusion(cells: pd.DataFrame) -> Tiles:
    """Planted causes against the causes named first, as shares of each planted one."""
    done = finished(cells)
    done = done[done["planted"].notna()]
    planted, named = done["planted"], done["cause"].fillna(NOTHING)
    rows = list(dict.fromkeys(planted))
    columns = rows + [c for c in dict.fromkeys(named) if c not in rows]
    tally = pd.crosstab(planted, named).reindex(index=rows, columns=columns, fill_value=0).to_numpy()
    totals = tally.sum(axis=1, keepdims=True)
    shares = np.where(tally > 0, tally / np.maximum(totals, 1), np.nan)
    return share_tiles(SHARE, ("planted", rows), ("named first", columns), shares, tally)
