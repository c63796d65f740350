"""Edges as intervals on the scale of their axis, by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from numpy.typing import NDArray

from backproof.reports.edges import Edges, middles
from backproof.reports.figures.drawing.style import entitle, plain_decades, styled
from backproof.sweeps.refinement import Spacing

LINE = 0.3
"""Inches down that a group takes."""

MARKERS = ("o", "D", "s", "^", "v", "P", "X", "<", ">")


def draw_edges(
    edges: Edges, table: pd.DataFrame, group: NDArray[np.intp], texts: Sequence[str], by: str, title: str
) -> Figure:
    """An interval and a mark for each edge; hollow where the row's condition changes more than once."""
    changes = (table["condition_below"] + " → " + table["condition_above"]).to_numpy(object)
    kinds = list(dict.fromkeys(changes))
    colours = dict(zip(kinds, sns.color_palette("colorblind", len(kinds)), strict=True))
    middle = middles(edges)[table.index.to_numpy()]
    below, above = (table[name].to_numpy(float) for name in ("below", "above"))
    once = table["flips"].to_numpy() == 1
    with styled(grid=True):
        figure = Figure(figsize=(7.5, LINE * max(len(texts), 3) + 1.7), layout="constrained")
        axes = figure.subplots()
        for i, kind in enumerate(kinds):
            here = changes == kind
            axes.hlines(group[here], below[here], above[here], color=colours[kind], linewidth=2)
            for filled, name in ((True, kind), (False, f"{kind}, not the row's only change")):
                marked = here & (once == filled)
                if marked.any():
                    axes.plot(
                        middle[marked], group[marked], MARKERS[i % len(MARKERS)], color=colours[kind],
                        fillstyle="full" if filled else "none", markersize=6, linestyle="none", label=name,
                    )  # fmt: skip
        if edges.spacing is Spacing.RATIO:
            axes.set_xscale("log")
            plain_decades(axes.xaxis)
        axes.set_yticks(range(len(texts)), texts)
        axes.set_ylim(len(texts) - 0.5, -0.5)
        axes.set_xlabel(edges.axis)
        axes.set_title(by, loc="left", fontsize=9)  # along the axis it would be longer than a few lines
        figure.legend(loc="outside lower center", ncols=min(len(kinds), 2), frameon=False, fontsize=8)
        entitle(figure, title)
        return figure
