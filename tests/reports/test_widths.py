"""Figures for a journal: exactly as wide as asked for; no text is cut or upon another one, by their boxes."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.text import Text

from backproof.errors import ConfigurationError
from backproof.reports.axes import own
from backproof.reports.figures import draw
from backproof.reports.figures.drawing import style
from backproof.reports.lengths import inches
from backproof.reports.stored import figures_of, stored_experiment
from backproof.sweeps.columns import RESULTS
from backproof.sweeps.experiment import load
from backproof.sweeps.overrides import shown
from backproof.verdicts.verdict import Verdict

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
NAMES = ("thread", "clipping", "relu_at_zero", "low_precision", "faults", "harm", "pairs")
WIDTHS = (None, 85 / 25.4, 174 / 25.4)


def texts_of(figure):
    """The texts that are seen, each with its box in points; ticks out of view and empty texts are not."""
    renderer = figure.canvas.get_renderer()
    hidden = set()
    for axes in itertools.chain.from_iterable((a, *a.child_axes) for a in figure.axes):
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low - 1e-9 * abs(low) <= tick.get_loc() <= high * (1 + 1e-9):
                    hidden |= {tick.label1, tick.label2}
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in hidden:
            box = text.get_window_extent(renderer)
            yield text.get_text(), np.array([box.x0, box.y0, box.x1, box.y1]) * 72 / figure.dpi


def faults_of(figure):
    """What is wrong with a figure's texts: those that leave it, and those that are upon another one."""
    figure.draw_without_rendering()
    texts = list(texts_of(figure))
    wide, high = figure.get_size_inches() * 72
    found = [
        f"{text!r} leaves the figure"
        for text, (x0, y0, x1, y1) in texts
        if min(x0, y0) < 0 or x1 > wide or y1 > high
    ]
    boxes = np.array([box for _, box in texts])
    slack = 0.75  # points: half a line is what a box has above and below a text
    lower, upper = boxes[:, None, :2] + slack, boxes[None, :, 2:]
    meet = (lower < upper).all(axis=2) & (boxes[None, :, :2] + slack < boxes[:, None, 2:]).all(axis=2)
    for i, j in zip(*np.nonzero(np.triu(meet, 1)), strict=True):
        found.append(f"{texts[i][0]!r} is upon {texts[j][0]!r}")
    return found


def sizes_of(figure):
    """The fonts' sizes."""
    return {text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip()}


def grid_of(name):
    """The cells of an experiment, one seed, with results made up by their settings; nothing is computed."""
    from backproof.requests import Request
    from backproof.session import Session

    cells = Session().cells(Request((f"experiment={name}",)))
    rows = [dict(cell.case.flat()) for cell in cells if dict(cell.case.flat()).get("seed", 0) in (0, 7)]
    table = pd.DataFrame(rows).drop_duplicates().reset_index(drop=True)
    table = table.map(lambda v: shown(v) if isinstance(v, tuple) else v)
    random = np.random.default_rng(0)
    count = len(table)
    of = dict.fromkeys(RESULTS)
    results = {
        **of, "status": "ok", "verdict": random.choice([str(v) for v in list(Verdict)[:12]], count),
        "cause": random.choice([None, "output delta: derivative missing", "output delta: y - t"], count),
        "gradient_error": 10.0 ** random.uniform(-16, 0, count),
        "final_loss": 10 ** random.normal(0, 1, count),
        "accuracy": random.uniform(0, 1, count), "steps_to_threshold": random.integers(1, 100, count),
        "fault_size": 10.0 ** random.uniform(-9, 1, count), "touched": 0,
        "kink_hits": random.integers(0, 13_000, count), "diverged_at": random.integers(1, 100, count),
        "expected_kink_hits": 10 ** random.uniform(-2, 4, count),
        "tuned": table["training"] != "none", "tuned_at_edge": False,
        "planted": [f"derivative: {f.replace('_', ' ')}" if f != "none" else None for f in table["fault"]],
        **{c: random.choice([True, False], count) for c in (
            "relative_1e_2", "relative_1e_4", "relative_1e_7", "allclose", "quadratic")},
    }  # fmt: skip
    results["cause"] = np.where(table["fault"] != "none", results["planted"], results["cause"])
    table = table.assign(cell=[f"{i:08x}" for i in range(count)], **results)
    for axis in ("check.evidence", "training.master_weights"):
        if axis in table:
            table[axis] = table[axis].map(lambda v: v if v is None else str(v).lower(), na_action="ignore")
    return table


def curves_of(cells):
    """Curves of training, and evidence where it was asked for."""
    step = np.arange(40)
    trained = [
        pd.DataFrame({"cell": c, "series": s, "step": step, "value": np.linspace(3, 0.1 + i % 3, 40)})
        for i, c in enumerate(cells.loc[cells["training"] != "none", "cell"][:300])
        for s in ("loss", "accuracy", "cosine")
    ]
    exponents = np.arange(-52, -1)
    kept = cells.loc[cells["check.evidence"] == "true", "cell"] if "check.evidence" in cells else []
    evidence = [
        part
        for c in kept
        for part in (
            pd.DataFrame({"cell": c, "series": "error at step 2^", "step": exponents,
                          "value": np.maximum(2.0 ** (-exponents - 52), 2.0 ** (2.0 * exponents))}),
            pd.DataFrame({"cell": c, "series": "error of W1 (100 units)", "step": np.arange(6500),
                          "value": 10.0 ** np.linspace(-3, 9, 6500)}),
            pd.DataFrame({"cell": c, "series": "error of W2 (10 units)", "step": np.arange(1010),
                          "value": 10.0 ** np.linspace(-3, 9, 1010)}),
        )
    ]  # fmt: skip
    return pa.Table.from_pandas(pd.concat([*trained, *evidence]), preserve_index=False)


