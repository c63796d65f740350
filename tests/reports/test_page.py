"""The report as files: whole, offline, and safe to open whatever was typed."""

import base64
import gzip
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markup import Markup

from backproof.reports.claims import ClaimStatus, Settled
from backproof.reports.contrasts import contrast_of, difference, holm
from backproof.reports.details import MOST_POINTS, _thinned, packed
from backproof.reports.page import effect, judged_in_words
from backproof.reports.report import significant
from backproof.reports.write import write_report

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
EXPERIMENT = {
    "name": "puzzle",
    "question": "Which of them?",
    "claims": [
        {"id": "a", "statement": "all agree", "where": "seed >= 0", "holds": "verdict == 'agrees'"},
        {"id": "b", "statement": "seeds are seeds", "where": "seed >= 0", "holds": "seed >= 0"},
        {"id": "c", "statement": "nothing", "where": "seed == 99", "holds": "seed >= 0"},
    ],
    "figures": [{"title": "Verdicts", "value": "verdict", "rows": ["activation"], "columns": ["loss"]}],
}


@pytest.fixture
def report(tmp_path, cells, curves, tensors):
    def write(cells=cells, experiment=EXPERIMENT, folder=tmp_path):
        about = {"command": "backproof", "git": {"commit": "abc"}}
        folder.mkdir(exist_ok=True)
        write_report(folder, (cells, curves, tensors), experiment, about)
        return (folder / "report.html").read_text(encoding="utf-8")

    return write


def data_of(text):
    return unpacked(re.search(r'<script type="text/plain" id="data">(.*?)</script>', text, re.S)[1])


def pieces_of(text):
    return [unpacked(p) for p in re.findall(r'<script type="text/plain" class="piece">(.*?)</script>', text)]


