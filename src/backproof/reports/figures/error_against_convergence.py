"""Gradient error against convergence: does a failed check predict failed training?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.reports.axes import finished, ran
from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.sweeps.columns import BY_NAME, REACHED
from backproof.sweeps.overrides import REPLICATE
from backproof.verdicts.verdict import RIGHT, Verdict

RESAMPLES, FEWEST = 500, 5
"""Resamples of the seeds for an interval, and the fewest seeds that there is one of."""

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


def rank_correlation(values: NDArray[np.float64]) -> float:
    """Spearman's, of two columns; NaN where either is constant."""
    from scipy.stats import rankdata  # a fifth of a second to import

    if len(values) < 2 or (values == values[0]).all(axis=0).any():
        return np.nan
    return float(np.corrcoef(rankdata(values, axis=0).T)[0, 1])


def correlation_interval(values: NDArray[np.float64], seeds: NDArray[np.int_]) -> tuple[float, float]:
    """Its 95 % percentile interval where seeds, with all of their cells, are drawn again (Efron, 1979).

    Cells of one seed share data and weights, so that they are no independent draws. NaN of fewer than
    `FEWEST` seeds, of which resamples say little.
    """
    groups = [np.flatnonzero(seeds == seed) for seed in np.unique(seeds)]
    if len(groups) < FEWEST:
        return np.nan, np.nan
    draw = np.random.default_rng(0)
    chosen = draw.integers(len(groups), size=(RESAMPLES, len(groups)))
    found = np.array([rank_correlation(values[np.concatenate([groups[k] for k in each])]) for each in chosen])
    low, high = np.quantile(found[np.isfinite(found)], [0.025, 0.975])
    return float(low), float(high)
