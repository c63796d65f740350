"""Evidence drawn: the error against the step, and the error of every weight as a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from backproof.files import csv, write
from backproof.reports.figures.drawing.colours import COLOURS, Scale
from backproof.reports.figures.drawing.frame import GAP, Frame
from backproof.reports.figures.drawing.grid import new_grid, stack_grid
from backproof.reports.figures.drawing.lines import MOST_LINES, draw_lines
from backproof.reports.figures.drawing.measure import wrapped
from backproof.reports.figures.drawing.scales import bar_beneath
from backproof.reports.figures.drawing.style import (
    SCREEN,
    Sheet,
    line_handles,
    plain_decades,
    rendered,
    styled,
)
from backproof.reports.series import Curves, matrices
from backproof.verdicts.evidence import STEPS

MOST_MAPS = 6
STEPS_SIZE = (460.0, 230.0)
"""Points across the figure of steps and down its panel, where the sheet leaves it to the content."""

LEAST = 1e-17
"""Where an error of zero stands on a log scale."""


def draw_steps(curves: Curves, title: str, sheet: Sheet = SCREEN) -> Figure | None:
    """The gradient error against the step, a line per case, beside the slopes of round-off and truncation."""
    long = curves.long[np.isfinite(curves.long["value"])]
    lines = list(dict.fromkeys(long["line"]))[:MOST_LINES]
    if not lines:
        return None
    width = 72 * sheet.width if sheet.width else STEPS_SIZE[0]
    height = min(STEPS_SIZE[1], 0.7 * width)
    with styled(sheet, grid=True):
        frame = Frame(sheet, width)
        (axes,) = (grid := new_grid(frame, 1, 1)).flat
        shown = long[long["line"].isin(lines)]
        shown = shown.assign(h=2.0 ** shown["step"].astype(float), value=shown["value"].clip(lower=LEAST))
        draw_lines(axes, shown, "h", lines)
        axes.set(xscale="log", yscale="log", ylim=(LEAST, 3))
        plain_decades(axes.xaxis)
        plain_decades(axes.yaxis)
        axes.set_xlabel(wrapped("step h of a central difference", sheet.base, 0.7 * width))
        axes.set_ylabel(wrapped("gradient error ‖a − n‖ / (‖a‖ + ‖n‖)", sheet.base, height))
        guides = _guides(axes, float(shown["h"].min()), float(shown["h"].max()))
        named = line_handles([curves.names[line] for line in lines]) if curves.line_axes else []
        frame.legend([*named, *guides], title=curves.line_axes, most=3)
        stack_grid(frame, grid, [height])
        return frame.finish(title)


def _guides(axes: Axes, smallest: float, largest: float) -> list[Line2D]:
    """Where the error would lie if it were round-off alone, u/h, or truncation alone, h²."""
    h = np.geomspace(smallest, largest, 50)
    unit = 2 * smallest  # the smallest step is one unit of the precision's last place at 1
    look: dict[str, Any] = {"color": "#777777", "linewidth": 0.8, "zorder": 0}
    return [
        *axes.plot(h, unit / h / 4, linestyle=(0, (1, 2)), label="slope −1: round-off", **look),
        *axes.plot(h, h**2 / 6, linestyle=(0, (5, 3)), label="slope +2: truncation", **look),
    ]


def draw_map(maps: Mapping[str, NDArray[np.float64]], title: str, sheet: Sheet = SCREEN) -> Figure:
    """|analytic − numerical| / bound of every weight, a panel per layer, biases in the last column.

    Colours run as far below the bound as above it; what is farther off has the colour of the end.
    """
    named = list(maps.items())[:MOST_MAPS]
    scale = scale_of_excess(named)
    wide = [min(max(a.shape[1], 12), 70) for _, a in named]
    width = 72 * sheet.width if sheet.width else min(max(330.0, 60 + 6.2 * sum(wide)), 620.0)
    across = 1 if width < 90 * len(named) else len(named)
    tallest = max(a.shape[0] for _, a in named)
    with styled(sheet):
        frame = Frame(sheet, width)
        frame.remark("" if scale.extend == "neither" else "values beyond the ends have the colour of the end")
        bar_beneath(frame, scale, "|analytic − numerical| / bound; agreement ends at 1", 30.0)
        groups = [named] if across > 1 else [[entry] for entry in named]
        for k, group in reversed(list(enumerate(groups))):
            grid = new_grid(frame, 1, len(group))
            for axes, (_, values) in zip(grid.flat, group, strict=True):
                _draw_matrix(axes, values, scale, first=axes is grid.flat[0])
            headings = np.array([[_shape_of(name, values) for name, values in group]], object)
            height = min(100.0 + 1.6 * max(tallest - 24, 0), 300.0) * (1 if across > 1 else 0.6)
            shares = [min(max(a.shape[1], 12), 70) for _, a in group]
            stack_grid(frame, grid, [height], headings, shares=shares, first_letter=k)
            frame.height += GAP
        return frame.finish(title)


def _shape_of(name: str, values: NDArray[np.float64]) -> str:
    rows, columns = values.shape
    return f"{name}, {rows} × {columns - 1} and bias"


def _draw_matrix(axes: Axes, values: NDArray[np.float64], scale: Scale, *, first: bool) -> None:
    rows, columns = values.shape
    axes.pcolormesh(
        np.ma.masked_invalid(values), norm=scale.norm, cmap=scale.colours, rasterized=True, linewidth=0
    )
    axes.set(xlim=(0, columns), ylim=(rows, 0), xlabel="input, bias last", ylabel="unit" if first else "")
    axes.set_xticks([0.5, columns - 0.5], ["1", "b"])
    axes.set_yticks([0.5, rows - 0.5] if rows > 1 else [0.5], ["1", str(rows)] if rows > 1 else ["1"])
    axes.tick_params(length=2, pad=2)
    axes.axvline(columns - 1, color="white", linewidth=0.8)


def scale_of_excess(named: Sequence[tuple[str, NDArray[np.float64]]]) -> Scale:
    """Colours of the excess: logarithmic about 1, as far as 98 of 100 parameters that are not zero reach."""
    values = np.concatenate([values.ravel() for _, values in named])
    finite = values[np.isfinite(values) & (values > 0)]
    reach = np.quantile(np.abs(np.log10(finite)), 0.98) if finite.size else 1.0
    decades = float(np.clip(np.ceil(reach), 1, 16))
    norm = LogNorm(10.0**-decades, 10.0**decades, clip=True)
    known = values[~np.isnan(values)]
    return Scale(
        mpl.colormaps[COLOURS], norm, (bool((known < norm.vmin).any()), bool((known > norm.vmax).any()))
    )


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
    one = Curves(long, {"this case": "this case"})
    drawn = {
        "error-against-step": draw_steps(one, "Gradient error against the step"),
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
