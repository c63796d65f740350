"""One point per cell: gradient error against convergence, verdicts by colour and by marker."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from backproof.reports.figures.drawing.style import entitle, plain_decades, styled
from backproof.sweeps.columns import Column
from backproof.verdicts.verdict import Verdict

LEAST = 1e-17
NOT_FINITE = 10.0
"""Where a gradient error of zero stands on a log scale, and one that is not finite."""

MARKERS = ("o", "X", "s", "D", "^", "v", "P", "<", ">", "*", "h", "p", "d")


def draw_scatter(cells: pd.DataFrame, error: Column, against: Column, title: str) -> Figure:
    """A point per cell on a logarithmic scale of errors."""
    verdicts = [str(v) for v in Verdict if (cells["verdict"] == v).any()]
    shown = cells.assign(x=cells[error.name].fillna(NOT_FINITE).clip(LEAST, NOT_FINITE))
    with styled(grid=True):
        figure = Figure(figsize=(7.0, 4.2), layout="constrained")
        axes = figure.subplots()
        # Shuffled, so that no verdict is drawn upon all others.
        sns.scatterplot(
            shown.sample(frac=1, random_state=0), x="x", y=against.name, hue="verdict", style="verdict",
            hue_order=verdicts, style_order=verdicts, palette={v: Verdict(v).colour for v in verdicts},
            markers=dict(zip(verdicts, MARKERS, strict=False)), s=22, linewidth=0.3, edgecolor="#333333",
            alpha=0.75, rasterized=len(shown) > 1000, ax=axes,
        )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(LEAST / 3, NOT_FINITE * 4)
        axes.set_xticks([1e-16, 1e-12, 1e-8, 1e-4, 1, NOT_FINITE])
        axes.set_xticklabels(["1e-16", "1e-12", "1e-8", "1e-4", "1", f"\n{error.null}"])
        axes.minorticks_off()
        if against.scale != "share" and (cells[against.name].dropna() > 0).all():
            axes.set_yscale("log")
            plain_decades(axes.yaxis)
        axes.set_xlabel(error.unit)
        axes.set_ylabel(against.unit)
        sns.move_legend(axes, "center left", bbox_to_anchor=(1, 0.5), title=None, frameon=False)
        entitle(figure, title)
        return figure
