"""Training curves: replicates as a line with its range."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backproof.reports.figures.drawing.frame import Frame
from backproof.reports.figures.drawing.grid import new_grid, stack_grid
from backproof.reports.figures.drawing.measure import wrapped
from backproof.reports.figures.drawing.style import (
    COLOURS,
    DASHES,
    SCREEN,
    Sheet,
    line_handles,
    plain_decades,
    styled,
)
from backproof.reports.series import TRAINING, Curves, Series

MOST_LINES, MOST_PANELS = len(DASHES), 6

PANEL_WIDTH, PANEL_HEIGHT = 200.0, 112.0
"""Points across and down that a panel has where the sheet leaves it to the content."""

NARROWEST = 92.0
"""A panel of a sheet of a given width; where more would stand side by side, they begin a new line."""


def draw_curves(curves: Curves, title: str, sheet: Sheet = SCREEN) -> Figure | None:
    """A row of panels per series: the median over replicates and their range. None if there is nothing."""
    long = curves.long
    long = long[long["line"].isin(long["line"].cat.categories[:MOST_LINES])]
    panels = list(long["panel"].cat.categories)[:MOST_PANELS]
    series = [s for s in TRAINING if (long["series"] == s.name).any()]
    lines = [c for c in long["line"].cat.categories if (long["line"] == c).any()]
    if not series or not panels:
        return None
    width = 72 * sheet.width if sheet.width else 90 + PANEL_WIDTH * len(panels)
    across = min(len(panels), max(1, int((width - 40) / NARROWEST)))
    height = min(PANEL_HEIGHT, 0.8 * width / across)
    with styled(sheet, grid=True):
        frame = Frame(sheet, width)
        if curves.line_axes:
            frame.legend(line_handles([curves.names[line] for line in lines]), title=curves.line_axes)
        starts = range(0, len(panels), across)
        for start in reversed(starts):
            here = panels[start : start + across]
            grid = new_grid(frame, len(series), across)
            for (i, j), axes in np.ndenumerate(grid):
                if j >= len(here):
                    axes.remove()
                    grid[i, j] = None
                    continue
                shown = long[(long["series"] == series[i].name) & (long["panel"] == here[j])]
                draw_lines(axes, shown, "step", lines)
                _name(axes, series[i], shown, height, first=j == 0, last=i == len(series) - 1)
            _share_scales(grid)
            names = np.full(grid.shape, None, object)
            if len(panels) > 1:
                names[0, : len(here)] = [curves.names[panel] for panel in here]
            stack_grid(frame, grid, [height] * len(series), names, first_letter=start * len(series))
        return frame.finish(title)


def _name(axes: Axes, series: Series, long: pd.DataFrame, height: float, *, first: bool, last: bool) -> None:
    if series.log and len(long) and long["value"].min() > 0:
        axes.set_yscale("log")
        plain_decades(axes.yaxis)
    size = axes.yaxis.label.get_fontsize()
    axes.set_ylabel(wrapped(series.title, float(size), height) if first else "")
    axes.set_xlabel("step" if last else "")
    axes.tick_params(labelleft=first, labelbottom=last)


def _share_scales(grid: np.ndarray) -> None:
    """One scale along each row and down each column."""
    for row in grid:
        shown = [axes for axes in row if axes is not None]
        log = all(axes.get_yscale() == "log" for axes in shown)
        limits = [axes.get_ylim() for axes in shown]
        for axes in shown:
            if not log and axes.get_yscale() == "log":
                axes.set_yscale("linear")
            axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    shown = [axes for axes in grid.flat if axes is not None]
    ends = [axes.get_xlim() for axes in shown]
    for axes in shown:
        axes.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))


def draw_lines(axes: Axes, long: pd.DataFrame, x: str, lines: list[str]) -> None:
    """A line with its range per `line`, distinguished by colours and strokes."""
    if not len(long):
        return
    count = len(lines)
    summary = long.groupby(["line", x], observed=True)["value"].agg(["median", "min", "max"]).reset_index()
    sns.lineplot(
        summary, x=x, y="median", hue="line", style="line", hue_order=lines, style_order=lines,
        palette=list(COLOURS[:count]), dashes=DASHES[:count], estimator=None, linewidth=1.3, legend=False,
        ax=axes,
    )  # fmt: skip
    for line, colour in zip(lines, COLOURS, strict=False):  # seaborn's own ranges take ten times as long
        here = summary[summary["line"] == line]
        if (here["min"] < here["max"]).any():
            axes.fill_between(here[x], here["min"], here["max"], color=colour, alpha=0.15, linewidth=0)
