"""A figure of one check of a function from outside."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from backproof.verdicts.verdict import Verdict

WRONG, RIGHT, BOUND = "#d55e00", "#0072b2", "0.6"
"""Colours that the colour-blind tell apart; markers say the same."""


def plot_check(parameters: pd.DataFrame, verdict: Verdict) -> Figure:
    """|analytic − numerical| of every parameter against |numerical|, and the bounds; both on log scales."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    if parameters.empty:
        axes.text(0.5, 0.5, "checked along directions: no parameter was moved by itself", ha="center")
        axes.set_axis_off()
        return figure
    gap = (parameters["analytic"] - parameters["numerical"]).abs()
    table = pd.DataFrame({
        "numerical gradient, absolute": parameters["numerical"].abs().astype(float),
        "analytic − numerical, absolute": gap.astype(float),
        "bound": parameters["bound"].astype(float),
    })  # fmt: skip
    inside = parameters["touched"] & parameters["analytic"].between(parameters["low"], parameters["high"])
    explained = (table["analytic − numerical, absolute"] <= table["bound"]) | inside
    table["parameter"] = np.where(explained, "within its bound, or a valid subgradient", "beyond its bound")
    smallest = float(np.finfo(float).tiny)
    floor = table.loc[table["bound"] > 0, "bound"].min() / 100
    floor = floor if np.isfinite(floor) else smallest
    for column in ("numerical gradient, absolute", "analytic − numerical, absolute"):
        table[column] = table[column].clip(lower=floor)  # zeros have no place on a log scale
    axes.scatter(
        table["numerical gradient, absolute"], table["bound"], s=4, marker="_", color=BOUND, label="bound"
    )
    names = ["within its bound, or a valid subgradient", "beyond its bound"]
    sns.scatterplot(
        table, x="numerical gradient, absolute", y="analytic − numerical, absolute", hue="parameter",
        style="parameter", hue_order=names, style_order=names, palette=[RIGHT, WRONG], markers=["o", "X"],
        s=18, linewidth=0, ax=axes,
    )  # fmt: skip
    axes.set(xscale="log", yscale="log", title=f"{verdict.symbol} {verdict}")
    axes.legend(title=None, fontsize="small")
    plt.close(figure)
    return figure
