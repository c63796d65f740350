"""The tables of a results folder, written some rows at a time, whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from backproof.files import csv, writing
from backproof.sweeps import curves
from backproof.sweeps.columns import TENSORS
from backproof.sweeps.experiment import TUNE
from backproof.sweeps.listing import batched
from backproof.sweeps.outcome import Entry
from backproof.sweeps.overrides import Value
from backproof.sweeps.rows import (
    RESULTS,
    StoredCell,
    StoredTensors,
    stored_cell,
    stored_curves,
    stored_tensors,
)
from backproof.sweeps.status import Status
from backproof.sweeps.store import Row, Store
from backproof.sweeps.table import Layout, frame, tensors_table
from backproof.sweeps.tuning import Marks, marked, marks_of

TOGETHER = 5_000
"""Rows of the store that are made into tables at a time."""

SOME: dict[str, Entry] = {"text": "x", "whole": 1, "number": 1.0, "truth": True}
"""A value of each kind of column, from which follows how Parquet has it."""


class Part(NamedTuple):
    """Some cells of a grid, those still to come among them, with their curves and tensors."""

    cells: pd.DataFrame
    curves: pa.Table
    tensors: pd.DataFrame


def write_tables(store: Store, folder: Path, layout: Layout) -> Iterator[Part]:
    """Write cells, tensors and curves; yields them as it goes.

    Each file is whole once the last part was taken; until then the earlier one is there.
    """
    refined, marks = store.refined(), _marks(store)
    with ExitStack() as files:
        cells = files.enter_context(_parquet(folder / "cells.parquet", _schema(_a_cell(layout))))
        lines = files.enter_context(_csv(folder / "cells.csv"))
        tensors = files.enter_context(_parquet(folder / "tensors.parquet", _schema(_a_tensor())))
        series = files.enter_context(_parquet(folder / "curves.parquet", curves.as_table([]).schema))
        rows = _in_order(store, refined)
        for some in chain([list(islice(rows, TOGETHER))], batched(rows, TOGETHER)):  # one at least
            part = part_of(some, layout, refined)
            part = part._replace(cells=marked(part.cells, marks))
            there = part.cells[part.cells["status"] != Status.PENDING]
            cells(there)
            lines(there)
            tensors(part.tensors)
            series(part.curves)
            yield part


def _marks(store: Store) -> Marks:
    """What the choices of a sweep that tunes an axis say of its cells, which takes all of them at once."""
    experiment = store.record("experiment")
    return marks_of(experiment, store.cells(pending=True)) if TUNE in experiment else {}


def part_of(rows: Sequence[tuple[Row, bytes | None]], layout: Layout, refined: Collection[str] = ()) -> Part:
    """The tables of some rows of a store."""
    done = [(row, line) for row, line in rows if line is not None and row[3] is None]
    return Part(
        frame((stored_cell(row, line) for row, line in rows), layout, refined),
        curves.as_table(stored_curves(row[0], row[9]) for row, _ in done if row[9] is not None),
        tensors_table(stored_tensors(row[0], line) for row, line in done),
    )


def joined(parts: Iterable[Part]) -> Part:
    """Parts in one."""
    cells, series, tensors = zip(*parts, strict=True)
    return Part(
        pd.concat(cells, ignore_index=True),
        pa.concat_tables(series).combine_chunks(),
        pd.concat(tensors, ignore_index=True),
    )


def _in_order(store: Store, refined: set[str]) -> Iterator[tuple[Row, bytes | None]]:
    """The rows of a store, those that a refinement added last."""
    last = []
    for row, line in store.rows(curves=True):
        if row[0] in refined:
            last.append((row, line))
        else:
            yield row, line
    yield from last


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Callable[[pd.DataFrame | pa.Table], None]]:
    """A Parquet file that tables are added to."""
    with writing(path) as file, pq.ParquetWriter(file, schema) as writer:

        def add(table: pd.DataFrame | pa.Table) -> None:
            if isinstance(table, pd.DataFrame):
                table = pa.Table.from_pandas(table, schema, preserve_index=False)
            if len(table):
                writer.write_table(table)

        yield add


@contextmanager
def _csv(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A CSV file that tables are added to."""
    with writing(path) as file:
        first = True

        def add(table: pd.DataFrame) -> None:
            nonlocal first
            if first or len(table):
                file.write(csv(table, header=first))
            first = False

        yield add


def _schema(table: pd.DataFrame) -> pa.Schema:
    return pa.Table.from_pandas(table, preserve_index=False).schema


def _a_cell(layout: Layout) -> pd.DataFrame:
    """A table of one cell that has a value in every column."""
    settings: dict[str, Value] = {
        name: "x" if kind == "text" else 1 if kind == "Int64" else 1.0 for name, kind in layout.kinds.items()
    }
    results = {name: SOME[column.kind] for name, column in RESULTS.items()}
    own = ("status", "error", "traceback", "refined", "seconds", "attempts", "command")
    outcome = {name: value for name, value in results.items() if name not in own}
    return frame([StoredCell("x", settings, Status.OK, "x", "x", outcome, 1.0, 1, "x")], layout)


def _a_tensor() -> pd.DataFrame:
    """A table of one tensor that has a value in every column."""
    return tensors_table([StoredTensors("x", [{column.name: SOME[column.kind] for column in TENSORS}])])
