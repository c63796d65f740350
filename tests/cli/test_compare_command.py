"""`backproof compare`: what is printed and written, the exit status, and wrong input."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from functools import partial

import pandas as pd
import pytest
from markup import Markup
from stored import of_seed, rewrite

from backproof.interfaces.cli import main
from backproof.reports import write as writing
from backproof.reports.summary import Answer

EVIL = "</p><script>alert(1)</script><img src=x onerror=alert(1)>[red]"
SWEEP = (
    "sweep", "data=xor", "network.hidden=[3]", "engine=serial", "training=sgd", "training.steps=5",
    "activation=tanh,sigmoid", "delta=exact,y_minus_t", "loss=binary_cross_entropy", "output=sigmoid",
    "seed=0,1,2", "name=base",
)  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A small sweep, run once, with no report."""
    folder = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(writing, "write_report", lambda *_: Answer("", ()))
        assert main(SWEEP) == 0
    return folder / "results" / "base"


@pytest.fixture
def pair(here, swept):
    """Copies of it in results/a and results/b."""
    for name in ("a", "b"):
        shutil.copytree(swept, here / "results" / name)
    return here / "results"


def change(folder, statement, *values):
    """Run a statement on a store."""
    with closing(sqlite3.connect(folder / "sweep.sqlite")) as db, db:
        assert db.execute(statement, values).rowcount


def set_result(folder, seed, key, value):
    rewrite(folder, lambda row: row.set(key, value), of_seed(seed))


def times(factor, row):
    row.set("final_loss", json.loads(row["outcome"])["final_loss"] * factor)


def page_of(pair, a="a"):
    return (pair / "b" / f"compare-with-{a}.html").read_text(encoding="utf-8")


def test_equal_sweeps(program, pair):
    done = program("compare", "results/a", "results/b")
    assert (done.status, done.err) == (0, "")
    assert (
        "12 cells in both sweeps, aligned by activation, delta, seed; 0 only in A, 0 only in B." in done.out
    )
    assert "The two tables are bit-identical in every result of every cell." in done.out
    assert done.out.endswith("report: results/b/compare-with-a.html\n")
    assert "bit-identical" in page_of(pair)
    assert {p.name for p in (pair / "b").iterdir()} - {p.name for p in (pair / "a").iterdir()} == {
        "compare-with-a.html"
    }


def test_the_same_folder_twice(program, pair):
    done = program("compare", "results/a", "results/../results/a/")
    assert done.status == 0
    assert "A and B are the same folder: nothing can differ." in done.out
    assert (pair / "a" / "compare-with-a.html").is_file()
    assert "the same folder" not in program("compare", "results/a", "results/b").out


def test_a_verdict_that_changed(program, pair):
    set_result(pair / "b", 1, "verdict", "not finite")
    set_result(pair / "b", 1, "causes", "dust in the works")
    change(pair / "b", "UPDATE cells SET command = command || ' x=1'")
    done = program("compare", "results/a", "results/b")
    assert done.status == 1
    assert "The status changed in 0 cells, the verdict in 4 cells." in done.out
    assert re.search(r"^  ✓ agrees → ∞ not finite: \d cells?$", done.out, re.MULTILINE)
    assert "causes in B: dust in the works" in done.out
    assert "verdict in 4, causes in 4 cells" in done.out.replace("\n", " ")
    text = Markup(page_of(pair)).text
    assert text.count("dust in the works") == 4
    assert len(re.findall(r"A: backproof check .*\nB: backproof check .* x=1", text)) == 4


def test_a_cell_that_failed(program, pair):
    rewrite(
        pair / "b", lambda row: row.update(status="failed", error='"MemoryError"', outcome="{}"), of_seed(0)
    )
    done = program("compare", "results/a", "results/b")
    assert done.status == 1
    assert "ok → failed: 4 cells" in done.out
    assert "error in B: MemoryError" in done.out
    assert "… and 1 more, all in the report" in done.out
    assert Markup(page_of(pair)).text.count("MemoryError") == 4


def test_cells_that_are_missing(program, pair):
    change(pair / "b", "DELETE FROM grid WHERE position <= 2")
    done = program("compare", "results/a", "results/b")
    assert done.status == 1
    assert "10 cells in both sweeps" in done.out
    assert "2 only in A, 0 only in B" in done.out
    assert "In the cells of both, every result is bit-identical." in done.out
    assert "only in A: 2 cells" in done.out
    assert done.out.count("verdict or status: agrees") == 2
    other = program("compare", "results/b", "results/a")
    assert (other.status, "only in B: 2 cells" in other.out) == (1, True)


