"""Evidence drawn: the error against the step, and the error of every weight as a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from backproof.files import csv, write
from backproof.reports.curves import DASHES, MOST_LINES, name_lines
from backproof.reports.heatmaps import STYLE, plain_decades, rendered
from backproof.verdicts.evidence import MAP, STEPS

MOST_MAPS = 6
EXCESS = LogNorm(1e-3, 1e6, clip=True)
"""|a − n| / budget in every map: 1 is where agreement ends."""


def steps_figure(long: pd.DataFrame, title: str, named: str) -> Figure | None:
    """The gradient error against the step, a line a case, beside the slopes of round-off and truncation.

    Args:
        long: columns line, step (an exponent of two) and value.
        named: the axes that tell the lines apart, for the legend; empty for one line.
    """
    long = long[np.isfinite(long["value"])]
    lines = list(dict.fromkeys(long["line"]))[:MOST_LINES]
    if not lines:
        return None
    with mpl.rc_context({**STYLE, "axes.grid": True, "grid.color": "#E5E5E5"}):
        figure = Figure(figsize=(6.6, 4.0), layout="constrained")
        axes = figure.subplots()
        shown = long[long["line"].isin(lines)].assign(h=lambda d: 2.0 ** d["step"].astype(float))
        shown = shown.assign(value=shown["value"].clip(lower=1e-17))
        sns.lineplot(
            shown, x="h", y="value", hue="line", style="line", hue_order=lines, style_order=lines,
            palette="colorblind", dashes=DASHES[: len(lines)], estimator="median", errorbar=("pi", 100),
            linewidth=1.5, err_kws={"alpha": 0.15, "linewidth": 0}, legend=False, ax=axes,
        )  # fmt: skip
        axes.set(xscale="log", yscale="log", ylim=(1e-17, 3))
        plain_decades(axes.xaxis)
        plain_decades(axes.yaxis)
        axes.set_xlabel("step h of a central difference")
        axes.set_ylabel("gradient error ‖a − n‖ / (‖a‖ + ‖n‖)")
        _guides(axes, float(shown["h"].min()), float(shown["h"].max()))
        if named:
            name_lines(figure, lines, 2)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
        return figure


def _guides(axes: Any, smallest: float, largest: float) -> None:
    """Where the error would lie if it were round-off alone, u/h, or truncation alone, h²."""
    h = np.geomspace(smallest, largest, 50)
    unit = 2 * smallest  # the smallest step is one unit of the precision's last place at 1
    # Labels stand where there are no curves: below them.
    for values, text, anchor in (
        (unit / h / 4, "slope −1: round-off ", 0.82),
        (h**2 / 6, "slope +2: truncation ", 0.6),
    ):
        axes.plot(h, values, color="#777777", linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
        at = (h[int(anchor * len(h))], values[int(anchor * len(h))])
        axes.annotate(
            text, at, fontsize=7, color="#555555", xytext=(-2, -8), textcoords="offset points", ha="right"
        )


def map_figure(maps: Mapping[str, np.ndarray[Any, Any]], title: str) -> Figure | None:
    """|analytic − numeric| / budget of every weight of a case, a panel a layer, biases in the last column."""
    named = list(maps.items())[:MOST_MAPS]
    if not named:
        return None
    with mpl.rc_context(STYLE):
        widths = [min(max(a.shape[1], 12), 70) for _, a in named]
        tallest = max(a.shape[0] for _, a in named)
        size = (1.6 + 0.085 * sum(widths), min(1.4 + 0.055 * max(tallest, 24), 7.5))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(1, len(named), squeeze=False, width_ratios=widths)[0]
        for axes, (name, values) in zip(grid, named, strict=True):
            sns.heatmap(
                values, norm=EXCESS, vmin=EXCESS.vmin, vmax=EXCESS.vmax, cmap="cividis", ax=axes,
                cbar=axes is grid[-1], cbar_kws={"label": "|a − n| / budget"},
                xticklabels=False, yticklabels=False, rasterized=True,
            )  # fmt: skip
            if axes is grid[-1]:
                plain_decades(axes.collections[0].colorbar.ax.yaxis)
            rows, columns = values.shape
            axes.set_title(f"{name}, {rows} × {columns - 1} and bias", fontsize=8)
            axes.set_xlabel("input, bias last")
            axes.set_ylabel("unit" if axes is grid[0] else "")
            axes.axvline(columns - 1, color="white", linewidth=0.8)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
        return figure


def maps_of(curves: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Series named as `error of W1 (100 units)`, flat values each, as matrices by tensor."""
    maps = {}
    for series, values in curves.items():
        match = MAP.fullmatch(series)
        if match:
            maps[match["tensor"]] = np.asarray(values, float).reshape(int(match["units"]), -1)
    return maps


def write_evidence(
    folder: Path, curves: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]]
) -> list[Path]:
    """Draw one case's evidence into a folder, as SVG, PNG and CSV; returns the files.

    `parameters` are records, a line each in parameters.csv.
    """
    if not curves:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    exponents, errors = curves[STEPS]
    long = pd.DataFrame({"line": "this case", "step": exponents, "value": errors})
    drawn = {"error-against-step": steps_figure(long, "Error against the step", "")}
    maps = maps_of({series: values for series, (_, values) in curves.items()})
    drawn["error-of-weights"] = map_figure(maps, "Error of every weight")
    written = []
    for stem, figure in drawn.items():
        for ending in ("svg", "png"):
            if figure is not None:
                path = folder / f"{stem}.{ending}"
                write(path, rendered(figure, ending))
                written.append(path)
    table = folder / "error-against-step.csv"
    write(table, csv(long.assign(h=2.0 ** long["step"].astype(float)).drop(columns="line")))
    of_parameters = folder / "parameters.csv"
    write(of_parameters, csv(pd.DataFrame(parameters)))
    return [*written, table, of_parameters]
