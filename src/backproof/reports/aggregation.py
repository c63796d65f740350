"""Aggregation: a column of the cells, laid out in tiles over rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.reports.axes import RECORDS, Key, expand_nulls, in_order, keys_of, ran, varying
from backproof.reports.intervals import median_interval
from backproof.sweeps.columns import Column, Of
from backproof.sweeps.overrides import REPLICATE
from backproof.sweeps.status import FAILURES, Status
from backproof.verdicts.verdict import Verdict

MEDIAN, MOST_FREQUENT, WORST = "median", "most frequent", "worst"

POSITION = " position"
"""A column that no setting can be named as: where a cell stood before it was shown in several tiles."""

COUNTS = ("n", "failed", "excluded", "pending")
"""Counts of a tile: cells with a value, and cells of each status that have none."""

OTHER_COUNTS = ("agreeing", "finished", "infinite", "settings")
"""Further ones, which a figure's data leave out."""

NUMBERS = ("value", "interval_low", "interval_high", "least", "greatest")


@dataclass(frozen=True)
class Tiles:
    """Cells laid out over rows and columns; those of a tile are aggregated.

    Attributes:
        stats: one row per tile, row by row. `value` is the aggregate, NaN where there is none, infinite
            where most cells have no value; of a categorical column it is an index into `categories`.
            The `least` and `greatest` value; `interval_low` and `interval_high` of a median over replicates,
            NaN where they are too few, or the cells differ in more than that.
            The number of `finished` cells, of those with a value (`n`), of those with the category shown
            (`agreeing`), of those that never reached one (`infinite`), and of `failed`, `excluded` and
            `pending` cells; `settings` counts their distinct settings, the replicate aside.
        pooled: the axes, the replicate aside, along which finished cells of one tile differ.
        cells, tile: cells, by their index in the table, and the row in `stats` of each.
        facet: what these cells have in common, as the title of a small multiple.
    """

    column: Column
    aggregate: str
    row_axes: tuple[str, ...]
    column_axes: tuple[str, ...]
    rows: list[Key]
    columns: list[Key]
    stats: pd.DataFrame
    cells: NDArray[np.intp]
    tile: NDArray[np.intp]
    categories: tuple[str, ...] = ()
    facet: tuple[tuple[str, object], ...] = ()
    pooled: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns."""
        return len(self.rows), len(self.columns)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """A statistic as an array of shape (rows, columns)."""
        return self.stats[name].to_numpy(float).reshape(self.shape)

    @property
    def keys(self) -> list[dict[str, object]]:
        """The settings of each tile, row by row."""
        axes = (*self.row_axes, *self.column_axes)
        return [
            {**dict(self.facet), **dict(zip(axes, (*row, *column), strict=True))}
            for row in self.rows
            for column in self.columns
        ]

    def table(self) -> pd.DataFrame:
        """The figure's data, long: one line per tile."""
        keys = pd.DataFrame.from_records(self.keys, index=range(len(self.stats)))
        if self.column.categories:
            names = [None if np.isnan(v) else self.categories[int(v)] for v in self.stats["value"]]
            shown = pd.DataFrame({self.column.name: names, "agreeing": self.stats["agreeing"]})
        else:
            shown = self.stats[list(NUMBERS)].rename(columns={"value": self.aggregate})
        return pd.concat([keys, shown, self.stats[list(COUNTS)]], axis=1)

    def split(self, axes: int) -> list[Tiles]:
        """Small multiples by the first axes of the columns, all with the same rows and columns."""
        heads = list(dict.fromkeys(key[:axes] for key in self.columns))
        tails = self._tails(axes)
        at = {key: i for i, key in enumerate(self.columns)}
        row, column = np.divmod(self.tile, len(self.columns))
        parts = []
        for head in heads:
            source = np.array([at.get((*head, *tail), -1) for tail in tails])
            flat = np.where(source >= 0, np.arange(len(self.rows))[:, None] * len(self.columns) + source, -1)
            target = np.full(len(self.columns), -1)
            target[source[source >= 0]] = np.flatnonzero(source >= 0)
            here = target[column] >= 0
            parts.append(
                replace(
                    self, column_axes=self.column_axes[axes:], columns=tails,
                    stats=_complete(self.stats.reindex(flat.ravel()).reset_index(drop=True)),
                    cells=self.cells[here], tile=row[here] * len(tails) + target[column[here]],
                    facet=tuple(zip(self.column_axes[:axes], head, strict=True)),
                )
            )  # fmt: skip
        return parts

    def _tails(self, axes: int) -> list[Key]:
        """The columns of small multiples, in the order of the axes."""
        orders = [
            {v: i for i, v in enumerate(in_order(pd.Series([k[j] for k in self.columns], dtype=object)))}
            for j in range(axes, len(self.column_axes))
        ]

        def rank(tail: Key) -> tuple[int, ...]:
            return tuple(order[v] for order, v in zip(orders, tail, strict=True))

        return sorted(dict.fromkeys(key[axes:] for key in self.columns), key=rank)


