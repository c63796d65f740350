"""Gradient error against convergence: does a failed check predict failed training?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from backproof.reports.axes import finished, ran
from backproof.reports.correlation import correlation_interval, rank_correlation
from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.sweeps.columns import BY_NAME, REACHED
from backproof.sweeps.overrides import REPLICATE
from backproof.verdicts.verdict import RIGHT, Verdict

ERROR, CONVERGENCE, ELSE = (BY_NAME[name] for name in ("gradient_error", "accuracy", "final_loss"))


@figure_kind("error_against_convergence", title="Does a failed check predict failed training?")
def scatter_kind(spec: FigureSpec, tables: Tables) -> Drawing:
    """One point per cell that was checked and trained."""
    from backproof.reports.figures.drawing.scatter import draw_scatter
    from backproof.reports.figures.drawing.style import sheet_of

    done = finished(tables.cells)
    checked = done["verdict"].isin(set(Verdict) - {Verdict.NOT_CHECKED})
    done = done[checked & ran(done, "training")]
    if not len(done):
        raise NothingToDrawError("none of its cells was both checked and trained")
    against = CONVERGENCE if done[CONVERGENCE.name].notna().any() else ELSE
    figure = draw_scatter(done, ERROR, against, spec.title, sheet_of(spec.width))
    data = done[["cell", "verdict", ERROR.name, against.name]]
    live = {"kind": "points", "spec": {"x": ERROR.name, "y": against.name, "colour": "verdict"}}
    return Drawing(figure, prediction(done), data, live)


def prediction(cells: pd.DataFrame) -> str:
    """Whether the verdict predicts what training comes to, in a sentence with figures."""
    right, reached = cells["verdict"].isin(RIGHT), cells[REACHED.name].notna()
    parts = [
        f"of {group.sum():,} cells whose gradient is {name}, {reached[group].mean():.0%} reach the threshold"
        for name, group in (("right", right), ("not right", ~right))
        if group.any()
    ]
    sentence = "; ".join(parts).capitalize()
    values = cells[[ERROR.name, CONVERGENCE.name]].astype(float).fillna({ERROR.name: np.inf})
    known = values.notna().all(axis=1)
    correlation = rank_correlation(values[known].to_numpy())
    if np.isfinite(correlation):
        sentence += f"; rank correlation of error and accuracy {correlation:+.2f}"
        low, high = correlation_interval(values[known].to_numpy(), cells.loc[known, REPLICATE].to_numpy())
        if np.isfinite(low):
            sentence += f", by resampled seeds from {low:+.2f} to {high:+.2f} (95 %)"
    return sentence + "."
