"""What a results folder holds beside the store: tables, figures and report, rebuilt from it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.files import csv, write
from backproof.sweeps.status import Status
from backproof.sweeps.store import Store

if TYPE_CHECKING:  # pandas and pyarrow take their time, and a sweep may not come to its tables
    import pyarrow as pa

    from backproof.reports.edges import Edges


def write_results(store: Store, folder: Path) -> None:
    """Write tables, figures and report; each file is whole or not there."""
    from backproof.reports.edges import edges_found
    from backproof.reports.write import write_report  # matplotlib: only once there is something to draw

    everything, curves, tensors = store.cells(pending=True), store.curves(), store.tensors()
    cells = everything[everything["status"] != Status.PENDING].reset_index(drop=True)
    write(folder / "cells.parquet", cells.to_parquet())
    write(folder / "cells.csv", csv(cells))
    write(folder / "curves.parquet", _parquet(curves))
    write(folder / "tensors.parquet", tensors.to_parquet())
    about, experiment = map(store.record, ("provenance", "experiment"))
    edges = edges_found(experiment, everything)
    _write_edges(folder, edges)
    write_report(folder, (everything, curves, tensors), experiment, about, edges)


def _write_edges(folder: Path, edges: Edges | None) -> None:
    """Write the edges of a refinement; an earlier sweep's go where there is none."""
    paths = folder / "edges.parquet", folder / "edges.csv"
    if edges is None or edges.problem:
        for path in paths:
            path.unlink(missing_ok=True)
        return
    for path, content in zip(paths, (edges.table.to_parquet(), csv(edges.table)), strict=True):
        write(path, content)


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()
