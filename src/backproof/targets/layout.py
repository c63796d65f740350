"""Where the entries of named arrays lie in one flat vector, and what each entry is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from backproof.network.arrays import Array, Weights

Index = NDArray[np.intp]
"""Flat positions, ascending."""


@dataclass(frozen=True)
class Tensor:
    """A named array whose entries are columns of a block of the flat vector.

    Attributes:
        block: the part of the vector that is read as `rows` rows, row-major.
        columns: of these rows, the first that belongs to this array and the first after it; None means all.
        layer: of a network, counted from 1; 0 where it belongs to none.
    """

    name: str
    shape: tuple[int, ...]
    block: slice
    rows: int = 1
    columns: tuple[int, int] | None = None
    layer: int = 0

    @property
    def size(self) -> int:
        """The number of entries."""
        return prod(self.shape)

    @property
    def _width(self) -> int:
        length: int = self.block.stop - self.block.start
        return length // max(self.rows, 1)

    @property
    def _columns(self) -> slice:
        return slice(*self.columns) if self.columns else slice(None)

    def of(self, flat: Array) -> Array:
        """A view of this array in the flat vector; (shape)."""
        return flat[self.block].reshape(self.rows, self._width)[:, self._columns].reshape(self.shape)

    def positions(self) -> Index:
        """The flat position of every entry, row-major; (size)."""
        block = np.arange(self.block.start, self.block.stop).reshape(self.rows, self._width)
        return block[:, self._columns].ravel()

    def owns(self, index: Index) -> NDArray[np.bool_]:
        """Which flat positions are entries of this array."""
        within = (index >= self.block.start) & (index < self.block.stop)
        if self.columns is None:
            return np.asarray(within)
        first, stop = self.columns
        column = (index - self.block.start) % max(self._width, 1)
        return np.asarray(within & (column >= first) & (column < stop))

    def offset(self, index: Index) -> Index:
        """Row-major positions within the array of flat positions that it owns."""
        first, stop = self.columns or (0, self._width)
        row, column = np.divmod(index - self.block.start, max(self._width, 1))
        return np.asarray(row * (stop - first) + column - first)

    def offset_of(self, index: int) -> int | None:
        """The same of one position; None if it is not owned."""
        if not self.block.start <= index < self.block.stop:
            return None
        first, stop = self.columns or (0, self._width)
        row, column = divmod(index - self.block.start, self._width)
        return row * (stop - first) + column - first if first <= column < stop else None

    def entry(self, offset: int) -> str:
        """The name of one entry, by its row-major position within the array."""
        at = np.unravel_index(offset, self.shape)
        return f"{self.name}[{','.join(map(str, at))}]" if self.shape else self.name


@dataclass(frozen=True)
class Layout:
    """The arrays that make up a flat vector; together they own every position once."""

    tensors: tuple[Tensor, ...]

    @cached_property
    def size(self) -> int:
        """The number of entries."""
        return sum(t.size for t in self.tensors)

    def members(self, index: Index) -> tuple[Index, ...]:
        """For each array, which of some flat positions, ascending and none twice, are its own; read-only."""
        return self._of_all if len(index) == self.size else self._among(index)

    @cached_property
    def _of_all(self) -> tuple[Index, ...]:
        return self._among(np.arange(self.size))

    def _among(self, index: Index) -> tuple[Index, ...]:
        found = tuple(np.flatnonzero(tensor.owns(index)) for tensor in self.tensors)
        for members in found:
            members.flags.writeable = False  # those of all positions serve every estimate
        return found

    def location(self, index: int) -> str:
        """The name of one entry, as in `W1[3,17]` or `W['bias'][2]`."""
        for tensor in self.tensors:
            offset = tensor.offset_of(index)
            if offset is not None:
                return tensor.entry(offset)
        raise IndexError(index)


def in_sequence(names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Layout:
    """Arrays that lie one after another, each row-major."""
    tensors, start = [], 0
    for name, shape in zip(names, shapes, strict=True):
        tensors.append(Tensor(name, shape, slice(start, start + prod(shape))))
        start += prod(shape)
    return Layout(tuple(tensors))


def of_network(weights: Weights) -> Layout:
    """Layers one after another, each row-major (units, inputs + 1): the bias is the last column."""
    return _of_layers(tuple(w.shape for w in weights))


@lru_cache(maxsize=64)
def _of_layers(shapes: tuple[tuple[int, int], ...]) -> Layout:
    tensors, start = [], 0
    for layer, (units, columns) in enumerate(shapes, 1):
        block = slice(start, start + units * columns)
        tensors += [
            Tensor(f"W{layer}", (units, columns - 1), block, units, (0, columns - 1), layer),
            Tensor(f"b{layer}", (units,), block, units, (columns - 1, columns), layer),
        ]
        start += units * columns
    return Layout(tuple(tensors))


def flattened(arrays: Weights) -> Array:
    """Arrays as one vector, each row-major: the order of `of_network`."""
    return np.concatenate([a.ravel() for a in arrays])
