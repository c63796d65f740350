"""A formula in place of another: a sum of few known quantities that gives what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from math import comb

import numpy as np

from backproof.network.arrays import Array, evenly_spaced
from backproof.verdicts.fit import Candidate, Error, amount, misses

MOST_TERMS = 3

MOST_ROWS = 200
"""Entries on which sums of terms are tried; what fits these is held against all."""

NEAR = 1e-7
"""What pairs of terms may leave of an error, by normal equations, relative to its square."""

RIDGE = 1e-12
"""Keeps normal equations of equal columns solvable."""

MOST_PAIRS = 20
"""So many pairs are solved again."""


def formulas(
    error: Error, quantities: Mapping[str, Array], factor: Array, name: str, place: str
) -> Iterator[Candidate]:
    """Sums of up to three quantities, each with a coefficient, in place of what is right, but for a factor.

    The fewest terms come first. Where all quantities together do not give it, no few of them do.
    """
    usable = {name: (q * factor)[error.sure] for name, q in quantities.items()}
    usable = {name: column for name, column in usable.items() if np.isfinite(column).all() and column.any()}
    names, columns = list(usable), list(usable.values())
    if not names or not len(error.allowed):
        return
    weights = 1 / error.allowed
    matrix = np.stack([column * weights for column in columns], axis=1).astype(float)
    target = (error.found[error.sure] * weights).astype(float)
    if not np.isfinite(matrix).all() or not np.isfinite(target).all():
        return
    size = np.linalg.norm(matrix, axis=0)
    kept = size > 0  # where tolerances are infinite nothing is left of a column
    names = [name for name, keep in zip(names, kept, strict=True) if keep]
    matrix, size = matrix[:, kept] / size[kept], size[kept]
    if not names:
        return
    few_rows = evenly_spaced(len(target), MOST_ROWS)
    if len(target) > len(names) and misses(matrix[few_rows], target[few_rows]):
        return
    tried = sum(comb(len(names), count) for count in range(1, MOST_TERMS + 1))
    for count in range(1, min(MOST_TERMS, len(target) - 1) + 1):
        for chosen in _likely(matrix[few_rows], target[few_rows], count):
            few = matrix[:, list(chosen)]
            if misses(few[few_rows], target[few_rows]):
                continue
            scaled, *_ = np.linalg.lstsq(few, target, rcond=None)
            shares = [_plain(float(c / size[k])) for c, k in zip(scaled, chosen, strict=True)]
            values = sum((s * quantities[names[k]] for s, k in zip(shares, chosen, strict=True)), 0 * factor)
            fitted = sum(s != np.round(s) for s in shares)
            own = dict(zip((names[k] for k in chosen), shares, strict=True)).get(place, 0.0)
            words = " ".join(_term(s, names[k]) for s, k in zip(shares, chosen, strict=True))
            yield Candidate(
                name,
                f"{words.removeprefix('+ ')} in place of {place}",
                values * factor,
                fitted,
                share=1 - own if 0 < own < 1 else 1.0,
                tried=tried,
            )


def _likely(matrix: Array, target: Array, count: int) -> list[tuple[int, ...]]:
    """The choices of so many columns that come near the target by their normal equations, all at once."""
    chosen = np.array(list(combinations(range(matrix.shape[1]), count)))
    if not len(chosen):
        return []
    columns = matrix / np.maximum(np.linalg.norm(matrix, axis=0), np.finfo(float).tiny)
    gram, moment = columns.T @ columns, columns.T @ (target / np.linalg.norm(target))
    systems = gram[chosen[:, :, None], chosen[:, None, :]] + RIDGE * np.eye(count)
    shares = np.linalg.solve(systems, moment[chosen][:, :, None])[:, :, 0]
    near = 1 - (shares * moment[chosen]).sum(axis=1) < NEAR
    return [tuple(map(int, each)) for each in chosen[near]]


def pair_of_terms(error: Error, quantities: Mapping[str, Array], name: str) -> Iterator[Candidate]:
    """Two quantities, each with a coefficient, that were added to what is right.

    All pairs are tried at once by their normal equations, which are good to half of the digits; the pairs
    that come that near are solved again.
    """
    usable = {k: q for k, q in quantities.items() if np.isfinite(q).all() and q.any()}
    if len(usable) < 2 or len(error.gap) < 3:
        return
    names, weights = list(usable), 1 / error.allowed
    matrix = np.stack([usable[k][error.sure] * weights for k in names], axis=1).astype(float)
    target = (error.gap * weights).astype(float)
    if not np.isfinite(matrix).all() or not np.isfinite(target).all():
        return
    matrix = matrix / np.maximum(np.linalg.norm(matrix, axis=0), np.finfo(float).tiny)
    target = target / np.linalg.norm(target)
    gram, moment = matrix.T @ matrix, matrix.T @ target
    rest = 1 - gram**2
    fitted = (moment[:, None] ** 2 + moment**2 - 2 * gram * np.multiply.outer(moment, moment)) / rest
    near = (np.abs(1 - fitted) < NEAR) & (rest > NEAR)
    for i, j in np.argwhere(np.triu(near, 1))[:MOST_PAIRS]:
        chosen = np.stack([usable[names[k]][error.sure] * weights for k in (i, j)], axis=1).astype(float)
        shares, *_ = np.linalg.lstsq(chosen, (error.gap * weights).astype(float), rcond=None)
        if not np.isfinite(shares).all():
            continue
        pair = [(_plain(float(share)), names[k]) for share, k in zip(shares, (i, j), strict=True)]
        values = error.right + sum(share * usable[k] for share, k in pair)
        words = " ".join(_term(share, k) for share, k in pair).removeprefix("+ ")
        yield Candidate(name, f"{words} too much", values, 2, tried=len(names) ** 2 // 2)


def _plain(share: float) -> float:
    """The nearest whole number, if it is as near as differences can tell."""
    whole = float(np.round(share))
    return whole if abs(share - whole) < 1e-7 and whole else share


def _term(share: float, name: str) -> str:
    sign, size = "-" if share < 0 else "+", amount(abs(share))
    shown = size if name == "1" else name if size == "1" else f"{size} {name}"
    return f"{sign} {shown}"
