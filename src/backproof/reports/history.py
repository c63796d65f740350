"""A sweep repeated over commits as series, with their steps: tables in, tables out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.reports.alignment import distinguishing, positions
from backproof.reports.axes import RECORDS, axes_of, varying
from backproof.reports.change_points import (
    MOST_POINTS,
    PENALTY,
    levels_of,
    noise_of,
    scale_of,
    segments_of,
)
from backproof.reports.differences import how_compared
from backproof.reports.listings import overrides
from backproof.reports.numbers import number
from backproof.reports.paired import MEASURES, values_of
from backproof.sweeps.columns import BY_NAME, REACHED, Column
from backproof.sweeps.overrides import REPLICATE, ordered
from backproof.sweeps.status import Status
from backproof.verdicts import Verdict

TRACKED = tuple(how_compared(c) for c in (*MEASURES, BY_NAME["seconds"]))
"""The measures of which there are series."""

FOLLOWED = ("status", "verdict", *(column.name for column in TRACKED))
"""The columns that a history is made from, beside the settings."""

LEAST = {"ratio": float(np.log10(1.05)), "difference": 0.005, "count": 0.005, "": 0.5}
"""The smallest change that is a step, by how a measure is compared: 5 %, half a percent of an accuracy or of
the runs, one cell. Where more noise is measured, a step has to be larger."""

FALSE_ALARMS = 0.06
"""Of series of pure noise of up to 60 points, at most so many have a step."""

EVERY = "every combination"


@dataclass(frozen=True)
class Point:
    """A sweep at one commit.

    Attributes:
        label: the commit in short, `+` behind it where the checkout had changes; the folder's name without.
        about: the provenance.
    """

    label: str
    started: str
    folder: Path
    about: Mapping[str, object]
    cells: pd.DataFrame


@dataclass(frozen=True)
class Step:
    """A change of level that lasts.

    Attributes:
        before, at: the last point on the old level that has a value, and the first on the new one.
        low, high: the levels before and after it, on the scale of the series.
    """

    series: Series
    before: int
    at: int
    low: float
    high: float

    @property
    def size(self) -> float:
        """How large it is beside the smallest that would be one."""
        return abs(self.high - self.low) / self.series.least

    @property
    def change(self) -> str:
        """From one level to the other as text, and by how much."""
        column, ratio = self.series.measure, self.series.measure.compared == "ratio"
        low, high = (10**x if ratio else x for x in (self.low, self.high))
        low_text, high_text = (
            f"{x:.3g}" if column.format == "short" else number(x, column.format) for x in (low, high)
        )
        ends = f"{low_text} → {high_text}"
        difference = high - low
        by = f"× {10 ** (self.high - self.low):.3g}" if ratio else f"{difference:+.3g}".replace("-", "−")
        return f"{ends} ({by})"


@dataclass(frozen=True)
class Series:
    """A measure over the points: of one combination the median over seeds, else the mean of these medians.

    Attributes:
        settings: of the combination, as overrides; `EVERY` for all of them together.
        points: which points have a value; values, n: those values, log10 of them where the measure is
            compared by ratio, and how many cells each is of.
    """

    measure: Column
    settings: str
    points: NDArray[np.intp]
    values: NDArray[np.float64]
    n: NDArray[np.intp]

    @property
    def least(self) -> float:
        """The smallest change that is a step."""
        return 1.0 if self.measure.name == REACHED.name else LEAST[self.measure.compared]

    @property
    def overall(self) -> bool:
        """Whether it is of all combinations together."""
        return self.settings == EVERY or self.measure.categories

    @property
    def noisy(self) -> bool:
        """Whether it moves from point to point by so much that chance can make a step."""
        return scale_of(self.values, self.least) == noise_of(self.values)

    @property
    def last(self) -> Step | None:
        """How the last point departs from its level by more than noise does; no step yet, as it is alone."""
        if len(self.values) < 2:
            return None
        low, high = float(self.levels[-1]), float(self.values[-1])
        if abs(high - low) <= PENALTY * scale_of(self.values, self.least):
            return None
        return Step(self, int(self.points[-2]), int(self.points[-1]), low, high)

    @cached_property
    def starts(self) -> list[int]:
        """Where its levels begin, as positions in `values`."""
        if len(self.values) and np.ptp(self.values) <= self.least / 2:
            return [0]
        return segments_of(self.values, self.least)

    @cached_property
    def levels(self) -> NDArray[np.float64]:
        """The level at each of its values."""
        return levels_of(self.values, self.starts)

    @property
    def steps(self) -> list[Step]:
        """Its steps, in order."""
        return [
            Step(
                self, int(self.points[i - 1]), int(self.points[i]), float(self.levels[i - 1]),
                float(self.levels[i]),
            )
            for i in self.starts[1:]
        ]  # fmt: skip

    @property
    def shown(self) -> NDArray[np.float64]:
        """The values as they were measured."""
        return 10**self.values if self.measure.compared == "ratio" else self.values


@dataclass(frozen=True)
class Change:
    """Cells whose verdict changed from one point to the next, from what to what."""

    at: int
    old: str
    new: str
    cells: int


@dataclass(frozen=True)
class History:
    """The points in order of time, and their series.

    Attributes:
        combinations: how many there are; common: the cells that all points have; repeated: those left out
            since a point has several with their settings.
        changes: of verdicts, point by point.
    """

    points: tuple[Point, ...]
    combinations: int
    common: int
    repeated: int
    series: tuple[Series, ...]
    changes: tuple[Change, ...]

    @cached_property
    def steps(self) -> list[Step]:
        """All steps: those of all combinations together first, then the largest."""
        found = [step for series in self.series for step in series.steps]
        return sorted(found, key=lambda s: (not s.series.overall, -s.size))

    @property
    def by_chance(self) -> float:
        """At most how many series would have a step if they were nothing but noise."""
        return FALSE_ALARMS * sum(s.noisy for s in self.series)


def history(points: Sequence[Point]) -> History:
    """The series of a sweep over its points, which are in order of time; of too many the latest count."""
    points = points[-MOST_POINTS:]
    tables = _aligned([point.cells for point in points])
    axes = _axes(tables)
    others = [axis for axis in axes if axis != REPLICATE]
    groups, cells = positions(tables, others), positions(tables, axes)
    every = pd.concat(
        [
            table.assign(point=i, group=group, position=cell)
            for i, (table, group, cell) in enumerate(zip(tables, groups, cells, strict=True))
        ],
        ignore_index=True,
    )
    size = len(every)
    every = every.drop_duplicates(["point", "position"], keep=False)
    names = _names(every, others)
    shared = every.groupby("position")["point"].transform("size") == len(points)
    series = [*_verdicts(every[shared], len(points)), *_measured(every, names, len(points))]
    return History(
        tuple(points), len(names), int(every.loc[shared, "position"].nunique()), size - len(every),
        tuple(series), tuple(_changes(every, len(points))),
    )  # fmt: skip


def needed(cells: pd.DataFrame) -> pd.DataFrame:
    """The columns of a point's cells that a history is made from: many points are held at a time."""
    return cells[[*axes_of(cells), *FOLLOWED]]


