"""Training curves: loss, accuracy and the cosine to the exact gradient along the run."""

from __future__ import annotations

from backproof.reports.aggregation import MEDIAN
from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.reports.series import TRAINING, lines_and_panels


@figure_kind("curves", title="Training curves", sides=("rows", "columns"), curves=True)
def curves_kind(spec: FigureSpec, tables: Tables) -> Drawing:
    """One line per combination of the rows, one panel per combination of the columns."""
    from backproof.reports.figures.drawing.lines import draw_curves
    from backproof.reports.figures.drawing.style import sheet_of

    names = [s.name for s in TRAINING]
    curves = lines_and_panels(tables, spec.rows, spec.columns, names)
    long = curves.long
    figure = draw_curves(curves, spec.title, sheet_of(spec.width)) if len(long) else None
    if figure is None:
        raise NothingToDrawError("none of its cells was trained")
    finding = f"Training curves of {long['cell'].nunique()} runs: median and range over replicates."
    groups = long.groupby(["series", "panel", "line", "step"], observed=True)["value"]
    names_of_statistics = {"median": MEDIAN, "min": "least", "max": "greatest", "size": "n"}
    data = groups.agg(list(names_of_statistics)).rename(columns=names_of_statistics).reset_index()
    live = {"kind": "curves", "spec": {"rows": spec.rows, "columns": spec.columns}}
    return Drawing(figure, finding, data, live)
