"""Whether a candidate explains an error, entry by entry, and by more digits than its parameters cost.

A candidate with fitted parameters explains some entries of any error, and an error of few entries altogether.
So every entry counts by the digits to which the candidate meets it; every parameter costs those of the entry
that is met best, and one of ten candidates costs one digit. What is left must be worth more than chance: a
name that fits by chance to `ENOUGH` digits is one in 10^ENOUGH.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from types import EllipsisType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.record import Mask
from backproof.network.arrays import Array

ENOUGH = 5.0
"""Digits that a candidate must explain beyond what its parameters, and those tried before it, cost."""

MOST_DIGITS = 8.0
"""Digits that a single entry counts for at most."""

FIT = 1e-10
"""Relative deviation up to which a candidate's values are those of an operation: differences of functions, in
extended precision, are good to about 1e-12."""

PROBES = 12
"""Entries by which a candidate is tried before all are."""

MIXED_IN = 1e-9
"""The smallest share of a candidate that is looked for in a mixture with what is right."""


Cut = tuple[slice, slice]
"""A part of a matrix."""

Entries = tuple[NDArray[np.intp], ...] | Mask | EllipsisType
"""Some entries of an array: their indices, axis by axis, or a mask; or all, which keep its shape."""


@dataclass(frozen=True)
class Computed:
    """Values that are computed where they are looked at: of most candidates, in a few entries.

    Attributes:
        at: entries to the values there.
    """

    at: Callable[[Entries], Array]

    def __getitem__(self, entries: Entries) -> Array:
        return self.at(entries)


Values = Array | Computed


def product(a: Array, b: Array) -> Computed:
    """a · b, entry by entry."""
    return Computed(lambda at: np.asarray(a[at] * b[at]))


def matrix_product(a: Array, b: Array, by: Array) -> Computed:
    """(a @ b) · by; a few of its entries without the whole product."""

    def values(at: Entries) -> Array:
        if isinstance(at, tuple):
            rows, columns = at
            return np.asarray((a[rows] * b[:, columns].T).sum(axis=1) * by[at])
        return np.asarray((a @ b)[at] * by[at])

    return Computed(values)


def function_product(function: Callable[[Array], Array], x: Array, by: Array) -> Computed:
    """f(x) · by, for a function of single entries."""
    return Computed(lambda at: np.asarray(function(x[at][None])[0] * by[at]))


@dataclass(frozen=True)
class Candidate:
    """Something that an operation may have computed instead of what is right.

    Attributes:
        name, detail: the structure, and what is specific to the case.
        values: what it would have given, shaped like the right values.
        parameters: how many numbers were fitted to find it.
        amplified: what the right values, and with them their error, were multiplied by.
        tolerance: its own error, where that is not this multiple of the right values'.
        share: of what is wrong in the values, where they are a mixture.
        tried: how many were compared to find it.
    """

    name: str
    detail: str
    values: Values
    parameters: int = 0
    amplified: float = 1.0
    tolerance: Array | None = None
    share: float = 1.0
    tried: int = 1

    @property
    def all_values(self) -> Array:
        """All of its values."""
        return np.asarray(self.values[...])


class Known(NamedTuple):
    """What an error was found to be.

    Attributes:
        share: how much of it is mixed into what is right; 1 where it stands in its place.
    """

    name: str
    detail: str
    share: float = 1.0


@dataclass(frozen=True)
class Term:
    """Something of which a multiple may have been added to what is right.

    Attributes:
        values: what it would add once.
        words: the detail, of the multiple.
    """

    name: str
    values: Values
    words: Callable[[float], str]


class _Probes(NamedTuple):
    """A few entries of an error.

    Attributes:
        indices: where they are in its arrays, by axis.
    """

    indices: tuple[NDArray[np.intp], ...]
    right: list[float]
    gap: list[float]
    allowed: list[float]


@dataclass(frozen=True)
class Error:
    """What an operation gave beside what is right; arrays of one shape.

    Attributes:
        tolerance: the difference that arithmetic explains; at least the rounding of the arrays' type.
        sure: where the right value is known; elsewhere, as on a kink, nothing is compared.
    """

    found: Array
    right: Array
    tolerance: Array
    sure: Mask

    def part(self, cut: Cut) -> Error:
        """That of a part of the arrays."""
        return Error(self.found[cut], self.right[cut], self.tolerance[cut], self.sure[cut])

    @cached_property
    def departs(self) -> Mask:
        """Where the two differ by more than arithmetic explains; NaN differs from everything."""
        return np.asarray(~(np.abs(self.found - self.right) <= self.tolerance))

    @cached_property
    def gap(self) -> Array:
        """Found less right where that is sure, flat."""
        return np.asarray((self.found - self.right)[self.sure])

    @cached_property
    def allowed(self) -> Array:
        """The tolerance where the right value is sure, flat."""
        return np.asarray(self.tolerance[self.sure])

    def share_of(self, candidate: Candidate, tried: int = 1) -> float | None:
        """The share of the candidate that was found, the rest being what is right; None if no share fits.

        It is 1 where the candidate alone is what was found. `tried` is how many were before it.
        """
        if not self._may_be_multiple(candidate, beside_right=True):
            return None
        values = candidate.values[self.sure]
        change = values - self.right[self.sure]
        allowed = candidate.amplified * self.allowed
        if candidate.tolerance is not None:
            allowed = self.allowed + candidate.tolerance[self.sure]
        limit = allowed + FIT * np.abs(values)
        cost = float(np.log10(tried + candidate.tried))
        if self._meets(change, limit, candidate.parameters, cost):
            return 1.0
        share = self._multiple(change)
        if share is None or not MIXED_IN < share < 1 - FIT:
            return None
        limit = self.allowed + share * (limit - self.allowed)
        return share if self._meets(share * change, limit, candidate.parameters + 1, cost) else None

    @cached_property
    def _probes(self) -> _Probes:
        """The entries with the largest gaps in tolerances, the largest one first."""
        size = np.abs(self.gap) / self.allowed
        few = np.argpartition(size, -PROBES)[-PROBES:] if len(size) > PROBES else np.arange(len(size))
        few = few[np.argsort(-size[few])]
        indices = tuple(along[few] for along in np.nonzero(self.sure))
        parts = self.right[indices], self.gap[few], self.allowed[few]
        return _Probes(indices, *(each.tolist() for each in parts))

    def _may_be_multiple(self, candidate: Candidate, *, beside_right: bool) -> bool:
        """Whether the gap may be a multiple of what a candidate has, beside the right values or beside 0.

        Most candidates end at the first few probes, one number at a time.
        """
        at, right, gap, allowed = self._probes
        values, nothing = candidate.values[at].tolist(), [0.0] * len(gap)
        start = right if beside_right else nothing
        own = nothing if candidate.tolerance is None else candidate.tolerance[at].tolist()
        first = values[0] - start[0] if values else 0.0
        if not first:
            return False
        ratio, amplified = gap[0] / first, max(candidate.amplified, 1.0)
        most, slack = 2 * max(1.0, abs(ratio)), amplified * allowed[0] + FIT * abs(values[0]) + own[0]
        return all(
            abs(g - ratio * (v - s))
            <= most * (amplified * t + FIT * abs(v) + o + abs((v - s) / first) * slack)
            for v, s, g, t, o in zip(values, start, gap, allowed, own, strict=True)
        )

    def multiple_of(self, values: Values, tried: int = 1) -> float | None:
        """The multiple of some values that was added to what is right; None if none fits."""
        if not self._may_be_multiple(Candidate("", "", values), beside_right=False):
            return None
        added = values[self.sure]
        share = self._multiple(added)
        if share is None:
            return None
        change = share * added
        limit = self.allowed + FIT * np.abs(change)
        return share if self._meets(change, limit, 1, float(np.log10(tried))) else None

    def _multiple(self, change: Array) -> float | None:
        """The multiple of a change that comes nearest to the gap, by weighted least squares."""
        weighted = change / self.allowed
        size = np.abs(weighted).max(initial=0)
        if not 0 < size < np.inf:
            return None
        weighted = weighted / size
        found = float((weighted * (self.gap / self.allowed)).sum() / (weighted * weighted).sum() / size)
        return found if np.isfinite(found) and found else None

    def _meets(self, change: Array, limit: Array, parameters: int, cost: float) -> bool:
        if not (np.abs(self.gap - change) <= limit).all():
            return False
        digits = np.log10(np.maximum(np.abs(self.gap), np.abs(change)) / limit)
        digits = np.clip(np.nan_to_num(digits, nan=0, neginf=0), 0, MOST_DIGITS)
        return bool(digits.sum() - parameters * digits.max(initial=0) >= ENOUGH + cost)


def first_fit(error: Error, candidates: Iterable[Candidate | Term]) -> Known | None:
    """The first candidate that explains the error: as it is, or else mixed with what is right.

    Candidates come in order of simplicity; a mixture of one before counts as simpler than one that takes more
    fitted numbers. Without one the operation is not identified.
    """
    mixed: Known | None = None
    cost = 0
    for tried, candidate in enumerate(candidates, 1):
        if isinstance(candidate, Term):
            multiple = error.multiple_of(candidate.values, tried)
            if multiple is not None:
                return Known(candidate.name, candidate.words(multiple))
            continue
        share = error.share_of(candidate, tried)
        if share == 1:
            if mixed is not None and candidate.parameters > cost:
                return mixed
            return Known(candidate.name, candidate.detail, candidate.share)
        if share is not None and mixed is None:
            mixed = Known(candidate.name, mixed_in(candidate.detail, share), share)
            cost = candidate.parameters + 1
    return mixed


def in_part(error: Error, candidates: Callable[[Error], Iterable[Candidate | Term]]) -> Known | None:
    """What explains the rows, or the columns, that depart, where others are right."""
    for axis, called in enumerate(("samples", "units")):
        lines = error.departs.any(axis=1 - axis)
        if not lines.any() or lines.all():
            continue
        mine = np.expand_dims(lines, 1 - axis)
        part = Error(error.found, error.right, error.tolerance, error.sure & mine)
        known = first_fit(part, candidates(part))
        if known is not None:
            listed = ", ".join(map(str, np.flatnonzero(lines)[:5])) + (", …" if lines.sum() > 5 else "")
            detail = f"{known.detail}, " if known.detail else ""
            return known._replace(detail=f"{detail}in {called} {listed} alone")
    return None


def mixed_in(detail: str, share: float) -> str:
    """A detail, with the share by which it is mixed into what is right."""
    words = f"mixed in by {100 * share:.3g} %"
    return f"{detail}, {words}" if detail else words


PLAIN = 1000
"""Factors up to this size are recognised as whole numbers, or one over them."""


def plain_numbers(factor: float) -> list[float]:
    """The whole number, and the one over a whole number, that are nearest; neither 0 nor 1."""
    near = [float(np.round(factor))] if abs(factor) <= PLAIN else []
    near += [1 / float(np.round(1 / factor))] if 1 / PLAIN <= abs(factor) <= 1 else []
    return [
        each
        for each in dict.fromkeys(near)
        if each not in (0.0, 1.0) and abs(factor - each) < 1e-3 * abs(each)
    ]


def shown(factor: float) -> str:
    """A factor in as many digits as distinguish it from 1; one over a whole number as such."""
    if abs(factor - 1) > 1e-5:
        return amount(factor, FIT)
    return f"(1 {'+' if factor > 1 else '-'} {abs(factor - 1):.3g})"


def amount(number: float, error: float = 1e-6) -> str:
    """A number that was fitted to a relative error: as a whole one, or one over it, where it is that."""
    if not np.isfinite(number) or not number:
        return f"{number + 0.0:g}"  # and not -0
    whole, parts = round(number), round(1 / number) if abs(number) > 1e-6 else 0
    if whole and abs(number - whole) <= error * abs(whole):
        return f"{whole}"
    if parts and abs(number * parts - 1) <= error:
        return f"-1/{-parts}" if parts < 0 else f"1/{parts}"
    return f"{number:.6g}"


def misses(matrix: Array, target: Array) -> bool:
    """Whether no combination of columns is within a tolerance of a target; all in tolerances.

    The nearest one in the 2-norm is then off by √n of them at most.
    """
    shares, *_ = np.linalg.lstsq(matrix, target, rcond=1e-14)
    left, most = np.abs(matrix @ shares - target), max(8.0, np.sqrt(len(target)))
    return bool((left > most + FIT * np.abs(target)).any())
