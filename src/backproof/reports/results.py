"""What a results folder holds beside the store: tables, figures and report, rebuilt from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.files import csv, write
from backproof.reports import drawers
from backproof.sweeps.engines import processes
from backproof.sweeps.store import Store

if TYPE_CHECKING:  # pandas and pyarrow take their time, and a sweep may not come to its tables
    from backproof.reports.edges import Edges
    from backproof.reports.excerpt import Excerpt
    from backproof.reports.tables import Part
    from backproof.sweeps.table import Layout


def write_results(store: Store, folder: Path, width: float | None = None) -> tuple[str, ...]:
    """Write tables, figures and report; each file is whole or not there.

    `width` is that of every figure, in inches; None where its content may choose it.
    Returns the sentences that the report begins with.
    """
    about, experiment = map(store.record, ("provenance", "experiment"))
    # What the figures are drawn with is loaded while tables are made.
    figures = drawers.expected_figures(experiment, store.size())
    number = drawers.drawing_processes(figures, store.size())
    processes.warm_up(max(number, processes.size()), [drawers.load_drawing] * number)

    from backproof.reports.edges import edges_found
    from backproof.reports.excerpt import MOST_WHOLE, needed
    from backproof.reports.tables import joined, write_tables
    from backproof.reports.write import write_report  # matplotlib: only once there is something to draw
    from backproof.sweeps.table import Layout

    layout = Layout.of(store.settings())
    parts = write_tables(store, folder, layout)
    columns = needed(experiment, layout) if store.size() > MOST_WHOLE else None
    if columns is None:
        tables, excerpt = joined(parts), None
    else:
        tables, excerpt = _excerpt(parts, columns, store, layout)
    edges = edges_found(experiment, tables.cells)
    _write_edges(folder, edges)
    return write_report(folder, tables, experiment, about, edges, excerpt, width).sentences


def _excerpt(
    parts: Iterator[Part], columns: Sequence[str], store: Store, layout: Layout
) -> tuple[Part, Excerpt]:
    """Some columns of all cells, with the curves and tensors of those that the page holds whole."""
    import pandas as pd

    from backproof.reports.excerpt import Excerpt, constants_of, narrow, places_in_page
    from backproof.reports.tables import Part, part_of

    narrowed = narrow(columns)
    cells = pd.concat([narrowed(part.cells) for part in parts], ignore_index=True)
    places = places_in_page(cells)
    some = part_of(list(store.rows_of(cells["cell"].iloc[places].tolist(), curves=True)), layout)
    excerpt = Excerpt(some.cells, some.curves, some.tensors, places, constants_of(layout))
    return Part(cells, some.curves, some.tensors), excerpt


def _write_edges(folder: Path, edges: Edges | None) -> None:
    """Write the edges of a refinement; an earlier sweep's go where there is none."""
    paths = folder / "edges.parquet", folder / "edges.csv"
    if edges is None or edges.problem:
        for path in paths:
            path.unlink(missing_ok=True)
        return
    for path, content in zip(paths, (edges.table.to_parquet(), csv(edges.table)), strict=True):
        write(path, content)