def test_cells_that_are_still_to_come(program, pair):
    rewrite(pair / "b", lambda row: row.update(status=None), of_seed(0))
    done = program("compare", "results/a", "results/b")
    assert done.status == 1
    assert "ok → pending: 4 cells" in done.out


def test_numbers_that_moved(program, pair):
    """A loss ten times as large for every seed, with a spread: 1, 1.1 and 0.9 decades."""
    for seed, decades in enumerate((1, 1.1, 0.9)):
        rewrite(pair / "b", partial(times, 10**decades), of_seed(seed))
    done = program("compare", "results/a", "results/b")
    assert done.status == 0, "no verdict and no status changed"
    assert "4 of 4 intervals over seeds leave zero out" in done.out
    assert "final_loss in 12 cells" in done.out
    assert re.search(r"final loss, log10\(B/A\) +12 +3 +0 .* \+1 +\+0.752 to \+1.25\n", done.out)
    assert re.search(r"activation=tanh delta=exact +3 +0 .* \+1 +\+0.752 to \+1.25\n", done.out)
    assert "gradient error, log10(B/A): 0 combinations moved" in Markup(page_of(pair)).text


def test_figures_stand_in_the_page_and_beside_it(program, pair):
    for seed, decades in enumerate((1, 1.1, 0.9)):
        rewrite(pair / "b", partial(times, 10**decades), of_seed(seed))
    (pair / "b" / "compare-with-a").mkdir()
    for name in ("09-an-old-one.svg", "mine.svg"):
        (pair / "b" / "compare-with-a" / name).write_text("")
    program("compare", "results/a", "results/b")
    files = {p.name for p in (pair / "b" / "compare-with-a").iterdir()}
    (stem,) = {name.partition(".")[0] for name in files if "final-loss" in name}
    assert files == {"mine.svg", *(f"{stem}.{e}" for e in ("svg", "png", "pdf", "csv"))}
    page = Markup(page_of(pair))
    (picture,) = [a for tag, a in page.tags if tag == "img"]
    assert "Final loss, log10(B/A): 4 of 4 tiles have an interval without zero" in picture["alt"]
    links = [a["href"] for tag, a in page.tags if tag == "a"]
    assert [f"compare-with-a/{stem}.{e}" for e in ("svg", "pdf", "png", "csv")] == links
    assert re.search(r"Nothing differs in the figures “Verdict by .*“Gradient error by", page.text)
    table = pd.read_csv(pair / "b" / "compare-with-a" / f"{stem}.csv")
    assert (table["interval_low"] > 0.7).all()
    assert (table["seeds"] == 3).all()


def test_a_folder_of_figures_that_is_a_link_is_refused(program, pair, here):
    rewrite(pair / "b", partial(times, 10), of_seed(0))
    (here / "elsewhere").mkdir()
    (pair / "b" / "compare-with-a").symlink_to(here / "elsewhere")
    done = program("compare", "results/a", "results/b")
    assert done.status == 2
    assert "is a link; it must be a folder" in done.err
    assert not list((here / "elsewhere").iterdir())


def test_a_figure_whose_text_cannot_be_set_costs_no_other(program, pair):
    """A results folder is data, whoever made it: `$` begins a formula in the drawing library."""
    figures = [
        {"value": "final_loss", "rows": ["activation"], "title": "Cost in $x^{$"},
        {"value": "final_loss", "rows": ["delta"], "title": "Sound"},
    ]
    for name in ("a", "b"):
        change(pair / name, "UPDATE meta SET value = ? WHERE key = 'experiment'",
               json.dumps({"figures": figures}))  # fmt: skip
    rewrite(pair / "b", partial(times, 10), of_seed(0))
    done = program("compare", "results/a", "results/b")
    assert (done.status, done.err) == (0, "")
    page = Markup(page_of(pair))
    assert "Sound" in [a["alt"].partition(".")[0] for tag, a in page.tags if tag == "img"]
    assert "Cost in $x^{$" in page.text


