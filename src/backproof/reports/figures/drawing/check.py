"""A figure of one check of a function from outside."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from backproof.verdicts.verdict import Verdict

WRONG, RIGHT, BUDGET = "#d55e00", "#0072b2", "0.6"
"""Colours that the colour-blind tell apart; markers say the same."""


def plot_check(parameters: pd.DataFrame, verdict: Verdict) -> Figure:
    """|analytic − numeric| of every parameter against |numeric|, and the budgets; both on log scales."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    if parameters.empty:
        axes.text(0.5, 0.5, "checked along directions: no parameter was moved by itself", ha="center")
        axes.set_axis_off()
        return figure
    table = pd.DataFrame({
        "numeric gradient, absolute": parameters["numeric"].abs().astype(float),
        "analytic − numeric, absolute": (parameters["analytic"] - parameters["numeric"]).abs().astype(float),
        "budget": parameters["budget"].astype(float),
    })  # fmt: skip
    inside = parameters["touched"] & parameters["analytic"].between(parameters["low"], parameters["high"])
    explained = (table["analytic − numeric, absolute"] <= table["budget"]) | inside
    table["parameter"] = np.where(explained, "within its budget, or a valid subgradient", "beyond its budget")
    smallest = float(np.finfo(float).tiny)
    floor = table.loc[table["budget"] > 0, "budget"].min() / 100
    floor = floor if np.isfinite(floor) else smallest
    for column in ("numeric gradient, absolute", "analytic − numeric, absolute"):
        table[column] = table[column].clip(lower=floor)  # zeros have no place on a log scale
    axes.scatter(
        table["numeric gradient, absolute"], table["budget"], s=4, marker="_", color=BUDGET, label="budget"
    )
    names = ["within its budget, or a valid subgradient", "beyond its budget"]
    sns.scatterplot(
        table, x="numeric gradient, absolute", y="analytic − numeric, absolute", hue="parameter",
        style="parameter", hue_order=names, style_order=names, palette=[RIGHT, WRONG], markers=["o", "X"],
        s=18, linewidth=0, ax=axes,
    )  # fmt: skip
    axes.set(xscale="log", yscale="log", title=f"{verdict.symbol} {verdict}")
    axes.legend(title=None, fontsize="small")
    plt.close(figure)
    return figure
