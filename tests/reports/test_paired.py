"""Paired differences against SciPy's own test, and what is done with zeros, nulls and single pairs."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backproof.reports.paired import MEASURES, differences, intervals, leaves_zero_out, paired, stands_still

AXES = ["activation", "loss", "clip.eps", "seed"]
MEASURE = {m.name: m for m in MEASURES}


@pytest.fixture
def changed(cells):
    """The cells with every number moved, differently from seed to seed."""
    rng = np.random.default_rng(0)
    return cells.assign(
        gradient_error=cells["gradient_error"] * 10 ** rng.normal(1, 0.5, len(cells)),
        final_loss=cells["final_loss"] * rng.uniform(0.5, 0.9, len(cells)),
        accuracy=cells["accuracy"] + rng.normal(0, 0.02, len(cells)),
        steps_to_threshold=cells["steps_to_threshold"] + rng.integers(1, 9, len(cells)),
    )


def of(table, measure, **settings):
    """The one row of a measure with these settings."""
    table = table[table["measure"] == measure]
    for name, value in settings.items():
        table = table[table[name.replace("_eps", ".eps")] == value]
    (row,) = table.to_dict("records")
    return row


@pytest.mark.parametrize("measure", ["gradient_error", "final_loss", "accuracy", "steps_to_threshold"])
def test_a_combination_has_the_interval_of_a_paired_t_test(cells, changed, measure):
    place = {"activation": "tanh", "loss": "binary_cross_entropy", "clip_eps": 1e-3}
    row = of(paired(cells, changed, AXES)[1], measure, **place)
    here = (
        (cells["activation"] == "tanh")
        & (cells["loss"] == "binary_cross_entropy")
        & (cells["clip.eps"] == 1e-3)
    )
    a, b = (t.loc[here, measure].to_numpy(float) for t in (cells, changed))
    level = (np.median(a), np.median(b))
    if MEASURE[measure].compared == "ratio":
        a, b = np.log10(a), np.log10(b)
    interval = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert (row["n"], row["left_out"]) == (3, 0)
    assert row["mean"] == pytest.approx((b - a).mean(), rel=1e-9)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert (row["a"], row["b"]) == pytest.approx(level, rel=1e-12)
    other = stats.ttest_rel(b, a).confidence_interval(0.951)
    assert row["low"] != pytest.approx(other.low, rel=1e-3), "another level would be seen"


def test_over_everything_the_seeds_are_what_is_counted(cells, changed):
    row = of(paired(cells, changed, AXES)[0], "gradient_error")
    difference = np.log10(changed["gradient_error"] / cells["gradient_error"])
    seeds = [difference[cells["seed"] == s].mean() for s in range(3)]
    interval = stats.ttest_1samp(seeds, 0).confidence_interval()
    assert (row["pairs"], row["n"]) == (len(cells), 3)
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(
        (np.mean(seeds), interval.low, interval.high), rel=1e-9
    )


def test_equal_differences_have_an_interval_of_width_zero(cells):
    # 0.1 + 0.1 + 0.1 over 3 is not 0.1, and the spread of three times 0.1 need not come out as 0.
    other = cells.assign(accuracy=cells["accuracy"] + 0.125, final_loss=cells["final_loss"] * 2)
    overall, combinations = paired(cells.assign(accuracy=0.5), other.assign(accuracy=0.6), AXES)
    for table in (overall, combinations):
        rows = table[table["measure"].isin(["accuracy", "final_loss"])]
        assert (rows["low"] == rows["high"]).all()
        assert (rows["mean"] == rows["low"]).all()
        assert leaves_zero_out(rows).all()
    assert set(combinations.loc[combinations["measure"] == "accuracy", "mean"]) == {0.6 - 0.5}


def test_what_does_not_move_stands_still(cells):
    for table in paired(cells, cells, AXES):
        assert stands_still(table).all()
        assert not leaves_zero_out(table).any()


def test_one_pair_has_no_interval(cells, changed):
    one = cells["seed"] == 0
    overall, combinations = paired(cells[one], changed[one], AXES[:-1])
    for table in (overall, combinations):
        assert (table["n"] == 1).all()
        assert table["mean"].notna().all()
        assert table[["low", "high"]].isna().all(axis=None)
        assert not leaves_zero_out(table).any()


def test_differences_one_by_one():
    """Equal is 0, two zeros too; a zero or null on one side is left out; null on both is no pair."""
    nan = np.nan
    a = pd.DataFrame(
        {"gradient_error": [1e-3, 0, 0, 1e-3, nan, 1, nan, -1e-9, -1e-9, np.inf], "status": "ok"}
    )
    b = pd.DataFrame({"gradient_error": [1e-1, 0, 1, 0.0, 1, nan, nan, -1e-9, -2e-9, 1.0], "status": "ok"})
    found = differences(a, b, MEASURE["gradient_error"])
    assert found["difference"].tolist() == pytest.approx(
        [2, 0, nan, nan, nan, nan, nan, 0, nan, nan], nan_ok=True
    )
    assert found["left_out"].tolist() == [
        False, False, True, True, True, True, False, False, True, True,
    ]  # fmt: skip


def test_of_cells_that_did_not_finish_there_is_no_difference():
    a = pd.DataFrame({"accuracy": [0.5, 0.5, 0.5], "status": ["ok", "failed", "ok"]})
    b = pd.DataFrame({"accuracy": [0.7, 0.7, 0.7], "status": ["ok", "ok", "pending"]})
    found = differences(a, b, MEASURE["accuracy"])
    assert found["difference"].notna().tolist() == [True, False, False]
    assert not found["left_out"].any()


def test_steps_that_are_never_reached_are_left_out_and_counted(cells):
    never = cells.assign(steps_to_threshold=cells["steps_to_threshold"].where(cells["seed"] != 1))
    overall, combinations = paired(cells, never, AXES)
    row = of(
        combinations, "steps_to_threshold", activation="relu", loss="binary_cross_entropy", clip_eps=1e-3
    )
    assert (row["n"], row["left_out"]) == (2, 1)
    assert of(overall, "steps_to_threshold")["left_out"] == 6
    assert not stands_still(combinations[combinations["measure"] == "steps_to_threshold"]).any()
    nowhere = cells.assign(steps_to_threshold=pd.array([None] * len(cells), "Int64"))
    row = of(paired(cells, nowhere, AXES)[0], "steps_to_threshold")
    assert (row["pairs"], row["n"], row["left_out"]) == (0, 0, len(cells))
    assert np.isnan(row["mean"])


def test_divergence_is_counted_among_those_that_trained(cells):
    diverging = cells.assign(diverged_at=pd.array([5 if s == 2 else None for s in cells["seed"]], "Int64"))
    overall, combinations = paired(cells, diverging, AXES)
    row = of(overall, "diverged_at")
    assert (row["a"], row["b"], row["pairs"]) == (0, 6, 18)
    assert row["mean"] == pytest.approx(1 / 3)
    assert set(combinations.loc[combinations["measure"] == "diverged_at", "b"]) == {1}
    untrained = cells.assign(training="none")
    assert "diverged_at" not in set(paired(untrained, untrained, AXES)[0]["measure"])


def test_intervals_without_zero_come_first_and_the_larger_before_the_smaller(cells):
    """relu moves by 1 for certain, tanh by up to 4 on the mean and uncertainly."""
    noise = np.where(cells["seed"] == 0, -6, 5 + 4 * (cells["clip.eps"] == 1e-3))
    log = np.where(cells["activation"] == "relu", 1.0 + (cells["loss"] == "binary_cross_entropy"), noise)
    other = cells.assign(gradient_error=cells["gradient_error"] * 10**log)
    table = paired(cells, other, AXES)[1]
    table = table[table["measure"] == "gradient_error"]
    assert leaves_zero_out(table).tolist() == [True] * 3 + [False] * 3
    for part in (table[:3], table[3:]):
        assert part["mean"].abs().is_monotonic_decreasing
    assert table["mean"].abs().max() > table["mean"].iloc[0]


def test_null_settings_make_a_combination_of_their_own(cells):
    table = paired(cells, cells, AXES)[1]
    table = table[table["measure"] == "accuracy"]
    assert len(table) == 6
    assert table["clip.eps"].isna().sum() == 2
    assert (table["n"] == 3).all()


def test_a_sweep_of_one_combination(cells, changed):
    one = (cells["activation"] == "relu") & (cells["loss"] == "squared_error")
    table = paired(cells[one], changed[one], ["seed"])[1]
    assert (table["n"] == 3).all()
    assert table["measure"].tolist() == [m.name for m in MEASURES]


def test_intervals_are_students():
    values = pd.Series([1.0, 2.0, 4.0, 5.0, 5.0, 7.0])
    found = intervals(values, pd.Series(["a", "a", "a", "b", "b", "c"]))
    expected = stats.t.interval(0.95, 2, values[:3].mean(), stats.sem(values[:3]))
    assert tuple(found.loc["a", ["low", "high"]]) == pytest.approx(expected, rel=1e-12)
    assert tuple(found.loc["b"]) == (2, 5, 5, 5)
    assert found.loc["c", ["low", "high"]].isna().all()
