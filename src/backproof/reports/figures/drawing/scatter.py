"""Gradient error against convergence: coincident cells as one mark with an area by their number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from backproof.reports.figures.drawing.frame import Frame
from backproof.reports.figures.drawing.grid import new_grid, stack_grid
from backproof.reports.figures.drawing.measure import wrapped
from backproof.reports.figures.drawing.style import (
    SCREEN,
    Sheet,
    plain_decades,
    styled,
)
from backproof.sweeps.columns import Column
from backproof.verdicts.verdict import RIGHT, Verdict

LEAST = 1e-17
NOT_FINITE = 10.0
"""Where a gradient error of zero stands on a log scale, and one that is not finite."""

MARKERS = ("o", "X", "s", "D", "^", "v", "P", "<", ">", "*", "h", "p", "d")
"""Of verdicts, in their order."""

ACROSS, DOWN = 54, 36
"""Cells that fall into one field of such a grid over the panel are one mark."""

AREA, MOST = 9.0, 400.0
"""Of a mark of one cell in square points, and the largest; between, it grows by the number."""

BINS = 25

SIZE = (500.0, 230.0)
"""Points across the figure and down its panel, where the sheet leaves it to the content."""

INCORRECT = "#CC4C0D"
RIGHT_ONES = "#17915D"


def coincident(x: pd.Series, y: pd.Series, verdict: pd.Series, *, log_y: bool) -> pd.DataFrame:
    """Cells of a verdict in one field of a grid as one mark at their mean: x, y, verdict, their number n."""
    table = pd.DataFrame({"x": np.log10(x), "y": np.log10(y) if log_y else y, "verdict": verdict}).dropna()
    fields = [_field(table["x"], ACROSS), _field(table["y"], DOWN), table["verdict"].astype(str)]
    groups = table.groupby(fields, sort=True)
    marks = groups[["x", "y"]].mean().assign(n=groups.size(), verdict=groups["verdict"].first())
    marks = marks.reset_index(drop=True)
    return marks.assign(x=10 ** marks["x"], y=10 ** marks["y"] if log_y else marks["y"])


def _field(values: pd.Series, count: int) -> pd.Series:
    low, high = float(values.min()), float(values.max())
    return ((values - low) / ((high - low) or 1.0) * count).round()


def draw_scatter(
    cells: pd.DataFrame, error: Column, against: Column, title: str, sheet: Sheet = SCREEN
) -> Figure:
    """Marks on a logarithmic scale of errors; at the right, how right gradients and others are spread."""
    shown = cells.assign(x=cells[error.name].fillna(NOT_FINITE).clip(LEAST, NOT_FINITE).astype(float))
    values = shown[against.name].astype(float)
    log_y = against.scale != "share" and bool((values.dropna() > 0).all()) and values.notna().any()
    marks = coincident(shown["x"], values, shown["verdict"], log_y=bool(log_y))
    width = 72 * sheet.width if sheet.width else SIZE[0]
    height = min(SIZE[1], 0.62 * width)
    with styled(sheet, grid=True):
        frame = Frame(sheet, width)
        grid = new_grid(frame, 1, 2)
        axes, margin = grid.flat
        area = area_of(int(marks["n"].max()) if len(marks) else 1)
        handles = [*_draw_marks(axes, marks, area), *_sizes(marks, area)]
        _scale(axes, error, against, marks, log_y=bool(log_y))
        axes.set_ylabel(wrapped(against.unit, sheet.base, height))
        axes.set_xlabel(wrapped(error.unit, sheet.base, 0.55 * width))
        handles += _draw_margin(margin, axes, values, shown["verdict"], log_y=bool(log_y))
        frame.legend(handles, most=4)
        stack_grid(frame, grid, [height], shares=[3.2, 1.0])
        return frame.finish(title)


def area_of(most: int) -> float:
    """Square points for each cell, so that the largest mark hides no more than it must."""
    return min(AREA, MOST / most)


def _draw_marks(axes: Axes, marks: pd.DataFrame, area: float) -> list[Artist]:
    """The marks of each verdict, the largest first; returns the legend's entries."""
    handles: list[Artist] = []
    for marker, verdict in zip(MARKERS, Verdict, strict=True):
        here = marks[marks["verdict"] == verdict].sort_values("n", ascending=False)
        if here.empty:
            continue
        look: dict[str, Any] = {
            "marker": marker,
            "linewidth": 0.4,
            "edgecolor": "white",
            "color": verdict.colour,
        }
        axes.scatter(here["x"], here["y"], s=np.maximum(here["n"] * area, 4.0), alpha=0.85, zorder=2, **look)
        handles.append(
            Line2D([], [], linestyle="none", marker=marker, color=verdict.colour, markersize=5, label=verdict)
        )
    return handles


def _sizes(marks: pd.DataFrame, area: float) -> list[Artist]:
    """Entries for the numbers of cells that marks stand for."""
    most = int(marks["n"].max()) if len(marks) else 1
    counts = [n for n in (1, 10, 100, 1000, 10_000) if n <= most]
    return [
        Line2D(
            [], [], linestyle="none", marker="o", color="#888888", markersize=max(n * area, 4.0) ** 0.5,
            label=f"{n:,} cell{'s' if n > 1 else ''}",
        )
        for n in counts
    ] if most > 1 else []  # fmt: skip


def _scale(axes: Axes, error: Column, against: Column, marks: pd.DataFrame, *, log_y: bool) -> None:
    axes.set_xscale("log")
    axes.set_xlim(LEAST / 3, NOT_FINITE * 6)
    axes.set_xticks([1e-16, 1e-12, 1e-8, 1e-4, 1], ["1e-16", "1e-12", "1e-8", "1e-4", "1"])
    axes.minorticks_off()
    if log_y:
        axes.set_yscale("log")
        plain_decades(axes.yaxis)
    if against.scale == "share":
        axes.set_ylim(-0.03, 1.03)
    if (marks["x"] >= NOT_FINITE * 0.99).any():
        _name_not_finite(axes, error)


def _name_not_finite(axes: Axes, error: Column) -> None:
    """Beneath the ticks, where errors that are no numbers are drawn."""
    size = float(axes.xaxis.label.get_fontsize())
    axes.annotate(
        error.null, (NOT_FINITE, 0), (0, -1.9 * size), xycoords=("data", "axes fraction"),
        ha="center", va="top", textcoords="offset points", annotation_clip=False, size=0.85 * size,
        arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip
    axes.xaxis.labelpad = 1.5 * size


def _draw_margin(
    margin: Axes, axes: Axes, values: pd.Series, verdicts: pd.Series, *, log_y: bool
) -> list[Artist]:
    """Shares of right gradients and of others along the vertical axis; returns the legend's entries."""
    low, high = axes.get_ylim()
    bins = np.geomspace(low, high, BINS + 1) if log_y else np.linspace(low, high, BINS + 1)
    right, handles = verdicts.isin(RIGHT), list[Artist]()
    for name, chosen, colour, dashes in (
        ("right gradients", right, RIGHT_ONES, "-"), ("others", ~right, INCORRECT, (0, (3, 1.2))),
    ):  # fmt: skip
        found = values[chosen].dropna()
        if len(found):
            counts, _ = np.histogram(found, bins)
            look: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 1.1}
            margin.stairs(counts / len(found), bins, orientation="horizontal", **look)
            handles.append(Line2D([], [], label=name, **look))
    margin.set_yscale(axes.get_yscale())
    margin.set_ylim(low, high)
    margin.tick_params(labelleft=False, which="both")
    margin.set_xlim(left=0)
    margin.set_xlabel("share of\ncells")
    return handles
