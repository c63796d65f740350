"""What each value of some axes makes of a measure beside a reference, by intervals over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.reports.axes import finished, keys_of
from backproof.reports.contrasts import gaps_between
from backproof.reports.correlation import rank_correlation
from backproof.reports.expectations import mean_interval
from backproof.sweeps.expressions import Expression
from backproof.sweeps.overrides import REPLICATE

SEVERE = 5
"""A loss beyond so many margins is severe."""

COSINE = "cosine"

RESAMPLES = 2000
"""Of seeds, for the interval of a rank correlation."""

STATISTICS = ("n", "mean", "low", "high", "class", COSINE)


class Harm(StrEnum):
    """How a difference lies to its margin, by its whole interval; of a measure of which more is better."""

    BETTER = "better"
    HARMLESS = "harmless"
    MILD = "mild"
    SEVERE = "severe"
    UNDECIDED = "underpowered"

    @classmethod
    def of(cls, low: float, high: float, margin: float) -> Harm:
        """The class of an interval; underpowered where it lies on both sides of a margin, or is none."""
        if -margin < low and high < margin:
            return cls.HARMLESS
        if high <= -SEVERE * margin:
            return cls.SEVERE
        if high <= -margin:
            return cls.MILD
        return cls.BETTER if low >= margin else cls.UNDECIDED


@dataclass(frozen=True)
class Beside:
    """What a forest compares: a value of cells with that of those in `against`; `effect` is the margin."""

    value: Expression
    against: Expression
    effect: float


@dataclass(frozen=True)
class Forest:
    """Differences from a reference.

    Attributes:
        table: one row for each combination of `rows` and `facet`: these, then n seeds, mean, low and high of
            the difference, its class and the mean of the smallest cosine. The least mean comes first.
        correlation: the rank correlation of cosine and mean, with the 95 % interval over seeds; None where it
            has none.
    """

    rows: tuple[str, ...]
    facet: tuple[str, ...]
    table: pd.DataFrame
    correlation: tuple[float, float, float] | None


def forest_of(
    cells: pd.DataFrame, beside: Beside, rows: Sequence[str], facet: Sequence[str], apart: str | None
) -> Forest:
    """The differences of finished cells, averaged over pairs of a seed; `apart`: the axis that was tuned."""
    done = finished(cells)
    reference = beside.against.truth(done)
    against, others = done[reference], done[~reference]
    axes = [*rows, *facet]
    keys, position = keys_of(others, axes) if len(others) else ([], np.zeros(0, np.intp))
    records, differences, cosines = [], list[pd.Series](), list[pd.Series]()
    for k, key in enumerate(keys):
        of, same = others[position == k], _equal(against, facet, key[len(rows) :])
        pairs = gaps_between(beside.value, (of, against[same]), {*beside.against.columns, apart or ""})
        if pairs is None or REPLICATE not in pairs:
            continue
        gaps = pairs.groupby(REPLICATE)["gap"].mean()
        low, high = mean_interval(gaps.to_numpy(float))
        records.append((*key, len(gaps), gaps.mean(), low, high, Harm.of(low, high, beside.effect)))
        differences.append(gaps)
        cosines.append(of.groupby(REPLICATE)[COSINE].mean())
    table = pd.DataFrame(records, columns=[*axes, *STATISTICS[:-1]])
    table[COSINE] = [float(c.mean()) for c in cosines]
    order = table.sort_values("mean", kind="stable")
    return Forest(
        tuple(rows), tuple(facet), order.reset_index(drop=True), correlation_of(cosines, differences)
    )


def _equal(cells: pd.DataFrame, axes: Sequence[str], values: Sequence[object]) -> NDArray[np.bool_]:
    """Whether cells have these values of the axes."""
    found = np.ones(len(cells), bool)
    for axis, value in zip(axes, values, strict=True):
        same = cells[axis].isna() if value is None else cells[axis] == value
        found &= same.to_numpy(bool, na_value=False)
    return found


def correlation_of(
    cosines: Sequence[pd.Series], differences: Sequence[pd.Series]
) -> tuple[float, float, float] | None:
    """Spearman's correlation of means over seeds, with its percentile interval as seeds are drawn anew."""
    if len(cosines) < 4:
        return None
    x, y = (pd.concat(list(several), axis=1).sort_index() for several in (cosines, differences))
    if list(x.index) != list(y.index):
        return None
    left, right = x.to_numpy(float), y.to_numpy(float)
    whole = np.isfinite(left).all(axis=0) & np.isfinite(right).all(axis=0)
    if whole.sum() < 4:
        return None
    left, right = left[:, whole], right[:, whole]
    drawn = np.random.default_rng(0).integers(0, len(left), (RESAMPLES, len(left)))
    found = [
        rank_correlation(np.column_stack([left[seeds].mean(axis=0), right[seeds].mean(axis=0)]))
        for seeds in (np.arange(len(left)), *drawn)
    ]
    if not np.isfinite(found).all():
        return None
    low, high = np.quantile(found[1:], [0.025, 0.975])
    return found[0], float(low), float(high)