def lay_out(
    cells: pd.DataFrame, column: Column, rows: Sequence[str], columns: Sequence[str], aggregate: str = ""
) -> Tiles:
    """Lay out a column over axes; the seed and whatever else varies within a tile is aggregated.

    What else it is, `Tiles.pooled` names, so that unlike cells are not taken for replicates. "Never" counts
    as infinite: training runs of one length are censored at its end alone, so that a median with these is
    that of Kaplan and Meier (1958).
    Of a categorical column the most frequent category is shown; of equally frequent ones the more severe,
    so that what is wrong is not hidden by what is right. With the aggregate `worst`, the most severe one.
    """
    categories = categories_of(cells, column)
    aggregate = aggregate or (MOST_FREQUENT if column.categories else MEDIAN)
    kept = [
        *rows,
        *columns,
        column.name,
        "status",
        *(others := [axis for axis in varying(cells) if axis not in (*rows, *columns, REPLICATE, *RECORDS)]),
        *(group for group in ("check", "training") if group in cells),
    ]
    cells = cells[[*dict.fromkeys(kept)]].assign(**{POSITION: cells.index.to_numpy()})
    cells = expand_nulls(expand_nulls(cells, list(rows)), list(columns))
    row_keys, row = keys_of(cells, rows)
    column_keys, at = keys_of(cells, columns)
    tile = row * max(len(column_keys), 1) + at
    values = _codes(cells, column, categories) if column.categories else _numbers(cells, column)
    status = cells["status"].to_numpy(object)
    size = len(row_keys) * len(column_keys)
    has_value = (status == Status.OK) & ~np.isnan(values)
    pooled, settings = _pooled(cells, others, tile, has_value, size)
    groups = _grouped(values, tile, has_value)
    found = (
        _shown(groups, categories, aggregate)
        if column.categories
        else _aggregated(groups, aggregate, settings)
    )
    counts = {
        "finished": status == Status.OK, "failed": np.isin(status, FAILURES),
        "excluded": status == Status.EXCLUDED, "pending": status == Status.PENDING,
        "infinite": has_value & np.isinf(values),
    }  # fmt: skip
    stats = found.reindex(range(size)).assign(
        settings=settings, **{name: np.bincount(tile[mask], minlength=size) for name, mask in counts.items()}
    )
    return Tiles(
        column, aggregate, tuple(rows), tuple(columns), row_keys, column_keys, _complete(stats),
        cells[POSITION].to_numpy(), tile, categories, pooled=pooled,
    )  # fmt: skip


def categories_of(cells: pd.DataFrame, column: Column) -> tuple[str, ...]:
    """The categories of a column, in order of severity; none of a column of numbers."""
    if not column.categories:
        return ()
    present = list(dict.fromkeys(cells[column.name].dropna()))
    return tuple(map(str, Verdict)) if set(present) <= set(Verdict) else tuple(present)


