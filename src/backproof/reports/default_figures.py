"""Which figures a report has where its experiment names none: the data choose."""

from __future__ import annotations

import math

import pandas as pd

from backproof.reports.axes import finished, informative_axes, ran, varying
from backproof.reports.figures import kinds
from backproof.reports.figures.kind import FigureSpec
from backproof.reports.labels import Labels, shipped
from backproof.sweeps.columns import CELLS, Of

MOST_TILES = 40
"""A side chosen by the data takes a second axis only if it keeps to so many tiles."""

MOST_FACETS = 6

SHAPE, PRECISION = "subject.shape", "precision"
"""Of the arrays of a derivative: what its error depends on is looked for among these whatever else varies."""

Sides = dict[str, tuple[str, ...]]


def default_figures(cells: pd.DataFrame, labels: Labels | None = None) -> tuple[tuple[FigureSpec, ...], str]:
    """Figures for a sweep that names none, and a sentence on how their axes were chosen."""
    labels, done = labels or shipped(), finished(cells)
    merit, explained = informative_axes(done if len(done) else cells)
    if not merit:
        return (_spec("curves", {}, labels),), ""
    sides = _sides({a: int(cells[a].nunique()) for a in merit})
    ran_of = {Of.CHECK: bool(ran(done, "check").any()), Of.TRAINING: bool(ran(done, "training").any())}
    columns = [c for c in CELLS if c.figure and ran_of.get(c.of) and done[c.name].notna().any()]
    figures = [_spec(c.name, sides, labels) for c in columns]
    if ran_of[Of.CHECK] and _is_hidden(SHAPE, PRECISION, cells, sides):
        figures.append(_spec("gradient_error", {"rows": (SHAPE,), "columns": (PRECISION,)}, labels))
    if ran_of[Of.TRAINING]:
        figures.append(_spec("curves", {side: sides[side][-1:] for side in ("rows", "columns")}, labels))
    if all(ran_of.values()):
        figures.append(_spec("error_against_convergence", {}, labels))
    used = [a for a in merit if any(a in side for side in sides.values())]
    shares = ", ".join(f"{a} ({merit[a]:.0%})" for a in used)
    return tuple(figures), f"Axes chosen by how much of the {explained} they explain together: {shares}."


def _is_hidden(row: str, column: str, cells: pd.DataFrame, sides: Sides) -> bool:
    """Whether two axes vary and do not span the figures."""
    spanned = {*sides.get("rows", ()), *sides.get("columns", ())}
    return {row, column} <= set(varying(cells)) and not {row, column} <= spanned


def _sides(counts: dict[str, int]) -> Sides:
    """The most informative axis across, the next down; further ones as small multiples, or nested."""
    axes = list(counts)
    sides: dict[str, list[str]] = {"rows": axes[1:2], "columns": axes[:1], "facet": []}
    for axis in axes[2:]:
        if math.prod(counts[a] for a in [*sides["facet"], axis]) <= MOST_FACETS:
            sides["facet"].append(axis)
            continue
        side = min(sides["rows"], sides["columns"], key=lambda side: math.prod(counts[a] for a in side))
        if math.prod(counts[a] for a in side) * counts[axis] <= MOST_TILES:
            side.insert(0, axis)
    return {name: tuple(side) for name, side in sides.items()}


def _spec(value: str, sides: Sides, labels: Labels) -> FigureSpec:
    rows, columns, facet = (sides.get(side, ()) for side in ("rows", "columns", "facet"))
    title = kinds()[value].title(value, tuple(map(labels.title, (*rows, *columns, *facet))))
    return FigureSpec(value, title, rows=rows, columns=columns, facet=facet)
