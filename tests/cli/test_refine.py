"""A refined sweep: edges found where they are known to be, resumed, and refused where they mean nothing."""

import math
import sys

import pandas as pd
import pytest
import yaml

from backproof import session
from backproof.sweeps.store import Store

MODULE = """
import numpy as np

def start(seed):
    return np.linspace(0.5, 1, 3) + seed

def f(w, eps=1.0, at=1.0, until=np.inf, seed=0):
    if eps == "never":
        raise ValueError
    wrong = at < eps < until
    return (w**2).sum(), 2 * w * (1 + 0.01 * wrong)
"""
EXPERIMENT = """
question: Where does it stop to agree?
overrides:
  subject: function
  subject._target_: flipping.f
  subject.start: flipping.start
grid:
  subject.eps: [1.0e-08, 1.0e-06, 1.0e-02, 1.0]
  subject.at: [3.0e-05, 2.0e-03, 5.0]
refine: subject.eps
claims:
  - {statement: It is wrong beyond, where: "`subject.eps` > `subject.at`", holds: verdict != 'agrees'}
figures:
  - {value: verdict, rows: [subject.at], columns: [subject.eps]}
"""
EVALUATIONS = 6
"""Four decades, halved until they are less than a tenth of one."""


@pytest.fixture
def refined(program, here, monkeypatch):
    """Run an experiment's sweep or plan, some of its keys replaced, on a function whose edges are known."""
    (here / "flipping.py").write_text(MODULE)
    monkeypatch.delitem(sys.modules, "flipping", raising=False)
    (here / "experiments").mkdir()

    def run(*arguments, command="sweep", **changes):
        content = {**yaml.safe_load(EXPERIMENT), **changes}
        (here / "experiments" / "mine.yaml").write_text(yaml.safe_dump(content))
        return program(command, "experiment=mine", *(arguments or ("engine=serial",)))

    return run


@pytest.fixture
def edges(here):
    return lambda name="mine": pd.read_parquet(here / "results" / name / "edges.parquet")


def test_edges_are_where_the_function_flips(refined, edges, table):
    assert refined().status == 0
    found = edges()
    assert found["subject.at"].tolist() == [3e-5, 2e-3]
    assert (found["below"] <= found["subject.at"]).all()
    assert (found["subject.at"] < found["above"]).all()
    assert (found["width"] <= 0.1).all()
    assert found["width"].tolist() == pytest.approx(
        (found["above"] / found["below"]).map(math.log10).tolist()
    )
    assert found["evaluations"].tolist() == [EVALUATIONS, EVALUATIONS]
    assert found["flips"].tolist() == [1, 1]
    assert found["condition_below"].unique().tolist() == ["agrees"]
    assert "agrees" not in found["condition_above"].tolist()
    cells = table("mine")
    assert len(cells) == 12 + 2 * EVALUATIONS
    assert cells["refined"].tolist() == [False] * 12 + [True] * 2 * EVALUATIONS


@pytest.mark.slow
@pytest.mark.usefixtures("drawn")
def test_what_is_added_changes_no_claim_and_no_figure(refined, here):
    refined()
    report = here / "results" / "mine"
    with_it = {p.name: p.read_bytes() for p in (report / "figures").glob("*.csv")}
    page = (report / "report.html").read_text()
    refined("engine=serial", "name=plain", refine=None)
    plain = {p.name: p.read_bytes() for p in (here / "results" / "plain" / "figures").glob("*.csv")}
    edges = {name for name in with_it if "edges" in name}
    assert len(edges) == 1
    assert {name: with_it[name] for name in with_it.keys() - edges} == plain
    assert "4/4" in page  # the grid's cells beyond `at`
    assert not (here / "results" / "plain" / "edges.csv").exists()


@pytest.mark.usefixtures("drawn")
def test_a_claim_that_names_them_is_about_them(refined, here):
    claim = {"statement": "Some.", "where": "refined", "holds": "verdict == 'agrees'", "share": "some"}
    refined("engine=serial", claims=[claim])
    assert "of 12." in (here / "results" / "mine" / "report.html").read_text()


