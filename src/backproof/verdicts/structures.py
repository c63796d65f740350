"""What was made of an array instead of the right one: structures that any operation may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from backproof.network.arrays import Array
from backproof.verdicts.fit import FIT, Candidate, Error, Known, Term, plain_numbers, shown
from backproof.verdicts.low_precision import precision_of

LOWER_PRECISION = "lower precision"

NOT_IDENTIFIED = "not identified"

MOST_LISTED = 5
"""So many samples or units are listed by number."""


@dataclass(frozen=True)
class Found:
    """An operation that departs.

    Attributes:
        name: the operation and its structure, as in `bias gradient: zero`.
        detail: what is specific to the case.
        residual: what it gave less what is right, 0 where it does not depart.
        at_clip: whether it departs only where the clip flattens the loss.
        share: how much of what is wrong is mixed into what is right.
        among: the candidates among which it was found, of the operands of a layer and an error.
    """

    name: str
    detail: str
    residual: Array
    at_clip: bool = False
    share: float = 1.0
    among: Callable[..., Iterator[Candidate | Term]] | None = None


def full_name(operation: str, structure: str) -> str:
    """The name of a structure with its operation's; some structures name another operation themselves."""
    return structure if ":" in structure or structure == LOWER_PRECISION else f"{operation}: {structure}"


def constants(error: Error, right: Array, samples: int, outputs: int) -> Iterator[Candidate]:
    """The multiple of an array that comes nearest to what was found; recognised where it is a count."""
    found, base = error.found[error.sure], right[error.sure]
    factor = float((found * base).sum() / (base * base).sum())
    if not np.isfinite(factor):
        return
    amplified = max(1.0, abs(factor))
    yield Candidate("sign", "× −1", -right)
    yield Candidate("zero", "", np.zeros_like(right))
    for plain in plain_numbers(factor):  # these take no fitted number
        words = f"× {_in_words(plain, samples, outputs)}"
        yield Candidate("scale", words, plain * right, amplified=amplified)
    if abs(factor) > FIT:
        words = f"× {_in_words(factor, samples, outputs)}"
        yield Candidate("scale", words, factor * right, 1, amplified)


def _in_words(factor: float, samples: int, outputs: int) -> str:
    """A factor, and what it is: a number of samples or outputs, or one over it."""
    counts = {samples: "the number of samples", outputs: "the number of outputs"}
    counts[samples * outputs] = "samples × outputs"
    for count, words in counts.items():
        if count > 2 and abs(factor / count - 1) < FIT:
            return f"{count}, {words}"
        if count > 2 and abs(factor * count - 1) < FIT:
            return f"1/{count}, one over {words}"
    return shown(factor)


def common_structures(error: Error, axes: tuple[str, str] = ("samples", "units")) -> Iterator[Candidate]:
    """Structures of any array: cut off at a bound, rows or columns multiplied by factors of their own.

    `axes` are what rows and columns stand for.
    """
    found, right = error.found, error.right
    bound = np.abs(found).max(initial=0)
    # The bound is read off the array: it costs one parameter.
    yield Candidate("cut off", f"at ±{bound:.6g}", np.clip(right, -bound, bound), 1)
    for axis, called in enumerate(axes):
        yield from factors_of(error, 1 - axis, called)


def factors_of(error: Error, axis: int, called: str) -> Iterator[Candidate]:
    """Every row, or every column, multiplied by a factor of its own; a factor of 0 leaves it out."""
    sure = error.sure & np.isfinite(error.found)
    base = np.where(sure, error.right, 0)
    found = np.where(sure, error.found, 0)
    size = (base * base).sum(axis=axis, keepdims=True)
    factors = np.where(
        size > 0, (base * found).sum(axis=axis, keepdims=True) / np.where(size > 0, size, 1), 1
    )
    for whole in (0.0, 1.0):
        factors = np.where(np.abs(factors - whole) < 1e-6, whole, factors)
    off = np.flatnonzero(factors.ravel() != 1)
    if not 0 < len(off) < factors.size and not len(np.unique(factors)) > 1:
        return
    listed = ", ".join(map(str, off[:MOST_LISTED])) + (", …" if len(off) > MOST_LISTED else "")
    fitted = int(np.count_nonzero(factors[(factors != 0) & (factors != 1)]))
    values = error.right * factors
    amplified = max(1.0, float(np.abs(factors).max()))
    where = f"{len(off)} of {factors.size}: {listed}"
    if not factors.ravel()[off].any():
        yield Candidate(f"{called} left out", where, values)
    else:
        some = ", ".join(shown(float(f)) for f in factors.ravel()[off[:MOST_LISTED]])
        yield Candidate(f"factors of {called}", f"{where}, × {some}", values, fitted, amplified)


def in_lower_precision(error: Error, scale: float = 1.0) -> Known | None:
    """A lower precision, where all that was found is as if rounded to it.

    `scale` is what the array may have been multiplied by since.
    """
    kind = precision_of(error.found, error.right, error.departs)
    if kind is None and scale != 1:
        kind = precision_of(error.found / scale, error.right / scale, error.departs)
    return Known(LOWER_PRECISION, kind) if kind else None
