"""How the arrays that a user's functions get lie in memory, which must not change what they compute."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.targets.adapters import library, made_with
from backproof.targets.container import mapped
from backproof.targets.formats import holds_floats, type_name
from backproof.targets.source import UserFunction, alike


class MemoryLayout(StrEnum):
    """Where the numbers of an array lie.

    In an expanded array several entries are one number, and cannot be moved one by one: it is none of these.
    """

    CONTIGUOUS = "contiguous"
    COLUMN_MAJOR = "column_major"
    GAPS = "gaps"
    """Every second entry of a larger memory."""


def column_major(array: Any) -> Any:
    """The same numbers in column-major order, in memory of their own."""
    if isinstance(array, np.ndarray):
        return np.array(array, order="F")
    axes = tuple(reversed(range(array.dim())))
    return array.permute(axes).clone(memory_format=library("torch").contiguous_format).permute(axes)


def gaps(array: Any) -> Any:
    """The same numbers, each after one that is none: every second entry of a larger memory."""
    if isinstance(array, np.ndarray):
        wide = np.full((*array.shape, 2), np.nan).astype(array.dtype)
    else:
        wide = array.new_full((*array.shape, 2), float("nan"))
    wide[..., 1] = array
    return wide[..., 1]


PLACED: dict[MemoryLayout, Callable[[Any], Any]] = {
    MemoryLayout.COLUMN_MAJOR: column_major,
    MemoryLayout.GAPS: gaps,
}
"""What copies an array into a layout; of PyTorch's tensors it is differentiable."""


def in_layout(function: UserFunction, layout: MemoryLayout) -> UserFunction:
    """A function whose arguments, cotangents and tangents included, are copied into a layout.

    Raises:
        FunctionError: when it is called with arrays of JAX, which have none.
    """
    if layout is MemoryLayout.CONTIGUOUS:
        return function
    place = PLACED[layout]

    def placed(part: Any) -> Any:
        if made_with(None, part) == "jax":
            raise FunctionError(f"layout: arrays of JAX have none; not {layout}")
        return place(part) if _has_layout(part) else part

    @alike(function)
    def called(*args: Any) -> Any:
        return function(*mapped(placed, tuple(args)))

    return called


def _has_layout(part: Any) -> bool:
    """Whether it is an array of floats, of at least one axis."""
    numbers = holds_floats(part) or type_name(part).startswith(("complex", "clongdouble"))
    return bool(numbers and part.ndim > 0)
