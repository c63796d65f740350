"""The stored rows of a sweep as the `cells` and `tensors` tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import pandas as pd

from backproof.sweeps.columns import CELLS, RESULTS, TENSORS, Column, names_of
from backproof.sweeps.outcome import Entry
from backproof.sweeps.overrides import Value, is_public, ordered, shown
from backproof.sweeps.rows import MalformedError, StoredCell, StoredTensors

TEXT = "str" if pd.__version__ >= "3" else "object"


MOST_COLUMNS = 1000
"""Of all cells together: a table has every column for every cell, so that their number bounds its size."""


def as_table(cells: Iterable[StoredCell], refined: Collection[str] = ()) -> pd.DataFrame:
    """Rows of the store as the `cells` table: the cell's id, a column for each setting, the results.

    `refined`: the ids of cells that a refinement added; they come last.
    """
    records = []
    for cell in cells:
        record = {k: _column_value(v) for k, v in cell.settings.items() if is_public(k)}
        record.update(cell.outcome)
        record.update(cell=cell.id, status=str(cell.status), error=cell.error, traceback=cell.traceback)
        record.update(refined=cell.id in refined)
        record.update(seconds=cell.seconds, attempts=cell.attempts, command=cell.command)
        records.append(record)
    found = {key for record in records for key in record}
    if len(found) > MOST_COLUMNS:
        raise MalformedError(f"settings: {len(found)} different names; at most {MOST_COLUMNS}")
    settings_found = ordered(found - {"cell", *RESULTS})
    table = pd.DataFrame.from_records(records, columns=["cell", *settings_found, *RESULTS])
    for name in settings_found:
        table[name] = _setting_column(table[name])
    if refined:
        table = table.sort_values("refined", kind="stable", ignore_index=True)
    return _typed(table, [*CELLS, *_id()], text=TEXT)


def tensors_table(cells: Iterable[StoredTensors]) -> pd.DataFrame:
    """What the check concludes of the tensors of cells as one table: one row per tensor."""
    records = [{"cell": cell.id, **record} for cell in cells for record in cell.tensors]
    table = pd.DataFrame.from_records(records, columns=["cell", *names_of(TENSORS)])
    return _typed(table, TENSORS, text="object")


def _id() -> list[Column]:
    return [Column("cell", "text", CELLS[0].of, "The cell's id.")]


def _typed(table: pd.DataFrame, columns: Sequence[Column], text: str) -> pd.DataFrame:
    """The table with each column stored as its entry asks for."""
    for column in columns:
        values = table[column.name]
        if column.kind in ("whole", "number"):
            values = pd.to_numeric(values)
        dtype = text if column.kind == "text" else column.dtype
        table[column.name] = values.astype(dtype)  # type: ignore[call-overload]
    return table


def _column_value(value: Value) -> Entry:
    return shown(value) if isinstance(value, tuple) else value


def _setting_column(column: pd.Series) -> pd.Series:
    """Numbers as numbers where all are, else text; null where the setting cannot matter."""
    present = column.dropna()
    if len(present) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in present):
        whole = all(isinstance(v, int) for v in present)
        return pd.to_numeric(column).astype("Int64" if whole else "float64")
    return column.map(
        lambda v: v if v is None or isinstance(v, str) else shown(v), na_action="ignore"
    ).astype(object)
