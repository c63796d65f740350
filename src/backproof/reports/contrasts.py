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
from backproof.reports.expectations import (
    LEVEL,
    Expectation,
    Expected,
    Tested,
    judged,
    power_of,
    replicates_needed,
)
from backproof.reports.intervals import median_interval
from backproof.sweeps.expressions import Expression, parse
from backproof.sweeps.overrides import REPLICATE

KEYS = ("value", "of", "against")

EXPECT, EFFECT = "expect", "effect"

TUNED = "tuned"
"""The column of the chosen cells: sides that are chosen by it do not pair by what was chosen."""


@dataclass(frozen=True)
class Contrast:
    """A value of some cells less that of others: two expressions that select them; what is expected of it."""

    value: Expression
    of: Expression
    against: Expression
    expectation: Expectation | None = None


@dataclass(frozen=True)
class Difference:
    """A contrast, measured.

    Attributes:
        replicates: seeds, each with a difference that is the mean over its pairs, since pairs of one seed are
            not independent.
        median: of these differences; least, greatest: their range.
        low, high: the exact interval of the median; NaN where the replicates are too few for one.
        p: of the sign test, that the median is 0 (Dixon and Mood, 1946), and of what is `tested` its own;
            corrected for the other contrasts of its family once `holm` was applied. NaN where there is none,
            as of differences that are all 0.
        test: of what is expected; None where nothing is.
    """

    pairs: int
    replicates: int
    median: float
    least: float
    greatest: float
    low: float
    high: float
    p: float
    test: Tested | None = None

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
    known = (*KEYS, EXPECT, EFFECT)
    for name in given:
        if name not in known:
            raise ConfigurationError(f"{key}.{name}: unknown{nearest(str(name), known)}")
    value, of, against = (parse(f"{key}.{name}", given.get(name), columns) for name in KEYS)
    return Contrast(value, of, against, _expectation(key, given))


def _expectation(key: str, given: Mapping[str, object]) -> Expectation | None:
    if EXPECT not in given and EFFECT not in given:
        return None
    for name, other in ((EXPECT, EFFECT), (EFFECT, EXPECT)):
        if name not in given:
            raise ConfigurationError(
                f"{key}: {other} needs {name}: what is expected, and the smallest effect that would matter"
            )
    expected, effect = given[EXPECT], given[EFFECT]
    if expected not in tuple(Expected):
        allowed = ", ".join(Expected)
        hint = nearest(str(expected), list(Expected))
        raise ConfigurationError(f"{key}.{EXPECT}: must be one of {allowed}; not {expected!r}{hint}")
    return Expectation(Expected(str(expected)), effect_of(f"{key}.{EFFECT}", effect))


def effect_of(key: str, given: object) -> float:
    """The smallest difference that would matter, as it was written.

    Raises:
        ConfigurationError: unless it is a number > 0.
    """
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < np.inf:
        raise ConfigurationError(f"{key}: must be a number > 0; not {given!r}")
    return float(given)


def difference(contrast: Contrast, cells: pd.DataFrame, apart: str | None = None) -> Difference | None:
    """The paired differences of a contrast among cells; None where no two make a pair.

    Cells make a pair that are equal in all settings but those by which the contrast selects them, and those
    that follow from these, and in `apart`, the axis that each side has tuned for itself.

    Raises:
        ConfigurationError: if an expression does not fit the table.
    """
    of, against = (cells[expression.truth(cells)] for expression in (contrast.of, contrast.against))
    chosen = {*contrast.of.columns, *contrast.against.columns, apart or ""}
    paired = gaps_between(contrast.value, (of, against), chosen)
    if paired is None:
        return None
    gaps = paired.groupby(REPLICATE)["gap"].mean() if REPLICATE in paired else paired["gap"].iloc[:1]
    ordered = np.sort(gaps.to_numpy(float))
    test = judged(contrast.expectation, ordered) if contrast.expectation else None
    return Difference(
        len(paired), len(ordered), float(np.median(ordered)), float(ordered[0]), float(ordered[-1]),
        *median_interval(ordered), test.p if test else sign_test(ordered), test,
    )  # fmt: skip


def gaps_between(
    value: Expression, sides: tuple[pd.DataFrame, pd.DataFrame], chosen: Collection[str]
) -> pd.DataFrame | None:
    """Pairs of cells on two sides: the settings that they share, and as `gap` the one value less the other.

    None where there is no pair.

    Args:
        chosen: the axes that part the sides, which do not pair.

    Raises:
        ConfigurationError: if the expression does not fit the table.
    """
    axes = [a for a in axes_of(sides[0]) if a not in chosen and not _follows(a, sides)]
    if not all(map(len, sides)) or not axes:
        return None
    a, b = (
        side[axes].astype(object).where(side[axes].notna(), None).assign(value=value.numbers(side))
        for side in sides
    )
    paired = a.merge(b, on=axes, suffixes=("_of", "_against"))
    paired = paired.assign(gap=paired["value_of"] - paired["value_against"]).dropna(subset="gap")
    return paired if len(paired) else None


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
    """A family with p corrected for all of them together (Holm, 1979), and the power of what is tested."""
    there = [i for i, each in enumerate(found) if each is not None and each.tested]
    corrected, least = list(found), 0.0
    for rank, i in enumerate(sorted(there, key=lambda i: found[i].p)):  # type: ignore[union-attr]
        each = found[i]
        assert each is not None
        least = max(least, min(1.0, each.p * (len(there) - rank)))
        corrected[i] = replace(each, p=least, test=_powered(each.test, least, len(there)))
    return corrected


def _powered(test: Tested | None, corrected: float, tests: int) -> Tested | None:
    """A test of a family of so many, with its corrected p, its power and the replicates that would do."""
    if test is None:
        return None
    level = LEVEL / tests
    return replace(
        test,
        corrected=corrected,
        level=level,
        power=power_of(test.expectation, test.n, test.deviation, level),
        needed=replicates_needed(test.expectation, test.deviation, level),
    )
