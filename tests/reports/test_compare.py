"""Two tables of cells against each other: alignment, changes, bit-identity, configuration and code."""

import numpy as np
import pandas as pd
import pytest

from backproof.reports.alignment import align
from backproof.reports.compare import compare, differing_entries, differing_settings, transitions


def only(cells, **more):
    """The cells with columns set."""
    return cells.assign(**more)


def at(cells, row, **values):
    """The cells with one row changed."""
    cells = cells.copy()
    for name, value in values.items():
        cells[name] = cells[name].astype(object) if isinstance(value, str) else cells[name]
        cells.loc[row, name] = value
    return cells


# --- alignment


def test_cells_are_paired_whatever_their_order_and_their_id(cells):
    shuffled = cells.sample(frac=1, random_state=0).assign(cell=[f"other{i}" for i in range(len(cells))])
    found = align(cells, shuffled)
    assert found.axes == ["activation", "loss", "clip.eps", "seed"]
    assert found.complete
    pd.testing.assert_frame_equal(
        found.a.drop(columns=["cell"]), found.b.drop(columns=["cell"]), check_dtype=False
    )


def test_cells_on_one_side_are_told(cells):
    found = align(cells.drop(index=[0, 1]), cells.drop(index=[5]))
    assert found.only_a["cell"].tolist() == [cells["cell"][5]]
    assert found.only_b["cell"].tolist() == cells["cell"][[0, 1]].tolist()
    assert len(found.a) == len(found.b) == len(cells) - 3
    assert not found.complete
    assert not compare(cells, cells.drop(index=[5])).unchanged


def test_what_each_side_holds_constant_is_no_part_of_the_key(cells):
    a = only(cells, training="sgd")
    b = only(cells, training="adam", **{"training.rate": 0.1})
    assert align(a, b).complete
    assert differing_settings(a, b).to_dict("records") == [
        {"what": "training", "A": "sgd", "B": "adam"},
        {"what": "training.rate", "A": "–", "B": "0.1"},
    ]


def test_null_beside_one_value_is_no_part_of_the_key(cells):
    """Squared error has no eps: the loss says where there is one, and A's may differ from B's."""
    one = cells[cells["clip.eps"] != 1e-7]
    other = only(one, **{"clip.eps": one["clip.eps"] * 10})
    assert one["clip.eps"].isna().any()
    found = align(one, other)
    assert found.complete
    assert "clip.eps" not in found.axes
    assert differing_settings(one, other)["what"].tolist() == ["clip.eps"]


def test_null_that_tells_cells_apart_joins_the_key(cells):
    """check.step=null,1e-5: null chooses a step, 1e-5 is one."""
    chosen, given = only(cells, **{"check.step": np.nan}), only(cells, **{"check.step": 1e-5})
    both = pd.concat([chosen, given], ignore_index=True)
    found = align(both, given)
    assert "check.step" in found.axes
    assert len(found.a) == len(cells)
    assert len(found.only_a) == len(cells)
    assert found.only_a["check.step"].isna().all()
    assert not len(found.repeated_a)


def test_null_pairs_with_null_only(cells):
    found = align(cells, only(cells, **{"clip.eps": cells["clip.eps"].fillna(1e-3)}))
    assert len(found.only_a) == len(found.only_b) == cells["clip.eps"].isna().sum()


def test_a_setting_that_varies_on_one_side_only_is_null_on_the_other(cells):
    wide = pd.concat([only(cells, **{"network.bias": b}) for b in ("zero", "normal")], ignore_index=True)
    found = align(wide, cells)
    assert not len(found.a)
    assert (len(found.only_a), len(found.only_b)) == (2 * len(cells), len(cells))


def test_numbers_are_the_same_however_they_are_written(cells):
    """A column of numbers and words is text: in B, where a step may be `auto`, 0.5 stands as text."""
    a = pd.concat([only(cells, **{"check.step": s}) for s in (0.5, 2)], ignore_index=True)
    b = pd.concat([only(cells, **{"check.step": s}) for s in ("auto", "0.5", "2")], ignore_index=True)
    found = align(a, b)
    assert len(found.a) == len(a)
    assert set(found.only_b["check.step"]) == {"auto"}
    assert not len(found.only_a)


def test_cells_with_the_same_settings_are_left_out_and_counted(cells):
    """As after a change of code under a stock launcher, which leaves old and new cells in one grid."""
    twice = pd.concat(
        [cells, cells.iloc[[3]].assign(cell="again", verdict="incorrect gradient")], ignore_index=True
    )
    for found in (align(twice, cells), align(cells, twice)):
        assert not found.complete
        assert sorted([len(found.repeated_a), len(found.repeated_b)]) == [1, 2]
        assert len(found.a) == len(cells) - 1
        assert "incorrect gradient" not in set(found.b["verdict"]) - set(cells["verdict"])
    assert not compare(twice, twice).unchanged


