"""A heatmap of a column: numbers by colour, categories by colour and symbol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from backproof.reports.aggregation import AGGREGATES, MOST_FREQUENT, WORST, Tiles, lay_out
from backproof.reports.axes import in_words
from backproof.reports.boundaries import Segment, boundaries
from backproof.reports.edges import within
from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.reports.labels import Labels
from backproof.reports.numbers import number
from backproof.sweeps.columns import BY_NAME, CELLS

SIDES = ("rows", "columns", "facet")
MOST_PANELS = 24


def title(value: str, axes: Sequence[str]) -> str:
    """As in "Gradient error by output and loss"."""
    column = BY_NAME[value]
    return f"{(column.title or column.name).capitalize()} by {in_words(axes or ('cell',))}"


def draw(spec: FigureSpec, tables: Tables) -> Drawing:
    """Tiles over rows and columns; small multiples by the facet."""
    from backproof.reports.figures.drawing.style import sheet_of
    from backproof.reports.figures.drawing.tiles import draw_tiles

    tiles = lay_out(
        tables.cells, BY_NAME[spec.value], spec.rows, (*spec.facet, *spec.columns), spec.aggregate
    )
    parts = tiles.split(len(spec.facet)) if spec.facet else [tiles]
    if len(parts) > MOST_PANELS:
        raise NothingToDrawError(f"{len(parts)} small multiples; at most {MOST_PANELS} fit")
    lines, labels = _lines(spec, tables, parts), tables.labels
    figure = draw_tiles(parts, spec.title, lines, sheet=sheet_of(spec.width), labels=labels)
    data = pd.concat([part.table() for part in parts], ignore_index=True)
    live = {
        "kind": "heatmap", "lines": lines,
        "spec": {"value": spec.value, "rows": spec.rows, "columns": spec.columns, "facet": spec.facet,
                 "aggregate": tiles.aggregate},
    }  # fmt: skip
    return Drawing(figure, finding(tiles, labels), data, live, _pooled(tiles, labels))


def _lines(spec: FigureSpec, tables: Tables, parts: Sequence[Tiles]) -> list[list[Segment]]:
    """The boundaries of a refinement in each panel, of those rows of the grid that the figure shows."""
    if tables.edges is None:
        return []
    shown = tables.edges.table if spec.where is None else within(tables.edges.table, tables.cells)
    return [boundaries(tables.edges, shown.index.to_list(), part) for part in parts]


numbers = figure_kind(
    *(c.name for c in CELLS if c.drawn and not c.categories),
    title=title, sides=SIDES, axes_needed=True, aggregates=tuple(AGGREGATES),
)(draw)  # fmt: skip
categories = figure_kind(
    *(c.name for c in CELLS if c.categories),
    title=title, sides=SIDES, axes_needed=True, aggregates=(MOST_FREQUENT, WORST),
)(draw)  # fmt: skip


def _pooled(tiles: Tiles, labels: Labels) -> str:
    """Along which axes the cells of a tile differ; empty where they are replicates."""
    if not tiles.pooled:
        return ""
    most = int(tiles.stats["settings"].max())
    return f"Pooled over {labels.in_words(tiles.pooled)}: up to {most} settings a tile, besides replicates."


def finding(tiles: Tiles, labels: Labels) -> str:
    """What a heatmap shows, in a sentence."""
    shown = tiles.stats["value"][np.isfinite(tiles.stats["value"])]
    if shown.empty:
        return "No tile has a value."
    if tiles.column.categories:
        counts = shown.astype(int).value_counts()
        parts = [f"{tiles.categories[int(str(i))]} in {n}" for i, n in counts.items()]
        return f"Of {len(shown)} tiles: {', '.join(parts)}."
    what = f"{tiles.aggregate.capitalize()} {tiles.column.unit}"
    least, greatest = (number(float(v), tiles.column.format) for v in (shown.min(), shown.max()))
    if least == greatest:
        return f"{what} is {least} in all {len(shown)} tiles."
    keys = tiles.keys
    ends = (shown.idxmin(), shown.idxmax())
    low, high = (", ".join(labels.value(*pair) for pair in keys[int(at)].items()) for at in ends)
    return f"{what} from {least} ({low}) to {greatest} ({high})."
