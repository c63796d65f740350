"""The confusion of causes, alarms by size, and evidence: what can be counted by hand, and how it is drawn."""

import numpy as np
import pandas as pd
import pytest
from reports.test_figures import drawn_as, mesh, texts

from backproof.errors import ConfigurationError
from backproof.reports.figures.confusion import confusion, confusion_of_mutants
from backproof.reports.figures.detection import TESTS, detection
from backproof.reports.specification import figure_specs

SIZES = {0: None, 1: 1e-8, 2: 5e-7, 3: 0.5}


@pytest.fixture
def planted(cells):
    """Twelve cells of both losses: each fourth without a fault, the rest by size."""
    table = cells.copy()
    kind = np.arange(len(table)) % 4
    planted = np.where(kind == 3, "derivative: missing", "output delta: sign")
    table["planted"] = np.where(kind == 0, None, planted)
    table["cause"] = table["planted"].where(kind != 2, "output delta: scale")
    table["fault_size"] = pd.Series(kind).map(SIZES).astype(float)
    table["verdict"] = np.where(kind == 0, "agrees", "incorrect gradient")
    for name in ("relative_1e_2", "relative_1e_4", "allclose", "quadratic"):
        table[name] = pd.Series(kind == 3, dtype="boolean")
    table["relative_1e_7"] = pd.Series(kind >= 0, dtype="boolean")
    return table


def test_each_planted_cause_is_a_row_whose_shares_add_up_to_one(planted):
    laid = confusion(planted)
    rows, columns = [k[0] for k in laid.rows], [k[0] for k in laid.columns]
    assert rows == ["output delta: sign", "derivative: missing"]
    assert columns == [*rows, "output delta: scale"]
    np.testing.assert_allclose(np.nansum(laid["value"], axis=1), 1)
    kind = np.arange(len(planted)) % 4
    signs = ((kind == 1) | (kind == 2)).sum()
    assert laid["value"][0, 0] == pytest.approx((kind == 1).sum() / signs)
    assert laid["value"][0, 2] == pytest.approx((kind == 2).sum() / signs)
    assert np.isnan(laid["value"][1, 0])
    assert laid["n"].sum() == (kind != 0).sum()


def test_a_cause_that_was_not_found_is_nothing(planted):
    planted.loc[planted["planted"] == "derivative: missing", "cause"] = None
    assert [k[0] for k in confusion(planted).columns][-1] == "nothing"


MUTANTS = [
    ("hidden derivative: 1 - a * a → 1 - a", "derivative: another function of z", "named"),
    ("hidden derivative: 1 - a * a → 1", "derivative: missing", "named"),
    ("hidden derivative: 1 - a * a → 1 - a.mT", "hidden delta: not identified", "located"),
    ("hidden derivative: 1 - a * a → 1 + a * a", "hidden delta: scale", "named"),
    ("penalty: l2 * w → l2", "weight gradient: scale", "misnamed"),
    ("penalty: l2 * w → w", None, None),
]


@pytest.fixture
def mutated(planted):
    """The first six cells are mutants; there are six more of the list."""
    for i, (edit, cause, identified) in enumerate(MUTANTS):
        planted.loc[i, ["edit", "cause", "identified"]] = [edit, cause, identified]
        planted.loc[i, "planted"] = f"mutant: {edit.partition(':')[0]}"
    return planted


def test_mutants_are_rows_by_line_and_true_names_columns_by_operation(mutated):
    laid = confusion_of_mutants(mutated)
    assert [k[0] for k in laid.rows] == ["penalty", "hidden derivative"]
    columns = [k[0] for k in laid.columns]
    assert columns == ["hidden delta", "derivative", "right location, no name", "false name", "nothing"]
    none = np.nan
    np.testing.assert_allclose(
        laid["value"], [[none, none, none, 1 / 2, 1 / 2], [1 / 4, 2 / 4, 1 / 4, none, none]]
    )


def test_mutants_and_the_list_are_not_pooled(mutated):
    listed, drawn = confusion(mutated), confusion_of_mutants(mutated)
    assert not any("mutant" in key[0] for key in (*listed.rows, *listed.columns))
    assert drawn["n"].sum() == len(MUTANTS)
    assert listed["n"].sum() == (mutated["planted"].notna() & mutated["edit"].isna()).sum()


def test_both_are_panels_of_one_figure_with_tiles_of_one_size(mutated, curves):
    drawn = drawn_as({"value": "confusion", "title": "t"}, mutated, curves)
    assert drawn.problem == ""
    panels = drawn.figure.axes[:2]
    laid = [confusion(mutated), confusion_of_mutants(mutated)]
    assert len(panels) == 2
    sizes = []
    for axes, tiles in zip(panels, laid, strict=True):
        shown = np.ma.filled(axes.collections[0].get_array().astype(float), np.nan)
        np.testing.assert_allclose(shown.reshape(tiles.shape), tiles["value"])
        for labels, keys in ((axes.get_xticklabels(), tiles.columns), (axes.get_yticklabels(), tiles.rows)):
            assert ["".join(t.get_text().split()) for t in labels] == ["".join(k[0].split()) for k in keys]
        box = axes.get_window_extent()
        sizes.append((box.width / np.ptp(axes.get_xlim()), box.height / np.ptp(axes.get_ylim())))
    np.testing.assert_allclose(*sizes, rtol=0.02)
    assert "Of 6 random edits, 50% are named for what they are" in drawn.finding
    assert "of 1 only the location is named, 1 have a false name, and 1 have none" in drawn.finding
    assert len(drawn.data) == sum(tiles["value"].size for tiles in laid)


