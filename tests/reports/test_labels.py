"""Readable names: shipped, added to by an experiment, validated in one line, and safe whatever they hold."""

import json

import pytest

from backproof.errors import ConfigurationError
from backproof.reports.figures import draw
from backproof.reports.figures.drawing import style
from backproof.reports.labels import Labels, shipped, stored_labels
from backproof.reports.specification import figure_spec
from backproof.requests import Request
from backproof.session import Session
from backproof.sweeps.experiment import experiment_of
from backproof.sweeps.overrides import is_axis

AXES = ["activation", "loss", "clip.eps", "output"]


def test_axes_and_values_have_readable_names():
    labels = shipped()
    assert labels.title("output") == "output activation"
    assert labels.title("network.init_scale") == "weight scale"
    assert labels.heading("clip.eps") == "clipping threshold ε"
    assert labels.value("delta", "y_minus_t") == "y − t"
    assert labels.value("output", "same") == "as hidden"
    assert labels.setting("loss", "binary_cross_entropy") == "loss binary cross-entropy"


def test_what_has_no_name_is_shown_as_it_is():
    labels = Labels({})
    assert labels.title("subject.shape") == labels.heading("subject.shape") == "subject.shape"
    assert labels.value("clip.eps", 1e-7) == "1e-07"
    assert labels.value("clip.eps", None) == "–"


def test_every_shipped_name_is_of_an_axis_that_there_is():
    keys = {k for cell in Session().cells(Request(("fault=mutant", "loss.l2=0.1"))) for k in cell.case.flat()}
    named = set(shipped().axes)
    assert {"output", "loss", "delta", "clip.eps", "training.learning_rate"} <= named
    assert all(is_axis(axis) for axis in named)
    assert {a for a in named if a.partition(".")[0] in ("network", "clip", "fault")} <= keys


def test_every_shipped_value_is_a_choice():
    from backproof.sweeps.components import CHOICES

    for group in ("activation", "output", "loss", "clip", "delta", "fault"):
        named = set(shipped().axes[group].values)
        assert named <= {*CHOICES[group].choices, "same", "relu"}, group


def test_an_experiment_adds_to_them_key_by_key():
    labels = shipped().with_those_of(
        {"clip.eps": {"unit": "nats"}, "output": {"values": {"relu": "rectifier"}}, "seed": {"title": "run"}}
    )
    assert labels.heading("clip.eps") == "clipping threshold ε (nats)"
    assert labels.value("output", "relu") == "rectifier"
    assert labels.value("output", "silu") == "SiLU"
    assert labels.title("seed") == "run"


def test_they_can_be_dumped_for_a_page():
    table = json.loads(json.dumps(shipped().table()))
    assert table["clip.eps"] == {"title": "clipping threshold", "symbol": "ε"}
    assert table["loss"]["values"]["squared_error"] == "squared error"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ouput": {"title": "x"}}, "axes.ouput: unknown axis; did you mean 'output'?"),
        (
            {"output": {"titel": "x"}},
            "axes.output.titel: must be one of title, symbol, unit, values; did you",
        ),
        ({"output": "x"}, "axes.output: must be a mapping; not 'x'"),
        ({"output": {"title": ["x"]}}, "axes.output.title: must be text; not ['x']"),
        ({"output": {"title": ""}}, "axes.output.title: must be 1 to 80 printable characters; not ''"),
        ({"output": {"title": "a\x00b"}}, "axes.output.title: must be 1 to 80 printable characters"),
        ({"output": {"values": {"relu": None}}}, "axes.output.values.relu: must be text; not None"),
        (["output"], "axes: must be a mapping; not ['output']"),
    ],
)
def test_what_is_no_name_is_one_line(given, says):
    with pytest.raises(ConfigurationError) as caught:
        shipped().with_those_of(given, AXES)
    assert str(caught.value).startswith(says) and "\n" not in str(caught.value)
    assert stored_labels(given).title("loss") == "loss", "and a store that holds it is read all the same"


def test_an_experiments_file_is_validated():
    assert experiment_of("e", {"axes": {"clip.eps": {"title": "t"}}}).axes == {"clip.eps": {"title": "t"}}
    with pytest.raises(ConfigurationError, match=r"^axes.clip.eps.titel: unknown; did you mean 'title'"):
        experiment_of("e", {"axes": {"clip.eps": {"titel": "t"}}})
    with pytest.raises(ConfigurationError, match=r"^axes: must be a mapping"):
        experiment_of("e", {"axes": ["clip.eps"]})


EVIL = [[r"$\frac{1}{0}$", "$", "_hidden"], ["50 % & <b>", r"\text{x} $a_b^", "{braces}"]]


@pytest.mark.parametrize("names", EVIL)
def test_a_name_is_text_and_nothing_else(cells, curves, names):
    title, relu, tanh = names
    labels = shipped().with_those_of({"activation": {"title": title, "values": {"relu": relu, "tanh": tanh}}})
    for asked in (
        {"value": "verdict", "rows": ["activation"], "columns": ["loss"]},
        {"value": "curves", "rows": ["activation"], "columns": ["loss"]},
    ):
        drawn = draw(figure_spec("figures[0]", asked, list(cells), labels), cells, curves, labels=labels)
        assert not drawn.problem
        shown = [t.get_text() for a in drawn.figure.axes for t in a.get_yticklabels()]
        shown += [t.get_text() for legend in drawn.figure.legends for t in legend.get_texts()]
        assert {relu, tanh} <= set(shown)
        for ending in ("svg", "pdf", "png"):
            assert style.rendered(drawn.figure, ending)


def test_raw_names_stay_in_the_tables(cells, curves):
    for asked in (
        {"value": "verdict", "rows": ["activation"], "columns": ["loss"]},
        {"value": "curves", "rows": ["activation"], "columns": ["loss"]},
    ):
        data = draw(figure_spec("figures[0]", asked, list(cells)), cells, curves).data
        text = data.to_csv()
        assert "binary_cross_entropy" in text and "binary cross-entropy" not in text
