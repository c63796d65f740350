"""Kinds of figures: found by their files, validated by what each takes, and safe with whatever was stored."""

import pytest

from backproof.errors import ConfigurationError
from backproof.reports.figures import draw, kinds
from backproof.reports.specification import figure_spec
from backproof.reports.stored import figures_of, stored_experiment
from backproof.sweeps.columns import CELLS


def asked(value, kind):
    sides = {side: [axis] for side, axis in zip(kind.sides, ("activation", "loss"), strict=False)}
    sides = sides if kind.axes_needed else {}
    contrast = {"value": "accuracy", "against": "loss == 'squared_error'", "effect": 0.01}
    return {"value": value, **sides, **({"contrast": contrast} if kind.contrasts else {})}


@pytest.mark.parametrize(("value", "kind"), sorted(kinds().items()), ids=sorted(kinds()))
def test_a_kind_draws_or_states_what_is_missing(cells, curves, value, kind):
    spec = figure_spec("figures[0]", asked(value, kind), list(cells))
    drawn = draw(spec, cells, curves)
    assert spec.title and spec.title[0].isupper()
    if drawn.figure is None:
        assert drawn.problem.startswith("none of its cells "), drawn.problem
    else:
        assert drawn.finding.endswith(".") and len(drawn.data.columns) > 1


def test_every_drawn_column_has_a_kind():
    assert {c.name for c in CELLS if c.drawn} <= set(kinds())


@pytest.mark.parametrize(("value", "kind"), sorted(kinds().items()), ids=sorted(kinds()))
def test_a_kind_refuses_axes_that_it_does_not_take(cells, value, kind):
    for side in {"rows", "columns", "facet"} - set(kind.sides):
        with pytest.raises(ConfigurationError, match=rf"^figures\[0\].{side}: \w+ takes "):
            figure_spec("figures[0]", {**asked(value, kind), side: ["seed"]}, list(cells))
    if not kind.aggregates:
        with pytest.raises(ConfigurationError, match="aggregate: cannot be chosen"):
            figure_spec("figures[0]", {**asked(value, kind), "aggregate": "median"}, list(cells))


def test_an_aggregate_that_is_not_one_is_refused(cells):
    wrong = {"value": "excess", "rows": ["loss"], "aggregate": "medan"}
    with pytest.raises(ConfigurationError, match=r"aggregate: must be one of .*did you mean 'median'"):
        figure_spec("figures[0]", wrong, list(cells))


HOSTILE = [
    {"value": "excess", "rows": ["activation"], "where": "@pd.io.common.os.system('touch broken')"},
    {"value": "excess", "rows": ["activation"], "where": "accuracy.to_pickle('broken')"},
    {"value": "excess", "rows": ["activation"], "where": "9**9**9 > 1"},
    {"value": "__class__"},
    {"value": None},
    {"rows": 3},
    {"value": "excess", "rows": {"a": 1}},
    {"value": "excess", "rows": [["activation"]]},
    {"value": "excess", "rows": ["activation"], "aggregate": ["median"]},
    {"value": "excess", "rows": ["activation"], "where": {"a": 1}},
]


def test_stored_figures_are_data(cells, tmp_path, monkeypatch):
    """What a folder from elsewhere asks for is drawn, or is a problem in one line; nothing else happens."""
    monkeypatch.chdir(tmp_path)
    content = {"figures": [*HOSTILE, 3, "x"], "claims": "x", "question": ["?"]}
    found, _ = figures_of(stored_experiment(content), cells)
    assert len(found) == len(HOSTILE)
    for figure in found:
        assert figure.problem and "\n" not in figure.problem, figure
    assert not list(tmp_path.iterdir())