@pytest.fixture(scope="module", params=NAMES)
def sweep(request):
    content = load(EXPERIMENTS / f"{request.param}.yaml").content
    cells = grid_of(request.param)
    specs, _ = figures_of(stored_experiment(content), own(cells))
    return request.param, specs, cells, curves_of(cells)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sweep", "width"),
    [(name, width) for i, name in enumerate(NAMES) for width in (WIDTHS[1], WIDTHS[2 * (i % 2)])],
    indirect=["sweep"],
)
def test_every_figure_has_its_width_and_no_text_is_cut_or_upon_another(sweep, width):
    name, specs, cells, curves = sweep
    drawn = [draw(replace(spec, width=width), cells, curves) for spec in specs]
    problems = {d.title: d.problem for d in drawn if d.problem}
    narrow = {"What was planted and what was named first"} if width and width < 4 else set()
    assert set(problems) <= narrow and all("need a width of" in p for p in problems.values()), problems
    for one in drawn:
        if one.figure is None:
            continue
        assert not faults_of(one.figure), (name, one.title)
        if width is not None:
            assert one.figure.get_size_inches()[0] == pytest.approx(width, abs=1e-9)
            assert sizes_of(one.figure) <= {6.0, 7.0, 8.0}


@pytest.mark.parametrize("sweep", ["clipping", "pairs"], indirect=True)
def test_the_measure_finds_a_text_that_is_cut_and_one_upon_another(sweep):
    name, specs, cells, curves = sweep
    figure = draw(replace(specs[1], width=WIDTHS[1]), cells, curves).figure
    first = next(t for t in figure.axes[0].get_yticklabels() if t.get_text())
    figure.text(0.995, 0.5, "cut")
    assert any("'cut' leaves" in fault for fault in faults_of(figure)), name
    figure.axes[0].text(*first.get_unitless_position(), first.get_text(), transform=first.get_transform(),
                        ha="right", va="center", size=first.get_size())  # fmt: skip
    assert any(f"{first.get_text()!r} is upon" in fault for fault in faults_of(figure)), name


def test_files_have_that_width(cells, curves):
    from backproof.reports.specification import figure_spec

    asked = {"value": "verdict", "rows": ["activation"], "columns": ["loss"]}
    spec = replace(figure_spec("figures[0]", asked, list(cells)), width=inches("width", "85mm"))
    figure = draw(spec, cells, curves).figure
    svg = style.rendered(figure, "svg").decode()
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == pytest.approx(85 / 25.4 * 72, abs=1e-4)
    pdf = style.rendered(figure, "pdf")
    assert float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", pdf)[1]) == pytest.approx(85 / 25.4 * 72, abs=1e-4)
    assert b"/Subtype /Type0" in pdf and b"/Subtype /Type3" not in pdf, "whole fonts, as journals ask for"
    import io

    pixels = mpl.image.imread(io.BytesIO(style.rendered(figure, "png", 600))).shape[1]
    assert pixels == pytest.approx(85 / 25.4 * 600, abs=1)


def test_panels_have_letters(cells, curves):
    from backproof.reports.specification import figure_spec

    for asked in (
        {"value": "verdict", "rows": ["loss"], "facet": ["activation"]},
        {"value": "curves", "rows": ["loss"], "columns": ["activation"]},
    ):
        drawn = draw(figure_spec("figures[0]", asked, list(cells)), cells, curves)
        letters = [t.get_text() for t in drawn.figure.texts if t.get_weight() == "bold"]
        assert {"a", "b"} <= set(letters)
    assert [style.letter(i) for i in (0, 25, 26)] == ["a", "z", "aa"]


@pytest.mark.parametrize(
    ("text", "length"), [("85mm", 85 / 25.4), ("3.35in", 3.35), ("17.4 cm", 17.4 / 2.54), ("240pt", 240 / 72)]
)
def test_lengths_have_units(text, length):
    assert inches("width", text) == pytest.approx(length)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("85", "width: the unit must be one of mm, cm, in, pt; not '85'; did you mean '85mm'?"),
        ("85mn", "width: the unit must be one of mm, cm, in, pt; not '85mn'; did you mean '85mm'?"),
        ("3.35inch", "width: the unit must be one of mm, cm, in, pt; not '3.35inch'; did you mean '3.35in'?"),
        ("85MM", "width: the unit must be one of mm, cm, in, pt; not '85MM'; did you mean '85mm'?"),
        ("wide", "width: must be a number and a unit, as in 85mm; not 'wide'"),
        ("-85mm", "width: must be a number and a unit, as in 85mm; not '-85mm'"),
        ("8mm", "width: must be from 38.1mm to 508mm; not '8mm'; did you mean '38.1mm'?"),
        ("1e9mm", "width: the unit must be one of mm, cm, in, pt; not '1e9mm'"),
    ],
)
def test_what_is_no_length_is_one_line(text, says):
    with pytest.raises(ConfigurationError) as caught:
        inches("width", text)
    assert str(caught.value).startswith(says) and "\n" not in str(caught.value)
