"""Which points of a grid are the first of their cell, found in the memory of eight bytes a point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from backproof.sweeps.listing import batched

TOGETHER = 1 << 18
"""Digests that are sorted at a time."""

SIZE = 8
"""Bytes of a digest."""


class Distinct:
    """Digests in the order of the points; those that were there before are counted as duplicates.

    Attributes:
        number: how many different ones there were.
    """

    def __init__(self) -> None:
        self.number = 0
        self._points = 0
        self._sorted = np.empty(0, np.uint64)
        self._waiting = bytearray()
        self._first: list[NDArray[np.uint8]] = []

    def add(self, digests: Iterable[bytes], tell: Callable[[int], None] = lambda _: None) -> None:
        """Add the digests of the next points; `tell` hears how many there were, every now and then."""
        for some in batched(digests, TOGETHER):
            self._waiting += b"".join(some)
            while len(self._waiting) >= TOGETHER * SIZE:
                self._take(TOGETHER)
                tell(self._points)

    def close(self) -> None:
        """All are there: what was kept to compare with is let go."""
        if self._waiting:
            self._take(len(self._waiting) // SIZE)
        self._sorted = np.empty(0, np.uint64)
        if self.number == self._points:
            self._first = []

    def first(self) -> Iterator[bool]:
        """Of each point, whether it is the first of its cell."""
        if self.number == self._points:
            yield from repeat(True, self._points)
            return
        left = self._points
        for bits in self._first:
            yield from np.unpackbits(bits, count=min(TOGETHER, left)).astype(bool).tolist()
            left -= TOGETHER

    def _take(self, count: int) -> None:
        digests = np.frombuffer(bytes(self._waiting[: count * SIZE]), np.uint64)
        del self._waiting[: count * SIZE]
        different, at = np.unique(digests, return_index=True)
        places = np.searchsorted(self._sorted, different)
        known = np.zeros(len(different), bool)
        inside = places < len(self._sorted)
        known[inside] = self._sorted[places[inside]] == different[inside]
        first = np.zeros(count, bool)
        first[at[~known]] = True
        self._sorted = np.insert(self._sorted, places[~known], different[~known])
        self._first.append(np.packbits(first))
        self._points += count
        self.number += int(first.sum())
