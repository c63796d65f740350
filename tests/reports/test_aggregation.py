"""Aggregation over the table of cells, and which axes explain it."""

import numpy as np
import pandas as pd
import pytest

from backproof.reports import axes
from backproof.reports.aggregation import COUNTS, WORST, lay_out
from backproof.reports.summary import training_summary
from backproof.sweeps.columns import BY_NAME
from backproof.verdicts import Verdict

WORDS = tuple(v.value for v in Verdict)


def tiles_of(cells, column, rows, columns, aggregate=""):
    return lay_out(cells, BY_NAME[column], rows, columns, aggregate)


def at(pivot, row, column):
    return pivot.rows.index(row), pivot.columns.index(column)


def test_replicates_are_aggregated_by_the_median(cells):
    p = tiles_of(cells, "gradient_error", ["activation"], ["loss"])
    tile = at(p, ("tanh",), ("binary_cross_entropy",))
    assert p["value"][tile] == pytest.approx(0.6)
    assert (p["least"][tile], p["greatest"][tile]) == (0.5, 0.7)
    assert p["n"][tile] == 6  # two eps, three seeds


def test_what_varies_within_a_tile_beside_the_seed_is_named(cells):
    p = tiles_of(cells, "gradient_error", ["activation"], ["loss"])
    assert p.pooled == ("clip.eps",)
    tile, beside = at(p, ("tanh",), ("binary_cross_entropy",)), at(p, ("tanh",), ("squared_error",))
    assert (p["settings"][tile], p["settings"][beside]) == (2, 1)
    assert tiles_of(cells, "gradient_error", ["activation"], ["loss", "clip.eps"]).pooled == ()
    follows = cells.assign(output=cells["activation"])
    assert tiles_of(follows, "accuracy", ["activation"], ["loss", "clip.eps"]).pooled == (), (
        "one that follows another"
    )


def test_only_replicates_have_an_interval_and_only_if_they_are_enough(cells):
    many = pd.concat([cells.assign(seed=cells["seed"] + 3 * k) for k in range(3)], ignore_index=True)
    intervals = {
        (name, len(table)): np.isfinite(tiles_of(table, "accuracy", ["activation"], columns)["interval_low"])
        for table in (cells, many)
        for name, columns in (("pooled", ["loss"]), ("replicates", ["loss", "clip.eps"]))
    }
    assert not intervals["replicates", len(cells)].any(), "three seeds"
    assert intervals["replicates", len(many)].all(), "nine seeds"
    pooled = intervals["pooled", len(many)]
    assert pooled.any() and not pooled.all(), "not where two eps stand in for replicates"


def test_a_null_setting_is_shown_at_every_value_of_its_axis(cells):
    p = tiles_of(cells, "accuracy", ["loss"], ["clip.eps"])
    assert p.columns == [(1e-7,), (1e-3,)]
    assert (p["n"][p.rows.index(("squared_error",))] == 6).all()
    assert p["n"].sum() == 12 + 12


def test_a_null_setting_has_one_line_beside_the_axis_that_makes_it_null(cells):
    p = tiles_of(cells, "accuracy", ["loss", "clip.eps"], ["activation"])
    assert p.rows == [("squared_error", None), ("binary_cross_entropy", 1e-7), ("binary_cross_entropy", 1e-3)]


def test_the_most_frequent_verdict_is_shown_and_how_many_have_it(cells):
    cells.loc[cells.index[cells["loss"] == "squared_error"][0], "verdict"] = "incorrect gradient"
    p = tiles_of(cells, "verdict", ["activation"], ["loss"])
    tile = at(p, ("relu",), ("squared_error",))
    assert WORDS[int(p["value"][tile])] == "agrees"
    assert (p["agreeing"][tile], p["n"][tile]) == (2, 3)


def test_of_equally_frequent_verdicts_the_worse_is_shown(cells):
    two = cells[(cells["loss"] == "squared_error") & (cells["activation"] == "relu")].head(2).copy()
    two["verdict"] = ["incorrect gradient", "agrees"]
    p = tiles_of(two, "verdict", ["activation"], [])
    assert WORDS[int(p["value"][0, 0])] == "incorrect gradient"


def test_never_reached_counts_as_infinite_and_counts_so_in_the_median(cells):
    three = cells[(cells["loss"] == "squared_error") & (cells["activation"] == "relu")].copy()
    three["steps_to_threshold"] = pd.array([10, None, None], "Int64")
    assert np.isinf(tiles_of(three, "steps_to_threshold", ["activation"], [])["value"][0, 0])
    three["steps_to_threshold"] = pd.array([10, 20, None], "Int64")
    assert tiles_of(three, "steps_to_threshold", ["activation"], [])["value"][0, 0] == 20


def test_what_was_not_trained_does_not_count_in_a_median(cells):
    cells["training"] = "none"
    cells["steps_to_threshold"] = pd.array([None] * len(cells), "Int64")
    assert np.isnan(tiles_of(cells, "steps_to_threshold", ["activation"], [])["value"]).all()


