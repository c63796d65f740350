"""What differs between two sweeps, as heatmaps: tiles of A, of B, and of their paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.reports.aggregation import Tiles, lay_out
from backproof.reports.alignment import Alignment, number_of
from backproof.reports.axes import in_words, label, own
from backproof.reports.numbers import number
from backproof.reports.paired import CONFIDENCE, differences, intervals, leaves_zero_out, values_of
from backproof.sweeps.columns import BY_NAME, Column
from backproof.sweeps.expressions import Expression
from backproof.sweeps.overrides import REPLICATE
from backproof.sweeps.status import Status

SIDE = " side"
"""A column that no setting can be named as: the sweep that a cell is of."""

A, B = "A", "B"

Panels = tuple[Tiles, Tiles, Tiles]
"""Those of one small multiple: A, B, and what differs."""


@dataclass(frozen=True)
class Differences:
    """A figure's tiles in both sweeps, and what differs tile by tile.

    Attributes:
        change: one row of `stats` per tile, in the order of the other two. Of numbers, `value` is the mean
            paired difference, `interval_low` and `interval_high` its interval over seeds; NaN where there is
            none. `seeds` counts what mean and interval are of, `left_out` the pairs without a difference.
            Of categories, `changed` of `pairs` differ.
        parts: the same as small multiples.
    """

    a: Tiles
    b: Tiles
    change: Tiles
    parts: list[Panels]

    @property
    def nothing(self) -> bool:
        """Whether no pair of cells differs."""
        stats = self.change.stats
        if self.change.column.categories:
            return not stats["changed"].sum()
        return not stats["left_out"].sum() and not stats["moved"].sum()

    @property
    def certain(self) -> pd.Series[bool]:
        """The tiles with an interval that leaves zero out."""
        return leaves_zero_out(renamed(self.change.stats))

    def table(self) -> pd.DataFrame:
        """The figure's data, long: one line per tile."""
        stats = self.change.stats
        sides = {}
        for name, tiles in ((A, self.a), (B, self.b)):
            values = tiles.stats["value"]
            sides[name] = values if not tiles.categories else named(values, tiles.categories)
        found = pd.DataFrame(sides)
        if self.change.column.categories:
            found = found.assign(pairs=stats["pairs"], changed=stats["changed"])
        else:
            kept = ["value", "interval_low", "interval_high", "seeds", "pairs", "left_out"]
            found = pd.concat([found, stats[kept].rename(columns={"value": self.change.column.unit})], axis=1)
        return pd.concat([pd.DataFrame.from_records(self.a.keys, index=found.index), found], axis=1)


def how_compared(column: Column) -> Column:
    """A column as it is compared: of numbers of any magnitude the ratio, of others the difference."""
    if column.categories or column.compared:
        return column
    return replace(column, compared="ratio" if column.format == "short" else "difference")


def differing(
    alignment: Alignment,
    value: str,
    sides: tuple[Sequence[str], Sequence[str], Sequence[str]],
    where: Expression | None = None,
    aggregate: str = "",
) -> Differences | None:
    """The tiles of a figure in both sweeps, and what differs between them; None if it has no cell of both.

    Only cells of both sweeps are shown. A settings axis that is no part of the alignment is left out where
    the sweeps differ in it. Differences are paired by cell and averaged within a seed, since cells of one
    seed are not independent; the interval is Student's over seeds.

    Args:
        sides: the axes of rows, columns and small multiples.
        where: the pairs that are shown: those of which one cell fits, or both.
        aggregate: of A's and B's tiles, as in `lay_out`.
    """
    column = how_compared(BY_NAME[value])
    a, b = _shown(alignment, where)
    if not len(a):
        return None
    rows, columns, facet = (
        tuple(axis for axis in side if axis in alignment.axes or _equal(a, b, axis)) for side in sides
    )
    shown, tables = column, (a, b)
    if column.compared == "count":
        shown, aggregate = _as_share(column), "mean"
        tables = (with_values(a, column), with_values(b, column))
    both = pd.concat([t.assign(**{SIDE: side}) for t, side in zip(tables, (A, B), strict=True)])
    tiles = lay_out(both.reset_index(drop=True), shown, rows, (SIDE, *facet, *columns), aggregate)
    of_a, of_b = (replace(t, facet=()) for t in tiles.split(1))
    pairs = _category_changes(a, b, column) if column.categories else differences(a, b, column)
    pairs = pairs.assign(seed=a.get(REPLICATE, 0))
    at = pairs.iloc[of_a.cells].assign(tile=of_a.tile)
    stats = _changed_stats(at, len(of_a.stats)) if column.categories else _moved_stats(at, len(of_a.stats))
    change = replace(
        of_a, column=difference_column(column, shown), stats=of_a.stats.assign(**stats), aggregate="mean"
    )
    n = len(facet)
    split = [t.split(n) if n else [t] for t in (of_a, of_b, change)]
    return Differences(of_a, of_b, change, list(zip(*split, strict=True)))