@pytest.mark.parametrize("empty", ["a", "b", "both"])
def test_tables_without_cells(cells, empty):
    none = cells.iloc[:0]
    found = compare(none if empty != "b" else cells, none if empty != "a" else cells)
    assert found.unchanged == (empty == "both")
    assert not len(found.overall)
    assert not len(found.combinations)


# --- bit-identical


def test_equal_tables_are_bit_identical(cells):
    other = only(cells, seconds=9.0, attempts=3, command="python -m backproof check", traceback="File 'x'")
    found = compare(cells, other.iloc[::-1])
    assert found.same_results
    assert found.unchanged
    assert found.differing == {}


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("gradient_error", lambda x: np.nextafter(x, 1)),
        ("final_loss", lambda x: np.nextafter(x, 0)),
        ("loss_value", lambda _: 0.0),
        ("steps_to_threshold", lambda x: x + 1),
        ("diverged_at", lambda _: 7),
        ("worst_parameter", lambda _: "W1[0,0]"),
        ("verdict", lambda _: "not finite"),
    ],
)
def test_one_bit_is_seen(cells, column, change):
    other = at(cells, 4, **{column: change(cells[column][4])})
    found = compare(cells, other)
    assert not found.same_results
    assert found.differing == {column: 1}


def test_zero_and_minus_zero_are_not_bit_identical(cells):
    zero = only(cells, loss_value=0.0)
    assert compare(zero, only(cells, loss_value=-0.0)).differing == {"loss_value": len(cells)}
    assert compare(zero, zero).same_results


def test_numbers_may_change_without_a_verdict_changing(cells):
    found = compare(cells, only(cells, accuracy=cells["accuracy"] + 0.01))
    assert found.unchanged
    assert not found.same_results


# --- verdicts and statuses


def test_changed_verdicts_are_counted_and_listed(cells):
    other = at(cells, 2, verdict="incorrect gradient", causes="output delta", command="backproof check x=1")
    other = at(at(other, 7, verdict="incorrect gradient"), 12, verdict="not finite")
    before = cells["verdict"]
    assert before[[2, 7, 12]].tolist() == ["agrees", "agrees", "incorrect gradient"]
    found = compare(cells, other)
    assert transitions(found.verdicts).to_numpy().tolist() == [
        ["agrees", "incorrect gradient", 2], ["incorrect gradient", "not finite", 1],
    ]  # fmt: skip
    first = found.verdicts.iloc[0]
    assert (first["activation"], first["loss"], first["seed"]) == tuple(
        cells.loc[2, ["activation", "loss", "seed"]]
    )
    assert (first["causes_a"], first["causes_b"]) == ("–", "output delta")
    assert (first["command_a"], first["command_b"]) == ("backproof check", "backproof check x=1")
    assert not len(found.statuses)
    assert not found.unchanged


def test_a_cell_that_fails_changes_its_status_not_its_verdict(cells):
    other = at(cells, 2, status="failed", error="MemoryError: no memory")
    other["verdict"] = other["verdict"].where(other.index != 2, None)
    found = compare(cells, other)
    assert transitions(found.statuses).to_numpy().tolist() == [["ok", "failed", 1]]
    assert found.statuses["error_b"].tolist() == ["MemoryError: no memory"]
    assert not len(found.verdicts)
    assert not found.unchanged


def test_a_verdict_that_is_missing_on_one_side_has_changed(cells):
    other = cells.assign(verdict=cells["verdict"].where(cells.index != 2, None))
    assert transitions(compare(cells, other).verdicts).to_numpy().tolist() == [["agrees", "–", 1]]


# --- configuration and code


def test_the_values_of_an_axis_are_listed(cells):
    found = differing_settings(cells, cells[cells["seed"] < 2])
    assert found.to_dict("records") == [{"what": "seed", "A": "0, 1, 2", "B": "0, 1"}]
    many = pd.concat([only(cells, seed=s) for s in range(12)], ignore_index=True)
    (text,) = differing_settings(many, cells)["A"]
    assert text == "0, 1, 2, 3, 4, 5, 6, 7, … (12 values)"


def test_a_whole_number_and_its_float_are_the_same_setting(cells):
    a, b = only(cells, **{"network.init_scale": 1}), only(cells, **{"network.init_scale": 1.0})
    assert not len(differing_settings(a, b))
    assert len(differing_settings(a, only(cells, **{"network.init_scale": 1.001})))


def test_entries_that_differ_by_their_whole_name():
    a = {
        "fingerprint": "x",
        "git": {"commit": "1", "dirty": False},
        "versions": {"numpy": "2.0", "jax": None},
    }
    b = {"fingerprint": "x", "git": None, "versions": {"numpy": "2.1"}, "grid": [{"seed": [0, 1]}]}
    assert differing_entries(a, b).to_numpy().tolist() == [
        ["git commit", "1", "–"],
        ["git dirty", "false", "–"],
        ["versions numpy", "2.0", "2.1"],
        ["grid", "–", '[{"seed": [0, 1]}]'],
    ]
    assert not len(differing_entries(a, a))
    assert not len(differing_entries({}, {}))