@pytest.mark.slow
def test_every_new_cell_has_a_command_that_makes_it(refined, table, program):
    refined()
    cells = table("mine")
    for cell in cells[cells["refined"]].iloc[:3].itertuples():
        asked = cell.command.split()[1:]
        assert program("sweep", *asked[1:], "engine=serial", "name=again").status == 0
        assert table("again")["cell"].tolist() == [cell.cell]


def test_a_second_run_computes_nothing(refined, edges, here):
    refined()
    first, report = edges(), (here / "results" / "mine" / "cells.csv").read_bytes()
    again = refined()
    assert "12 already there, 0 to run" in again.err
    assert "refining" not in again.err
    pd.testing.assert_frame_equal(edges(), first)
    assert (here / "results" / "mine" / "cells.csv").read_bytes() == report


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_an_interrupted_refinement_goes_on(refined, edges, table, monkeypatch, rounds):
    run, calls = session.on_engine, []

    def stopped(*arguments, **options):
        calls.append(None)
        if len(calls) == rounds + 2:
            raise KeyboardInterrupt
        run(*arguments, **options)

    monkeypatch.setattr(session, "on_engine", stopped)
    assert refined().status == 130
    assert len(table("mine")) == 12 + 2 * rounds
    assert edges()["stopped"].tolist() == ["pending", "pending"]
    assert edges()["evaluations"].tolist() == [rounds, rounds]
    monkeypatch.setattr(session, "on_engine", run)
    computed = []
    add = Store.add
    monkeypatch.setattr(Store, "add", lambda self, found: (computed.extend(found), add(self, found)))
    assert refined().status == 0
    assert len(computed) == 2 * (EVALUATIONS - rounds)
    assert edges()["evaluations"].tolist() == [EVALUATIONS, EVALUATIONS]
    assert edges()["stopped"].tolist() == ["", ""]


@pytest.mark.slow
def test_the_same_bits_for_one_and_two_workers(refined, table, edges):
    for jobs in (1, 2):
        refined("engine=loky", f"engine.jobs={jobs}", f"name=by{jobs}")
    pd.testing.assert_frame_equal(table("by1"), table("by2"))
    pd.testing.assert_frame_equal(edges("by1"), edges("by2"))


@pytest.mark.usefixtures("drawn")
def test_two_flips_of_a_row_are_reported(refined, edges, here):
    grid = {"subject.eps": [1e-8, 1e-4, 1.0], "subject.at": 1e-6, "subject.until": 1e-3}
    refined(grid=grid, claims=[])
    assert edges()["flips"].tolist() == [2, 2]
    assert edges()["below"].between(1e-6 / 1.3, 1e-6).tolist() == [True, False]
    assert edges()["below"].between(1e-3 / 1.3, 1e-3).tolist() == [False, True]
    assert "1 row the condition changes more than once" in (here / "results/mine/report.html").read_text()


@pytest.mark.slow
def test_a_condition_of_ones_own(refined, edges):
    refined(refine={"axis": "subject.eps", "flips": "gradient_error > 1e-3", "width": 0.5})
    found = edges()
    assert found[["condition_below", "condition_above"]].to_numpy().tolist() == [["false", "true"]] * 2
    assert (found["below"] <= found["subject.at"]).all()
    assert (found["subject.at"] < found["above"]).all()
    assert ((found["width"] <= 0.5) & (found["width"] > 0.1)).all()
    assert found["evaluations"].tolist() == [3, 3]


def test_whole_numbers_end_at_neighbours(refined, edges):
    grid = {"subject.eps": [1, 100], "subject.at": 36}
    refined(grid=grid, claims=[])
    assert edges()[["below", "above", "evaluations"]].to_numpy().tolist() == [[36, 37, 7]]


@pytest.mark.slow
def test_a_difference_where_a_value_is_not_positive(refined, edges):
    refined(grid={"subject.eps": [-1.0, 1.0], "subject.at": -0.3}, refine="subject.eps", claims=[])
    (edge,) = edges().itertuples()
    assert edge.below <= -0.3 < edge.above <= edge.below + 0.1


def test_a_cell_that_is_left_out_stops_its_edge(refined, edges, table):
    rule = {"where": "`subject.eps` > 5e-5 and `subject.eps` < 2e-4", "because": "too slow"}
    refined(exclude=[rule])
    found = edges()
    assert found["stopped"].tolist() == ["excluded", "excluded"]
    assert found["width"].tolist() == pytest.approx([4, 4])
    assert table("mine")["error"].dropna().tolist() == ["too slow"] * 2


