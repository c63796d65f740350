"""Statistics over the table of cells."""

import numpy as np
import pandas as pd
import pytest

from backproof.reports import tables
from backproof.verdicts import Verdict

WORDS = tuple(v.value for v in Verdict)


def at(pivot, row, column):
    return pivot.rows.index(row), pivot.columns.index(column)


def test_replicates_are_put_together_by_the_median(cells):
    p = tables.pivot(cells, "gradient_error", ["activation"], ["loss"])
    place = at(p, ("tanh",), ("binary_cross_entropy",))
    assert p.middle[place] == pytest.approx(0.6)
    assert (p.low[place], p.high[place]) == (0.5, 0.7)
    assert p.n[place] == 6  # two eps, three seeds


def test_a_null_setting_is_shown_at_every_value_of_its_axis(cells):
    p = tables.pivot(cells, "accuracy", ["loss"], ["clip.eps"])
    assert p.columns == [(1e-7,), (1e-3,)]
    assert (p.n[p.rows.index(("squared_error",))] == 6).all()
    assert p.n.sum() == 12 + 12


def test_a_null_setting_has_one_line_beside_the_axis_that_makes_it_null(cells):
    p = tables.pivot(cells, "accuracy", ["loss", "clip.eps"], ["activation"])
    assert p.rows == [("squared_error", None), ("binary_cross_entropy", 1e-7), ("binary_cross_entropy", 1e-3)]


def test_the_most_frequent_verdict_is_shown_and_how_many_have_it(cells):
    cells.loc[cells.index[cells["loss"] == "squared_error"][0], "verdict"] = "incorrect gradient"
    p = tables.pivot(cells, "verdict", ["activation"], ["loss"], WORDS)
    place = at(p, ("relu",), ("squared_error",))
    assert WORDS[int(p.middle[place])] == "agrees"
    assert (p.agreeing[place], p.n[place]) == (2, 3)


def test_of_equally_frequent_verdicts_the_worse_is_shown(cells):
    two = cells[(cells["loss"] == "squared_error") & (cells["activation"] == "relu")].head(2).copy()
    two["verdict"] = ["incorrect gradient", "agrees"]
    p = tables.pivot(two, "verdict", ["activation"], [], WORDS)
    assert WORDS[int(p.middle[0, 0])] == "incorrect gradient"


def test_never_reached_counts_as_infinite_and_takes_its_place_in_the_median(cells):
    three = cells[(cells["loss"] == "squared_error") & (cells["activation"] == "relu")].copy()
    three["steps_to_threshold"] = pd.array([10, None, None], "Int64")
    assert np.isinf(tables.pivot(three, "steps_to_threshold", ["activation"], []).middle[0, 0])
    three["steps_to_threshold"] = pd.array([10, 20, None], "Int64")
    assert tables.pivot(three, "steps_to_threshold", ["activation"], []).middle[0, 0] == 20


def test_what_was_not_trained_has_no_place_in_a_median(cells):
    cells["training"] = "none"
    cells["steps_to_threshold"] = pd.array([None] * len(cells), "Int64")
    assert np.isnan(tables.pivot(cells, "steps_to_threshold", ["activation"], []).middle).all()


def test_failed_and_excluded_cells_are_counted_not_measured(cells):
    cells.loc[0, ["status", "verdict", "gradient_error"]] = ["failed", None, np.nan]
    cells.loc[1, ["status", "verdict", "gradient_error"]] = ["excluded", None, np.nan]
    p = tables.pivot(cells, "gradient_error", ["activation"], ["loss"])
    place = at(p, ("relu",), ("squared_error",))
    assert (p.n[place], p.failed[place], p.excluded[place]) == (1, 1, 1)


def test_the_data_behind_a_figure_are_a_line_a_place(cells):
    table = tables.pivot(cells, "gradient_error", ["activation"], ["loss"]).table()
    results = ["median", "interval_low", "interval_high", "least", "greatest"]
    assert list(table.columns) == ["activation", "loss", *results, *tables.COUNTS]
    assert len(table) == 4


def test_the_axes_that_explain_the_verdict_come_first(cells):
    axes, explained = tables.telling_axes(cells)
    assert set(axes) == {"activation", "loss"}
    assert explained == "verdict"
    assert list(axes.values())[1] == 1  # together they say all


