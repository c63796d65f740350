"""Gradient error against convergence: does a failed check predict failed training?"""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from backproof.reports.heatmaps import PANEL, STYLE, plain_decades
from backproof.reports.tables import UNITS
from backproof.verdicts import RIGHT, Verdict

LEAST = 1e-17
NOT_FINITE = 10.0
"""Where a gradient error of zero stands on a log scale, and one that is not finite."""

MARKERS = ("o", "X", "s", "D", "^", "v", "P", "<", ">", "*", "h", "p", "d")


def scatter_figure(cells: pd.DataFrame, against: str, title: str) -> Figure:
    """A point a cell; verdicts by colour and by marker."""
    verdicts = [v.value for v in Verdict if (cells["verdict"] == v).any()]
    shown = cells.assign(x=cells["gradient_error"].fillna(NOT_FINITE).clip(LEAST, NOT_FINITE))
    with mpl.rc_context({**STYLE, "axes.grid": True, "grid.color": "#E5E5E5"}):
        figure = Figure(figsize=(7.0, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.set_gid(f"{PANEL}0")
        # Wrong before right, so that the few are drawn upon the many.
        sns.scatterplot(
            shown.sample(frac=1, random_state=0), x="x", y=against, hue="verdict", style="verdict",
            hue_order=verdicts, style_order=verdicts, palette={v: Verdict(v).colour for v in verdicts},
            markers=dict(zip(verdicts, MARKERS, strict=False)), s=22, linewidth=0.3, edgecolor="#333333",
            alpha=0.75, rasterized=len(shown) > 1000, ax=axes,
        )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(LEAST / 3, NOT_FINITE * 4)
        axes.set_xticks([1e-16, 1e-12, 1e-8, 1e-4, 1, NOT_FINITE])
        axes.set_xticklabels(["1e-16", "1e-12", "1e-8", "1e-4", "1", "\nnot finite"])
        axes.minorticks_off()
        if against == "final_loss" and (cells[against].dropna() > 0).all():
            axes.set_yscale("log")
            plain_decades(axes.yaxis)
        axes.set_xlabel(UNITS["gradient_error"])
        axes.set_ylabel(UNITS[against])
        sns.move_legend(axes, "center left", bbox_to_anchor=(1, 0.5), title=None, frameon=False)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
        return figure


def limits(figure: Figure) -> dict[str, Any]:
    """The ends of a scatter plot's axes, and whether they are logarithmic."""
    axes = next(a for a in figure.axes if a.get_gid() == f"{PANEL}0")
    return {
        "x_limits": [float(v) for v in axes.get_xlim()], "y_limits": [float(v) for v in axes.get_ylim()],
        "log_x": axes.get_xscale() == "log", "log_y": axes.get_yscale() == "log",
        "least": LEAST, "not_finite": NOT_FINITE,
    }  # fmt: skip


def prediction(cells: pd.DataFrame) -> str:
    """Whether the verdict predicts what training comes to, in a sentence with figures."""
    right = cells["verdict"].isin(RIGHT)
    reached = cells["steps_to_threshold"].notna()
    parts = [
        f"of {group.sum():,} cells whose gradient is {name}, {reached[group].mean():.0%} reach the threshold"
        for name, group in (("right", right), ("not right", ~right))
        if group.any()
    ]
    sentence = "; ".join(parts).capitalize()
    values = cells[["gradient_error", "accuracy"]].astype(float)
    values["gradient_error"] = values["gradient_error"].fillna(np.inf)
    values = values.dropna()
    ranked = values.rank()
    correlation = ranked["gradient_error"].corr(ranked["accuracy"]) if len(ranked) > 1 else np.nan
    if np.isfinite(correlation):  # it is not where either is constant
        sentence += f"; rank correlation of error and accuracy {correlation:+.2f}"
    return sentence + "."
