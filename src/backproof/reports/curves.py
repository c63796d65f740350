"""Training curves: loss and accuracy along the run, replicates as a line with its range."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from backproof.reports.heatmaps import STYLE, plain_decades
from backproof.reports.tables import expand_nulls, in_order, label

SERIES = {
    "loss": "training loss per sample",
    "accuracy": "training accuracy",
    "cosine": "cosine to the exact gradient",
}
"""The curves that are drawn, a row each."""

MOST_LINES, MOST_PANELS = 8, 6
DASHES = [(), (4, 1.5), (1, 1), (3, 1, 1, 1), (6, 2), (2, 2), (5, 1, 1, 1, 1, 1), (8, 2)]
"""The lines of a figure by their strokes, for print."""

MOST_POINTS = 200
"""Beyond so many steps, only every so many-th is drawn."""


def join(
    cells: pd.DataFrame,
    curves: pa.Table,
    hue: Sequence[str],
    columns: Sequence[str],
    series: Collection[str] = tuple(SERIES),
) -> pd.DataFrame:
    """The curves of these cells, long: series, step, value, line, panel."""
    cells = expand_nulls(expand_nulls(cells[cells["status"] == "ok"], list(hue)), list(columns))
    chosen = curves.filter(pc.is_in(curves["cell"], value_set=pa.array(cells["cell"].unique())))
    long = chosen.to_pandas()
    long = long[long["series"].isin(series) & np.isfinite(long["value"])]
    stride = max(1, int(long["step"].max() + 1) // MOST_POINTS) if len(long) else 1
    long = long[(long["series"] == "cosine") | (long["step"] % stride == 0)]
    places = cells[["cell"]].assign(line=_names(cells, hue), panel=_names(cells, columns))
    return places.merge(long, on="cell")


def _names(cells: pd.DataFrame, axes: Sequence[str]) -> pd.Categorical[Any]:
    """A name for each cell's place along some axes, ordered axis by axis."""
    if not axes:
        return pd.Categorical(["all"] * len(cells))
    orders = [{v: i for i, v in enumerate(in_order(cells[a]))} for a in axes]
    keys = [
        tuple(None if pd.isna(v) else v for v in row)
        for row in cells[list(axes)].itertuples(index=False, name=None)
    ]
    ranked = sorted(set(keys), key=lambda k: tuple(o[v] for o, v in zip(orders, k, strict=True)))

    def name(key: tuple[object, ...]) -> str:
        return ", ".join(f"{a}={label(v)}" for a, v in zip(axes, key, strict=True))

    return pd.Categorical([name(k) for k in keys], [name(k) for k in ranked])


def draw(long: pd.DataFrame, title: str, hue: Sequence[str]) -> Figure | None:
    """A row of panels a series: the median over replicates and their range. None if there is nothing."""
    long = long[long["line"].isin(long["line"].cat.categories[:MOST_LINES])]
    panels = list(long["panel"].cat.categories)[:MOST_PANELS]
    series = [s for s in SERIES if (long["series"] == s).any()]
    lines = [c for c in long["line"].cat.categories if (long["line"] == c).any()]
    if not series or not panels:
        return None
    with mpl.rc_context({**STYLE, "axes.grid": True, "grid.color": "#E5E5E5"}):
        size = (1.2 + 3.1 * len(panels), 0.9 + 1.9 * len(series))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(series), len(panels), sharex=True, sharey="row", squeeze=False)
        for (i, j), axes in np.ndenumerate(grid):
            here = long[(long["series"] == series[i]) & (long["panel"] == panels[j])]
            sns.lineplot(
                here, x="step", y="value", hue="line", style="line", hue_order=lines, style_order=lines,
                palette="colorblind", dashes=DASHES[: len(lines)], estimator="median", errorbar=("pi", 100),
                linewidth=1.4, err_kws={"alpha": 0.15, "linewidth": 0}, legend=False, ax=axes,
            )  # fmt: skip
            if series[i] == "loss" and len(here) and here["value"].min() > 0:
                axes.set_yscale("log")
                plain_decades(axes.yaxis)
            axes.set_ylabel(SERIES[series[i]] if j == 0 else "")
            axes.set_xlabel("step" if i == len(series) - 1 else "")
            axes.set_title(panels[j] if i == 0 and len(panels) > 1 else "")
        if hue:
            name_lines(figure, lines, 4)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
        return figure


def name_lines(figure: Figure, lines: Sequence[str], across: int) -> None:
    """A legend below a figure: each line's colour and strokes, as `lineplot` draws them with DASHES."""
    colours = sns.color_palette("colorblind", len(lines))
    handles = [
        Line2D([], [], color=c, label=str(name), dashes=dash or (None, None), linewidth=1.6)
        for c, name, dash in zip(colours, lines, DASHES, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), across), frameon=False)
