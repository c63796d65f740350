"""Edges of a table made by hand: found, placed in heatmaps, and without a bearing on anything else."""

import pandas as pd
import pytest
from reports.conftest import row

from backproof.reports.aggregation import lay_out
from backproof.reports.axes import own
from backproof.reports.boundaries import boundaries
from backproof.reports.claims import evaluate
from backproof.reports.edges import edges_found
from backproof.reports.figures import draw
from backproof.reports.specification import figure_spec
from backproof.sweeps.columns import BY_NAME

REFINE = {"refine": {"axis": "clip.eps", "width": 1.0}}
"""From 1e-7 to 1e-3 two halvings."""

HEATMAP = {"value": "verdict", "rows": ["loss", "clip.eps"], "columns": ["activation"]}


@pytest.fixture
def flipping(cells):
    """ReLU with cross entropy and the first seed is wrong at the larger eps; one halving is there already."""
    relu = (cells["activation"] == "relu") & (cells["loss"] == "binary_cross_entropy") & (cells["seed"] == 0)
    cells.loc[relu & (cells["clip.eps"] == 1e-3), "verdict"] = "incorrect gradient"
    cells["refined"] = False
    middle = 1e-7**0.5 * 1e-3**0.5
    new = row(
        cell="new", activation="relu", loss="binary_cross_entropy", refined=True, **{"clip.eps": middle}
    )
    return pd.concat(
        [cells, pd.DataFrame([new])[list(cells.columns)].astype(cells.dtypes)], ignore_index=True
    )


def test_an_edge_is_as_narrow_as_its_cells_make_it(flipping):
    (edge,) = edges_found(REFINE, flipping).table.itertuples()
    assert (edge.below, edge.above) == (pytest.approx(1e-5), 1e-3)
    assert (edge.condition_below, edge.condition_above) == ("agrees", "incorrect gradient")
    assert (edge.cell_below, edge.evaluations, edge.flips, edge.stopped) == ("new", 1, 1, "pending")
    assert edge.width == pytest.approx(2)


def test_a_failed_halving_stops_an_edge(flipping):
    flipping.loc[flipping["cell"] == "new", "status"] = "failed"
    (edge,) = edges_found(REFINE, flipping).table.itertuples()
    assert (edge.below, edge.above, edge.evaluations, edge.stopped) == (1e-7, 1e-3, 0, "failed")


def test_a_third_value_between_two_is_counted(flipping):
    flipping.loc[flipping["cell"] == "new", "verdict"] = "round-off"
    (edge,) = edges_found(REFINE, flipping).table.itertuples()
    assert (edge.below, edge.condition_above, edge.flips) == (1e-7, "round-off", 2)


def test_what_cannot_be_read_is_stated(flipping):
    found = edges_found({"refine": {"axis": "clip.epz"}}, flipping)
    assert "'clip.eps'" in found.problem
    assert edges_found({}, flipping) is None


def test_a_line_stands_where_the_edge_is(flipping):
    edges = edges_found(REFINE, flipping)
    tiles = lay_out(own(flipping), BY_NAME["verdict"], ["loss", "clip.eps"], ["activation"])
    assert tiles.rows[-2:] == [("binary_cross_entropy", 1e-7), ("binary_cross_entropy", 1e-3)]
    first = tiles.rows.index(("binary_cross_entropy", 1e-7)) + 0.5
    ((start, end),) = boundaries(edges, [0], tiles)  # the middle, 1e-4, is three quarters of the way
    assert start == (tiles.columns.index(("relu",)), pytest.approx(first + 0.75))
    assert end == (start[0] + 1, start[1])
    across = lay_out(own(flipping), BY_NAME["verdict"], ["activation"], ["loss", "clip.eps"])
    ((start, end),) = boundaries(edges, [0], across)
    assert (start, end) == ((pytest.approx(first + 0.75), 0), (start[0], 1))
    outer = lay_out(own(flipping), BY_NAME["verdict"], ["clip.eps", "loss"], ["activation"])
    assert boundaries(edges, [0], outer) == []


@pytest.mark.parametrize(("where", "lines"), [(None, 1), ("seed == 0", 1), ("activation == 'tanh'", 0)])
def test_lines_are_drawn_of_the_rows_that_are_shown(flipping, curves, where, lines):
    spec = figure_spec("figures[0]", {**HEATMAP, "where": where}, list(flipping))
    legend = [
        text.get_text()
        for drawn in [draw(spec, flipping, curves, edges_found(REFINE, flipping))]
        for legend in drawn.figure.legends
        for text in legend.get_texts()
    ]
    assert ("edge found by refinement" in legend) == lines


def test_the_figure_of_edges(flipping, curves):
    drawn = draw(
        figure_spec("figures[0]", {"value": "edges"}, list(flipping)), flipping, curves,
        edges_found(REFINE, flipping),
    )  # fmt: skip
    assert drawn.finding.startswith("1 edge along clip.eps in 6 rows.")
    assert "1 is wider than asked for" in drawn.finding
    assert len(drawn.data) == 1


def test_claims_and_heatmaps_are_about_the_grids_own_cells(flipping, curves):
    about = {"statement": "?", "where": "activation == 'relu'", "holds": "verdict == 'agrees'"}
    named = {**about, "where": "refined and activation == 'relu'"}
    mine, new = evaluate([about, named], flipping)
    assert (mine.n, new.n) == (9, 1)
    spec = figure_spec("figures[0]", HEATMAP, list(flipping))
    plain = flipping[flipping["cell"] != "new"]
    pd.testing.assert_frame_equal(draw(spec, flipping, curves).data, draw(spec, plain, curves).data)