def test_one_seed_has_no_intervals(program, pair):
    for name in ("a", "b"):
        change(
            pair / name,
            "DELETE FROM grid WHERE cell IN"
            " (SELECT cell FROM cells WHERE json_extract(settings, '$.seed') > 0)",
        )
    set_result(pair / "b", 0, "accuracy", 2)
    done = program("compare", "results/a", "results/b")
    assert "test accuracy: one pair each and no interval, largest first" in done.out
    assert "intervals over seeds leave" not in done.out


def test_configuration_code_and_versions(program, pair):
    about = json.loads((pair / "a" / "provenance.json").read_text())
    about["versions"]["numpy"], about["fingerprint"], about["started"] = "99.1", "ffff", "another time"
    change(pair / "b", "UPDATE meta SET value = ? WHERE key = 'provenance'", json.dumps(about))
    change(pair / "b", "UPDATE cells SET settings = json_set(settings, '$.training', 'adam')")
    content = {"name": "other", "question": "What now?", "overrides": {"kink": "assign"}}
    change(pair / "b", "UPDATE meta SET value = ? WHERE key = 'experiment'", json.dumps(content))
    done = program("compare", "results/a", "results/b")
    assert done.status == 0
    assert "bit-identical in every result of every cell, though settings differ" in " ".join(done.out.split())
    for row in (
        r"training +sgd +adam",
        r"overrides kink +– +assign",
        r"versions numpy .* 99.1",
        r"fingerprint .* ffff",
    ):
        assert re.search(rf"^{row} *$", done.out, re.MULTILINE), row
    assert "another time" not in done.out
    content["overrides"]["kink"] = "assign " * 30
    change(pair / "a", "UPDATE meta SET value = ? WHERE key = 'experiment'", json.dumps(content))
    shortened = program("compare", "results/a", "results/b").out
    assert re.search(r"^overrides kink +assign assign .*…", shortened, re.MULTILINE), shortened
    assert "What now?" not in done.out


def test_the_page_needs_nothing_and_shows_text_as_text(program, pair):
    set_result(pair / "b", 1, "verdict", EVIL)
    set_result(pair / "b", 1, "causes", EVIL)
    change(pair / "b", "UPDATE cells SET command = ?", EVIL)
    change(pair / "b", "UPDATE cells SET settings = json_set(settings, '$.activation', ?)"
           " WHERE json_extract(settings, '$.activation') = 'tanh'", EVIL)  # fmt: skip
    change(
        pair / "b",
        "UPDATE meta SET value = ? WHERE key = 'provenance'",
        json.dumps({EVIL: EVIL, "command": EVIL}),
    )
    shutil.copytree(pair / "b", pair / "<b>x")
    done = program("compare", "results/a", "results/<b>x")
    assert done.status == 1
    assert "[red]" in done.out, "nor is it markup in the terminal"
    page = Markup((pair / "<b>x" / "compare-with-a.html").read_text(encoding="utf-8"))
    assert page.text.count(EVIL) > 6
    assert "to B, <b>x?" in page.text
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "b"}
    pictures = [a for tag, a in page.tags if tag == "img"]
    assert all(a["src"].startswith("data:image/svg+xml;base64,") and a["alt"] for a in pictures)
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none';") and "script" not in policy
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert not re.match(r"(https?:)?//", attributes.get("src") or attributes.get("href") or "")


@pytest.mark.parametrize("name", ["<b>x", "ä b", "..x"])
def test_the_name_of_the_page_is_a_plain_one(program, pair, name):
    shutil.copytree(pair / "a", pair / name)
    done = program("compare", f"results/{name}", "results/b")
    (written,) = (pair / "b").glob("compare-with-*")
    assert re.fullmatch(r"compare-with-[A-Za-z0-9._-]+\.html", written.name)
    assert done.out.endswith(f"report: results/b/{written.name}\n")


def test_nothing_is_wider_than_a_hundred_columns(program, pair):
    set_result(pair / "b", 1, "verdict", "not finite")
    set_result(pair / "b", 1, "causes", "a cause of many words " * 20)
    set_result(pair / "b", 2, "gradient_error", 1.23456789e-5)
    done = program("compare", "results/a", "results/b")
    for line in done.out.splitlines():
        assert len(line) <= 100 or line.startswith("    backproof "), line


