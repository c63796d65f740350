"""Figures: what is drawn is what was measured; nothing is told by colour alone."""

import io
import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from backproof.reports.aggregation import lay_out
from backproof.reports.default_figures import default_figures
from backproof.reports.figures import draw
from backproof.reports.figures.drawing import colours, scatter, style, tiles
from backproof.reports.figures.drawing.lines import draw_lines
from backproof.reports.numbers import number
from backproof.reports.specification import figure_spec
from backproof.sweeps.columns import BY_NAME
from backproof.verdicts import Verdict


def texts(figure):
    return [t.get_text() for t in figure.axes[0].texts]


def mesh(figure):
    return figure.axes[0].collections[0]


def laid(cells, value="gradient_error", rows=("activation",), columns=("loss",)):
    return lay_out(cells, BY_NAME[value], rows, columns)


def heatmap(cells, value="gradient_error", **sides):
    return tiles.draw_tiles([laid(cells, value, **sides)], "t")


def drawn_as(asked, cells, curves):
    return draw(figure_spec("figures[0]", asked, list(cells)), cells, curves)


def test_colours_stand_for_the_medians(cells):
    p = laid(cells)
    drawn = mesh(heatmap(cells)).get_array()
    np.testing.assert_allclose(drawn.reshape(p["value"].shape), p["value"])


def test_every_gradient_error_has_one_scale(cells):
    scales = [mesh(heatmap(c)).norm for c in (cells, cells[cells["activation"] == "relu"])]
    assert {(s.vmin, s.vmax) for s in scales} == {(1e-16, 1)}


def test_verdicts_are_told_by_symbols_and_by_how_many_share_them(cells):
    cells.loc[0, "verdict"] = "incorrect gradient"
    assert sorted(texts(heatmap(cells, "verdict"))) == ["✓", "✓", "✓ 2/3", "✗"]


def test_the_legend_names_each_verdict_that_is_shown(cells):
    legend = heatmap(cells, "verdict").legends[0]
    assert [t.get_text() for t in legend.get_texts()] == ["✓ agrees", "✗ incorrect gradient"]


def test_every_verdict_has_a_colour_and_a_symbol_of_its_own():
    assert len({v.symbol for v in Verdict}) == len(Verdict)
    for one, other in itertools.combinations([v.colour for v in Verdict], 2):
        assert np.abs(np.subtract(to_rgb(one), to_rgb(other))).max() > 0.15


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"status": "failed"}, "failed"),
        ({"status": "excluded"}, "excluded"),
        ({"gradient_error": np.nan}, "not finite"),
        ({"training": "none", "accuracy": np.nan}, "no value"),
        (None, "no cell"),
    ],
)
def test_tiles_without_a_number_are_hatched_and_named(cells, change, name):
    here = (cells["activation"] == "tanh") & (cells["loss"] == "binary_cross_entropy")
    if change is None:
        cells = cells[~here]
    else:
        for key, value in change.items():
            cells.loc[here, key] = value
    figure = heatmap(cells, "accuracy" if name == "no value" else "gradient_error")
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [name]
    assert len(figure.axes[0].patches) == 1 and (figure.axes[0].patches[0].get_hatch() or name == "no cell")


def test_tiles_to_come_are_hatched_and_named(cells):
    cells.loc[(cells["activation"] == "relu") & (cells["loss"] == "squared_error"), "status"] = "pending"
    legend = heatmap(cells, "verdict").legends[0]
    assert "still to come" in [t.get_text() for t in legend.get_texts()]


def test_nothing_but_failures_still_draws(cells):
    cells["status"] = "failed"
    figure = heatmap(cells)
    figure.savefig(io.BytesIO(), format="svg")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["failed"]


