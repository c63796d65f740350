"""The figures of a comparison: which there are, and what is drawn of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from backproof.reports.alignment import Alignment
from backproof.reports.axes import own
from backproof.reports.default_figures import default_figures
from backproof.reports.differences import differing, finding, pooled
from backproof.reports.figures.kind import Drawing, Drawn, FigureSpec, NothingToDrawError
from backproof.reports.stored import StoredExperiment, figures_of
from backproof.sweeps.columns import BY_NAME

MOST_FACETS = 6
"""Small multiples of which each takes three panels."""


@dataclass(frozen=True)
class ComparedFigures:
    """What is drawn of a comparison.

    Attributes:
        drawn: figures in which something differs, or the reason why there is none.
        unchanged: the titles of those in which nothing does.
        how: how the axes were chosen, where no experiment names figures.
    """

    drawn: tuple[Drawn, ...] = ()
    unchanged: tuple[str, ...] = ()
    how: str = ""


def heatmaps_of(experiments: Sequence[StoredExperiment], cells: pd.DataFrame) -> tuple[list[FigureSpec], str]:
    """The heatmaps that sweeps are compared in: those that all of them ask for, else default ones.

    Default ones are of what is compared: verdicts, and the columns with a `compared`. Returns how the axes
    of these were chosen, too.
    """
    first = experiments[-1]
    shared = [f for f in first.figures if all(f in e.figures for e in experiments)]
    if shared:
        asked, _ = figures_of(StoredExperiment(first.name, "", "", (), tuple(shared)), cells)
        specs = [f for f in asked if isinstance(f, FigureSpec) and _is_heatmap(f)]
        if specs:
            return specs, ""
    chosen, how = default_figures(own(cells))
    return [f for f in chosen if _is_heatmap(f) and _is_compared(f)], how


def draw_compared(
    alignment: Alignment, experiments: tuple[StoredExperiment, StoredExperiment], names: tuple[str, str]
) -> ComparedFigures:
    """Draw A, B and what differs, figure by figure; one in which nothing does is only named.

    `names`: of the two sweeps.
    """
    if not len(alignment.b):
        return ComparedFigures()
    specs, how = heatmaps_of(experiments, alignment.b)
    drawn, unchanged = list[Drawn](), list[str]()
    for spec in specs:
        found = _draw(alignment, spec, names)
        if found is None:
            unchanged.append(spec.title)
        else:
            drawn.append(found)
    return ComparedFigures(tuple(drawn), tuple(unchanged), how)


def _draw(alignment: Alignment, spec: FigureSpec, names: tuple[str, str]) -> Drawn | None:
    """One figure; None if nothing differs in it. What prevents it costs no other figure."""
    try:
        sides = spec.rows, spec.columns, spec.facet
        found = differing(alignment, spec.value, sides, spec.where, spec.aggregate)
        if found is None:
            raise NothingToDrawError("no cell of both sweeps fits it")
        if found.nothing:
            return None
        if len(found.parts) > MOST_FACETS:
            raise NothingToDrawError(
                f"{len(found.parts)} small multiples of three panels; at most {MOST_FACETS} fit"
            )
        from backproof.reports.figures.drawing.differences import draw_differences

        figure = draw_differences(found, spec.title, names)
        return Drawn(spec, Drawing(figure, finding(found), found.table(), pooled=pooled(found.a)))
    except Exception as error:
        return Drawn.undrawn(spec, error)


def _is_heatmap(spec: FigureSpec) -> bool:
    return spec.value in BY_NAME and BY_NAME[spec.value].drawn


def _is_compared(spec: FigureSpec) -> bool:
    column = BY_NAME[spec.value]
    return column.categories or bool(column.compared)