def difference_column(column: Column, shown: Column) -> Column:
    """The column of paired differences; of categories the column itself."""
    if column.categories:
        return column
    how = "log10(B/A)" if column.compared == "ratio" else "B − A"
    return replace(shown, unit=f"{column.title or column.name}, {how}", null="", scale="auto")


def signed(x: float, column: Column) -> str:
    """A difference as a tile shows it."""
    if x == 0:
        return "0"
    text = f"{abs(x):.2f}" if column.compared == "ratio" else number(abs(x), column.format)
    return f"{'−' if x < 0 else '+'}{text}" if text.strip("0.%") else "≈ 0"


def finding(found: Differences) -> str:
    """What a figure of differences shows, in a sentence; also for those who cannot see it."""
    return _finding_of_categories(found) if found.change.column.categories else _finding_of_numbers(found)


def _finding_of_numbers(found: Differences) -> str:
    stats, column, keys = found.change.stats, found.change.column, found.change.keys
    what = f"{column.unit[0].upper()}{column.unit[1:]}"
    there = stats[stats["value"].notna()]
    if there.empty:
        return f"{what}: no pair of cells has a difference."
    with_interval, certain = there["interval_low"].notna(), found.certain[there.index]
    moving = there[with_interval & (there["interval_low"] < there["interval_high"])]
    parts = [f"{what}: {int(certain.sum())} of {len(there)} tiles have an interval without zero"]
    if len(moving):
        parts.append(f"about {len(moving) * (1 - CONFIDENCE):.0f} would if nothing but noise had changed")
    places = there.index.to_numpy(int)
    low, high = places[there["value"].argmin()], places[there["value"].argmax()]
    ends = [f"{_with_interval(stats.loc[i], column)} ({in_few(keys[i])})" for i in (low, high)]
    sentence = f"{', '.join(parts)}; from {ends[0]} to {ends[1]}."
    if not with_interval.any():
        sentence += " One seed has no interval."
    left_out = int(stats["left_out"].sum())
    return sentence + (f" In {left_out} pairs one side has no value." if left_out else "")


def _with_interval(tile: pd.Series, column: Column) -> str:
    """A tile's difference, and its interval where there is one."""
    value, low, high = (float(tile[name]) for name in ("value", "interval_low", "interval_high"))
    interval = f" [{signed(low, column)}, {signed(high, column)}]" if np.isfinite(low) else ""
    return f"{signed(value, column)}{interval}"


def _finding_of_categories(found: Differences) -> str:
    stats = found.change.stats
    pairs, changed = int(stats["pairs"].sum()), int(stats["changed"].sum())
    x, y = (named(t.stats["value"], t.categories).fillna("–") for t in (found.a, found.b))
    differ = x.ne(y) & (stats["changed"] > 0)
    kinds = (x + " → " + y)[differ].value_counts()
    start = f"{(found.a.column.title or found.a.column.name).capitalize()} changed in"
    if not len(kinds):
        return f"{start} {changed} of {pairs} pairs of cells, and what a tile shows in none."
    first = {kind: in_few(found.change.keys[int((x + " → " + y).eq(kind).argmax())]) for kind in kinds.index}
    listed = "; ".join(f"{kind} in {n} (first {first[kind]})" for kind, n in kinds.head(4).items())
    more = f"; and {len(kinds) - 4} other changes" if len(kinds) > 4 else ""
    return f"{start} {int(differ.sum())} of {len(stats)} tiles: {listed}{more}."


def in_few(settings: dict[str, object]) -> str:
    """The values of a tile's settings."""
    return ", ".join(map(label, settings.values())) or "every cell"


