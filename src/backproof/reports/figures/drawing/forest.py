"""Differences as marks with their intervals, line by line, the margin shaded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from backproof.reports.axes import Key, keys_of
from backproof.reports.figures.drawing.frame import Frame
from backproof.reports.figures.drawing.grid import new_grid, stack_grid
from backproof.reports.figures.drawing.measure import broken, tallest, width_of
from backproof.reports.figures.drawing.style import COLOURS, SCREEN, Sheet, styled
from backproof.reports.forest import SEVERE, Beside, Forest, Harm
from backproof.reports.labels import Labels, shipped

LINE, WIDTH, PANEL = 15.0, 420.0, 160.0
"""Points down that a line takes, across a figure of one panel, and for each further panel."""

LOOKS = {
    Harm.BETTER: ("^", COLOURS[7]),
    Harm.HARMLESS: ("o", COLOURS[2]),
    Harm.MILD: ("D", COLOURS[1]),
    Harm.SEVERE: ("s", COLOURS[3]),
    Harm.UNDECIDED: ("x", "#666666"),
}
"""A mark and a colour for each class: either tells them apart."""

SHADE = "#E2E2E2"


def draw_forest(
    forest: Forest, beside: Beside, title: str, *, sheet: Sheet = SCREEN, labels: Labels | None = None
) -> Figure:
    """Lines in the order of their mean over all panels; the scale is linear within the margin alone."""
    labels = labels or shipped()
    lines = _lines(forest)
    table = forest.table.sort_values(list(forest.facet), kind="stable") if forest.facet else forest.table
    panels, panel_of = keys_of(table, forest.facet)
    width = 72 * sheet.width if sheet.width else WIDTH + PANEL * (len(panels) - 1)
    names = [_name(labels, forest.rows, key, sheet, 0.35 * width) for key in lines]
    line = max(LINE if sheet.width is None else 9.0, tallest(names, sheet.small) + 1)
    with styled(sheet):
        frame = Frame(sheet, width)
        grid = new_grid(frame, 1, len(panels))
        ends = _ends(forest.table, beside.effect)
        for k, axes in enumerate(grid.flat):
            _draw_panel(axes, table[panel_of == k], forest.rows, lines, beside.effect)
            _scale(axes, ends, beside.effect)
            axes.set_yticks(range(len(lines)), names if axes is grid.flat[0] else [""] * len(lines))
            axes.set_ylim(len(lines) - 0.4, -0.6)
            axes.tick_params(axis="y", length=0)
        frame.legend(_handles(forest.table, beside.effect), most=3)
        frame.remark(
            f"Difference in {beside.value.text} from the reference, with its 95 % interval over seeds"
        )
        titles = [labels.settings(dict(zip(forest.facet, panel, strict=True))) for panel in panels]
        headings = np.array([titles], object)
        stack_grid(frame, grid, [line * max(len(lines), 3)], headings)
        for axes in grid.flat:
            _mark_differences(axes, beside.effect, sheet.small)
        return frame.finish(title)


def _lines(forest: Forest) -> list[Key]:
    """The keys of the lines, those with the least mean over the panels first."""
    means = forest.table.groupby(list(forest.rows), sort=False, dropna=False)["mean"].mean().sort_values()
    return [key if isinstance(key, tuple) else (key,) for key in means.index]


def _name(labels: Labels, axes: Sequence[str], key: Key, sheet: Sheet, room: float) -> str:
    return broken(", ".join(map(labels.value, axes, key)), sheet.small, room)


def _draw_panel(
    axes: Axes, table: pd.DataFrame, rows: Sequence[str], lines: Sequence[Key], margin: float
) -> None:
    axes.axvspan(-margin, margin, color=SHADE, zorder=0, linewidth=0)
    axes.axvline(0, color="#444444", linewidth=0.8, zorder=1)
    at = {key: i for i, key in enumerate(lines)}
    for i in range(1, len(lines), 2):
        axes.axhspan(i - 0.5, i + 0.5, color="#000000", alpha=0.03, zorder=0, linewidth=0)
    for record in table.to_dict("records"):
        y = at[tuple(record[axis] for axis in rows)]
        mark, colour = LOOKS[Harm(record["class"])]
        axes.plot([record["low"], record["high"]], [y, y], color=colour, linewidth=1.6, zorder=2)
        axes.plot(record["mean"], y, mark, color=colour, markersize=4.5, zorder=3)


def _ends(table: pd.DataFrame, margin: float) -> tuple[float, float]:
    low = float(np.nanmin([table["low"].min(), table["mean"].min(), -2 * margin]))
    high = float(np.nanmax([table["high"].max(), table["mean"].max(), 2 * margin]))
    return 1.15 * low, 1.15 * high


def _scale(axes: Axes, ends: tuple[float, float], margin: float) -> None:
    """Linear within the margin and logarithmic beyond it, so that small and large losses are seen."""
    axes.set_xscale("symlog", linthresh=margin, linscale=1.0)
    axes.set_xlim(*ends)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _signed(x)))


def _signed(x: float) -> str:
    return f"{x:+.2g}".replace("-", "−") if x else "0"


def _mark_differences(axes: Axes, margin: float, size: float) -> None:
    """Ticks at 0, the margin and its multiples, without those that have no room beside a more telling one."""
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes that are drawn have one"
    low, high = axes.get_xlim()
    kept: list[tuple[float, float, float]] = []
    for tick in (0.0, *(sign * margin * f for f in (1, SEVERE**2, SEVERE) for sign in (-1, 1))):
        if low <= tick <= high:
            at = axes.transData.transform((tick, 0))[0] * 72 / figure.dpi
            half = width_of(_signed(tick), size) / 2 + 1.5
            if all(at + half <= left or at - half >= right for _, left, right in kept):
                kept.append((tick, at - half, at + half))
    axes.xaxis.set_major_locator(FixedLocator(sorted(tick for tick, _, _ in kept)))


def _handles(table: pd.DataFrame, margin: float) -> list[Artist]:
    words = {
        Harm.BETTER: f"better by {margin:g} or more",
        Harm.HARMLESS: f"harmless: within ±{margin:g}",
        Harm.MILD: f"mild: worse by {margin:g} or more",
        Harm.SEVERE: f"severe: worse by {SEVERE * margin:g} or more",
        Harm.UNDECIDED: "underpowered: on both sides of a margin",
    }
    there = set(table["class"])
    marks: list[Artist] = [
        Line2D([], [], color=colour, marker=mark, markersize=4.5, linewidth=1.6, label=words[harm])
        for harm, (mark, colour) in LOOKS.items()
        if harm in there
    ]
    return [*marks, Patch(color=SHADE, label=f"the margin, ±{margin:g}")]
