"""Which figures a report has, and each of them drawn: an experiment names its own, else the data choose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure

from backproof.reports import curves as training_curves
from backproof.reports.heatmaps import heatmap, number
from backproof.reports.tables import UNITS, Pivot, label, pivot, select, telling_axes
from backproof.reports.validation import CURVES
from backproof.sweeps.settings import OFF
from backproof.verdicts import VERDICTS

MOST_PLACES = 40
"""A side chosen by the data takes a second axis only if it keeps to so many places."""


@dataclass(frozen=True)
class Drawn:
    """A figure with what belongs to it.

    Attributes:
        alt: its finding in a sentence, for those who cannot see it.
        data: the numbers it shows; None for curves, whose numbers are in curves.parquet.
        problem: why it could not be drawn; then there is no figure.
    """

    title: str
    caption: str
    alt: str = ""
    figure: Figure | None = None
    data: pd.DataFrame | None = None
    problem: str = ""


def choose(cells: pd.DataFrame) -> tuple[list[dict[str, Any]], str]:
    """Figures for a sweep that names none, and a sentence on how their axes were chosen."""
    axes = telling_axes(cells)
    if not axes:
        return [{"value": CURVES, "rows": [], "columns": [], "title": "Training"}], ""
    counts = {a: cells[a].nunique() for a in axes}
    sides: tuple[list[str], list[str]] = ([], [])
    for i, axis in enumerate(axes):
        side = sides[i % 2]
        if not side or math.prod(counts[a] for a in side) * counts[axis] <= MOST_PLACES:
            side.append(axis)
    rows, columns = (side[::-1] for side in sides)
    used = [*rows, *columns]
    says = f"Axes chosen by how much of the verdict they explain: {', '.join(a for a in axes if a in used)}."
    done = cells[cells["status"] == "ok"]
    checked, trained = (bool((done[key] != OFF).any()) for key in ("check", "training"))
    wanted = ["verdict", "gradient_error"] * checked + [
        "accuracy",
        "final_loss",
        "steps_to_threshold",
    ] * trained
    wanted = [value for value in wanted if done[value].notna().any()]
    titles = {"verdict": "Is the gradient right?", "gradient_error": "How large the error is"}
    figures = [
        {"value": v, "rows": rows, "columns": columns, "title": titles.get(v, UNITS.get(v, v).capitalize())}
        for v in wanted
    ]
    if trained:
        figures.append(
            {"value": CURVES, "rows": rows[-1:], "columns": columns[-1:], "title": "Training curves"}
        )
    return figures, says


def draw(figure: Mapping[str, Any], cells: pd.DataFrame, curves: pa.Table) -> Drawn:
    """Draw one figure; whatever is wrong with it is told in its place, and costs no other figure."""
    value, rows, columns = str(figure["value"]), list(figure["rows"]), list(figure["columns"])
    title = str(figure.get("title") or UNITS.get(value, value).capitalize())
    caption = " ".join(str(figure.get("caption") or "").split())
    try:
        chosen = select(cells, figure.get("where"))
        if not len(chosen):
            return Drawn(title, caption, problem="no cell fits its `where`")
        if value == CURVES:
            return _curves(chosen, curves, title, caption, rows, columns)
        words = tuple(VERDICTS) if value == "verdict" else ()
        laid = pivot(chosen, value, rows, columns, words)
        return Drawn(title, caption, _finding(laid), heatmap(laid, title), laid.table())
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
    return Drawn(title, caption, f"Training curves of {runs} runs: median and range over replicates.", drawn)


def _finding(laid: Pivot) -> str:
    """What a heatmap shows, in a sentence."""
    there = np.isfinite(laid.middle)
    if not there.any():
        return "No place has a value."
    if laid.words:
        counts = pd.Series(laid.middle[there].astype(int)).value_counts()
        parts = [f"{laid.words[int(i)]} in {n}" for i, n in counts.items()]  # type: ignore[call-overload]
        return f"Of {there.sum()} places: {', '.join(parts)}."
    ends = []
    for at in (
        np.nanargmin(np.where(there, laid.middle, np.nan)),
        np.nanargmax(np.where(there, laid.middle, np.nan)),
    ):
        i, j = np.unravel_index(int(at), laid.middle.shape)
        place = ", ".join(label(k) for k in (*laid.rows[i], *laid.columns[j]))
        ends.append(f"{number(laid.middle[i, j], laid.value)} ({place})")
    return f"Median {UNITS.get(laid.value, laid.value)} from {ends[0]} to {ends[1]}."
