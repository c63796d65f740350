"""Which figures a report has where its experiment names none: the data choose."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from backproof.reports.tables import UNITS, ran, telling_axes
from backproof.reports.validation import CURVES, SCATTER

MOST_PLACES = 40
"""A side chosen by the data takes a second axis only if it keeps to so many places."""

MOST_FACETS = 6


def choose(cells: pd.DataFrame) -> tuple[list[dict[str, Any]], str]:
    """Figures for a sweep that names none, and a sentence on how their axes were chosen."""
    done = cells[cells["status"] == "ok"]
    checked, trained = (bool(ran(done, key).any()) for key in ("check", "training"))
    scatter = [{"value": SCATTER}] * (checked and trained)
    merit, told = telling_axes(done if len(done) else cells)
    axes = list(merit)
    if not axes:
        return [{"value": CURVES, "rows": [], "columns": [], "title": "Training"}], ""
    counts = {a: cells[a].nunique() for a in axes}
    rows, columns, facet = axes[1:2], axes[:1], list[str]()
    for axis in axes[2:]:
        if math.prod(counts[a] for a in [*facet, axis]) <= MOST_FACETS:
            facet.append(axis)
        else:
            side = min(rows, columns, key=lambda side: math.prod(counts[a] for a in side))
            if math.prod(counts[a] for a in side) * counts[axis] <= MOST_PLACES:
                side.insert(0, axis)
    used = [a for a in axes if a in (*rows, *columns, *facet)]
    says = f"Axes chosen by how much of the {told} they explain together: " + ", ".join(
        f"{a} ({merit[a]:.0%})" for a in used
    )
    wanted = ["verdict", "gradient_error", "excess"] * checked
    wanted += ["accuracy", "final_loss", "steps_to_threshold", "diverged_at"] * trained
    wanted = [value for value in wanted if done[value].notna().any()]
    titles = {"verdict": "Is the gradient right?", "gradient_error": "How large the error is"}
    figures: list[dict[str, Any]] = [
        {
            "value": v, "rows": rows, "columns": columns, "facet": facet,
            "title": titles.get(v, UNITS.get(v, v).capitalize()),
        }
        for v in wanted
    ]  # fmt: skip
    if trained:
        figures.append(
            {"value": CURVES, "rows": rows[-1:], "columns": columns[-1:], "title": "Training curves"}
        )
    return [*figures, *scatter], says + "."
