"""A figure that is asked for, drawn, with what belongs to it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure

from backproof.reports import curves as training_curves
from backproof.reports.alarms import confusion, detection
from backproof.reports.evidence import map_figure, maps_of, steps_figure
from backproof.reports.heatmaps import heatmap, number, rendered
from backproof.reports.scatter import prediction, scatter_figure
from backproof.reports.tables import (
    MEDIAN,
    MOST_FREQUENT,
    UNITS,
    Pivot,
    label,
    pivot,
    ran,
    select,
)
from backproof.reports.validation import CONFUSION, CURVES, DETECTION, MAP, SCATTER, STEPS
from backproof.verdicts import Verdict
from backproof.verdicts.evidence import MAP as OF_WEIGHTS
from backproof.verdicts.evidence import STEPS as SWEPT

MOST_PANELS = 24

TITLES = {SCATTER: "does a failed check predict failed training?"}


@dataclass(frozen=True)
class Drawn:
    """A figure with what belongs to it.

    Attributes:
        alt: its finding in a sentence, for those who cannot see it.
        data: the numbers it shows.
        pivots: what a heatmap's panels hold, in order; points: columns that a scatter plot shows.
        problem: why it could not be drawn; then there is no figure.
    """

    title: str
    caption: str
    alt: str = ""
    figure: Figure | None = None
    data: pd.DataFrame | None = None
    pivots: tuple[Pivot, ...] = ()
    points: tuple[str, str] | None = None
    problem: str = ""

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        if self.figure is None:
            return f"<p>{html.escape(self.title)}: not drawn, {html.escape(self.problem)}</p>"
        picture = rendered(self.figure, "svg").decode()
        return (
            picture[picture.index("<svg") :] + f"<p>{html.escape(f'{self.caption} {self.alt}'.strip())}</p>"
        )


def draw(figure: Mapping[str, Any], cells: pd.DataFrame, curves: pa.Table) -> Drawn:
    """Draw one figure; whatever is wrong with it is told in its place, and costs no other figure."""
    value = str(figure["value"])
    rows, columns, facet = (list(figure.get(side) or []) for side in ("rows", "columns", "facet"))
    title = str(figure.get("title") or UNITS.get(value, TITLES.get(value, value)).capitalize())
    caption = " ".join(str(figure.get("caption") or "").split())
    try:
        chosen = select(cells, figure.get("where"))
        if not len(chosen):
            return Drawn(title, caption, problem="no cell fits its `where`")
        if value == CURVES:
            return _curves(chosen, curves, title, caption, rows, columns)
        if value in (STEPS, MAP):
            return _evidence(value, chosen, curves, title, caption, [*rows, *columns])
        if value == SCATTER:
            return _scatter(chosen, title, caption)
        if value in (CONFUSION, DETECTION):
            laid = (confusion if value == CONFUSION else detection)(chosen)
            return Drawn(title, caption, _share_finding(laid), heatmap(laid, title), laid.table())
        words = tuple(v.value for v in Verdict) if value == "verdict" else ()
        if value == "cause":
            words = tuple(dict.fromkeys(chosen["cause"].dropna()))
        aggregate = str(figure.get("aggregate") or (MOST_FREQUENT if words else MEDIAN))
        laid = pivot(chosen, value, rows, [*facet, *columns], words, aggregate)
        laid = replace(laid, who=np.flatnonzero(cells["cell"].isin(chosen["cell"]))[laid.who])
        parts = laid.split(len(facet)) if facet else [laid]
        if len(parts) > MOST_PANELS:
            return Drawn(title, caption, problem=f"{len(parts)} small multiples; at most {MOST_PANELS} fit")
        data = pd.concat([part.table() for part in parts], ignore_index=True)
        return Drawn(title, caption, _finding(laid), heatmap(parts, title), data, tuple(parts))
    except Exception as error:  # an expression of the user's may fail in any way
        return Drawn(title, caption, problem=" ".join(f"{type(error).__name__}: {error}".split()))


def _curves(
    cells: pd.DataFrame, curves: pa.Table, title: str, caption: str, rows: list[str], columns: list[str]
) -> Drawn:
    long = training_curves.join(cells, curves, rows, columns)
    drawn = training_curves.draw(long, title, rows) if len(long) else None
    if drawn is None:
        return Drawn(title, caption, problem="none of its cells was trained")
    runs = long["cell"].nunique()
    told = f"Training curves of {runs} runs: median and range over replicates."
    groups = long.groupby(["series", "panel", "line", "step"], observed=True)["value"]
    data = groups.agg(["median", "min", "max", "size"]).reset_index()
    data.columns = [*data.columns[:4], MEDIAN, "least", "greatest", "n"]
    return Drawn(title, caption, told, drawn, data)


def _scatter(cells: pd.DataFrame, title: str, caption: str) -> Drawn:
    """Gradient error against what training makes of it: does a failed check predict a failed training?"""
    done = cells[cells["status"] == "ok"]
    done = done[
        done["verdict"].isin(list(Verdict)) & (done["verdict"] != "not checked") & ran(done, "training")
    ]
    if not len(done):
        return Drawn(title, caption, problem="none of its cells was both checked and trained")
    against = "accuracy" if done["accuracy"].notna().any() else "final_loss"
    kept = ["cell", "verdict", "gradient_error", against]
    return Drawn(
        title, caption, prediction(done), scatter_figure(done, against, title), done[kept],
        points=("gradient_error", against),
    )  # fmt: skip


def _evidence(
    value: str, cells: pd.DataFrame, curves: pa.Table, title: str, caption: str, axes: list[str]
) -> Drawn:
    nothing = Drawn(title, caption, problem="none of its cells kept evidence (check.evidence=true)")
    if value == MAP:
        done = pa.array(cells.loc[cells["status"] == "ok", "cell"], pa.string())
        kept = curves.filter(
            pc.and_(
                pc.match_substring_regex(curves["series"], OF_WEIGHTS.pattern), pc.is_in(curves["cell"], done)
            )
        )
        if not len(kept):
            return nothing
        first = kept.filter(pc.equal(kept["cell"], kept["cell"][0])).to_pandas()
        maps = maps_of({name: part["value"] for name, part in first.groupby("series", sort=False)})
        beyond = sum(int((m > 1).sum()) for m in maps.values())
        alt = f"{beyond} of {sum(m.size for m in maps.values())} parameters are beyond their budgets."
        return Drawn(title, caption, alt, map_figure(maps, title), first.drop(columns="cell"))
    long = training_curves.join(cells, curves, axes, [], [SWEPT])
    drawn = steps_figure(long, title, " × ".join(axes)) if len(long) else None
    if drawn is None:
        return nothing
    best = long.groupby("line", observed=True)["value"].min()
    told = "; ".join(f"{line}: {error:.1e}" for line, error in best.items())
    return Drawn(title, caption, f"Smallest error over all steps: {told}.", drawn, long)


def _share_finding(laid: Pivot) -> str:
    """What a figure of shares shows, in a sentence."""
    full = laid.middle[np.isfinite(laid.middle)]
    if laid.value == CONFUSION:
        same = [
            laid.middle[i, laid.columns.index(row)] for i, row in enumerate(laid.rows) if row in laid.columns
        ]
        named = np.nanmin(same) if same else np.nan
        return (
            f"Of {laid.n.sum()} cases, each planted cause is named first in at least {named:.0%} of its own."
        )
    return f"Shares of cells in which each test raises an alarm, from {full.min():.0%} to {full.max():.0%}."


def _finding(laid: Pivot) -> str:
    """What a heatmap shows, in a sentence."""
    there = np.isfinite(laid.middle)
    if not there.any():
        return "No place has a value."
    if laid.words:
        counts = pd.Series(laid.middle[there].astype(int)).value_counts()
        parts = [f"{laid.words[int(i)]} in {n}" for i, n in counts.items()]  # type: ignore[call-overload]
        return f"Of {there.sum()} places: {', '.join(parts)}."
    unit = f"{laid.aggregate.capitalize()} {UNITS.get(laid.value, laid.value)}"
    least, greatest = (number(float(f(laid.middle[there])), laid.value) for f in (np.min, np.max))
    if least == greatest:
        return f"{unit} is {least} in all {there.sum()} places."
    ends = []
    for at in (
        np.nanargmin(np.where(there, laid.middle, np.nan)),
        np.nanargmax(np.where(there, laid.middle, np.nan)),
    ):
        i, j = np.unravel_index(int(at), laid.middle.shape)
        place = ", ".join(label(k) for k in (*laid.rows[int(i)], *laid.columns[int(j)]))
        ends.append(f"{number(laid.middle[i, j], laid.value)} ({place})")
    return f"{unit} from {ends[0]} to {ends[1]}."
