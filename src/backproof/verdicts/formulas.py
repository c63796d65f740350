"""A formula in place of another: a sum of few known quantities that gives what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from backproof.network.arrays import Array
from backproof.verdicts.fit import FIT, Candidate, Error, amount

MOST_TERMS = 3


def formulas(
    error: Error, quantities: Mapping[str, Array], factor: Array, name: str, place: str
) -> Iterator[Candidate]:
    """Sums of up to three quantities, each with a coefficient, in place of what is right, but for a factor.

    The fewest terms come first. Where all quantities together do not give it, no few of them do.
    """
    names, columns = list(quantities), [(q * factor)[error.sure] for q in quantities.values()]
    weights = 1 / error.allowed
    matrix = np.stack([column * weights for column in columns], axis=1).astype(float)
    target = (error.found[error.sure] * weights).astype(float)
    if len(target) <= len(names) or not np.isfinite(matrix).all() or not np.isfinite(target).all():
        return
    size = np.linalg.norm(matrix, axis=0)
    matrix = matrix / np.where(size > 0, size, 1)
    if _misses(matrix, target):
        return
    for count in range(1, MOST_TERMS + 1):
        for chosen in combinations(range(len(names)), count):
            few = matrix[:, list(chosen)]
            if _misses(few, target):
                continue
            scaled, *_ = np.linalg.lstsq(few, target, rcond=None)
            shares = [_plain(float(c / size[k])) for c, k in zip(scaled, chosen, strict=True)]
            values = sum((s * quantities[names[k]] for s, k in zip(shares, chosen, strict=True)), 0 * factor)
            fitted = sum(s != round(s) for s in shares)
            kept = dict(zip((names[k] for k in chosen), shares, strict=True)).get(place, 0.0)
            words = " ".join(_term(s, names[k]) for s, k in zip(shares, chosen, strict=True))
            yield Candidate(
                name,
                f"{words.removeprefix('+ ')} in place of {place}",
                values * factor,
                fitted,
                share=1 - kept if 0 < kept < 1 else 1.0,
            )


def _misses(matrix: Array, target: Array) -> bool:
    """Whether no combination of the columns is within a few tolerances of the target."""
    shares, *_ = np.linalg.lstsq(matrix, target, rcond=1e-14)
    left = np.abs(matrix @ shares - target)
    return bool((left > 8 + FIT * np.abs(target)).any())


def _plain(share: float) -> float:
    """The nearest whole number, if it is as near as differences can tell."""
    return float(round(share)) if abs(share - round(share)) < 1e-7 and round(share) else share


def _term(share: float, name: str) -> str:
    sign, size = "-" if share < 0 else "+", amount(abs(share))
    shown = size if name == "1" else name if size == "1" else f"{size} {name}"
    return f"{sign} {shown}"
