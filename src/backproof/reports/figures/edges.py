"""Where a refined condition flips: one mark per edge, on the scale of the refined axis."""

from __future__ import annotations

from backproof.reports.axes import keys_of
from backproof.reports.edges import within
from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.sweeps.overrides import REPLICATE, is_axis

MOST_GROUPS = 60


@figure_kind("edges", title="Where it flips", sides=("rows",))
def edges_kind(spec: FigureSpec, tables: Tables) -> Drawing:
    """One line per group of rows, by default by all that varies; replicates are marks on one line."""
    from backproof.reports.figures.drawing.edges import draw_edges
    from backproof.reports.figures.drawing.style import sheet_of

    edges = tables.edges
    if edges is None or edges.problem:
        raise NothingToDrawError(
            edges.problem if edges else "none of its cells is at an edge: the experiment has no `refine`"
        )
    table = edges.table
    if spec.where is not None:
        table = within(table, tables.cells)
    if not len(table):
        raise NothingToDrawError(f"{edges.condition} flips nowhere between cells of the grid")
    sides = spec.rows or edges.grouped
    keys, group = keys_of(table, sides)
    if len(keys) > MOST_GROUPS:
        raise NothingToDrawError(
            f"{len(keys)} lines; at most {MOST_GROUPS} fit (choose with `rows`, `where`)"
        )
    labels = tables.labels
    texts = [", ".join(map(labels.value, sides, key)) or "all" for key in keys]
    figure = draw_edges(
        edges, table, group, texts, labels.headings(sides), spec.title,
        sheet=sheet_of(spec.width), labels=labels,
    )  # fmt: skip
    columns = [*sides, *([REPLICATE] if REPLICATE in table and REPLICATE not in sides else [])]
    data = table[[*columns, *(c for c in table.columns if not is_axis(str(c)))]]
    return Drawing(figure, edges.finding, data)