@pytest.mark.slow
def test_a_merged_sweep_knows_what_was_added(refined, table, program):
    for at, name in ((3e-5, "a"), (2e-3, "b")):
        refined("engine=serial", f"name={name}", "subject.eps=1e-6,1e-2", f"subject.at={at}")
    # The grid of the other has a cell that the refinement added here: it is the merged grid's own.
    (added, *_) = table("a").loc[table("a")["refined"], "subject.eps"]
    refined("engine=serial", "name=c", grid={"subject.eps": [1e-6, added], "subject.at": 3e-5}, refine=None)
    assert program("merge", "results/a", "results/b", "name=ab").status == 0
    merged = table("ab")
    assert merged["refined"].tolist() == [False] * 4 + [True] * 2 * EVALUATIONS
    assert program("merge", "results/a", "results/c", "name=ac").status == 0
    merged = table("ac")
    assert not merged.loc[merged["subject.eps"] == added, "refined"].any()


def test_the_plan_counts_it(refined):
    plan = refined(command="plan")
    assert "+ about 16 cells of refinement" in plan.out, "5, 6 or 5 in each of three rows"
    refined("engine=serial", "refine=null")
    plan = refined(command="plan")
    assert f"+ about {2 * EVALUATIONS} cells of refinement" in plan.out, "the third row has no edge"
    refined()
    assert "of refinement" not in refined(command="plan").out


@pytest.mark.parametrize("off", ["refine=null", "~refine"])
def test_it_can_be_switched_off(refined, here, off):
    assert refined("engine=serial", off).status == 0
    cells = pd.read_parquet(here / "results" / "mine" / "cells.parquet")
    assert (len(cells), cells["refined"].sum()) == (12, 0)
    assert not (here / "results" / "mine" / "edges.csv").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("experiment=mine", "refine=subject.eps"),
            "refine: is set in the experiment's file; refine=null or ~refine",
        ),
        (("seed=1", "refine=null"), "refine: is a key of experiments; there is none here"),
    ],
)
def test_what_switches_nothing_off(refined, program, words, says):
    refined(command="plan")
    done = program("plan", *words)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert says in done.err


def test_an_experiment_that_refines_nothing(refined, here):
    done = refined("refine=null", command="plan", refine=None)
    assert "refine: experiment=mine refines nothing" in done.err
    assert not (here / "results").exists()


@pytest.mark.parametrize(
    ("refine", "words"),
    [
        ("subject.epz", ["refine.axis", "unknown", "'subject.eps'"]),
        ("verdict", ["refine.axis", "unknown"]),
        ("subject.start", ["refine.axis", "numbers"]),
        ("seed", ["refine.axis", "replicates"]),
        ("subject.at", ["refine.axis", "two values"]),
        (3, ["refine", "axis, flips and width"]),
        ({"flips": "true"}, ["refine", "needs axis"]),
        ({"axis": "subject.eps", "widht": 1}, ["refine.widht", "'width'"]),
        ({"axis": "subject.eps", "width": 0}, ["refine.width", "> 0"]),
        ({"axis": "subject.eps", "width": True}, ["refine.width", "> 0"]),
        ({"axis": "subject.eps", "flips": "verdct == 'agrees'"}, ["refine.flips", "'verdict'"]),
        ({"axis": "subject.eps", "flips": "`subject.eps` + 1"}, ["refine.flips", "not true or false"]),
        ({"axis": "subject.eps", "flips": "seconds > 1"}, ["refine.flips", "every run"]),
    ],
)
def test_wrong_input_is_refused_in_one_line(refined, here, refine, words):
    done = refined(refine=refine, grid={"subject.eps": [1e-8, 1e-2], "subject.at": 3e-5})
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert all(word in done.err for word in words), done.err
    assert not (here / "results").exists()


def test_a_width_of_whole_numbers_is_refused(refined):
    done = refined(refine={"axis": "subject.eps", "width": 2}, grid={"subject.eps": [1, 9], "subject.at": 3})
    assert (done.status, "ends at neighbours" in done.err) == (2, True)
