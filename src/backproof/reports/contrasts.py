"""Contrasts: what one setting makes of a value beside another, paired at equal other settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import bdtr

from backproof.errors import ConfigurationError, nearest
from backproof.reports.axes import axes_of
from backproof.reports.intervals import median_interval
from backproof.sweeps.expressions import Expression, parse
from backproof.sweeps.overrides import REPLICATE

KEYS = ("value", "of", "against")


@dataclass(frozen=True)
class Contrast:
    """A value of some cells less that of others: two expressions that select them."""

    value: Expression
    of: Expression
    against: Expression


@dataclass(frozen=True)
class Difference:
    """A contrast, measured.

    Attributes:
        replicates: seeds, each with a difference that is the mean over its pairs, since pairs of one seed are
            not independent.
        median: of these differences; least, greatest: their range.
        low, high: the exact interval of the median; NaN where the replicates are too few for one.
        p: of the sign test, that the median is 0 (Dixon and Mood, 1946); corrected for the other contrasts of
            the experiment once `holm` was applied. NaN where no difference is other than 0.
    """

    pairs: int
    replicates: int
    median: float
    least: float
    greatest: float
    low: float
    high: float
    p: float

    @property
    def interval(self) -> tuple[float, float] | None:
        """That of the median; None where there is none."""
        return None if np.isnan(self.low) else (self.low, self.high)

    @property
    def tested(self) -> bool:
        """Whether there is a p."""
        return not np.isnan(self.p)


def contrast_of(key: str, given: object, columns: Collection[str]) -> Contrast:
    """A contrast as it was written.

    Raises:
        ConfigurationError: naming the key and the nearest right name.
    """
    if not isinstance(given, Mapping) or not given:
        raise ConfigurationError(f"{key}: must be a mapping with {', '.join(KEYS)}; not {given!r}")
    for name in given:
        if name not in KEYS:
            raise ConfigurationError(f"{key}.{name}: unknown{nearest(str(name), KEYS)}")
    return Contrast(*(parse(f"{key}.{name}", given.get(name), columns) for name in KEYS))


def difference(contrast: Contrast, cells: pd.DataFrame) -> Difference | None:
    """The paired differences of a contrast among cells; None where no two make a pair.

    Cells make a pair that are equal in all settings but those by which the contrast selects them, and those
    that follow from these.

    Raises:
        ConfigurationError: if an expression does not fit the table.
    """
    sides = [cells[expression.truth(cells)] for expression in (contrast.of, contrast.against)]
    chosen = contrast.of.columns | contrast.against.columns
    axes = [a for a in axes_of(cells) if a not in chosen and not _follows(a, sides)]
    if not all(map(len, sides)) or not axes:
        return None
    a, b = (
        side[axes].astype(object).where(side[axes].notna(), None).assign(value=contrast.value.numbers(side))
        for side in sides
    )
    paired = a.merge(b, on=axes, suffixes=("_of", "_against"))
    paired = paired.assign(gap=paired["value_of"] - paired["value_against"]).dropna(subset="gap")
    if not len(paired):
        return None
    gaps = paired.groupby(REPLICATE)["gap"].mean() if REPLICATE in axes else paired["gap"].iloc[:1]
    ordered = np.sort(gaps.to_numpy(float))
    return Difference(
        len(paired), len(ordered), float(np.median(ordered)), float(ordered[0]), float(ordered[-1]),
        *median_interval(ordered), sign_test(ordered),
    )  # fmt: skip


def _follows(axis: str, sides: Sequence[pd.DataFrame]) -> bool:
    """Whether an axis has one value, or none, on each side, and other ones on the two: it cannot pair."""
    values = [side[axis].dropna().unique() for side in sides]
    return all(len(v) <= 1 for v in values) and list(values[0]) != list(values[1])


def sign_test(differences: NDArray[np.float64]) -> float:
    """How likely so uneven signs are where the median is 0, which the differences of 0 say nothing of."""
    signs = np.sign(differences[differences != 0])
    if not len(signs):
        return np.nan
    fewer = min((signs > 0).sum(), (signs < 0).sum())
    return float(min(1.0, 2 * bdtr(fewer, len(signs), 0.5)))


def holm(found: Sequence[Difference | None]) -> list[Difference | None]:
    """The same with p corrected for all of them together (Holm, 1979)."""
    tested = [i for i, each in enumerate(found) if each is not None and each.tested]
    corrected, least = list(found), 0.0
    for rank, i in enumerate(sorted(tested, key=lambda i: found[i].p)):  # type: ignore[union-attr]
        each = found[i]
        assert each is not None
        least = max(least, min(1.0, each.p * (len(tested) - rank)))
        corrected[i] = replace(each, p=least)
    return corrected