def unpacked(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_question_answer_claims_and_provenance_are_there(report):
    text = report()
    assert "Which of them?" in text
    assert "Of 3 statements: 1 confirmed, 1 refuted, 1 vacuous." in text
    assert "The gradient is right in 12 of 18 cells" in text
    assert re.search(r"git commit</dt><dd[^>]*>abc", text)


def test_nothing_is_loaded_from_anywhere(report):
    for tag, attributes in Markup(report()).tags:
        for name in ("src", "href"):
            address = attributes.get(name) or ""
            assert not re.match(r"(https?:)?//", address), (tag, address)
        assert tag not in ("link",) or attributes.get("href", "").startswith("data:")


def test_figures_are_files_too_and_have_words_for_those_who_cannot_see(report, tmp_path):
    text = report()
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == [
        f"01-verdicts.{e}" for e in ("csv", "pdf", "png", "svg")
    ]
    ElementTree.parse(tmp_path / "figures" / "01-verdicts.svg")
    pictures = [a for t, a in Markup(text).tags if t == "img"]
    assert [p["alt"] for p in pictures] == [
        "Verdicts. Of 4 tiles: agrees in 3, incorrect gradient in 1."
        " Pooled over clipping threshold: up to 2 settings a tile, besides replicates."
    ]


def test_the_same_cells_give_the_same_bytes(report, tmp_path):
    first = report(), (tmp_path / "figures" / "01-verdicts.svg").read_bytes()
    assert (report(), (tmp_path / "figures" / "01-verdicts.svg").read_bytes()) == first


def test_figures_of_an_earlier_report_go_and_other_files_stay(report, tmp_path):
    report()
    (tmp_path / "figures" / "mine.svg").write_text("mine")
    report(experiment={**EXPERIMENT, "figures": [{**EXPERIMENT["figures"][0], "title": "Other"}]})
    names = {p.name for p in (tmp_path / "figures").iterdir()}
    assert "mine.svg" in names and "01-other.svg" in names and "01-verdicts.svg" not in names


def test_it_begins_with_the_experiments_own_answer(report):
    answer = "Of {count()} cells {share(verdict == 'agrees'):.0%} agree."
    text = report(experiment={**EXPERIMENT, "answer": answer})
    assert '<p class="text">Of 18 cells 67% agree.</p>' in text
    broken = report(experiment={**EXPERIMENT, "answer": "{median(acuracy)}"})
    assert "The answer could not be filled in: answer.median: unknown name acuracy" in broken


def test_a_statement_leads_to_its_cells_and_its_figure(report, cells):
    claim = {
        "id": "w", "where": "activation == 'tanh'", "holds": "accuracy > 0.5",
        "statement": "The median is {median(accuracy):.2f}.",
        "hypothesis": "tanh is to blame.", "figure": "Verdicts",
        "contrast": {
            "value": "gradient_error", "of": "activation == 'tanh'", "against": "activation == 'relu'",
        },
    }  # fmt: skip
    text = report(experiment={**EXPERIMENT, "claims": [claim]})
    assert "The median is 0.81." in text and '<h3 class="hypothesis">tanh is to blame.</h3>' in text
    assert '<a href="#01-verdicts">Figure: Verdicts</a>' in text
    assert '<a class="cells-of" href="#statement=w">Show its 9 cells</a>' in text
    left_out, about = data_of(text)["statements"]["w"][:2]
    assert list(cells["activation"][left_out : left_out + about]) == ["tanh"] * 9
    assert "over 3 seeds (9 pairs)" in text and "too few seeds for an interval" in text


def test_contents_and_figures_have_addresses(report):
    text = report()
    targets = {a["id"] for _, a in Markup(text).tags if a.get("id")}
    links = [a["href"][1:] for t, a in Markup(text).tags if t == "a" and a.get("href", "").startswith("#")]
    assert {"claims", "cells", "provenance", "01-verdicts"} <= set(links)
    assert all("=" in link or link in targets for link in links)


def test_what_was_typed_is_text(report, cells):
    cells = cells.assign(error=EVIL, status="failed", command=EVIL)
    experiment = {
        "name": EVIL,
        "question": EVIL,
        "claims": [{"id": EVIL, "statement": EVIL, "where": "seed >= 0", "holds": "seed >= 0"}],
        "figures": [{**EXPERIMENT["figures"][0], "title": EVIL, "caption": EVIL}],
    }
    text = report(cells, experiment)
    parts = Markup(text)
    assert sum(tag == "script" for tag, _ in parts.tags) == 3  # data, one piece of details, ours
    assert not any("onerror" in a for _, a in parts.tags)
    assert EVIL in data_of(text)["columns"][-1]["list"] or any(
        EVIL in c.get("list", []) for c in data_of(text)["columns"]
    )


def test_the_table_holds_every_cell(report, cells):
    data = data_of(report())
    by_name = {
        c["name"]: [c["list"][k] for k in c["packed"]] if "packed" in c else c["values"]
        for c in data["columns"]
    }
    assert by_name["cell"] == list(cells["cell"])
    assert by_name["verdict"] == list(cells["verdict"])
    assert by_name["clip.eps"].count(None) == 6
    assert data["axes"] == ["activation", "loss", "clip.eps", "seed"]


def test_failures_exclusions_and_what_is_to_come_are_told(report, cells):
    cells.loc[0, ["status", "error"]] = ["failed", "ValueError: too bad"]
    cells.loc[1, ["status", "error"]] = ["excluded", "does not apply"]
    cells.loc[2:5, ["status", "verdict"]] = ["pending", None]
    text = report(cells)
    assert "ValueError: too bad" in text and "does not apply" in text
    assert "4 cells are still to come" in text and "12 of 18 cells are done" in text


def test_a_figure_that_cannot_be_drawn_costs_nothing_else(report):
    broken = {
        "title": "Broken",
        "value": "verdict",
        "rows": ["activation"],
        "columns": [],
        "where": "accuracy > 'a'",
    }
    text = report(experiment={**EXPERIMENT, "figures": [broken, *EXPERIMENT["figures"]]})
    assert "Broken: not drawn" in text and "02-verdicts" in text


def test_no_cells_at_all_still_make_a_report(report, cells):
    assert "0 of 0 cells are done" in report(cells.head(0), {"name": "empty"})
    waiting = cells.head(5).assign(status="pending", verdict=None)
    assert "5 cells are still to come" in report(waiting, {"name": "empty"})


def test_numbers_that_json_lacks_are_text():
    assert re.fullmatch("[A-Za-z0-9+/=]+", packed({"a": "</script>"}))
    assert unpacked(packed({"a": "</script>"})) == {"a": "</script>"}
    assert [significant(x) for x in (None, np.nan, 1234, 0.12345, True, "x")] == [
        "–",
        "–",
        "1,234",
        "0.123",
        "True",
        "x",
    ]


def test_the_noise_of_a_precision_is_told_from_its_wrong_rules(cells, report):
    text = report(cells.assign(precision="float32", noise=2e-7))
    wrong, count = int((cells["verdict"] == "incorrect gradient").sum()), len(cells)
    assert "In float32 round-off alone makes a median gradient error of 2.0e-07" in text
    assert f"judged without it, {wrong} of {count} gradients are not right" in text


def test_a_cells_tensors_and_curves_are_in_its_piece(report, cells):
    text = report()
    data, pieces = data_of(text), pieces_of(text)
    assert len(data["pieces"]) == len(cells)
    known = pieces[data["pieces"][0]][cells["cell"][0]]
    assert [row[0] for row in known["tensors"]] == ["W1", "b1"]
    assert (
        dict(zip([c["name"] for c in data["tensor_columns"]], known["tensors"][0], strict=True))["size"] == 12
    )
    assert known["curves"]["loss"][0][0] == 0 and known["curves"]["loss"][0][-1] == 29
    assert known["curves"]["loss"][1][-1] == 1.0


def test_a_long_curve_keeps_its_ends():
    found = _thinned(pd.DataFrame({"cell": "a", "series": "loss", "step": range(1000), "value": 1.0}))
    assert len(found["a"]["loss"][0]) == MOST_POINTS
    assert (found["a"]["loss"][0][0], found["a"]["loss"][0][-1]) == (0, 999)


def test_the_page_knows_what_a_figure_is_drawn_from(report, cells):
    figure = data_of(report())["figures"]["01-verdicts"]
    assert figure["kind"] == "heatmap" and figure["number"] == 1
    assert figure["spec"]["rows"] == ["activation"] and figure["spec"]["columns"] == ["loss"]
    assert figure["cells"] == [0, len(cells)]


@pytest.mark.slow
def test_many_figures_are_drawn_by_processes_that_may_stand_elsewhere(report, tmp_path, monkeypatch):
    four = [{**EXPERIMENT["figures"][0], "title": f"Verdicts {i}"} for i in range(4)]
    for place in ("first", "second"):  # the processes of the first are used again for the second
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        report(experiment={**EXPERIMENT, "figures": four}, folder=Path("results"))
        assert len(list((tmp_path / place / "results" / "figures").glob("*.pdf"))) == 4


@pytest.mark.parametrize(
    ("spread", "shown", "said"),
    [
        (0.001, "5 seeds, power 1.00", ("shown.", "Power at 0.05 with this deviation: 1.00.")),
        (0.2, " would do", ("neither shown nor excluded.", "For a power of 0.8 it takes ")),
    ],
)
def test_a_tested_contrast_states_its_interval_its_power_and_how_many_seeds_would_do(spread, shown, said):
    rows = [
        {"seed": seed, "delta": delta, "accuracy": 0.5 + (delta == "b") * (0.1 + spread * (seed - 2))}
        for seed in range(5)
        for delta in ("a", "b")
    ]
    given = {"value": "accuracy", "of": "delta == 'b'", "against": "delta == 'a'"}
    table = pd.DataFrame(rows)
    contrast = contrast_of("contrast", {**given, "expect": "greater", "effect": 0.05}, list(table))
    (found,) = holm([difference(contrast, table)])
    text = effect(Settled("x", "x", ClaimStatus.CONFIRMED, difference=found))
    assert text.startswith("+0.1 [") and shown in text
    words = judged_in_words(found)
    assert all(part in words for part in ("Mean difference, paired at equal other settings: 0.1", *said))


def test_truth_values_are_truth_values_for_the_pages_expressions(report, cells):
    """So that `where tuned` means there what it means in a claim."""
    cells["tuned"] = pd.array([True, False, None] * 6, dtype="boolean")
    columns = {column["name"]: column for column in data_of(report(cells))["columns"]}
    assert columns["tuned"]["list"] == [True, False, None]