@pytest.mark.parametrize("count", [1, 3, 30])
def test_no_labels_overlap(count):
    """The boxes of the tick labels of a side, measured."""
    table = pd.DataFrame(
        {
            "activation": [f"choice_{i}" for i in range(count)] * 2,
            "loss": ["one"] * count + ["other"] * count,
            "status": "ok", "check": "full", "training": "none", "gradient_error": 1e-9,
        }
    )  # fmt: skip
    figure = heatmap(table, rows=["loss"], columns=["activation"])
    figure.savefig(io.BytesIO(), format="png")
    axes = figure.axes[0]
    starts = sorted(t.get_window_extent().x1 for t in axes.get_xticklabels())  # turned about their ends
    assert all(b - a > 6 for a, b in itertools.pairwise(starts))
    boxes = [t.get_window_extent() for t in axes.get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_two_axes_a_side_are_grouped(cells):
    figure = heatmap(cells, rows=("loss", "clip.eps"))
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["–", "1e-07", "0.001"]
    outer = figure.axes[0].child_axes[0]
    assert [t.get_text() for t in outer.get_yticklabels()] == ["squared error", "binary cross-entropy"]


@pytest.mark.parametrize(
    ("x", "value", "text"),
    [
        (0, "gradient_error", "0"), (1.234e-10, "gradient_error", "1e-10"), (0.123, "accuracy", "0.12"),
        (57.0, "steps_to_threshold", "57"), (123.4, "final_loss", "123"), (12345.0, "final_loss", "1e4"),
    ],
)  # fmt: skip
def test_numbers_are_short(x, value, text):
    assert number(x, BY_NAME[value].format) == text


def test_the_finding_is_told_in_words(cells, curves):
    drawn = drawn_as({"value": "verdict", "rows": ["activation"], "columns": ["loss"]}, cells, curves)
    assert drawn.finding.startswith("Of 4 tiles: agrees in 3, incorrect gradient in 1.")
    drawn = drawn_as({"value": "gradient_error", "rows": ["activation"], "columns": ["loss"]}, cells, curves)
    assert "to 0.6 (tanh, binary cross-entropy)" in drawn.finding


def test_curves_are_drawn_and_what_cannot_be_is_told(cells, curves):
    asked = {"value": "curves", "rows": ["loss"], "columns": ["activation"]}
    drawn = drawn_as(asked, cells, curves)
    assert drawn.figure is not None and len(drawn.figure.axes) == 6
    line = drawn.figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), np.linspace(3, 1, 30))
    assert drawn_as(asked, cells, curves.slice(0, 0)).problem == "none of its cells was trained"
    assert "no cell" in drawn_as({**asked, "where": "seed == 99"}, cells, curves).problem
    assert drawn_as({**asked, "where": "accuracy > 'a'"}, cells, curves).problem


def test_figures_are_chosen_for_a_sweep_that_names_none(cells, curves):
    chosen, says = default_figures(cells)
    assert [f.value for f in chosen] == [
        "verdict", "gradient_error", "excess", "final_loss", "accuracy", "steps_to_threshold", "curves",
        "error_against_convergence",
    ]  # fmt: skip
    assert "activation" in says and "loss" in says
    assert all(draw(f, cells, curves).figure for f in chosen)


def test_the_error_by_shape_and_precision_is_among_them_whatever_else_explains_more(cells):
    cells = cells.drop(columns="training").rename(columns={"activation": "subject.shape"})
    chosen, _ = default_figures(cells.rename(columns={"loss": "precision"}))
    sides = [{*f.rows, *f.columns} for f in chosen if f.value == "gradient_error"]
    assert sides == [{"subject.shape", "precision"}]
    cells = pd.concat([cells.assign(precision=kind) for kind in ("float32", "float64")], ignore_index=True)
    cells["subject.factor"] = cells["verdict"]  # explains it all, with anything else beside it
    cells["subject.eps"] = cells["gradient_error"]
    chosen, _ = default_figures(cells.assign(verdict="agrees"))
    sides = [(f.rows, f.columns) for f in chosen if f.value == "gradient_error"]
    assert len(sides) == 2
    assert sides[1] == (("subject.shape",), ("precision",))


def test_a_single_cell_has_its_curves(cells):
    chosen, _ = default_figures(cells.head(1))
    assert [f.value for f in chosen] == ["curves"]


def test_small_multiples_share_rows_columns_and_scale(cells, curves):
    asked = {"value": "gradient_error", "rows": ["loss"], "columns": ["seed"], "facet": ["activation"]}
    drawn = drawn_as(asked, cells, curves)
    panels = drawn.figure.axes[:2]
    said = [t.get_text() for t in drawn.figure.texts]
    assert {"a", "b", "hidden activation ReLU", "hidden activation tanh"} <= set(said)
    assert len({(a.collections[0].norm.vmin, a.collections[0].norm.vmax) for a in panels}) == 1
    assert list(drawn.data["activation"].unique()) == ["relu", "tanh"]
    assert [t.get_text() for t in panels[0].get_yticklabels()] == ["squared error", "binary cross-entropy"]
    assert not panels[1].get_yticklabels()


def test_too_many_small_multiples_are_refused(cells, curves):
    many = pd.concat([cells.assign(activation=f"a{i}") for i in range(30)], ignore_index=True)
    asked = {"value": "gradient_error", "rows": ["loss"], "facet": ["activation"]}
    assert "30 small multiples" in drawn_as(asked, many, curves).problem