def test_a_planted_cause_that_was_never_named_first_counts_as_none(planted, curves):
    planted.loc[planted["planted"] == "derivative: missing", "cause"] = "output delta: scale"
    drawn = drawn_as({"value": "confusion", "title": "t"}, planted, curves)
    assert "named first in at least 0% of its own" in drawn.finding


def test_mutants_alone_are_a_figure_too(mutated, curves):
    only = mutated[mutated["edit"].notna()]
    drawn = drawn_as({"value": "confusion", "title": "t"}, only, curves)
    assert drawn.finding.startswith("Of 6 random edits")
    assert len(drawn.data) == confusion_of_mutants(only)["value"].size


def test_alarms_are_shares_by_the_size_of_the_error(planted):
    laid = detection(planted)
    assert [k[0] for k in laid.rows] == ["backproof", *TESTS]
    assert [k[0] for k in laid.columns] == ["no error", "≤ 1e-07", "≤ 1e-06", "≤ 1e+00"]
    by_test = dict(zip(["backproof", *TESTS], laid["value"].tolist(), strict=True))
    assert by_test["backproof"] == [0, 1, 1, 1]
    assert by_test["relative 1e-7"] == [1, 1, 1, 1]
    assert by_test["rtol 1e-3, atol 1e-5"] == [0, 0, 0, 1]


def test_a_test_that_was_not_asked_has_no_share(planted):
    planted["quadratic"] = pd.Series([pd.NA] * len(planted), dtype="boolean")
    laid = detection(planted)
    assert np.isnan(laid["value"][["backproof", *TESTS].index("quadratic, 5 points")]).all()


@pytest.mark.parametrize("value", ["confusion", "detection"])
def test_they_are_drawn_as_they_are_counted(planted, curves, value):
    drawn = drawn_as({"value": value, "title": "t"}, planted, curves)
    laid = {"confusion": confusion, "detection": detection}[value](planted)
    assert drawn.problem == ""
    shown = np.ma.filled(mesh(drawn.figure).get_array().astype(float), np.nan).reshape(laid["value"].shape)
    np.testing.assert_allclose(shown, laid["value"])
    assert "100%" in texts(drawn.figure)
    assert len(drawn.data) == laid["value"].size
    assert drawn.finding


def test_causes_are_numbered_and_named_in_the_legend(planted, curves):
    figure = {"value": "cause", "rows": ["activation"], "columns": ["loss"]}
    drawn = drawn_as(figure, planted, curves)
    legend = [t.get_text() for t in drawn.figure.legends[0].get_texts()]
    assert any(text.endswith("output delta: sign") for text in legend)
    assert all(text[0].isdigit() or text == "nothing to explain" for text in legend)


def evidence_of(cells):
    steps = np.arange(-40, -2)
    valley = np.maximum(2.0 ** (-steps - 52.0), 2.0 ** (2.0 * steps))
    parts = [
        pd.DataFrame({"cell": c, "series": "error at step 2^", "step": steps, "value": valley})
        for c in cells["cell"]
    ]
    flat = np.arange(6.0)
    maps = pd.DataFrame({
        "cell": cells["cell"].iloc[0], "series": "error of W1 (2 units)", "step": np.arange(6), "value": flat
    })  # fmt: skip
    return pd.concat([*parts, maps])


def test_the_error_against_the_step_is_drawn_with_its_guides(cells):
    import pyarrow as pa

    curves = pa.Table.from_pandas(evidence_of(cells), preserve_index=False)
    drawn = drawn_as({"value": "steps", "rows": ["activation"], "columns": []}, cells, curves)
    axes = drawn.figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    legend = [t.get_text() for t in drawn.figure.legends[0].get_texts()]
    assert legend == ["ReLU", "tanh", "slope −1: round-off", "slope +2: truncation"]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 38]
    assert len(lines) == 2
    np.testing.assert_allclose(lines[0].get_ydata()[-1], 2.0**-6)
    assert "ReLU: " in drawn.finding


def test_the_map_is_the_matrix_with_its_bias(cells):
    import pyarrow as pa

    curves = pa.Table.from_pandas(evidence_of(cells), preserve_index=False)
    drawn = drawn_as({"value": "map"}, cells, curves)
    axes = drawn.figure.axes[-1]
    assert "W1, 2 × 2 and bias" in [t.get_text() for t in drawn.figure.texts]
    np.testing.assert_allclose(axes.collections[0].get_array().reshape(2, 3), np.arange(6.0).reshape(2, 3))
    assert drawn.finding == "4 of 6 parameters are beyond their error bounds."


@pytest.mark.parametrize("value", ["steps", "map"])
def test_without_evidence_the_figure_says_how_to_get_it(cells, curves, value):
    drawn = drawn_as({"value": value}, cells, curves)
    assert drawn.figure is None
    assert "check.evidence=true" in drawn.problem


def test_heatmaps_need_axes_and_the_others_do_not():
    figure_specs([{"value": "confusion"}, {"value": "map"}], ["fault"])
    with pytest.raises(ConfigurationError, match="needs rows or columns"):
        figure_specs([{"value": "verdict"}], ["fault"])
