"""What a target finds of a derivative by other means than differences: ways in which it must not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple


class Finding(NamedTuple):
    """Something that a trial found.

    Attributes:
        name: of the cause, in words that are the same for every function.
        detail: which input, output or layout, and by how much.
        wrong: whether the derivative is incorrect there; else it is a remark.
    """

    name: str
    detail: str
    wrong: bool = True


Trial = Callable[[], Iterable[Finding]]
"""Tries a derivative under other circumstances, as with another memory layout of the same cotangent."""
