"""What was made of an array instead of the right one: structures that are tried on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backproof.network.arrays import Array, unit_roundoff

FIT = 1e-10
"""Relative deviation up to which a structure explains an operation: differences of functions, here in
extended precision, are good to about 1e-12."""


LOWER_PRECISION = "lower precision"


Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidate:
    """A structure that an operation may have: its name, and the values that it would give.

    `factor` is what the right values, and with them their error, were multiplied by.
    """

    name: str
    detail: str
    values: Array
    factor: float = 1.0


@dataclass(frozen=True)
class Found:
    """An operation that departs.

    Attributes:
        name: the operation and its structure, as in `bias gradient: zero`.
        detail: what is specific to the case.
        residual: what it gave less what is right, 0 where it does not depart.
        at_clip: whether it departs only where the clip flattens the loss.
    """

    name: str
    detail: str
    residual: Array
    at_clip: bool = False


def full_name(operation: str, structure: str) -> str:
    """The name of a structure with its operation's; some structures name another operation themselves."""
    return structure if ":" in structure or structure == LOWER_PRECISION else f"{operation}: {structure}"


def departing(found: Array, right: Array, tolerance: Array) -> Mask:
    """Where two arrays differ by more than arithmetic explains; NaN differs from everything."""
    return np.asarray(~(np.abs(found - right) <= tolerance))


def constants(found: Array, right: Array, samples: int, outputs: int) -> Iterator[Candidate]:
    """The multiple of the right array that comes nearest; recognised where it is a count."""
    factor = float((found * right).sum() / (right * right).sum())
    if not np.isfinite(factor) or abs(factor - 1) < 10 * FIT:
        return
    if abs(factor + 1) < FIT:
        yield Candidate("sign", "× −1", -right)
    elif abs(factor) < FIT:
        yield Candidate("zero", "", np.zeros_like(right))
    else:
        words = _in_words(factor, samples, outputs)
        yield Candidate("scale", f"× {words}", factor * right, max(1.0, abs(factor)))


def _in_words(factor: float, samples: int, outputs: int) -> str:
    """A factor, and what it is: a number of samples or outputs, or one over it."""
    counts = {samples: "the number of samples", outputs: "the number of outputs"}
    counts[samples * outputs] = "samples × outputs"
    for count, words in counts.items():
        if count > 2 and abs(factor / count - 1) < FIT:
            return f"{count}, {words}"
        if count > 2 and abs(factor * count - 1) < FIT:
            return f"1/{count}, one over {words}"
    return f"{factor:.6g}"


def first_fit(
    found: Array, right: Array, tolerance: Array, sure: Mask, candidates: Iterable[Candidate]
) -> tuple[str, str] | None:
    """The first structure that explains all entries, and is not just the right one over again."""
    for candidate in candidates:
        limit = candidate.factor * tolerance + FIT * np.abs(candidate.values)
        same = ~departing(found, candidate.values, limit)[sure]
        if same.all() and departing(candidate.values, right, limit)[sure].any():
            return candidate.name, candidate.detail
    return None


def common_structure(found: Array, right: Array, tolerance: Array, departs: Mask) -> tuple[str, str] | None:
    """Structures of any array: rounded to a lower precision, cut off at a bound, or rows forgotten."""
    off: Array = (found[departs] - right[departs]) / np.abs(right[departs])
    for kind in (np.float32, np.float16):
        u = unit_roundoff(kind)
        near = np.abs(off) <= u + tolerance[departs] / np.abs(right[departs])
        if bool(near.all()) and (kind is np.float32 or np.array_equal(found, found.astype(kind))):
            return LOWER_PRECISION, np.dtype(kind).name
    bound = np.abs(found).max(initial=0)
    capped = departs & (np.abs(right) > bound) & (found == np.copysign(bound, right))
    if np.array_equal(capped, departs):
        return "cut off", f"at ±{bound:.6g}"
    rows = np.asarray(departs.any(axis=1))
    if (np.abs(found[rows]) <= tolerance[rows]).all() and not rows.all():
        named = ", ".join(str(i) for i in np.flatnonzero(rows)[:5])
        return "samples left out", f"{rows.sum()} of {rows.size}: {named}"
    return None


def kind_of_factor(z: Array, ratio: Array, incoming: Array, derivative: Array) -> tuple[str, str]:
    """Whether what multiplies the incoming gradient depends on z alone, or on that gradient too."""
    if _is_function(z, ratio):
        return "another function of z", f"a factor from {ratio.min():.3g} to {ratio.max():.3g}"
    right = np.asarray(np.isclose(ratio, derivative, rtol=1e-6, atol=1e-9))
    for sign, words in ((1, "positive"), (-1, "negative")):
        if right[sign * incoming > 0].all() and not right[(sign * incoming < 0) & (derivative != 0)].any():
            return "depends on the gradient", f"right only where it is {words}"
    return "other", f"or the weights that carry it down; {len(z)} entries"


def _is_function(z: Array, values: Array) -> bool:
    """Whether values seem to be a function of z: along sorted z they run, rather than jump about."""
    if z.size < 30:
        return False
    run = values[np.argsort(z, kind="stable")]
    return bool(np.abs(np.diff(run)).sum() <= max(4.0, 0.05 * z.size) * np.ptp(run))
