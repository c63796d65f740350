"""Whether an array was rounded to a lower precision: whether its entries are numbers of that precision."""

from __future__ import annotations

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.arrays import Array

ROUNDINGS = 64
"""An array that was computed in a precision is off by less than so many of its roundings."""

LOWER = ("float32", "float16", "bfloat16")
"""Precisions that are tried, the highest first, with what one rounding may change relatively."""

UNIT = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""The largest relative error of one rounding."""

ENTRIES = 2
"""So many entries must be numbers of the lower precision where the right ones are not."""


def rounded(x: Array, precision: str) -> Array:
    """An array rounded to a precision, in its own type."""
    if precision == "bfloat16":
        single = np.ascontiguousarray(x, np.float32)
        bits = single.view(np.uint32)
        half = ((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF)
        nearest = ((bits + half) & np.uint32(0xFFFF0000)).view(np.float32)
        return np.where(np.isfinite(single), nearest, single).astype(x.dtype)
    return x.astype(np.dtype(precision)).astype(x.dtype)


def precision_of(found: Array, right: Array, departs: Mask) -> str | None:
    """The lowest precision that all entries have, if it explains by how much they depart; else None.

    A number of 53 binary digits has 24 by chance once in 2^29, or in 2^27 within the roundings allowed here
    for a factor since. Where the right numbers have so few as well, as 0 or ½, nothing is told by it.
    """
    if not np.isfinite(found).all():
        return None
    known, eps = None, float(np.finfo(found.dtype).eps)
    for precision in LOWER:
        if eps / 2 >= UNIT[precision] or not _has(found, precision, 2 * eps).all():
            continue
        near = np.abs(found - right) <= ROUNDINGS * UNIT[precision] * np.abs(right).max(initial=0)
        telling = departs & (found != 0) & ~_has(right, precision, 4 * eps)
        if near.all() and np.count_nonzero(telling) >= ENTRIES:
            known = precision
    return known


def _has(x: Array, precision: str, slack: float) -> Mask:
    """Which entries are numbers of a precision, but for a relative slack."""
    return np.asarray(np.abs(rounded(x, precision) - x) <= slack * np.abs(x))
