"""The index of a folder of sweeps."""

import pytest
from without_figures import figures_left_out

from backproof.interfaces.cli import main
from backproof.reports.index import ANSWER, MOST_CHARACTERS
from backproof.sweeps.database import FILE
from backproof.sweeps.store import Store

EVIL = "<script>alert(1)</script>\x1b[31m"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two sweeps, one of them without a report, and what is none."""
    monkeypatch.chdir(tmp_path)
    words = ["data=xor", "network.hidden=[2]", "training=none", "activation=tanh,relu", "output=sigmoid"]
    with figures_left_out():
        assert main(["sweep", "-m", *words, "engine=serial", "name=done"]) == 0
    with Store(tmp_path / "results" / "begun") as store:
        store.set_meta("experiment", '{"question": "Is it?"}')
    (tmp_path / "results" / "other").mkdir()
    (tmp_path / "results" / "link").symlink_to(tmp_path / "results" / "done")
    return tmp_path / "results"


def test_every_sweep_has_its_answer_and_its_report(results, capsys):
    assert main(["report", "results"]) == 0
    assert capsys.readouterr().out.endswith("index: results/index.html\n")
    text = (results / "index.html").read_text()
    sentence = (results / "done" / ANSWER).read_text().splitlines()[0]
    assert sentence.startswith("The gradient is right in 2 of 2 cells") and sentence in text
    assert '<a href="done/report.html">done</a>' in text and "2 cells" in text
    assert "Is it?" in text and "No report yet: backproof report results/begun writes it." in text
    assert [n for n in ("begun", "done", "link", "other") if f">{n}<" in text] == ["begun", "done"]


def test_what_a_folder_says_is_text_and_bounded(results):
    (results / "begun" / ANSWER).write_text(EVIL + "x" * 10 * MOST_CHARACTERS)
    (results / "done" / FILE).write_bytes(b"no database" * 1000)
    main(["report", "results"])
    text = (results / "index.html").read_text()
    assert "<script" not in text and "\x1b" not in text and len(text) < 3 * MOST_CHARACTERS
    assert "done: cannot be read" in text or "done/sweep.sqlite" in text, "the one that is damaged has a line"


def test_a_link_in_place_of_an_answer_is_not_followed(results, tmp_path):
    (tmp_path / "secret").write_text("secret words")
    (results / "begun" / ANSWER).symlink_to(tmp_path / "secret")
    main(["report", "results"])
    assert "secret words" not in (results / "index.html").read_text()


@pytest.mark.usefixtures("results")
def test_a_folder_without_sweeps_is_refused_as_before(capsys):
    assert main(["report", "results/other"]) == 2
    assert "holds no sweep" in capsys.readouterr().err
