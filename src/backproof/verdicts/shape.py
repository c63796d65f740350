"""The shape of an error that no name explains: sparse, by row or column, constant, of low rank."""

from __future__ import annotations

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.arrays import Array

MOST_NAMED = 3
"""So many rows, columns or entries are named one by one."""

MOST_RANKED = 1 << 18
"""Entries of an array up to which its rank is looked for."""


def shape_of(gap: Array, tolerance: Array, axes: tuple[str, str] = ("row", "column")) -> str:
    """The shape of an error (rows, columns), in words; empty without one.

    `axes` are what a row and a column stand for, as sample and unit.
    """
    wrong = ~(np.abs(gap) <= tolerance)
    if not wrong.any():
        return ""
    where = where_wrong(wrong, axes)
    pattern = _pattern(np.where(wrong, gap, 0), tolerance, axes) if np.isfinite(gap).all() else ""
    return f"{where}; {pattern}" if pattern else where


def where_wrong(wrong: Mask, axes: tuple[str, ...] = ("row", "column")) -> str:
    """Where the entries at fault of an array lie: one entry, a row, a column, all of it, or so many."""
    at = np.argwhere(wrong)
    if len(at) == wrong.size > 1:
        return "every entry"
    if len(at) == 1 and wrong.ndim == 0:
        return "the number"
    if len(at) == 1:
        return f"the entry [{','.join(map(str, at[0]))}]"
    for axis, called in enumerate(axes) if wrong.ndim == 2 else ():
        there = np.unique(at[:, axis])
        if len(there) == 1 and wrong.shape[axis] > 1:
            return f"{called} {there[0]}"
    for axis, called in enumerate(axes) if wrong.ndim == 2 else ():
        there = np.unique(at[:, axis])
        if len(there) <= MOST_NAMED and len(there) < wrong.shape[axis]:
            return f"{called}s {', '.join(map(str, there))}"
    return f"{len(at)} of {wrong.size} entries"


def _pattern(gap: Array, tolerance: Array, axes: tuple[str, str]) -> str:
    """Whether an error is constant, the same in every row or column, or of low rank."""
    if gap.size < 3:
        return ""
    if _same(gap, gap.reshape(-1)[0], tolerance):
        return f"the same everywhere, {gap.reshape(-1)[0]:.6g}"
    if gap.ndim != 2 or min(gap.shape) < 2:
        return ""
    if _same(gap, gap[:1], tolerance):
        return f"the same in every {axes[0]}"
    if _same(gap, gap[:, :1], tolerance):
        return f"the same in every {axes[1]}"
    rank = _rank(gap, tolerance)
    return f"of rank {rank}" if 0 < rank < min(gap.shape) - 1 else ""


def _same(gap: Array, other: Array, tolerance: Array) -> bool:
    return bool((np.abs(gap - other) <= 2 * tolerance).all() and np.abs(gap).max() > 100 * tolerance.max())


def _rank(gap: Array, tolerance: Array) -> int:
    """The smallest rank of a matrix within the tolerance of another."""
    if gap.size > MOST_RANKED:
        return int(min(gap.shape))
    values = np.linalg.svd(gap.astype(float), compute_uv=False)
    size = float(np.linalg.norm(tolerance.astype(float)))
    return len([value for value in values if value > size])
