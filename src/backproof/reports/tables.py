"""Statistics over the table of cells: tables in, tables out; nothing is drawn, read or written here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from backproof.reports.intervals import median_intervals
from backproof.sweeps.case import AXES, OFF
from backproof.sweeps.columns import CELLS, Of, names_of
from backproof.sweeps.expressions import parse
from backproof.sweeps.settings import shown

FAILED = ("failed", "killed", "timeout")
"""Statuses of cells that ran and have no result."""

REPLICATE = "seed"

MEDIAN, MOST_FREQUENT, WORST = "median", "most frequent", "worst"

POSITION = " position"
"""A column that no setting can be named as: where a cell stood before it was shown at several places."""

COUNTS = ("n", "failed", "excluded", "pending")

EMPTY = {
    **dict.fromkeys(("middle", "low", "high", "sure_low", "sure_high"), np.nan),
    **dict.fromkeys((*COUNTS, "finished", "agreeing"), 0),
}
"""What a place says that no cell falls into."""

NULL_MEANS = {c.name: c.null for c in CELLS if c.null and not c.categories}
"""What null says in a cell that was checked or trained. It counts as infinite in a median."""

UNITS = {c.name: c.unit for c in CELLS if c.unit}
"""What a value is, for titles and scales."""

OF_TRAINING = names_of(c for c in CELLS if c.of is Of.TRAINING)


def select(cells: pd.DataFrame, where: str | None) -> pd.DataFrame:
    """The cells for which an expression is true; all of them without one.

    Raises:
        ConfigurationError: if the expression does not fit the table.
    """
    if not where or not len(cells):
        return cells
    return cells[parse("where", where, cells).truth(cells)]


def axes_of(cells: pd.DataFrame) -> list[str]:
    """The columns that are settings, in the table's order."""
    return [c for c in cells.columns if is_axis(str(c))]


def is_axis(column: str) -> bool:
    """Whether a column is a setting rather than a result."""
    return column.partition(".")[0] in AXES


def varying(cells: pd.DataFrame) -> list[str]:
    """The settings that take more than one value (null left aside)."""
    return [c for c in axes_of(cells) if len(cells[c].dropna().unique()) > 1]


def expand_nulls(cells: pd.DataFrame, side: Sequence[str]) -> pd.DataFrame:
    """Show a cell wherever it belongs: a null setting stands for every value of its axis.

    Where the other axes of this side leave only null (no eps beside `clip=none`), null stays,
    and the side gets one line instead of many equal ones.
    """
    for axis in side:
        null = cells[axis].isna()
        if not null.any() or null.all():
            continue
        others = [a for a in side if a != axis]
        if others:
            keys = pd.MultiIndex.from_frame(cells[others].astype(object).fillna("∅"))
            null &= pd.Series(keys.isin(keys[~cells[axis].isna()].unique()), index=cells.index)
        values = cells[axis].dropna().unique()
        copies = cells[null].drop(columns=axis).merge(pd.Series(values, name=axis), how="cross")
        copies[axis] = copies[axis].astype(cells[axis].dtype)
        cells = pd.concat([cells[~null], copies[list(cells.columns)]], ignore_index=True)
    return cells


def in_order(values: pd.Series[Any]) -> list[Any]:
    """Distinct values: numbers ascending, words as the grid first names them, null last."""
    present = list(dict.fromkeys(values.dropna()))
    if all(isinstance(v, int | float | np.number) for v in present):
        present.sort()
    return present + [None] * bool(values.isna().any())


def label(value: Any) -> str:
    """A setting's value as a figure shows it."""
    if value is None or value is pd.NA:
        return "–"
    if isinstance(value, float | np.floating):
        return f"{value:.3g}"
    return str(value) if isinstance(value, str) else shown(value)


