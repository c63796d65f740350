"""What may stand in an operation instead of an operand: the operand itself, changed, or another array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from backproof.network.arrays import Array
from backproof.verdicts.fit import Candidate, Values, amount
from backproof.verdicts.low_precision import LOWER, UNIT, rounded
from backproof.verdicts.structures import LOWER_PRECISION

DECIMALS = 4
"""Rounding to fewer decimals than this is looked for."""


@dataclass(frozen=True)
class Variant:
    """A changed operand.

    Attributes:
        structure: of a closed set.
        words: what is specific.
    """

    structure: str
    words: str
    values: Array


def candidates_of(
    operation: str, operand: str, changed: Iterable[Variant], apply: Callable[[Array], Values]
) -> Iterator[Candidate]:
    """What an operation would give with each of the changed operands in place of its own."""
    for variant in changed:
        name = f"{operation}: {variant.structure}"
        detail = variant.words
        if variant.structure == LOWER_PRECISION:
            name, detail = LOWER_PRECISION, f"{operand} in {variant.words}"
        yield Candidate(name, detail, apply(variant.values))


def variants(x: Array, rows: str, columns: str) -> Iterator[Variant]:
    """A matrix changed in the ways that an index, an axis or a function can be mistaken, the simplest first.

    `rows` and `columns` say what these are, as samples and units.
    """
    if not x.size:
        return
    if len(x) == x.shape[1] > 1:
        yield Variant("transposed", "", x.T)
    for axis, called in enumerate((rows, columns)):
        if x.shape[axis] > 1:
            yield from _along(x, axis, called)
    for structure, words, function in ELEMENTWISE:
        yield Variant(structure, words, function(x))
    yield Variant("mean taken off", "of all", x - x.mean())
    for decimals in range(DECIMALS):
        yield Variant("rounded", f"to {decimals} decimals", np.round(x, decimals))
    for precision in LOWER:
        if np.finfo(x.dtype).eps / 2 < UNIT[precision]:
            yield Variant(LOWER_PRECISION, precision, rounded(x, precision))


def _along(x: Array, axis: int, called: str) -> Iterator[Variant]:
    """Changes of the order, and of what is taken, along one axis."""
    yield Variant("reversed", f"the order of {called}", np.flip(x, axis))
    for shift in (1, -1):
        yield Variant("shifted", f"{called} by {shift}", np.roll(x, shift, axis))
    for which, at in (("first", 0), ("last", -1)):
        one = np.take(x, [at], axis)
        yield Variant("one for all", f"the {which} of the {called}", np.broadcast_to(one, x.shape))
        without = x.copy()
        np.moveaxis(without, axis, 0)[at] = 0
        yield Variant("left out", f"the {which} of the {called}", without)
        yield Variant("one alone", f"the {which} of the {called}", x - without)
    mean = x.mean(axis=axis, keepdims=True)
    yield Variant("one for all", f"the mean of the {called}", np.broadcast_to(mean, x.shape))
    yield Variant("mean taken off", f"over the {called}", x - mean)
    half = x.shape[axis] // 2
    for which, cut in (("first", slice(None, half)), ("second", slice(half, None))):
        without = x.copy()
        np.moveaxis(without, axis, 0)[cut] = 0
        yield Variant("left out", f"the {which} half of the {called}", without)


ELEMENTWISE: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("absolute value", "", np.abs),
    ("positive part", "negative ones cut off", lambda x: np.maximum(x, 0)),
    ("negative part", "positive ones cut off", lambda x: np.minimum(x, 0)),
    ("squared", "", np.square),
    ("sign only", "", np.sign),
    ("square root", "", lambda x: np.sqrt(np.abs(x))),
    ("reciprocal", "", lambda x: 1 / x),
    ("tanh", "of it", np.tanh),
    ("one minus", "", lambda x: 1 - x),
    ("one added", "", lambda x: 1 + x),
    ("one taken off", "", lambda x: x - 1),
)
"""Functions of single entries."""


def others(known: Mapping[str, Array], shape: tuple[int, ...]) -> Iterator[Variant]:
    """Other arrays that fit."""
    for name, values in known.items():
        if values.shape == shape:
            yield Variant("another array", name, values)


def times(words: str, share: float) -> str:
    """A multiple of something, in words."""
    return f"{amount(share)} times {words}"


def operators(a: Array, b: Array, names: tuple[str, str]) -> Iterator[Variant]:
    """Another operator in the place of the product of two arrays."""
    of_a, of_b = names
    yield Variant("another operator", f"{of_a} + {of_b}", a + b)
    yield Variant("another operator", f"{of_a} - {of_b}", a - b)
    yield Variant("another operator", f"{of_b} - {of_a}", b - a)
    yield Variant("another operator", f"{of_a} / {of_b}", a / b)
    yield Variant("another operator", f"{of_b} / {of_a}", b / a)