def named(codes: pd.Series, categories: Sequence[str]) -> pd.Series:
    """Categories by name; null where a tile has none."""
    return codes.map(lambda v: categories[int(v)] if np.isfinite(v) else None).astype(object)


def renamed(stats: pd.DataFrame) -> pd.DataFrame:
    """Statistics of tiles under the names that paired differences have."""
    return stats.rename(columns={"value": "mean", "interval_low": "low", "interval_high": "high"})


def _shown(alignment: Alignment, where: Expression | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pairs that a figure is about, with the axes of both written as in A."""
    a, b = alignment.a, alignment.b.assign(**{axis: alignment.a[axis] for axis in alignment.axes})
    kept = a.index.isin(own(a, where).index) & b.index.isin(own(b, where).index)
    if where is not None and len(a):
        kept &= np.asarray(where.truth(a) | where.truth(b), bool)
    return a[kept].reset_index(drop=True), b[kept].reset_index(drop=True)


def _equal(a: pd.DataFrame, b: pd.DataFrame, axis: str) -> bool:
    """Whether a setting that varies in neither sweep has the same value in both."""
    if axis not in a:
        return False
    one, other = ({number_of(v) for v in t[axis].dropna().unique()} for t in (a, b))
    return one == other


def _as_share(column: Column) -> Column:
    """A column of something that happens or not, as the share of cells in which it does."""
    return replace(column, unit=f"share of {column.title}", null="", scale="share", format="percent")


def with_values(cells: pd.DataFrame, column: Column) -> pd.DataFrame:
    """The cells with a column as the numbers that are compared."""
    return cells.assign(**{column.name: values_of(cells, column)})


def _category_changes(a: pd.DataFrame, b: pd.DataFrame, column: Column) -> pd.DataFrame:
    """Pair by pair whether the category differs; of a cell without one its status counts."""
    x, y = (
        t[column.name].astype(object).where((t["status"] == Status.OK) & t[column.name].notna(), None)
        .where(t["status"] == Status.OK, t["status"].astype(object)).fillna("–")
        for t in (a, b)
    )  # fmt: skip
    return pd.DataFrame({"changed": (x != y).to_numpy(bool)}, index=a.index)


def _statistics(
    a: pd.DataFrame, b: pd.DataFrame, column: Column, tiles: Tiles
) -> Mapping[str, pd.Series | NDArray[np.int_]]:
    """What differs between the pairs of each tile; the tiles are A's."""
    pairs = _category_changes(a, b, column) if column.categories else differences(a, b, column)
    at = pairs.assign(seed=a.get(REPLICATE, 0)).iloc[tiles.cells].assign(tile=tiles.tile)
    return _changed_stats(at, len(tiles.stats)) if column.categories else _moved_stats(at, len(tiles.stats))


def _changed_stats(pairs: pd.DataFrame, size: int) -> dict[str, NDArray[np.int_]]:
    tile = pairs["tile"].to_numpy()
    return {
        "pairs": np.bincount(tile, minlength=size),
        "changed": np.bincount(tile[pairs["changed"].to_numpy()], minlength=size),
    }


def _moved_stats(pairs: pd.DataFrame, size: int) -> dict[str, pd.Series]:
    """Mean and interval over the seeds' mean differences, tile by tile."""
    counted = pairs[pairs["difference"].notna()]
    seeds = counted.groupby(["tile", "seed"], dropna=False)["difference"].mean().reset_index()
    found = intervals(seeds["difference"], seeds["tile"]).reindex(range(size))
    tiles = pairs.groupby("tile")
    counts = {
        "pairs": counted.groupby("tile").size(),
        "left_out": tiles["left_out"].sum(),
        "moved": tiles["difference"].agg(lambda d: int((d.fillna(0) != 0).sum())),
    }
    return {
        "value": found["mean"],
        "interval_low": found["low"],
        "interval_high": found["high"],
        "seeds": found["n"].fillna(0).astype(int),
        **{name: n.reindex(range(size)).fillna(0).astype(int) for name, n in counts.items()},
    }


def pooled(tiles: Tiles) -> str:
    """Over which axes the cells of a tile are averaged; empty where they are replicates."""
    return f"Pooled over {in_words(tiles.pooled)}." if tiles.pooled else ""
