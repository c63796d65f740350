"""The stored rows of a sweep as the `cells` and `tensors` tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from backproof.sweeps.columns import CELLS, RESULTS, TENSORS, Column, names_of
from backproof.sweeps.outcome import Entry
from backproof.sweeps.overrides import Value, is_public, ordered, shown
from backproof.sweeps.rows import MalformedError, StoredCell, StoredTensors

TEXT = "str" if pd.__version__ >= "3" else "object"


MOST_COLUMNS = 1000
"""Of all cells together: a table has every column for every cell, so that their number bounds its size."""

FIXED = ("cell", *RESULTS)
"""The columns that every table has."""


@dataclass
class Layout:
    """The columns of the `cells` table that are settings, and of which kind each is in all rows together.

    Attributes:
        kinds: by name: "Int64", "float64", or "text" where some value is no number.
        constants: the settings that have one value in all rows that have any, with that value.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Iterable[Mapping[str, Value]]) -> Layout:
        """That of the settings of cells.

        Raises:
            MalformedError: if there are more than a table can have.
        """
        found, values = cls(), dict[str, Value]()
        several = set[str]()
        for each in settings:
            for name, value in each.items():
                if name not in found.kinds:
                    if not is_public(name):
                        continue
                    found.kinds[name], values[name] = _kind(value), value
                elif value != values[name]:
                    several.add(name)
                    found.kinds[name] = _wider(found.kinds[name], _kind(value))
                elif type(value) is not type(values[name]):
                    found.kinds[name] = _wider(found.kinds[name], _kind(value))
            found.require_room()
        found.kinds = {name: found.kinds[name] or "text" for name in ordered(found.kinds)}
        found.constants = {k: v for k, v in values.items() if k not in several and v is not None}
        return found

    def require_room(self) -> None:
        """Refuse more columns than a table can have."""
        number = len(self.kinds) + len(FIXED)
        if number > MOST_COLUMNS:
            raise MalformedError(f"settings: {number} different names; at most {MOST_COLUMNS}")

    @property
    def varying(self) -> list[str]:
        """The settings that have several values."""
        return [name for name in self.kinds if name not in self.constants]


def _kind(value: Value) -> str:
    """Of a column of such values; empty of null, which fits any."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "text"
    return "Int64" if isinstance(value, int) else "float64"


def _wider(one: str, other: str) -> str:
    """The kind of a column of both."""
    if one == other or not other:
        return one
    if not one:
        return other
    return "text" if "text" in (one, other) else "float64"


def as_table(cells: Iterable[StoredCell], refined: Collection[str] = ()) -> pd.DataFrame:
    """Rows of the store as the `cells` table: the cell's id, a column for each setting, the results.

    `refined`: the ids of cells that a refinement added; they come last.
    """
    rows = list(cells)
    table = frame(rows, Layout.of(row.settings for row in rows), refined)
    return table.sort_values("refined", kind="stable", ignore_index=True) if refined else table


def frame(cells: Iterable[StoredCell], layout: Layout, refined: Collection[str] = ()) -> pd.DataFrame:
    """Some rows of a table whose layout is known."""
    records = []
    for cell in cells:
        record = {k: _column_value(v) for k, v in cell.settings.items() if k in layout.kinds}
        record.update(cell.outcome)
        record.update(cell=cell.id, status=str(cell.status), error=cell.error, traceback=cell.traceback)
        record.update(refined=cell.id in refined)
        record.update(seconds=cell.seconds, attempts=cell.attempts, command=cell.command)
        records.append(record)
    table = pd.DataFrame.from_records(records, columns=["cell", *layout.kinds, *RESULTS])
    for name, kind in layout.kinds.items():
        table[name] = _setting_column(table[name], kind)
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


def _setting_column(column: pd.Series, kind: str) -> pd.Series:
    """Numbers as numbers where all are, else text; null where the setting cannot matter."""
    if kind != "text":
        return pd.to_numeric(column).astype(kind)  # type: ignore[call-overload, no-any-return]
    return column.map(
        lambda v: v if v is None or isinstance(v, str) else shown(v), na_action="ignore"
    ).astype(object)
