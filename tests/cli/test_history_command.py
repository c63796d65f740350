"""`backproof history`: several folders, one folder over several states of the code, the page, wrong input."""

import json
import shutil
import sqlite3
from contextlib import closing

import pandas as pd
import pytest
from markup import Markup
from stored import rewrite

from backproof.interfaces.cli import main
from backproof.reports import write as writing
from backproof.reports.summary import Answer

EVIL = "</p><script>alert(1)</script><img src=x onerror=alert(1)>[red]$x^{$"
SWEEP = (
    "sweep", "data=xor", "network.hidden=[3]", "engine=serial", "training=sgd", "training.steps=5",
    "activation=tanh,sigmoid", "loss=binary_cross_entropy", "output=sigmoid", "seed=0,1,2",
)  # fmt: skip
POINTS = 6


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A small sweep, run once, with no report."""
    folder = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(writing, "write_report", lambda *_: Answer("", ()))
        assert main((*SWEEP, "name=base")) == 0
    return folder / "results" / "base"


def set_meta(folder, key, value):
    with closing(sqlite3.connect(folder / "sweep.sqlite")) as db, db:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))
        db.execute("DELETE FROM meta WHERE key = 'runs'")


def about_of(folder):
    return json.loads((folder / "provenance.json").read_text())


@pytest.fixture(scope="module")
def made(swept):
    """Six copies at six commits, given in another order: tanh loses accuracy at the fourth, exactly."""

    def change(row, i):
        row["seconds"] = 0.01
        found = json.loads(row["outcome"])
        if i >= 3 and row.settings["activation"] == "tanh":
            row.set("accuracy", found["accuracy"] - 0.25)
            row.set("verdict", "incorrect gradient")

    folders = [swept.parent / f"r{i}" for i in range(POINTS)]
    for i, folder in enumerate(folders):
        shutil.copytree(swept, folder)
        rewrite(folder, lambda row, i=i: change(row, i))
        about = about_of(folder) | {
            "git": {"commit": f"{i}" * 40, "dirty": i == 2}, "started": f"2026-01-0{i + 1}T00:00:00+0000",
        }  # fmt: skip
        if i >= 3:
            about["versions"]["numpy"] = "99.1"
        set_meta(folder, "provenance", about)
    return folders


@pytest.fixture
def repeated(here, made):
    """Copies of them in results/."""
    return [shutil.copytree(folder, here / "results" / folder.name) for folder in made]


@pytest.fixture
def two(here, made):
    """Copies of the first two in results/."""
    return [shutil.copytree(folder, here / "results" / folder.name) for folder in made[:2]]


def page_of(folder):
    return Markup((folder / "history.html").read_text(encoding="utf-8"))


def given(folders):
    return [f"results/{f.name}" for f in reversed(folders)]


def test_the_commit_of_a_step_is_found_whatever_the_order_of_folders(program, repeated, here):
    done = program("history", "--output=trend", *given(repeated))
    assert (done.status, done.err) == (1, "")
    assert "6 results from 2026-01-01T00:00:00+0000 to 2026-01-06T00:00:00+0000" in done.out
    assert "6 cells are in all of them" in " ".join(done.out.split())
    assert "Cells with ✗ incorrect gradient: 0 → 3 (+3) at 33333333." in done.out
    (row,) = [line for line in done.out.splitlines() if "activation=tanh" in line]
    assert row.split()[:3] == ["test", "accuracy", "33333333"]
    assert "(−0.25)" in row
    assert "activation=sigmoid" not in done.out
    assert done.out.endswith("report: trend/history.html\n")
    page = page_of(here / "trend")
    assert "versions numpy: " in page.text and "→ 99.1" in page.text
    assert "22222222+" in page.text
    assert "✓ agrees → ✗ incorrect gradient" in page.text
    assert "Nothing moves in gradient error, final loss" in page.text


def test_figures_and_their_numbers(program, repeated, here):
    program("history", "--output=trend", *given(repeated))
    files = {p.name for p in (here / "trend" / "history").iterdir()}
    stems = {name.partition(".")[0] for name in files}
    assert len(stems) == 2 and len(files) == 8
    pictures = [a for tag, a in page_of(here / "trend").tags if tag == "img"]
    assert all(p["src"].startswith("data:image/svg+xml;base64,") for p in pictures)
    assert any("activation=tanh" in p["alt"] and "at 33333333" in p["alt"] for p in pictures)
    (stem,) = [s for s in stems if "accuracy" in s]
    table = pd.read_csv(here / "trend" / "history" / f"{stem}.csv", dtype={"commit": str})
    tanh = table[table["settings"].str.contains("tanh")]
    assert tanh.loc[tanh["step"], "commit"].tolist() == ["33333333"]
    assert (tanh["n"] == 3).all()
    assert tanh["value"].to_numpy() == pytest.approx(tanh["level"].to_numpy())
    assert not table.loc[table["settings"].str.contains("sigmoid"), "step"].any()


def test_equal_results_have_no_step(program, repeated, here):
    done = program("history", *given(repeated[:3]))
    assert done.status == 0
    assert "no measure has a step" in done.out
    assert "A step needs two points on each side, and so four results." in " ".join(done.out.split())
    assert done.out.endswith("report: results/r0/history.html\n"), "the last folder that is given"
    assert not (here / "results" / "r0" / "history").exists()


def test_results_without_a_time_are_taken_as_given(program, repeated):
    about = about_of(repeated[1]) | {"git": None}
    del about["started"]
    set_meta(repeated[1], "provenance", about)
    done = program("history", "--output=trend", *given(repeated))
    assert "they are taken in the order given" in " ".join(done.out.split())
    assert "Cells with ✗ incorrect gradient: 3 → 0 (−3) at 22222222+." in done.out


@pytest.fixture
def code(monkeypatch):
    """Make the code that computes another one."""

    def become(name):
        monkeypatch.setattr("backproof.sweeps.case.fingerprint", lambda *_: name)
        monkeypatch.setattr("backproof.sweeps.provenance.code_digest", lambda: name)

    return become


@pytest.mark.slow
def test_one_folder_swept_by_several_states_of_the_code(program, here, code):
    """A wider grid and a run of nothing new add no result; neither do cells that the last grid lacks."""
    small = [word.replace("seed=0,1,2", "seed=0") for word in SWEEP]
    for name, words in (("one", small), ("one", SWEEP), ("two", SWEEP), ("two", SWEEP), ("three", SWEEP)):
        code(name)
        assert program(*words, "name=own").status == 0
    done = program("history", "results/own")
    assert (done.status, done.err) == (0, "")
    assert "3 results from " in done.out
    assert "2 combinations of settings; 6 cells are in all of them." in " ".join(done.out.split())
    page = page_of(here / "results" / "own")
    assert "fingerprint: one → two" in page.text
    assert "fingerprint: two → three" in page.text
    code("four")
    program(*small, "name=own")
    assert "2 cells are in all of them" in " ".join(program("history", "results/own").out.split())


def test_a_folder_of_before_the_record_keeps_what_is_known(program, here, code):
    code("one")
    program(*SWEEP, "name=own")
    folder = here / "results" / "own"
    set_meta(folder, "provenance", about_of(folder) | {"started": "2026-01-01T00:00:00+0000"})
    code("two")
    program(*SWEEP, "name=own")
    done = program("history", "results/own")
    assert "2 results from 2026-01-01T00:00:00+0000 to" in done.out


def test_text_of_a_folder_stays_text(program, repeated, here):
    for i, folder in enumerate(repeated):
        set_meta(folder, "provenance", {"git": {"commit": EVIL[i:]}, EVIL: f"{EVIL}{i}", "started": EVIL})
        rewrite(folder, lambda row: row.set("verdict", EVIL), lambda row: row.settings["seed"] == 1)
    rewrite(repeated[5], lambda row: row.set("verdict", "not finite"))
    shutil.copytree(repeated[5], here / "results" / "<b>$y$")
    done = program("history", "--output=trend", *given(repeated), "results/<b>$y$")
    assert done.status in (0, 1)
    page = page_of(here / "trend")
    assert page.text.count(EVIL) > 4
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "b"}
    assert all(a["src"].startswith("data:") for tag, a in page.tags if tag == "img")
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
    assert "Test accuracy over 7 results." in "".join(a.get("alt") or "" for _, a in page.tags)


WRONG = [
    ((), "history: takes results folders", "not 0"),
    (("results/r0",), "history: needs two results at least", "found 1"),
    (("results/r0", "results/../results/r0"), "found 1"),
    (("results/r0", "results/none"), "results/none: holds no sweep"),
    (("--outptu=x", "results/r0", "results/r1"), "--outptu=x: unknown option", "did you mean '--output'?"),
    (("--output", "x", "results/r0", "results/r1"), "--output=DIR"),
    (("--output=", "results/r0", "results/r1"), "--output: takes one folder"),
    (("--output=a", "--output=b", "results/r0", "results/r1"), "--output: takes one folder"),
    (("--output=results/r0/cells.csv", "results/r0", "results/r1"), "is a file; it must be a folder"),
]


@pytest.mark.parametrize(("arguments", "says"), [(a, w) for a, *w in WRONG])
def test_wrong_arguments_are_one_line(program, two, arguments, says):
    done = program("history", *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert all(word in done.err for word in says), done.err
    assert not list(two[0].parent.rglob("history.html"))


@pytest.mark.parametrize("runs", [
    {"runs": 3}, {"runs": [3]}, {"runs": [{"begin": "x"}]}, {"runs": [{"begin": 4}, {"begin": 1}]}, [],
])  # fmt: skip
def test_a_record_of_runs_that_is_none_is_one_line(program, two, runs):
    with closing(sqlite3.connect(two[0] / "sweep.sqlite")) as db, db:
        db.execute("INSERT INTO meta VALUES ('runs', ?)", (json.dumps(runs),))
    done = program("history", "results/r0", "results/r1")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "runs: " in done.err


def test_the_shell_completes_the_command(program, monkeypatch):
    monkeypatch.setenv("COMP_LINE", "backproof hi")
    assert program("-sc", "query=bash").out == "history\n"


def test_help_teaches(program, here):
    done = program("history", "--help")
    assert done.status == 0
    for words in ("usage: backproof history", "Exit status: 0 ", "--output=DIR", "two results at least"):
        assert words in done.out
    assert not list(here.iterdir())