def measured(cells: pd.DataFrame, column: Column) -> NDArray[np.bool_]:
    """Whether each cell's check or training ran, so that null means something in this column."""
    return ran(cells, "training" if column.of is Of.TRAINING else "check").to_numpy(bool)


def _numbers(cells: pd.DataFrame, column: Column) -> NDArray[np.float64]:
    numbers = cells[column.name].to_numpy(float, na_value=np.nan)
    return np.where(np.isnan(numbers) & measured(cells, column), np.inf, numbers) if column.null else numbers


def _codes(cells: pd.DataFrame, column: Column, categories: Sequence[str]) -> NDArray[np.float64]:
    codes = cells[column.name].map({name: float(i) for i, name in enumerate(categories)})
    return np.asarray(codes.to_numpy(float, na_value=np.nan), float)


def _pooled(
    cells: pd.DataFrame, axes: Sequence[str], tile: NDArray[np.intp], kept: NDArray[np.bool_], size: int
) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The axes along which cells of one tile differ, and how many distinct settings each tile has."""
    tile = tile[kept]
    pooled, joint, tiles = list[str](), tile, len(np.unique(tile))
    for axis in axes:
        codes, present = pd.factorize(cells[axis][kept], use_na_sentinel=False)
        if len(np.unique(tile * len(present) + codes)) > tiles:
            pooled.append(axis)
            joint = np.unique(joint * len(present) + codes, return_inverse=True)[1]
    distinct = np.unique(np.stack([tile, joint]), axis=1)[0]
    return tuple(pooled), np.bincount(distinct, minlength=size)


def _grouped(
    values: NDArray[np.float64], tile: NDArray[np.intp], kept: NDArray[np.bool_]
) -> dict[int, NDArray[np.float64]]:
    """The values of each tile that has some, in ascending order."""
    groups = pd.Series(values[kept]).groupby(tile[kept])
    return {int(str(at)): np.sort(group.to_numpy()) for at, group in groups}


def _aggregated(
    groups: Mapping[int, NDArray[np.float64]], aggregate: str, settings: NDArray[np.intp]
) -> pd.DataFrame:
    """The statistics of numbers, one row per tile."""
    records = []
    for at, values in groups.items():
        replicates = aggregate == MEDIAN and settings[at] == 1
        interval = median_interval(values) if replicates else (np.nan, np.nan)
        records.append(
            (AGGREGATES[aggregate](values), *interval, values[0], values[-1], len(values), len(values))
        )
    return _stats(groups, records)


def _shown(
    groups: Mapping[int, NDArray[np.float64]], categories: Sequence[str], aggregate: str
) -> pd.DataFrame:
    """The category that each tile shows, one row per tile."""
    records = []
    for codes in groups.values():
        tally = np.bincount(codes.astype(int), minlength=len(categories))
        ranked = tally > 0 if aggregate == WORST else tally
        last = len(categories) - 1 - int(np.argmax(ranked[::-1]))
        records.append((last, np.nan, np.nan, last, last, len(codes), tally[last]))
    return _stats(groups, records)


def _stats(groups: Mapping[int, NDArray[np.float64]], records: Sequence[tuple[float, ...]]) -> pd.DataFrame:
    return pd.DataFrame(records, index=list(groups), columns=[*NUMBERS, "n", "agreeing"], dtype=float)


def _complete(stats: pd.DataFrame) -> pd.DataFrame:
    """No cells counted in tiles that have none."""
    counted = [*COUNTS, *OTHER_COUNTS]
    return stats.assign(**stats[counted].fillna(0).astype(int))


def _median(ordered: NDArray[np.float64]) -> float:
    """The median; of two middle values of which one is infinite, the finite one."""
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float((low + high) / 2 if np.isfinite(high) else low)


AGGREGATES: dict[str, Callable[[NDArray[np.float64]], float]] = {
    MEDIAN: _median,
    "mean": lambda ordered: float(ordered.mean()),
    "least": lambda ordered: float(ordered[0]),
    "greatest": lambda ordered: float(ordered[-1]),
}
"""How the cells of a tile are aggregated, given their values in ascending order."""
