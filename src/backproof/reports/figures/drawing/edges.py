"""Edges as intervals on the scale of their axis, by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from backproof.reports.edges import Edges, middles
from backproof.reports.figures.drawing.frame import Frame
from backproof.reports.figures.drawing.grid import new_grid, stack_grid
from backproof.reports.figures.drawing.measure import broken, height_of, tallest
from backproof.reports.figures.drawing.style import COLOURS, SCREEN, Sheet, plain_decades, styled
from backproof.reports.labels import Labels, shipped
from backproof.sweeps.refinement import Spacing

LINE, WIDTH = 22.0, 540.0
"""Points down that a group takes, and across the figure, where the sheet leaves it to the content."""

MARKERS = ("o", "D", "s", "^", "v", "P", "X", "<", ">")


def draw_edges(
    edges: Edges, table: pd.DataFrame, group: NDArray[np.intp], texts: Sequence[str], by: str, title: str,
    *, sheet: Sheet = SCREEN, labels: Labels | None = None,
) -> Figure:  # fmt: skip
    """An interval and a mark for each edge; hollow where the row's condition changes more than once."""
    labels = labels or shipped()
    width = 72 * sheet.width if sheet.width else WIDTH
    names = [broken(text, sheet.small, 0.4 * width) for text in texts]
    line = max(LINE if sheet.width is None else 12.0, tallest(names, sheet.small) + 2)
    with styled(sheet, grid=True):
        frame = Frame(sheet, width)
        (axes,) = (grid := new_grid(frame, 1, 1)).flat
        handles = _draw_intervals(axes, edges, table, group)
        if edges.spacing is Spacing.RATIO:
            axes.set_xscale("log")
            plain_decades(axes.xaxis)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel(labels.heading(edges.axis))
        frame.legend(handles, most=2)
        stack_grid(frame, grid, [line * max(len(names), 3)])
        over = broken(by, sheet.base, frame.room)
        frame.height += 2
        frame.text(4, frame.height, over, size=sheet.base, ha="left", va="bottom")
        frame.height += height_of(over, sheet.base)
        return frame.finish(title)


def _draw_intervals(axes: Axes, edges: Edges, table: pd.DataFrame, group: NDArray[np.intp]) -> list[Artist]:
    """The intervals and their marks; returns the legend's entries."""
    changes = (table["condition_below"] + " → " + table["condition_above"]).to_numpy(object)
    middle = middles(edges)[table.index.to_numpy()]
    below, above = (table[name].to_numpy(float) for name in ("below", "above"))
    once = table["flips"].to_numpy() == 1
    handles: list[Artist] = []
    for i, kind in enumerate(dict.fromkeys(changes)):
        here, colour = changes == kind, COLOURS[i % len(COLOURS)]
        axes.hlines(group[here], below[here], above[here], color=colour, linewidth=1.6)
        for filled, name in ((True, kind), (False, f"{kind}, not the row's only change")):
            marked = here & (once == filled)
            if marked.any():
                handles += axes.plot(
                    middle[marked], group[marked], MARKERS[i % len(MARKERS)], color=colour,
                    fillstyle="full" if filled else "none", markersize=5, linestyle="none", label=name,
                )  # fmt: skip
    return handles
