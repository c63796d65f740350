"""The gradient error against the step of the difference, for cells that kept evidence."""

from __future__ import annotations

from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.reports.series import lines_and_panels
from backproof.verdicts.evidence import STEPS

NO_EVIDENCE = "none of its cells kept evidence (check.evidence=true)"


@figure_kind("steps", title="Gradient error against the step", sides=("rows", "columns"), curves=True)
def steps_kind(spec: FigureSpec, tables: Tables) -> Drawing:
    """One line per combination of the axes."""
    from backproof.reports.figures.drawing.evidence import draw_steps
    from backproof.reports.figures.drawing.style import sheet_of

    axes = (*spec.rows, *spec.columns)
    curves = lines_and_panels(tables, axes, (), [STEPS])
    long = curves.long
    figure = draw_steps(curves, spec.title, sheet_of(spec.width)) if len(long) else None
    if figure is None:
        raise NothingToDrawError(NO_EVIDENCE)
    best = long.groupby("line", observed=True)["value"].min()
    listed = "; ".join(f"{curves.names[str(line)]}: {error:.1e}" for line, error in best.items())
    return Drawing(figure, f"Smallest error over all steps: {listed}.", long)