def test_axes_that_matter_only_together_are_found(cells):
    """Neither activation nor loss alone says anything, both together everything."""
    same = (cells["activation"] == "relu") == (cells["loss"] == "binary_cross_entropy")
    cells["verdict"] = np.where(same, "agrees", "incorrect gradient")
    axes, _ = tables.telling_axes(cells[cells["clip.eps"] != 1e-3].reset_index())
    assert set(axes) == {"activation", "loss"}
    assert list(axes.values()) == [0, 1]


def test_an_axis_that_only_repeats_another_is_left_out(cells):
    cells.insert(1, "output", cells["activation"])
    assert len({"output", "activation"} & set(tables.telling_axes(cells)[0])) == 1


def test_one_verdict_only_leaves_the_gradient_error_to_choose(cells):
    cells["verdict"] = "agrees"
    cells["gradient_error"] = cells["loss"].map({"squared_error": 1e-12, "binary_cross_entropy": 1e-6})
    axes, explained = tables.telling_axes(cells)
    assert next(iter(axes)) == "loss"
    assert explained == "gradient error"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (1e-7, "1e-07"), (0.5, "0.5"), ("relu", "relu"), (3, "3")]
)
def test_labels(value, text):
    assert tables.label(value) == text


def test_how_cells_train(cells):
    found = tables.training_summary(cells)
    assert found["n"] == len(cells)
    assert found["accuracy"] == pytest.approx(0.81)
    assert (found["reached"], found["diverged"]) == (1, 0)
    assert tables.training_summary(cells.assign(accuracy=np.nan)) is None


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("median", 0.6), ("mean", 0.6), ("least", 0.5), ("greatest", 0.7)],
)
def test_a_place_is_put_together_as_asked(cells, aggregate, value):
    p = tables.pivot(cells, "gradient_error", ["activation"], ["loss"], aggregate=aggregate)
    assert p.middle[at(p, ("tanh",), ("binary_cross_entropy",))] == pytest.approx(value)
    assert aggregate in p.table()


def test_the_worst_word_is_the_last_that_is_there(cells):
    cells.loc[0, "verdict"] = "incorrect gradient"
    p = tables.pivot(cells, "verdict", ["activation"], ["loss"], WORDS, tables.WORST)
    place = at(p, ("relu",), ("squared_error",))
    assert WORDS[int(p.middle[place])] == "incorrect gradient"
    assert (p.agreeing[place], p.n[place]) == (1, 3)


def test_what_is_to_come_is_counted(cells):
    cells.loc[:1, "status"] = "pending"
    p = tables.pivot(cells, "gradient_error", ["activation"], ["loss"])
    place = at(p, ("relu",), ("squared_error",))
    assert (p.n[place], p.pending[place]) == (1, 2)


@pytest.mark.parametrize(("first", "rows"), [("activation", "clip.eps"), ("loss", "activation")])
def test_small_multiples_hold_what_the_whole_does(cells, first, rows):
    cells = cells[(cells["activation"] != "tanh") | (cells["seed"] != 2)]  # tanh has a column less
    second = "seed"
    whole = tables.pivot(cells, "gradient_error", [rows], [first, second])
    parts = whole.split(1)
    assert [p.facet[0][0] for p in parts] == [first, first]
    assert all(p.rows == whole.rows and p.columns == [(0,), (1,), (2,)] for p in parts)
    for part in parts:
        value = part.facet[0][1]
        alone = tables.pivot(cells[cells[first] == value], "gradient_error", [rows], [second])
        for i, j in np.ndindex(alone.middle.shape):
            here = (part.rows.index(alone.rows[i]), part.columns.index(alone.columns[j]))
            np.testing.assert_equal(part.middle[here], alone.middle[i, j])
            assert part.n[here] == alone.n[i, j]
            flat = here[0] * len(part.columns) + here[1]
            assert len(part.who[part.where == flat]) == part.finished[here]
            assert set(cells.iloc[part.who[part.where == flat]][first]) <= {value}
    if first == "activation":
        missing = parts[1].columns.index((2,))
        assert np.isnan(parts[1].middle[:, missing]).all() and not parts[1].n[:, missing].any()
    assert sum(p.n.sum() for p in parts) == whole.n.sum()
