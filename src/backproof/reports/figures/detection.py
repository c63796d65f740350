"""Which tests raise an alarm, by the size of the error that was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backproof.reports.aggregation import Tiles
from backproof.reports.axes import finished
from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.reports.figures.shares import share_column, share_tiles
from backproof.verdicts.verdict import Verdict

DECADES = (-np.inf, 1e-12, 1e-9, 1e-7, 1e-6, 1e-4, 1e-2, 1.0, np.inf)
"""Bounds of the sizes of errors; a fault smaller than the first changes nothing that could be seen."""

ALARMS = (Verdict.INCORRECT_GRADIENT, Verdict.CLIP_ACTIVE)

TESTS = {
    "relative 1e-2": "relative_1e_2",
    "relative 1e-4": "relative_1e_4",
    "relative 1e-7": "relative_1e_7",
    "rtol 1e-3, atol 1e-5": "allclose",
    "quadratic, 5 points": "quadratic",
}
"""Other tests, and the columns that hold whether they raise an alarm; null where they were not run."""

SHARE = share_column("detection", "share of cells with an alarm")


@figure_kind(SHARE.name, title="Alarms by size of the error")
def detection_kind(spec: FigureSpec, tables: Tables) -> Drawing:
    """One row per test; shares of cells with an alarm by the size of the planted error."""
    from backproof.reports.figures.drawing.style import sheet_of
    from backproof.reports.figures.drawing.tiles import draw_tiles

    tiles = detection(tables.cells)
    if not tiles.columns:
        raise NothingToDrawError("none of its cells was checked")
    shown = tiles["value"][np.isfinite(tiles["value"])]
    finding = (
        f"Shares of cells in which each test raises an alarm, from {shown.min():.0%} to {shown.max():.0%}."
    )
    figure = draw_tiles([tiles], spec.title, sheet=sheet_of(spec.width), labels=tables.labels)
    return Drawing(figure, finding, tiles.table())


def detection(cells: pd.DataFrame) -> Tiles:
    """The share of cells in which each test raises an alarm, by the size of the error that was planted."""
    done = finished(cells)
    done = done[done["verdict"] != Verdict.NOT_CHECKED]
    size = done["fault_size"].where(done["planted"].notna(), -np.inf).astype(float)
    bucket = np.searchsorted(DECADES[1:-1], size, side="right")
    names = ["no error"] + [f"≤ {high:.0e}" for high in DECADES[2:-1]] + [f"> {DECADES[-2]:g}"]
    alarms = {"backproof": done["verdict"].isin(ALARMS), **{t: done[c] for t, c in TESTS.items()}}
    shares = np.full((len(alarms), len(names)), np.nan)
    counts = np.zeros(shares.shape, int)
    for i, raised in enumerate(alarms.values()):
        for j in range(len(names)):
            here = raised[bucket == j].dropna().astype(float)
            counts[i, j] = len(here)
            shares[i, j] = here.mean() if len(here) else np.nan
    seen = np.flatnonzero(counts.any(axis=0))
    columns = ("size of the error", [names[j] for j in seen])
    return share_tiles(SHARE, ("test", list(alarms)), columns, shares[:, seen], counts[:, seen])