def test_the_scatter_plot_shows_every_cell_that_was_checked_and_trained(cells, curves):
    cells.loc[0, "gradient_error"] = np.nan
    cells.loc[0, "verdict"] = "not finite"
    cells.loc[1, "status"] = "failed"
    cells.loc[2, "gradient_error"] = 0.0
    drawn = drawn_as({"value": "error_against_convergence"}, cells, curves)
    marks = drawn.figure.axes[0].collections
    points = np.concatenate([c.get_offsets() for c in marks])
    assert len(drawn.data) == len(cells) - 1
    assert all(np.isclose(points[:, 0], end, rtol=1e-9, atol=0).any() for end in (10.0, 1e-17))
    counted = np.concatenate([c.get_sizes() for c in marks]) / scatter.area_of(3)
    assert counted.sum() == pytest.approx(len(cells) - 1), "each mark's area is that of its cells"
    assert "cells whose gradient is right" in drawn.finding
    none = cells.assign(training="none")
    assert (
        "was both checked and trained"
        in drawn_as({"value": "error_against_convergence"}, none, curves).problem
    )


def test_curves_have_their_numbers(cells, curves):
    drawn = drawn_as({"value": "curves", "rows": ["activation"], "columns": ["loss"]}, cells, curves)
    row = drawn.data[(drawn.data["series"] == "loss") & (drawn.data["step"] == 0)].iloc[0]
    assert (row["median"], row["n"]) == (3.0, 3)


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_files_say_nothing_of_when_they_were_made(cells, curves, ending):
    asked = {"value": "verdict", "rows": ["activation"], "columns": ["loss"]}
    first, second = (style.rendered(drawn_as(asked, cells, curves).figure, ending) for _ in range(2))
    assert first == second


def test_what_is_the_same_everywhere_is_told_so(cells, curves):
    asked = {"value": "accuracy", "rows": ["activation"], "columns": ["loss"]}
    drawn = drawn_as(asked, cells.assign(accuracy=0.5), curves)
    assert drawn.finding.startswith("Median test accuracy is 0.50 in all 4 tiles.")


def test_a_figure_names_what_it_pools_and_how_many_cells_its_tiles_have(cells, curves):
    asked = {"value": "accuracy", "rows": ["activation"], "columns": ["loss"]}
    drawn = drawn_as(asked, cells, curves)
    assert drawn.pooled == "Pooled over clipping threshold: up to 2 settings a tile, besides replicates."
    assert "pooled: clipping threshold" in [t.get_text() for t in drawn.figure.texts]
    assert {t.get_text() for t in drawn.figure.axes[0].texts} == {"0.81\nn = 3", "0.81\nn = 6"}
    apart = drawn_as({**asked, "facet": ["clip.eps"]}, cells, curves)
    assert not apart.pooled and not any("pooled" in t.get_text() for t in apart.figure.texts)
    assert {t.get_text() for t in apart.figure.axes[0].texts} == {"0.81"}


def test_in_how_many_cells_something_never_happens_is_told(cells, curves):
    cells.loc[cells["seed"] == 2, "steps_to_threshold"] = None
    drawn = drawn_as(
        {"value": "steps_to_threshold", "rows": ["loss"]}, cells[cells["clip.eps"] != 1e-3], curves
    )
    assert {t.get_text() for t in drawn.figure.axes[0].texts} == {"10\n4 of 6"}


def test_an_outlier_takes_no_colours_from_the_others(cells):
    some = cells[cells["loss"] == "squared_error"].assign(
        activation=list("abcdef"), final_loss=[1, 1.1, 1.2, 1.3, 1.4, 30.0]
    )
    parts = [laid(some, "final_loss", columns=())]
    scale = colours.scale_of(parts)
    assert (scale.norm.vmin, scale.norm.vmax) == (1, 1.4)
    assert scale.clipped == (False, True), "and the end of the scale says so"
    assert colours.scale_of([laid(some[:5], "final_loss", columns=())]).clipped == (False, False)


def bands_and_lines(values, lines=("a", "b")):
    """What `draw_lines` draws of values by line and step: the bounds of each band, and the lines' values."""
    rows = [(line, step, v) for line, steps in values.items() for step, some in steps.items() for v in some]
    axes = Figure().subplots()
    long = pd.DataFrame(rows, columns=["line", "step", "value"])
    long["line"] = pd.Categorical(long["line"], lines)
    draw_lines(axes, long, "step", list(lines))
    bands = [band.get_paths()[0].vertices for band in axes.collections]
    bounds = [{x: (min(b[b[:, 0] == x, 1]), max(b[b[:, 0] == x, 1])) for x in {*b[:, 0]}} for b in bands]
    return axes, bounds, [list(map(float, line.get_ydata())) for line in axes.lines if len(line.get_ydata())]


def test_a_line_is_the_median_and_its_band_the_range():
    _, bounds, lines = bands_and_lines({"a": {0: [1, 2, 9], 1: [4, 5]}, "b": {0: [3], 1: [7]}})
    assert bounds == [{0: (1, 9), 1: (4, 5)}]  # single replicates have no band
    assert lines == [[2, 4.5], [3, 7]]


def test_nothing_to_draw_leaves_the_limits_alone():
    axes, bounds, _ = bands_and_lines({})
    assert not bounds
    assert axes.get_ylim() == (0, 1)