def _aligned(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The tables with the settings of all of them; one that a table does not have is null there."""
    known = ordered({axis for table in tables for axis in axes_of(table)})
    return [table.reindex(columns=[*known, *FOLLOWED]).reset_index(drop=True) for table in tables]


def _axes(tables: Sequence[pd.DataFrame]) -> list[str]:
    """The settings by which cells are told apart: those that vary at some point, as in `align`."""
    axes = ordered({axis for table in tables for axis in varying(table) if axis not in RECORDS})
    rest = [axis for axis in axes_of(tables[0]) if axis not in axes and axis not in RECORDS]
    places = zip(tables, positions(tables, axes), strict=True)
    more = {axis for table, at in places for axis in distinguishing(table, at, rest)}
    return ordered({*axes, *more})


def _names(cells: pd.DataFrame, axes: Sequence[str]) -> dict[int, str]:
    """Combinations by their number, as overrides."""
    first = cells.drop_duplicates("group")
    rows = first[list(axes)].astype(object).to_dict("records")
    return {int(group): overrides(row) or EVERY for group, row in zip(first["group"], rows, strict=True)}


def _measured(cells: pd.DataFrame, names: Mapping[int, str], points: int) -> Iterator[Series]:
    """Per measure the series of all combinations together, then those of each."""
    done = cells[cells["status"] == Status.OK]
    for measure in TRACKED:
        values = values_of(done, measure)
        if measure.compared == "ratio":
            values = np.log10(values, where=values > 0, out=np.full(len(values), np.nan))
        kept = done[["point", "group"]].assign(value=values)[~np.isnan(values)]
        statistic = "mean" if measure.compared == "count" else "median"
        found = kept.groupby(["group", "point"])["value"].agg([statistic, "size"])
        found.columns = pd.Index(["value", "n"])
        whole = found.groupby(level="group")["value"].transform("size") == points
        if whole.any() and len(names) > 1:
            both = found[whole].groupby(level="point")
            yield _series(measure, EVERY, both["value"].mean(), both["n"].sum())
        for group, part in found.groupby(level="group"):
            part = part.droplevel("group")
            yield _series(measure, names[int(str(group))], part["value"], part["n"])


def _series(measure: Column, settings: str, values: pd.Series, n: pd.Series) -> Series:
    return Series(
        measure, settings, values.index.to_numpy(np.intp), values.to_numpy(float), n.to_numpy(np.intp)
    )


def _verdicts(cells: pd.DataFrame, points: int) -> Iterator[Series]:
    """How many of the cells that all points have get each verdict."""
    column = BY_NAME["verdict"]
    counts = pd.crosstab(cells["point"], cells["verdict"]).reindex(range(points), fill_value=0)
    known = [v for v in Verdict if v in counts]
    for verdict in [*known, *(v for v in counts if v not in known)]:
        yield _series(column, str(verdict), counts[verdict], counts.sum(axis=1))


def _changes(cells: pd.DataFrame, points: int) -> Iterator[Change]:
    """Which verdicts became which from one point to the next, of the cells of both."""
    verdicts = cells["verdict"].astype(object).where(cells["verdict"].notna(), cells["status"])
    table = cells.assign(verdict=verdicts).set_index("position")
    for at in range(1, points):
        pair = [table.loc[table["point"] == i, "verdict"] for i in (at - 1, at)]
        both = pd.concat(pair, axis=1, keys=["old", "new"], join="inner")
        counts = both[both["old"] != both["new"]].groupby(["old", "new"]).size().sort_values(ascending=False)
        for old, new, n in counts.reset_index(name="cells").itertuples(index=False):
            yield Change(at, str(old), str(new), int(n))
