"""A forest plot: what each value of an axis makes of a measure beside a reference."""

from __future__ import annotations

from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.reports.forest import Forest, Harm, forest_of

MOST_ROWS, MOST_PANELS = 60, 4


@figure_kind(
    "forest",
    title="Differences from the reference",
    sides=("rows", "facet"),
    axes_needed=True,
    contrasts=True,
)
def forest_kind(spec: FigureSpec, tables: Tables) -> Drawing:
    """One line per value of `rows`: how its `contrast` differs from the reference; a panel per `facet`."""
    from backproof.reports.figures.drawing.forest import draw_forest
    from backproof.reports.figures.drawing.style import sheet_of

    assert spec.contrast is not None, "it takes one"
    found = forest_of(tables.cells, spec.contrast, spec.rows, spec.facet, spec.apart)
    if not len(found.table):
        raise NothingToDrawError("none of its cells has a pair among those of the reference")
    lines = len(found.table[list(spec.rows)].drop_duplicates())
    panels = len(found.table[list(spec.facet)].drop_duplicates()) if spec.facet else 1
    if lines > MOST_ROWS or panels > MOST_PANELS:
        raise NothingToDrawError(
            f"{lines} lines in {panels} panels; at most {MOST_ROWS} in {MOST_PANELS} fit"
            " (choose with `where`)"
        )
    figure = draw_forest(found, spec.contrast, spec.title, sheet=sheet_of(spec.width), labels=tables.labels)
    return Drawing(figure, finding(found), found.table)


def finding(forest: Forest) -> str:
    """How many differences are of each class, and how the cosine predicts them, in a sentence."""
    counts = forest.table["class"].value_counts()
    parts = [f"{counts[harm]} {harm}" for harm in Harm if harm in counts]
    sentence = f"Of {len(forest.table)} differences {', '.join(parts)}"
    if forest.correlation is not None:
        found, low, high = forest.correlation
        sentence += "; their rank correlation with the smallest cosine is"
        sentence += f" {found:+.2f} [{low:+.2f}, {high:+.2f}]"
    return sentence + "."