@dataclass(frozen=True)
class Pivot:
    """Cells laid out over rows and columns, replicates put together; arrays (rows, columns).

    Attributes:
        middle: the median over the cells of a place, or what `aggregate` names; NaN where there is
            none. Infinite where most cells have no value. For words, the index of the one shown.
        low, high: the least and greatest.
        sure_low, sure_high: the bootstrapped interval of the median; NaN for words.
        finished: how many finished cells a place has; n: how many of them have a value.
        agreeing: for words, how many of them have the shown one.
        failed, excluded, pending: how many cells failed, were left out by a rule, are still to come.
        who, where: cells, by their position in the table, and the flat index of the place of each.
        words: of which `middle` is an index; empty for numbers.
        facet: what these cells have in common, as a small multiple's title; empty without one.
    """

    value: str
    row_axes: tuple[str, ...]
    column_axes: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    columns: list[tuple[Any, ...]]
    middle: np.ndarray[Any, Any]
    low: np.ndarray[Any, Any]
    high: np.ndarray[Any, Any]
    sure_low: np.ndarray[Any, Any]
    sure_high: np.ndarray[Any, Any]
    finished: np.ndarray[Any, Any]
    n: np.ndarray[Any, Any]
    agreeing: np.ndarray[Any, Any]
    failed: np.ndarray[Any, Any]
    excluded: np.ndarray[Any, Any]
    pending: np.ndarray[Any, Any]
    who: np.ndarray[Any, Any]
    where: np.ndarray[Any, Any]
    words: tuple[str, ...] = ()
    aggregate: str = MEDIAN
    facet: tuple[tuple[str, Any], ...] = ()

    def table(self) -> pd.DataFrame:
        """The figure's data, long: a line a place."""
        records = []
        for i, row in enumerate(self.rows):
            for j, column in enumerate(self.columns):
                keys = {
                    **dict(zip(self.row_axes, row, strict=True)),
                    **dict(zip(self.column_axes, column, strict=True)),
                }
                middle = self.middle[i, j]
                result: dict[str, Any] = {
                    self.aggregate: middle,
                    "interval_low": self.sure_low[i, j],
                    "interval_high": self.sure_high[i, j],
                    "least": self.low[i, j],
                    "greatest": self.high[i, j],
                }
                if self.words:
                    word = None if np.isnan(middle) else self.words[int(middle)]
                    result = {self.value: word, "with_it": int(self.agreeing[i, j])}
                counts = {name: int(getattr(self, name)[i, j]) for name in COUNTS}
                records.append({**dict(self.facet), **keys, **result, **counts})
        return pd.DataFrame.from_records(records)

    def split(self, axes: int) -> list[Pivot]:
        """Small multiples by the first axes of the columns, all with the same rows and columns."""
        heads = list(dict.fromkeys(key[:axes] for key in self.columns))
        tails = list(dict.fromkeys(key[axes:] for key in sorted(self.columns, key=self._tail_order(axes))))
        at = {key: i for i, key in enumerate(self.columns)}
        parts = []
        for head in heads:
            source = np.array([at.get((*head, *tail), -1) for tail in tails])
            taken: dict[str, Any] = {
                name: np.where(source >= 0, getattr(self, name)[:, source], nothing)
                for name, nothing in EMPTY.items()
            }
            target = np.full(len(self.columns), -1)
            target[source[source >= 0]] = np.flatnonzero(source >= 0)
            rows, columns = np.divmod(self.where, len(self.columns))
            here = target[columns] >= 0
            parts.append(
                replace(
                    self, column_axes=self.column_axes[axes:], columns=tails, **taken,
                    who=self.who[here], where=rows[here] * len(tails) + target[columns[here]],
                    facet=tuple(zip(self.column_axes[:axes], head, strict=True)),
                )
            )  # fmt: skip
        return parts

    def _tail_order(self, axes: int) -> Any:
        """Orders the columns of small multiples as the axes' own orders have it."""
        orders = [
            {v: i for i, v in enumerate(in_order(pd.Series([k[j] for k in self.columns], dtype=object)))}
            for j in range(axes, len(self.column_axes))
        ]
        return lambda key: tuple(order[v] for order, v in zip(orders, key[axes:], strict=True))


def ran(cells: pd.DataFrame, group: str) -> pd.Series[bool]:
    """Cell by cell: whether there was a check or a training run; functions from outside are not trained."""
    if group not in cells:
        return pd.Series(False, cells.index)
    return cells[group].notna() & (cells[group] != OFF)


