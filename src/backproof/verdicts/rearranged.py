"""Rearrangements of a gradient: transposed, reversed, shifted, or single entries of other ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from backproof.network.arrays import Array
from backproof.verdicts.fit import Candidate, Error

MOST_MOVED = 8
"""So many entries at most are looked for among all the others, one by one."""


@dataclass(frozen=True)
class Turn:
    """A rearrangement of a flat array of a shape, or what takes it back."""

    shape: tuple[int, ...]
    rearrange: Callable[[Array], Array]

    def __call__(self, x: Array) -> Array:
        return np.ascontiguousarray(self.rearrange(x.reshape(self.shape))).ravel()


def turns(shape: tuple[int, ...], *, back: bool = False) -> Iterator[tuple[str, str, Turn]]:
    """Rearrangements of an array of a shape, or with `back` what takes them back."""
    if len(shape) == 2 and min(shape) > 1:
        # Of a matrix that is not square either was made to fit: the transpose, or what was transposed.
        for made in {shape, shape[::-1]}:
            yield "transpose", "the gradient is transposed", Turn(made, np.transpose)
    for axis in range(len(shape)):
        if shape[axis] > 1:
            flipped = Turn(shape, partial(np.flip, axis=axis))
            yield "reversed", f"the order along axis {axis} is reversed", flipped
            for shift in (1, -1):
                rolled = Turn(shape, partial(np.roll, shift=-shift if back else shift, axis=axis))
                yield "shifted", f"the entries along axis {axis} are shifted by {shift}", rolled
    if len(shape) > 1 and min(shape) > 1:
        yield "reversed", "the order along all axes is reversed", Turn(shape, np.flip)


def turned(error: Error, shape: tuple[int, ...]) -> Iterator[Candidate]:
    """The right gradient rearranged, as it is or negative."""
    for name, detail, turn in turns(shape):
        values, tolerance = turn(error.right), turn(error.tolerance)
        yield Candidate(name, detail, values, tolerance=tolerance)
        yield Candidate(name, f"{detail}, and negative", -values, tolerance=tolerance)


def moved(error: Error, named: Callable[[int], str]) -> Iterator[Candidate]:
    """Single wrong entries, each of which has the right value of another entry, or of several summed."""
    wrong = np.flatnonzero(error.departs)
    if not 0 < len(wrong) <= MOST_MOVED:
        return
    values, tolerance, words = error.right.copy(), error.tolerance.copy(), []
    for i in wrong:
        gap = np.abs(error.right - error.found[i]) / (error.tolerance + error.tolerance[i])
        j = int(np.argmin(gap))
        values[i], tolerance[i] = error.right[j], error.tolerance[j]
        words.append(f"{named(int(i))} has the value of {named(j)}")
    yield Candidate("another entry", "; ".join(words), values, tolerance=tolerance)
