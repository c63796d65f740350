"""Curves of cells as one table, and as the bytes that the store keeps of each cell's.

The bytes are a line of JSON, which maps each series to its number of points, then all steps as little-endian
int32 and all values as float64. Their number follows from the header, so that nothing is allocated for a
claim that the bytes do not keep.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from backproof.network.arrays import Array

STEP, VALUE = np.dtype("<i4"), np.dtype("<f8")


class Curves(NamedTuple):
    """Series one after another: their names, the number of points of each, and all points."""

    counts: dict[str, int]
    steps: Array
    values: Array


def encode_curves(curves: dict[str, tuple[Array, Array]]) -> bytes | None:
    """Curves, series name to (steps, values), as bytes; None if there are none."""
    if not curves:
        return None
    header = json.dumps({name: len(steps) for name, (steps, _) in curves.items()})
    steps = np.concatenate([steps for steps, _ in curves.values()]).astype(STEP)
    values = np.concatenate([values for _, values in curves.values()]).astype(VALUE)
    return header.encode() + b"\n" + steps.tobytes() + values.tobytes()


def decode_curves(stored: bytes) -> Curves:
    """The inverse of `encode_curves`.

    Raises:
        ValueError: if the bytes are no curves.
    """
    header, _, points = stored.partition(b"\n")
    counts = json.loads(header)
    if not isinstance(counts, dict) or not all(type(n) is int and n >= 0 for n in counts.values()):
        raise ValueError("the header of curves must map series to numbers of points")
    total = sum(counts.values())
    if len(points) != total * (STEP.itemsize + VALUE.itemsize):
        raise ValueError(f"curves of {total} points cannot have {len(points)} bytes")
    cut = total * STEP.itemsize
    return Curves(counts, np.frombuffer(points[:cut], STEP), np.frombuffer(points[cut:], VALUE))


def as_table(stored: Iterable[tuple[str, Curves]]) -> pa.Table:
    """Cells' ids and curves as one long table: cell, series, step, value."""
    cells, series, counts = list[str](), list[str](), list[int]()
    steps, values = [np.empty(0, STEP)], [np.empty(0, VALUE)]
    for cell, curves in stored:
        cells += [cell] * len(curves.counts)
        series += curves.counts
        counts += curves.counts.values()
        steps.append(curves.steps)
        values.append(curves.values)
    each = np.repeat(np.arange(len(cells)), counts)
    return pa.table(
        {
            "cell": pa.array(cells, pa.string()).take(pa.array(each)),
            "series": pa.array(series, pa.string()).take(pa.array(each)),
            "step": np.concatenate(steps).astype(np.int32, copy=False),
            "value": np.concatenate(values),
        }
    )
