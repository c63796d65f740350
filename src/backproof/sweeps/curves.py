"""Curves of cells as Arrow tables, and as the bytes that the store keeps of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

_CURVES = pa.schema([("series", pa.string()), ("step", pa.int32()), ("value", pa.float64())])


def encode_curves(curves: dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]) -> bytes | None:
    """Curves as the bytes of an Arrow stream."""
    if not curves:
        return None
    names = np.repeat(list(curves), [len(steps) for steps, _ in curves.values()])
    steps = np.concatenate([s for s, _ in curves.values()])
    values = np.concatenate([v for _, v in curves.values()]).astype(np.float64)
    batch = pa.record_batch([pa.array(names), pa.array(steps, pa.int32()), pa.array(values)], schema=_CURVES)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _CURVES) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def as_table(stored: Iterable[tuple[str, bytes]]) -> pa.Table:
    """Cells' ids and curves as one long table: cell, series, step, value."""
    parts = []
    for cell, blob in stored:
        table = pa.ipc.open_stream(blob).read_all()
        parts.append(table.add_column(0, "cell", pa.array([cell] * len(table), pa.string())))
    return (
        pa.concat_tables(parts)
        if parts
        else _CURVES.empty_table().add_column(0, "cell", pa.array([], pa.string()))
    )
