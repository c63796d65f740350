"""A sweep that tunes the learning rate of each rule: what it adds, chooses, shows and resumes."""

import pandas as pd
import pytest
import yaml

from backproof.sweeps.refining import Adding
from backproof.sweeps.store import Store

AXIS = "training.learning_rate"
EXPERIMENT = {
    "question": "Does a doubled gradient matter?",
    "overrides": {
        "data": "gaussian", "network": "small", "check": "none", "training": "sgd", "training.steps": 30,
        "loss": "binary_cross_entropy", "output": "sigmoid",
    },
    "tune": AXIS,
    "grid": {"fault": ["none", "doubled"], AXIS: [0.01, 0.1], "seed": "range(0,3)"},
    "claims": [
        {
            "id": "same", "statement": "Tuned, it trains as well.", "at": "tuned",
            "contrast": {
                "value": "accuracy", "of": "fault == 'doubled'", "against": "fault == 'none'",
                "expect": "equivalent", "effect": 0.1,
            },
        },
    ],
    "figures": [{"value": "accuracy", "rows": ["fault"], "columns": [AXIS], "at": "tuned"}],
}  # fmt: skip


@pytest.fixture
def tuned(program, here):
    (here / "experiments").mkdir()

    def run(*arguments, command="sweep", **changes):
        text = yaml.safe_dump({**EXPERIMENT, **changes})
        (here / "experiments" / "mine.yaml").write_text(text)
        return program(command, "experiment=mine", *(arguments or ("engine=serial",)))

    return run


def rates_of(cells):
    return {fault: sorted(set(part[AXIS])) for fault, part in cells.groupby("fault")}


def test_the_grid_is_extended_until_each_best_rate_lies_within_it(tuned, table):
    assert tuned().status == 0
    cells = table("mine")
    for _, part in cells.groupby("fault"):
        means = part.groupby(AXIS)["validation_accuracy"].mean()
        (best,) = part.loc[part["tuned"], AXIS].unique()
        assert means[best] == means.max()
        assert part.loc[part["tuned"], "tuned_at_edge"].all() == (best in (means.index[0], means.index[-1]))
        assert means.index[0] == 0.01 and means.index[-1] > 0.1, "0.1 is too small for thirty steps"
    assert not cells["refined"].any(), "claims and figures are about them"
    again = tuned()
    assert "0 to run" in again.err and table("mine").equals(cells)


def test_every_round_has_the_cells_as_the_store_has_them(tuned, monkeypatch):
    """Though each is read once: without the marks of what is chosen, which is about to be found."""
    seen, table_of = [], Adding._table

    def compared(adding):
        found, stored = table_of(adding), adding.store.cells(pending=True)
        marks = ["tuned", "tuned_at_edge"]
        pd.testing.assert_frame_equal(found.drop(columns=marks), stored.drop(columns=marks))
        seen.append(len(found))
        return found

    monkeypatch.setattr(Adding, "_table", compared)
    tuned()
    assert len(seen) > 2 and seen == sorted(set(seen))


def test_one_that_was_stopped_adds_the_same_cells(tuned, table, here):
    tuned()
    whole = rates_of(table("mine"))
    with Store(here / "results" / "mine") as store, store.db:
        store.db.execute("DELETE FROM results WHERE cell IN (SELECT cell FROM results LIMIT 2)")
    tuned()
    assert rates_of(table("mine")) == whole


def test_without_rounds_the_edge_is_flagged(tuned, table):
    done = tuned(tune={"axis": AXIS, "rounds": 0})
    assert rates_of(table("mine")) == {"none": [0.01, 0.1], "doubled": [0.01, 0.1]}
    assert table("mine")["tuned_at_edge"].sum() == 6
    assert done.status == 0


@pytest.mark.usefixtures("drawn")
def test_report_and_figure_are_about_the_chosen_cells(tuned, here):
    tuned(tune={"axis": AXIS, "rounds": 0})
    text = (here / "results" / "mine" / "report.html").read_text()
    assert "Of 2 settings 2 have their best value at the end of the range tried." in text
    assert "Of its 2 settings 2 have their best value at the end of the range tried." in text
    (figure,) = (here / "results" / "mine" / "figures").glob("*.csv")
    assert pd.read_csv(figure)[AXIS].unique().tolist() == [0.1], "the other rate was not chosen"


def test_the_plan_states_how_many_cells_may_come(tuned):
    assert "+ up to 18 cells of tuning" in tuned("engine=serial", command="plan").out
