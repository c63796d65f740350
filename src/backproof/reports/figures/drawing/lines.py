"""Training curves: replicates as a line with its range."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backproof.reports.figures.drawing.style import DASHES, entitle, name_lines, plain_decades, styled
from backproof.reports.series import TRAINING, Series

MOST_LINES, MOST_PANELS = 8, 6


def draw_curves(long: pd.DataFrame, title: str, *, named: bool) -> Figure | None:
    """A row of panels per series: the median over replicates and their range. None if there is nothing."""
    long = long[long["line"].isin(long["line"].cat.categories[:MOST_LINES])]
    panels = list(long["panel"].cat.categories)[:MOST_PANELS]
    series = [s for s in TRAINING if (long["series"] == s.name).any()]
    lines = [c for c in long["line"].cat.categories if (long["line"] == c).any()]
    if not series or not panels:
        return None
    with styled(grid=True):
        size = (1.2 + 3.1 * len(panels), 0.9 + 1.9 * len(series))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(series), len(panels), sharex=True, sharey="row", squeeze=False)
        for (i, j), axes in np.ndenumerate(grid):
            here = long[(long["series"] == series[i].name) & (long["panel"] == panels[j])]
            draw_lines(axes, here, "step", lines)
            _label(axes, series[i], here, first=j == 0)
            axes.set_xlabel("step" if i == len(series) - 1 else "")
            axes.set_title(panels[j] if i == 0 and len(panels) > 1 else "")
        if named:
            name_lines(figure, lines, 4)
        entitle(figure, title)
        return figure


def _label(axes: Axes, series: Series, long: pd.DataFrame, *, first: bool) -> None:
    if series.log and len(long) and long["value"].min() > 0:
        axes.set_yscale("log")
        plain_decades(axes.yaxis)
    axes.set_ylabel(series.title if first else "")


def draw_lines(axes: Axes, long: pd.DataFrame, x: str, lines: list[str]) -> None:
    """A line with its range per `line`, distinguished by colours and strokes."""
    sns.lineplot(
        long, x=x, y="value", hue="line", style="line", hue_order=lines, style_order=lines,
        palette="colorblind", dashes=DASHES[: len(lines)], estimator="median", errorbar=("pi", 100),
        linewidth=1.4, err_kws={"alpha": 0.15, "linewidth": 0}, legend=False, ax=axes,
    )  # fmt: skip