WRONG = [
    ((), "compare: takes two results folders or more", "not 0"),
    (("results/a",), "compare: takes two results folders or more", "not 1"),
    (("results/a", "results/b", "results/c"), "results/c: holds no sweep"),
    (("results/a",) * 27, "takes 26 results folders at most", "not 27"),
    (("results/a", "results/b", "--open"), "--open: unknown option"),
    (("results/a", "results/none"), "results/none: holds no sweep"),
    (("results/none", "results/a"), "results/none: holds no sweep"),
    (("results/a", "results/b/cells.csv"), "results/b/cells.csv: holds no sweep"),
]


@pytest.mark.parametrize(("arguments", "says"), [(a, w) for a, *w in WRONG])
def test_wrong_arguments_are_one_line(program, pair, arguments, says):
    done = program("compare", *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert all(word in done.err for word in says), done.err
    assert not list(pair.rglob("compare-with-*"))


@pytest.mark.parametrize("which", ["a", "b"])
def test_a_store_that_is_none(program, pair, which):
    (pair / which / "sweep.sqlite").write_bytes(b"no database at all" * 100)
    done = program("compare", "results/a", "results/b")
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert f"results/{which}" in done.err


def test_a_page_that_cannot_be_written_is_one_line(program, pair):
    (pair / "b" / "compare-with-a.html").mkdir()
    done = program("compare", "results/a", "results/b")
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert "results/b: the comparison cannot be written" in done.err
    assert "report:" not in done.out


@pytest.fixture
def three(pair):
    """Another copy in results/c, in which a verdict changed for two of three seeds."""
    shutil.copytree(pair / "a", pair / "c")
    for seed in (1, 2):
        set_result(pair / "c", seed, "verdict", "not finite")
    return pair


def test_several_sweeps_are_each_compared_with_the_first(program, three):
    done = program("compare", "results/a", "results/b", "results/c")
    assert done.status == 1
    assert "3 sweeps; B has every cell of A with its status and verdict." in done.out
    assert "Bit-identical to A in every result: B." in done.out
    assert "C: the verdict changed in 8 of 12 shared cells" in done.out
    assert done.out.endswith("report: results/c/compare-3-a-b-c.html\n")
    page = Markup((three / "c" / "compare-3-a-b-c.html").read_text(encoding="utf-8"))
    assert "How do 3 sweeps differ from A, a?" in page.text
    (picture,) = [a for tag, a in page.tags if tag == "img"]
    for words in ("A: a: agrees in 4 of 4 tiles.", "C: c: not finite in 4 of 4 tiles."):
        assert words in picture["alt"]
    assert re.search("All sweeps are equal in .*Gradient error", page.text)
    files = {p.suffix for p in (three / "c" / "compare-3-a-b-c").iterdir()}
    assert files == {".svg", ".png", ".pdf", ".csv"}
    table = pd.read_csv(next((three / "c" / "compare-3-a-b-c").glob("*.csv")))
    assert list(table["sweep"].unique()) == ["A: a", "B: b", "C: c"]


def test_several_equal_sweeps(program, three):
    shutil.rmtree(three / "c")
    shutil.copytree(three / "a", three / "c")
    done = program("compare", "results/a", "results/b", "results/c")
    assert done.status == 0
    assert "B, C have every cell of A" in done.out
    assert not (three / "c" / "compare-3-a-b-c").exists()
    change(three / "b", "DELETE FROM grid WHERE position = 2")
    other = program("compare", "results/a", "results/b", "results/c")
    assert (other.status, "1 cells are in one of the two only" in other.out) == (1, True)


def test_a_page_of_several_shows_text_as_text(program, three):
    change(three / "b", "UPDATE cells SET command = ?", EVIL)
    set_result(three / "b", 1, "verdict", EVIL)
    (three / "b" / "answer.txt").write_text(EVIL)
    shutil.copytree(three / "b", three / "<b>$x$")
    done = program("compare", "results/a", "results/<b>$x$", "results/c")
    assert done.status == 1
    page = Markup((three / "c" / "compare-3-a--b-x--c.html").read_text(encoding="utf-8"))
    assert page.text.count(EVIL) >= 2
    assert "B: <b>$x$" in page.text
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "b"}
    assert all(a["src"].startswith("data:") for tag, a in page.tags if tag == "img")


def test_help_says_what_the_exit_status_means(program, here):
    done = program("compare", "--help")
    assert done.status == 0
    assert "usage: backproof compare results/A results/B [results/C ...]" in done.out
    assert "Exit status: 0 " in done.out
    assert not list(here.iterdir())
