"""The stored rows of a sweep as the `cells` table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from backproof.sweeps.columns import EXTRA, RESULTS, TENSORS, TEXTS, TRUTHS, WHOLE
from backproof.sweeps.settings import is_public, ordered, shown


def _column_value(value: Any) -> Any:
    return shown(tuple(value)) if isinstance(value, list) else value


def as_table(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    """Rows of the store as a table.

    Each is (id, settings, status, error, traceback, outcome, seconds, attempts, command).
    """
    records = []
    for cell, settings, status, error, traceback, outcome, seconds, attempts, command in rows:
        record = {k: _column_value(v) for k, v in json.loads(settings).items() if is_public(k)}
        record.update(json.loads(outcome))
        record.update(cell=cell, status=status, error=error, traceback=traceback)
        record.update(seconds=seconds, attempts=attempts, command=command)
        records.append(record)
    found = {key for record in records for key in record}
    known = {"cell", *RESULTS, *EXTRA}
    columns = ["cell", *ordered(found - known), *RESULTS, *EXTRA]
    table = pd.DataFrame.from_records(records, columns=columns)
    for name in columns:
        if name in ("cell", *TEXTS):
            table[name] = table[name].astype("str" if pd.__version__ >= "3" else object)
        elif name in (*RESULTS, *EXTRA):
            kind = "Int64" if name in WHOLE else "boolean" if name in TRUTHS else "float64"
            numbers = table[name] if name in TRUTHS else pd.to_numeric(table[name])
            table[name] = numbers.astype(kind)  # type: ignore[call-overload]
        else:
            table[name] = _setting_column(table[name])
    return table


def _setting_column(column: pd.Series) -> pd.Series:
    """Numbers as numbers where all are, else text; null where the setting cannot matter."""
    present = column.dropna()
    if len(present) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in present):
        whole = all(isinstance(v, int) for v in present)
        return pd.to_numeric(column).astype("Int64" if whole else "float64")
    return column.map(
        lambda v: v if v is None or isinstance(v, str) else shown(v), na_action="ignore"
    ).astype(object)


def tensors_table(rows: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Rows of the store, (id, records of its tensors as JSON), as one table, a row a tensor."""
    records = [{"cell": cell, **record} for cell, text in rows for record in json.loads(text)]
    table = pd.DataFrame.from_records(records, columns=["cell", *TENSORS])
    for name, kind in TENSORS.items():
        table[name] = table[name].astype(kind)  # type: ignore[call-overload]
    return table