def pivot(
    cells: pd.DataFrame,
    value: str,
    rows: Sequence[str],
    columns: Sequence[str],
    words: Sequence[str] = (),
    aggregate: str = MEDIAN,
) -> Pivot:
    """Lay out a result over axes; every further axis, the seed among them, is put together by `aggregate`.

    With `words` the result is categorical, and the most frequent word is shown; of equally
    frequent ones the later in `words`, so that what is wrong is not hidden by what is right.
    With `aggregate` worst, the last word that is there.
    """
    cells = cells.assign(**{POSITION: np.arange(len(cells))})
    cells = expand_nulls(expand_nulls(cells, list(rows)), list(columns))
    row_keys, row_at = _keys(cells, rows)
    column_keys, column_at = _keys(cells, columns)
    shape = (len(row_keys), len(column_keys))
    place = row_at * max(shape[1], 1) + column_at
    status = cells["status"].to_numpy(object)
    ok = status == "ok"

    def count(mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.bincount(place[mask], minlength=shape[0] * shape[1]).reshape(shape)

    if words:
        index = {w: i for i, w in enumerate(words)}
        coded = cells[value].map(index).to_numpy(float, na_value=np.nan)
        ok = ok & ~np.isnan(coded)
        tally = np.stack([count(ok & (coded == i)) for i in range(len(words))], axis=-1)
        ranked = tally > 0 if aggregate == WORST else tally
        last = len(words) - 1 - np.argmax(ranked[..., ::-1], axis=-1)
        agreeing = np.take_along_axis(tally, last[..., None], axis=-1)[..., 0]
        middle = np.where(agreeing > 0, last, np.nan)
        low = high = middle
        sure_low = sure_high = np.full(shape, np.nan)
    else:
        numbers = cells[value].to_numpy(float, na_value=np.nan)
        if value in NULL_MEANS:
            numbers = np.where(np.isnan(numbers) & measured(cells, value), np.inf, numbers)
        ok = ok & ~np.isnan(numbers)
        middle, low, high = (np.full(shape, np.nan) for _ in range(3))
        put_together = AGGREGATES[aggregate]
        groups = []
        for spot, group in pd.Series(numbers[ok]).groupby(place[ok]):
            at = np.unravel_index(int(spot), shape)
            values = np.sort(group.to_numpy())
            middle[at], low[at], high[at] = put_together(values), values[0], values[-1]
            groups.append((at, values))
        sure_low, sure_high = (np.full(shape, np.nan) for _ in range(2))
        if aggregate == MEDIAN:
            for (at, _), (left, right) in zip(groups, median_intervals([g for _, g in groups]), strict=True):
                sure_low[at], sure_high[at] = left, right
        agreeing = count(ok)
    return Pivot(
        value, tuple(rows), tuple(columns), row_keys, column_keys, middle, low, high, sure_low, sure_high,
        count(status == "ok"), count(ok), agreeing, count(np.isin(status, FAILED)),
        count(status == "excluded"), count(status == "pending"), cells[POSITION].to_numpy(), place,
        tuple(words), aggregate,
    )  # fmt: skip


def measured(cells: pd.DataFrame, value: str) -> np.ndarray[Any, Any]:
    """Cell by cell: whether its check or its training ran, so that null says something of this value."""
    return ran(cells, "training" if value in OF_TRAINING else "check").to_numpy(bool)


def _median(ordered: np.ndarray[Any, Any]) -> float:
    """The median; of two middle values of which one is infinite, the finite one."""
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float((low + high) / 2 if np.isfinite(high) else low)


AGGREGATES: dict[str, Callable[[np.ndarray[Any, Any]], float]] = {
    MEDIAN: _median,
    "mean": lambda ordered: float(ordered.mean()),
    "least": lambda ordered: float(ordered[0]),
    "greatest": lambda ordered: float(ordered[-1]),
}
"""How the cells of a place are put together, given their values in ascending order."""


def _keys(cells: pd.DataFrame, axes: Sequence[str]) -> tuple[list[tuple[Any, ...]], np.ndarray[Any, Any]]:
    """The places along a side, sorted axis by axis, and each cell's place."""
    codes = []
    orders = []
    for axis in axes:
        order = in_order(cells[axis])
        at = {v: i for i, v in enumerate(order)}
        orders.append(order)
        codes.append([at[None if pd.isna(v) else v] for v in cells[axis]])
    tuples = list(zip(*codes, strict=True)) if codes else [()] * len(cells)
    used = sorted(set(tuples))
    place = {t: i for i, t in enumerate(used)}
    keys = [tuple(orders[k][i] for k, i in enumerate(t)) for t in used]
    return keys, np.array([place[t] for t in tuples], int)


def telling_axes(cells: pd.DataFrame, limit: int = 4) -> tuple[dict[str, float], str]:
    """The axes that together explain most of the verdict, and what is explained; the replicate axis aside.

    Chosen one after another, each as the one that adds most to those before it, with the share
    that is explained once it is known too: of the verdict's Gini impurity, or where there is one
    verdict only, of the variance of the log gradient error. So an axis that matters only together
    with another (delta beside the pair of output and loss) finds its place, and one that only
    repeats others (`output` where it follows `activation`) finds none.
    """
    done = cells[cells["status"] == "ok"]
    left = [a for a in varying(cells) if a != REPLICATE]
    by_verdict = len(done["verdict"].dropna().unique()) > 1
    error = np.log10(done["gradient_error"].clip(lower=1e-20))
    codes = {a: pd.factorize(done[a], use_na_sentinel=False)[0] for a in left}
    chosen: dict[str, float] = {}
    together, places = np.zeros(len(done), int), 1
    while left and len(chosen) < limit:
        merit = {}
        for axis in left:
            joint = pd.factorize(together * (codes[axis].max(initial=0) + 1) + codes[axis])[0]
            keys = pd.Series(joint, index=done.index)
            merit[axis] = _gain(done["verdict"], keys) if by_verdict else _explained(error, keys)
        best = max(left, key=lambda a: merit[a])
        left.remove(best)
        finer = len(cells[[*chosen, best]].drop_duplicates())
        if finer == places:
            continue
        places = finer
        together = pd.factorize(together * (codes[best].max(initial=0) + 1) + codes[best])[0]
        gained = merit[best] - (list(chosen.values())[-1] if chosen else 0.0)
        if len(chosen) >= 2 and gained < LEAST_GAIN:
            break
        chosen[best] = merit[best]
    return chosen, "verdict" if by_verdict else "gradient error"


LEAST_GAIN = 0.01
"""A third or fourth axis is shown only if it explains so much more."""


def _gain(words: pd.Series[Any], keys: pd.Series[Any]) -> float:
    total = 1 - (words.value_counts(normalize=True) ** 2).sum()
    if not total > 0:
        return 0.0
    tally = pd.crosstab(keys, words)
    sizes = tally.sum(axis=1)
    inside = (1 - ((tally.div(sizes, axis=0)) ** 2).sum(axis=1)) * sizes / sizes.sum()
    return float(max(1 - inside.sum() / total, 0))


def _explained(numbers: pd.Series[Any], keys: pd.Series[Any]) -> float:
    numbers = numbers.dropna()
    total = ((numbers - numbers.mean()) ** 2).sum() if len(numbers) else 0.0
    if not total > 0:
        return 0.0
    within = numbers - numbers.groupby(keys.loc[numbers.index]).transform("mean")
    return float(1 - (within**2).sum() / total)


def training_summary(cells: pd.DataFrame) -> dict[str, Any] | None:
    """How these cells train: medians, and the shares that reach the threshold and that diverge."""
    trained = cells[(cells["status"] == "ok") & cells["accuracy"].notna()]
    if not len(trained):
        return None
    return {
        "n": len(trained),
        "accuracy": float(trained["accuracy"].median()),
        "accuracy_low": float(trained["accuracy"].min()),
        "accuracy_high": float(trained["accuracy"].max()),
        "reached": float(trained["steps_to_threshold"].notna().mean()),
        "diverged": float(trained["diverged_at"].notna().mean()),
    }