def test_failed_and_excluded_cells_are_counted_not_measured(cells):
    cells.loc[0, ["status", "verdict", "gradient_error"]] = ["failed", None, np.nan]
    cells.loc[1, ["status", "verdict", "gradient_error"]] = ["excluded", None, np.nan]
    p = tiles_of(cells, "gradient_error", ["activation"], ["loss"])
    tile = at(p, ("relu",), ("squared_error",))
    assert (p["n"][tile], p["failed"][tile], p["excluded"][tile]) == (1, 1, 1)


def test_the_data_behind_a_figure_are_one_line_per_tile(cells):
    table = tiles_of(cells, "gradient_error", ["activation"], ["loss"]).table()
    results = ["median", "interval_low", "interval_high", "least", "greatest"]
    assert list(table.columns) == ["activation", "loss", *results, *COUNTS]
    assert len(table) == 4


def test_the_axes_that_explain_the_verdict_come_first(cells):
    chosen, explained = axes.informative_axes(cells)
    assert set(chosen) == {"activation", "loss"}
    assert explained == "verdict"
    assert list(chosen.values())[1] == 1  # together they say all


def test_axes_that_matter_only_together_are_found(cells):
    """Neither activation nor loss alone says anything, both together everything."""
    same = (cells["activation"] == "relu") == (cells["loss"] == "binary_cross_entropy")
    cells["verdict"] = np.where(same, "agrees", "incorrect gradient")
    chosen, _ = axes.informative_axes(cells[cells["clip.eps"] != 1e-3].reset_index())
    assert set(chosen) == {"activation", "loss"}
    assert list(chosen.values()) == [0, 1]


def test_an_axis_that_only_repeats_another_is_left_out(cells):
    cells.insert(1, "output", cells["activation"])
    assert len({"output", "activation"} & set(axes.informative_axes(cells)[0])) == 1


def test_one_verdict_only_leaves_the_gradient_error_to_choose(cells):
    cells["verdict"] = "agrees"
    cells["gradient_error"] = cells["loss"].map({"squared_error": 1e-12, "binary_cross_entropy": 1e-6})
    chosen, explained = axes.informative_axes(cells)
    assert next(iter(chosen)) == "loss"
    assert explained == "gradient error"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (1e-7, "1e-07"), (0.5, "0.5"), ("relu", "relu"), (3, "3")]
)
def test_labels(value, text):
    assert axes.label(value) == text


def test_how_cells_train(cells):
    found = training_summary(cells)
    assert found.n == len(cells)
    assert found.accuracy == pytest.approx(0.81)
    assert (found.reached, found.diverged) == (1, 0)
    assert training_summary(cells.assign(accuracy=np.nan)) is None


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("median", 0.6), ("mean", 0.6), ("least", 0.5), ("greatest", 0.7)],
)
def test_a_tile_is_aggregated_as_asked(cells, aggregate, value):
    p = tiles_of(cells, "gradient_error", ["activation"], ["loss"], aggregate=aggregate)
    assert p["value"][at(p, ("tanh",), ("binary_cross_entropy",))] == pytest.approx(value)
    assert aggregate in p.table()


def test_the_worst_word_is_the_last_that_is_there(cells):
    cells.loc[0, "verdict"] = "incorrect gradient"
    p = tiles_of(cells, "verdict", ["activation"], ["loss"], WORST)
    tile = at(p, ("relu",), ("squared_error",))
    assert WORDS[int(p["value"][tile])] == "incorrect gradient"
    assert (p["agreeing"][tile], p["n"][tile]) == (1, 3)


def test_what_is_to_come_is_counted(cells):
    cells.loc[:1, "status"] = "pending"
    p = tiles_of(cells, "gradient_error", ["activation"], ["loss"])
    tile = at(p, ("relu",), ("squared_error",))
    assert (p["n"][tile], p["pending"][tile]) == (1, 2)


@pytest.mark.parametrize(("first", "rows"), [("activation", "clip.eps"), ("loss", "activation")])
def test_small_multiples_hold_what_the_whole_does(cells, first, rows):
    cells = cells[(cells["activation"] != "tanh") | (cells["seed"] != 2)]  # tanh has a column less
    second = "seed"
    whole = tiles_of(cells, "gradient_error", [rows], [first, second])
    parts = whole.split(1)
    assert [p.facet[0][0] for p in parts] == [first, first]
    assert all(p.rows == whole.rows and p.columns == [(0,), (1,), (2,)] for p in parts)
    for part in parts:
        value = part.facet[0][1]
        alone = tiles_of(cells[cells[first] == value], "gradient_error", [rows], [second])
        for i, j in np.ndindex(alone["value"].shape):
            here = (part.rows.index(alone.rows[i]), part.columns.index(alone.columns[j]))
            np.testing.assert_equal(part["value"][here], alone["value"][i, j])
            assert part["n"][here] == alone["n"][i, j]
            flat = here[0] * len(part.columns) + here[1]
            assert len(part.cells[part.tile == flat]) == part["finished"][here]
            assert set(cells.loc[part.cells[part.tile == flat]][first]) <= {value}
    if first == "activation":
        missing = parts[1].columns.index((2,))
        assert np.isnan(parts[1]["value"][:, missing]).all() and not parts[1]["n"][:, missing].any()
    assert sum(p["n"].sum() for p in parts) == whole["n"].sum()
