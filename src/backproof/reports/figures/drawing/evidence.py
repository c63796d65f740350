"""Evidence drawn: the error against the step, and the error of every weight as a map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from backproof.files import csv, write
from backproof.reports.figures.drawing.lines import MOST_LINES, draw_lines
from backproof.reports.figures.drawing.style import entitle, name_lines, plain_decades, rendered, styled
from backproof.reports.series import matrices
from backproof.verdicts.evidence import STEPS

MOST_MAPS = 6
EXCESS = LogNorm(1e-3, 1e6, clip=True)
"""|a − n| / bound in every map: 1 is where agreement ends."""

LEAST = 1e-17
"""Where an error of zero stands on a log scale."""


def draw_steps(long: pd.DataFrame, title: str, *, named: bool) -> Figure | None:
    """The gradient error against the step, one line per case, beside the slopes of round-off and truncation.

    Args:
        long: columns line, step (an exponent of two) and value.
        named: whether the lines have a legend.
    """
    long = long[np.isfinite(long["value"])]
    lines = list(dict.fromkeys(long["line"]))[:MOST_LINES]
    if not lines:
        return None
    with styled(grid=True):
        figure = Figure(figsize=(6.6, 4.0), layout="constrained")
        axes = figure.subplots()
        shown = long[long["line"].isin(lines)]
        shown = shown.assign(h=2.0 ** shown["step"].astype(float), value=shown["value"].clip(lower=LEAST))
        draw_lines(axes, shown, "h", lines)
        axes.set(xscale="log", yscale="log", ylim=(LEAST, 3))
        plain_decades(axes.xaxis)
        plain_decades(axes.yaxis)
        axes.set_xlabel("step h of a central difference")
        axes.set_ylabel("gradient error ‖a − n‖ / (‖a‖ + ‖n‖)")
        _guides(axes, float(shown["h"].min()), float(shown["h"].max()))
        if named:
            name_lines(figure, lines, 2)
        entitle(figure, title)
        return figure


def _guides(axes: Axes, smallest: float, largest: float) -> None:
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


def draw_map(maps: Mapping[str, NDArray[np.float64]], title: str) -> Figure:
    """|analytic − numerical| / bound of every weight, a panel per layer, biases in the last column."""
    named = list(maps.items())[:MOST_MAPS]
    with styled():
        widths = [min(max(a.shape[1], 12), 70) for _, a in named]
        tallest = max(a.shape[0] for _, a in named)
        size = (1.6 + 0.085 * sum(widths), min(1.4 + 0.055 * max(tallest, 24), 7.5))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(1, len(named), squeeze=False, width_ratios=widths)[0]
        for axes, (name, values) in zip(grid, named, strict=True):
            sns.heatmap(
                values, norm=EXCESS, vmin=EXCESS.vmin, vmax=EXCESS.vmax, cmap="cividis", ax=axes,
                cbar=axes is grid[-1], cbar_kws={"label": "|a − n| / bound"},
                xticklabels=False, yticklabels=False, rasterized=True,
            )  # fmt: skip
            rows, columns = values.shape
            axes.set_title(f"{name}, {rows} × {columns - 1} and bias", fontsize=8)
            axes.set_xlabel("input, bias last")
            axes.set_ylabel("unit" if axes is grid[0] else "")
            axes.axvline(columns - 1, color="white", linewidth=0.8)
        plain_decades(grid[-1].collections[0].colorbar.ax.yaxis)
        entitle(figure, title)
        return figure


def write_evidence(
    folder: Path,
    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    parameters: pd.DataFrame,
) -> list[Path]:
    """Draw one case's evidence into a folder, as SVG, PNG and CSV; returns the files.

    `parameters` has one row for each.
    """
    if not curves:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    exponents, errors = curves[STEPS]
    long = pd.DataFrame({"line": "this case", "step": exponents, "value": errors})
    maps = matrices({series: values for series, (_, values) in curves.items()})
    drawn = {
        "error-against-step": draw_steps(long, "Gradient error against the step", named=False),
        "error-of-weights": draw_map(maps, "Error of every weight") if maps else None,
    }
    contents = {
        f"{stem}.{ending}": rendered(figure, ending)
        for stem, figure in drawn.items()
        if figure is not None
        for ending in ("svg", "png")
    }
    contents["error-against-step.csv"] = csv(
        long.assign(h=2.0 ** long["step"].astype(float)).drop(columns="line")
    )
    contents["parameters.csv"] = csv(parameters)
    for name, content in contents.items():
        write(folder / name, content)
    return [folder / name for name in contents]
