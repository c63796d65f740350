"""Differences between two sweeps in what was measured, paired cell by cell, with intervals over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from backproof.reports.axes import ran
from backproof.sweeps.columns import CELLS, Column
from backproof.sweeps.overrides import REPLICATE

CONFIDENCE = 0.95


MEASURES = tuple(c for c in CELLS if c.compared)
"""The columns that are compared; of divergence, whether it happened."""

STATISTICS = ("n", "left_out", "a", "b", "mean", "low", "high")


def paired(a: pd.DataFrame, b: pd.DataFrame, axes: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Differences per measure over everything, and per measure and combination of the axes.

    Returns:
        Two tables with the columns `measure`, then `pairs` (overall) or the axes without the seed
        (combinations), then: `n`, the differences that mean and interval are of; `left_out`, the
        pairs without a difference; `a` and `b`, the level on both sides; `mean`; `low` and `high`,
        the interval. An overall difference is the mean over all pairs of a seed, since pairs of
        one seed are not independent. Combinations whose interval leaves zero out come first, then
        the larger differences.
    """
    others = [axis for axis in axes if axis != REPLICATE]
    keys = a[others].astype(object).where(a[others].notna(), None)
    group = keys.groupby(others, dropna=False, sort=False).ngroup() if others else pd.Series(0, a.index)
    seed = a[REPLICATE] if REPLICATE in axes else pd.Series(0, a.index)
    first = keys.groupby(group).head(1).set_axis(group.drop_duplicates())
    overall, combinations = [], []
    for measure in MEASURES:
        pairs = differences(a, b, measure).assign(group=group, seed=seed)
        pairs = pairs[pairs["difference"].notna() | pairs["left_out"]]
        if not len(pairs):
            continue
        overall.append(_overall(pairs, measure))
        table = first.join(_summary(pairs, "group", measure), how="inner")
        combinations.append(table.assign(measure=measure.name))
    return (
        _joined(overall, ["measure", "pairs", *STATISTICS]),
        _joined(combinations, ["measure", *others, *STATISTICS]),
    )


def level(measure: Column) -> str:
    """What states how large a measure is in A and in B, over the pairs: their median or their sum."""
    return "sum" if measure.compared == "count" else "median"


def differences(a: pd.DataFrame, b: pd.DataFrame, measure: Column) -> pd.DataFrame:
    """Pair by pair: the values `a` and `b`, their `difference`, and whether there should be one.

    Equal values, two zeros among them, differ by 0. A pair is left out where one side is null
    (not finite, never reached), or, for a ratio, not positive; where both are null there is nothing
    to compare. Only pairs that finished on both sides are looked at.
    """
    x, y = values_of(a, measure), values_of(b, measure)
    done = ((a["status"] == "ok") & (b["status"] == "ok")).to_numpy(bool)
    x, y = np.where(done, x, np.nan), np.where(done, y, np.nan)
    if measure.compared == "ratio":
        low, high = (np.log10(v, where=v > 0, out=np.full(len(v), np.nan)) for v in (x, y))
        difference = high - low
    else:
        difference = y - x
    difference = np.where(x == y, 0.0, difference)
    left_out = np.isnan(difference) & ~(np.isnan(x) & np.isnan(y))
    return pd.DataFrame({"a": x, "b": y, "difference": difference, "left_out": left_out}, index=a.index)


def values_of(cells: pd.DataFrame, measure: Column) -> NDArray[np.float64]:
    """A measure as finite numbers, NaN where a cell has none."""
    if measure.compared == "count":
        return np.where(ran(cells, measure.of), cells[measure.name].notna(), np.nan)
    numbers = cells[measure.name].to_numpy(float, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def intervals(values: pd.Series, by: pd.Series | NDArray[np.int_]) -> pd.DataFrame:
    """Per group: n, mean, and low and high, the 95 % interval of the mean by Student's t.

    One value has no interval; equal values have one of width zero, whatever rounding does to their mean.
    """
    groups = values.groupby(by)
    n, least = groups.count(), groups.min()
    equal = least == groups.max()
    mean = groups.mean().where(~equal, least)
    quantile = pd.Series(stdtrit((n - 1).where(n > 1, 1), (1 + CONFIDENCE) / 2), n.index)
    half: pd.Series[float] = (quantile * groups.std() / np.sqrt(n)).where(~equal | (n < 2), 0.0)
    return pd.DataFrame({"n": n, "mean": mean, "low": mean - half, "high": mean + half})


def leaves_zero_out(statistics: pd.DataFrame) -> pd.Series[bool]:
    """Row by row whether there is an interval without zero in it."""
    return (statistics["low"] > 0) | (statistics["high"] < 0)


def stands_still(statistics: pd.DataFrame) -> pd.Series[bool]:
    """Row by row whether every single difference is zero."""
    flat = (statistics["n"] == 1) | (statistics["low"] == statistics["high"])
    return (statistics["mean"] == 0) & flat & (statistics["left_out"] == 0)


def _summary(pairs: pd.DataFrame, by: str, measure: Column) -> pd.DataFrame:
    """The statistics of the differences, a row a group."""
    counted = pairs[pairs["difference"].notna()]
    levels = counted.groupby(by)[["a", "b"]].agg(level(measure))
    left_out = pairs.groupby(by)["left_out"].sum()
    found = pd.concat([left_out, levels, intervals(counted["difference"], counted[by])], axis=1)
    return found.assign(n=found["n"].fillna(0).astype(int))


def _overall(pairs: pd.DataFrame, measure: Column) -> pd.DataFrame:
    """One row over all pairs; mean and interval are those of the seeds' mean differences."""
    table = _summary(pairs.assign(all=0), "all", measure)
    seeds = pairs.groupby("seed", dropna=False)["difference"].mean().dropna()
    over_seeds = intervals(seeds, np.zeros(len(seeds), int)).reindex(table.index)
    over_seeds["n"] = len(seeds)
    return table.assign(measure=measure.name, pairs=table["n"], **over_seeds)


def _joined(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=columns)
    table = pd.concat(tables)[columns]
    order = pd.DataFrame(
        {
            "measure": table["measure"].map({m.name: i for i, m in enumerate(MEASURES)}),
            "quiet": ~leaves_zero_out(table),
            "size": -table["mean"].abs(),
        }
    )
    return table.iloc[np.lexsort(order.to_numpy(float).T[::-1])].reset_index(drop=True)
