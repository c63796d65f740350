"""What an operand must have been, solved for, and how that differs from what it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.arrays import Array, evenly_spaced
from backproof.verdicts.fit import Candidate, Error, amount, misses, shown

MORE_ROWS = 32
"""Equations beyond the number of unknowns by which it is seen that no factors fit."""

SAME = 1e-6
"""Relative deviation up to which two factors that were solved for are the same."""

FEW = 3
"""So many changed entries are listed one by one."""


@dataclass(frozen=True)
class Implied:
    """An operand beside what was found implies that it was.

    Attributes:
        operation: the name that candidates begin with.
        found, right: what it must have been, and what it should be.
        known: where it could be solved for.
        apply: from the operand to what the operation gives.
        axes: what its rows and columns are.
    """

    operation: str
    found: Array
    right: Array
    known: Mask
    apply: Callable[[Array], Array]
    axes: tuple[str, str]

    def candidates(self) -> Iterator[Candidate]:
        """Cut off at a bound, left out in places, a power, rows or columns in another order."""
        if not self.known.any() or not np.isfinite(self.found[self.known]).all():
            return
        yield from self._beyond_a_bound()
        yield from self._two_factors()
        yield from self._power()
        yield from self._permuted()

    def _given(self, structure: str, words: str, values: Array, parameters: int) -> Candidate:
        return Candidate(f"{self.operation}: {structure}", words, self.apply(values), parameters)

    @property
    def _changed(self) -> Mask:
        size = np.abs(self.right[self.known]).max()
        return np.asarray(self.known & (np.abs(self.found - self.right) > SAME * 1e-3 * size))

    def _beyond_a_bound(self) -> Iterator[Candidate]:
        """Entries beyond ±c are α x ± β: cut off at c = β / (1 - α), with α > 0 in a mixture; or below it."""
        x, at = self.right, self._changed
        if np.count_nonzero(at) < 2:
            return
        terms = np.stack([x[at], np.sign(x[at])], axis=1).astype(float)
        (slope, level), *_ = np.linalg.lstsq(terms, self.found[at].astype(float), rcond=None)
        if not 0 <= slope + SAME < 1 or not level > 0:
            return
        slope = 0.0 if abs(slope) < SAME else float(slope)
        bound = level / (1 - slope)
        moved = slope * x + level * np.sign(x)
        mixed = "" if not slope else f", mixed in by {100 * (1 - slope):.3g} %"
        parameters = 2 if slope else 1
        for structure, beyond in (("cut off", np.abs(x) > bound), ("raised to a bound", np.abs(x) < bound)):
            yield self._given(structure, f"at ±{bound:.6g}{mixed}", np.where(beyond, moved, x), parameters)

    def _two_factors(self) -> Iterator[Candidate]:
        """Some entries multiplied by one factor, all others by another; a factor of 0 leaves them out."""
        usable = self.known & (self.right != 0)
        if np.count_nonzero(usable) < 4:
            return
        ratio = np.where(usable, self.found / np.where(usable, self.right, 1), 1)
        low, high = float(ratio[usable].min()), float(ratio[usable].max())
        is_low = np.abs(ratio - low) < SAME * max(1, abs(low))
        is_high = np.abs(ratio - high) < SAME * max(1, abs(high))
        if high - low < 2 * SAME or not (is_low | is_high)[usable].all():
            return
        low, high = _whole(low), _whole(high)
        for factor, entries in ((low, is_low), (high, is_high)):
            if factor not in (0, 1) and np.count_nonzero(entries & usable) < 2:
                return  # a factor of its own explains any entry
        count = np.count_nonzero(is_low & usable)
        more = "" if high == 1 else f", the others × {shown(high)}"
        left_out = "entries left out" if low == 0 else "factors of entries"
        words = f"{count} of {usable.sum()}" + ("" if low == 0 else f" × {shown(low)}") + more
        values = self.right * np.where(is_low, low, high)
        yield self._given(left_out, words, values, int(low not in (0, 1)) + int(high != 1))

    def _power(self) -> Iterator[Candidate]:
        """A power of the entries, where these are positive."""
        usable = self.known & (self.right > 0) & (self.found > 0) & (np.abs(self.right - 1) > SAME)
        if np.count_nonzero(usable) < 3 or (self.right[self.known] < 0).any():
            return
        logs = np.log(self.right[usable])
        power = float((logs * np.log(self.found[usable])).sum() / (logs * logs).sum())
        nearest = float(np.round(power * 12)) / 12
        plain = nearest if abs(power - nearest) < SAME else power
        values = np.where(self.right > 0, np.abs(self.right) ** plain, 0)
        yield self._given("a power", f"to the power of {amount(plain)}", values, int(plain != nearest))

    def _permuted(self) -> Iterator[Candidate]:
        """Rows, or columns, in another order."""
        if not self.known.all():
            return
        for axis, called in enumerate(self.axes):
            right, found = (np.moveaxis(x, axis, 0) for x in (self.right, self.found))
            if len(right) < 2:
                continue
            mark = np.cos(np.arange(1, right.shape[1] + 1))  # rows that differ have different products
            order = np.empty(len(right), int)
            order[np.argsort(found @ mark)] = np.argsort(right @ mark)
            if (order == np.arange(len(order))).all():
                continue
            listed = ", ".join(map(str, order[:8])) + (", …" if len(order) > 8 else "")
            values = np.moveaxis(right[order], 0, axis)
            yield self._given("in another order", f"{called}: {listed}", values, 0)


def _whole(factor: float) -> float:
    whole = float(np.round(factor)) + 0.0  # so that it is no −0
    return whole if abs(factor - whole) < SAME else factor


def solved(known: Array, right: Array, product: Array, usable: Mask) -> tuple[Array, int] | None:
    """The matrix M nearest to the right one for which `known` @ M is a product where that is usable.

    With the number of its entries that the product determines; None where these are as many as the equations.
    """
    found, unknowns = right.astype(float), 0
    lack = product - known @ right
    if not np.isfinite(lack[usable]).all():
        return None
    patterns, pattern_of = np.unique(usable, axis=1, return_inverse=True)
    for pattern, rows in enumerate(patterns.T):  # columns with the same usable rows are solved together
        columns = np.flatnonzero(pattern_of.ravel() == pattern)
        equations = known[rows].astype(float), lack[np.ix_(rows, columns)].astype(float)
        change, _, rank, _ = np.linalg.lstsq(*equations, rcond=1e-12)
        if np.count_nonzero(rows) <= rank:
            return None
        found[:, columns] += change
        unknowns += int(rank) * len(columns)
    return found, unknowns


def factors_of_rows(
    operation: str, product: tuple[Array, Array, Array], error: Error, called: str
) -> Iterator[Candidate]:
    """Rows of a matrix, each with a factor of its own.

    Args:
        product: x (samples, rows), the matrix (rows, units), and what the product of both is multiplied by,
            (samples, units).
        called: what its rows are.
    """
    x, matrix, by = product
    samples, units = np.nonzero(error.sure)
    if len(samples) <= len(matrix):
        return
    columns = x[samples] * matrix.T[units] * (by[error.sure] / error.allowed)[:, None]
    columns, target = columns.astype(float), (error.found[error.sure] / error.allowed).astype(float)
    if not np.isfinite(columns).all() or not np.isfinite(target).all():
        return
    few = evenly_spaced(len(target), len(matrix) + MORE_ROWS)
    if misses(columns[few], target[few]):
        return
    shares, *_ = np.linalg.lstsq(columns, target, rcond=1e-12)
    factors = np.array([_whole(float(share)) for share in shares])
    off = np.flatnonzero(factors != 1)
    listed = ", ".join(shown(float(factors[k])) for k in off[:FEW]) + (", …" if len(off) > FEW else "")
    values = ((x * factors) @ matrix) * by
    fitted = int(np.count_nonzero(factors != np.round(factors)))
    words = f"{len(off)} of {len(factors)}, × {listed}"
    yield Candidate(f"{operation}: factors of {called}", words, values, fitted)


def another_matrix(
    operation: str, found: Array, right: Array, unknowns: int, apply: Callable[[Array], Array]
) -> Iterator[Candidate]:
    """A matrix that was solved for: a few of its entries changed, or all of it another one."""
    gap = np.abs(found - right)
    at = np.argwhere(gap > SAME * 1e-3 * np.abs(right).max())
    if 0 < len(at) <= FEW:
        values, words = right.copy(), []
        for i, j in at:
            values[i, j] = 0.0 if abs(found[i, j]) < SAME * np.abs(right).max() else found[i, j]
            words.append(f"[{i},{j}] is {values[i, j]:.6g} and not {right[i, j]:.6g}")
        changed = sum(values[i, j] != 0 for i, j in at)
        yield Candidate(f"{operation}: entries changed", "; ".join(words), apply(values), int(changed))
    size = np.linalg.norm(gap) / (np.linalg.norm(right) or 1)
    differs = f"solved for, it differs by {size:.3g} of its size"
    yield Candidate(f"{operation}: another matrix", differs, apply(found), unknowns)
