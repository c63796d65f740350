"""The array type, the precisions, and what is true of each of them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

DType = np.dtype[Any]
FloatType = type[np.floating[Any]]
"""Types of NumPy, whatever their precision."""

Array = NDArray[Any]
"""An array of one of the four precisions; its leading axes are a batch of problems."""

FloatType = FloatType
"""NumPy's type of one of the precisions."""

Weights = Sequence[Array]
"""One array per layer, shape (..., units out, units in + 1); the last column is the bias."""


def unit_roundoff(dtype: DType | FloatType) -> float:
    """Half the distance from 1 to the next number: the largest relative error of one rounding."""
    return float(np.finfo(dtype).eps) / 2


class Precision(StrEnum):
    """A floating-point format."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    LONGDOUBLE = "longdouble"

    @property
    def dtype(self) -> FloatType:
        """NumPy's type."""
        found: FloatType = np.dtype(self.value).type
        return found

    @property
    def unit_roundoff(self) -> float:
        """The largest relative error of one rounding."""
        return unit_roundoff(self.dtype)

    @classmethod
    def of(cls, dtype: DType) -> Precision | None:
        """That of a NumPy type; None for types that are none of these."""
        return next((each for each in cls if each.dtype is dtype.type), None)


@dataclass(frozen=True)
class Interval:
    """A range of real numbers, as data: where a function is defined, or where its values lie."""

    low: float
    high: float
    closed_low: bool = True
    closed_high: bool = True

    def contains(self, x: Array) -> NDArray[np.bool_]:
        """Element by element; NaN is in no interval."""
        above = x >= self.low if self.closed_low else x > self.low
        below = x <= self.high if self.closed_high else x < self.high
        return np.asarray(above & below)

    def __str__(self) -> str:
        left, right = "[" if self.closed_low else "(", "]" if self.closed_high else ")"
        return f"{left}{self.low:g}, {self.high:g}{right}"


REALS = Interval(-np.inf, np.inf)


def with_ones(a: Array) -> Array:
    """Append the constant input 1 that carries the bias: (..., n) to (..., n + 1)."""
    out = np.empty((*a.shape[:-1], a.shape[-1] + 1), a.dtype)
    out[..., :-1] = a
    out[..., -1] = 1
    return out


def cut_like(flat: Array, weights: Weights) -> list[Array]:
    """One value per parameter, (..., parameters), as arrays shaped like the weights behind (...)."""
    parts, start = [], 0
    for w in weights:
        parts.append(flat[..., start : start + w.size].reshape(*flat.shape[:-1], *w.shape))
        start += w.size
    return parts


def magnitude(z: Array) -> Array:
    """|z|; of complex numbers z or −z, whichever has the positive real part: |z| is not analytic."""
    return np.asarray(np.where(z.real < 0, -z, z)) if np.iscomplexobj(z) else np.abs(z)


def positive_part(z: Array) -> Array:
    """max(z, 0); of complex numbers by their real parts, on the same side as `magnitude` where that is 0."""
    return np.asarray(np.where(z.real < 0, 0, z)) if np.iscomplexobj(z) else np.maximum(z, 0)


def log1p(x: Array) -> Array:
    """log(1 + x); of complex numbers to the last bits of both parts, where NumPy loses a tiny real one."""
    if not np.iscomplexobj(x):
        return np.asarray(np.log1p(x))
    size = np.log1p(x.real * (2 + x.real) + x.imag * x.imag) / 2
    found = np.empty_like(x)
    found.real, found.imag = size, np.arctan2(x.imag, 1 + x.real)
    return found


def finite(z: Array) -> Array:
    """Infinite z as the largest finite one: z·σ(z) and the like have limits there, not NaN."""
    big = np.finfo(z.dtype).max
    return np.asarray(np.clip(z, -big, big))


def within(z: Array, low: float, high: float) -> Array:
    """1 where low < z ≤ high, else 0, in the precision of z."""
    return ((z > low) & (z <= high)).astype(z.dtype)


NARROW = 16
"""The longest row that is reduced unit by unit."""


def over_units(reduce: np.ufunc, a: Array) -> Array:
    """Reduce the last axis to length 1, in the array's own precision.

    Short rows are reduced unit by unit, since NumPy would start its inner loop anew for each of them. A
    row's result depends neither on the number of rows nor on the memory layout.
    """
    units = a.shape[-1]
    if not 0 < units <= NARROW:
        return np.asarray(reduce.reduce(np.ascontiguousarray(a), axis=-1, keepdims=True))
    total = a[..., :1]
    if a.dtype == np.float16:  # NumPy's own sums of float16 are carried out in float32, too
        return np.asarray(over_units(reduce, a.astype(np.float32)).astype(np.float16))
    for k in range(1, units):
        total = reduce(total, a[..., k : k + 1])
    return np.asarray(total)


def transpose(a: Array) -> Array:
    """Swap the last two axes, leaving the batch axes alone."""
    return np.swapaxes(a, -1, -2)


def square_part_transposed(w: Array) -> Array:
    """Weights (..., n, n + 1) with their square part transposed; any others as they are."""
    if w.shape[-1] - 1 != w.shape[-2]:
        return w
    swapped = w.copy()
    swapped[..., :-1] = transpose(w[..., :-1])
    return swapped


def sum_over_terms(terms: Array) -> Array:
    """Sum the last two axes of each problem in a batch, (..., N, m) to (...).

    One contiguous reduction per problem, so that its bits do not depend on how many
    other problems share the array.
    """
    flat = np.ascontiguousarray(terms).reshape(*terms.shape[:-2], -1)
    return np.asarray(flat.sum(axis=-1, dtype=terms.dtype))


@cache
def keep_memory() -> None:
    """Have the C library keep the memory of freed arrays: once a process, before many are made.

    glibc hands a large block back to the system when it is freed, and takes it anew page by page, until a
    program has freed one of almost 32 MiB; from then on it keeps them (mallopt(3), M_MMAP_THRESHOLD). This
    one is never written to. It made the differences of a network a quarter faster; elsewhere it does nothing.
    """
    np.empty(30 << 20, np.uint8)


def give_back_memory() -> None:
    """Have the C library give what `keep_memory` let it keep back to the system; elsewhere than on glibc
    nothing is done.
    """
    with suppress(AttributeError, OSError, TypeError):  # a library without malloc_trim, or that has no name
        ctypes.CDLL(None).malloc_trim(0)


def evenly_spaced(count: int, most: int) -> NDArray[np.intp]:
    """At most so many positions among a count, from the first to the last; ascending, none twice."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.intp)


def root_mean_square(x: Array) -> float:
    """Of numbers that are not negative, none of whose squares over- or underflows; 0 of nothing."""
    largest = x.max(initial=0)
    if not 0 < largest < np.inf:
        return float(largest)
    return float(largest * np.sqrt(((x / largest) ** 2).mean()))
