"""The error of every parameter of the first cell that kept evidence, as a map of its weight matrices."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from backproof.reports.axes import finished
from backproof.reports.figures.kind import Drawing, FigureSpec, NothingToDrawError, Tables, figure_kind
from backproof.reports.figures.steps import NO_EVIDENCE
from backproof.reports.series import matrices
from backproof.verdicts.evidence import MAP


@figure_kind("map", title="Error of every parameter", curves=True)
def map_kind(spec: FigureSpec, tables: Tables) -> Drawing:
    """One panel per layer."""
    from backproof.reports.figures.drawing.evidence import draw_map
    from backproof.reports.figures.drawing.style import sheet_of

    done = pa.array(finished(tables.cells)["cell"], pa.string())
    series, cells = tables.curves["series"], tables.curves["cell"]
    kept = tables.curves.filter(
        pc.and_(pc.match_substring_regex(series, MAP.pattern), pc.is_in(cells, value_set=done))
    )
    if not len(kept):
        raise NothingToDrawError(NO_EVIDENCE)
    first = kept.filter(pc.equal(kept["cell"], kept["cell"][0])).to_pandas()
    maps = matrices(
        {str(name): part["value"].to_numpy() for name, part in first.groupby("series", sort=False)}
    )
    beyond, total = (sum(int(n) for n in counts) for counts in (
        [(m > 1).sum() for m in maps.values()], [m.size for m in maps.values()],
    ))  # fmt: skip
    finding = f"{beyond} of {total} parameters are beyond their error bounds."
    return Drawing(draw_map(maps, spec.title, sheet_of(spec.width)), finding, first.drop(columns="cell"))
