"""Claims: each way to settle one, and each way to get one wrong."""

import numpy as np
import pandas as pd
import pytest

from backproof.errors import ConfigurationError
from backproof.reports.claims import ClaimStatus, claims_of, evaluate
from backproof.reports.expectations import power_of
from backproof.reports.specification import figure_specs

CONFIRMED, REFUTED, OPEN, VACUOUS, UNDERPOWERED, BROKEN = ClaimStatus
COLUMNS = ["cell", "activation", "loss", "clip.eps", "seed", "verdict", "accuracy", "gradient_error"]


def settle(cells, **claim):
    (result,) = evaluate(
        [{"statement": "it is so", "where": "seed >= 0", "holds": "seed >= 0", **claim}], cells
    )
    return result


@pytest.mark.parametrize(
    ("holds", "share", "verdict"),
    [
        ("seed >= 0", "all", CONFIRMED),
        ("seed > 0", "all", REFUTED),
        ("seed > 5", "none", CONFIRMED),
        ("seed > 1", "none", REFUTED),
        ("seed > 1", "some", CONFIRMED),
        ("seed > 5", "some", REFUTED),
        ("seed > 0", ">= 0.6", CONFIRMED),
        ("seed > 0", ">= 0.7", REFUTED),
        ("seed > 0", "<= 0.7", CONFIRMED),
        ("seed > 0", "<= 0.6", REFUTED),
    ],
)
def test_a_share_of_the_cells_must_hold(cells, holds, share, verdict):
    assert settle(cells, holds=holds, share=share).status == verdict


def test_it_speaks_of_the_cells_in_where_and_counts_them(cells):
    result = settle(
        cells,
        where="activation == 'tanh' and loss == 'binary_cross_entropy'",
        holds="verdict == 'incorrect gradient'",
    )
    assert (result.status, result.n, result.holding) == (CONFIRMED, 6, 6)


def test_a_name_with_a_dot_stands_in_backticks_and_null_is_false(cells):
    result = settle(cells, where="`clip.eps` >= 1e-4", holds="loss == 'binary_cross_entropy'")
    assert (result.status, result.n) == (CONFIRMED, 6)


def test_a_claim_about_no_cell_is_vacuous_once_every_cell_is_there(cells):
    assert settle(cells, where="seed == 99").status == VACUOUS
    for status in ("pending", "failed"):
        cells.loc[0, "status"] = status
        assert settle(cells, where="seed == 99").status == OPEN, "the cell may be one that it is about"


def test_failed_cells_settle_nothing(cells):
    cells.loc[cells["seed"] == 0, "status"] = "failed"
    assert settle(cells, holds="seed > 0").status == CONFIRMED


def test_one_cell_in_many_refutes_and_is_named(cells):
    cells.loc[7, "accuracy"] = 0.1
    result = settle(cells, holds="accuracy > 0.5")
    assert (result.status, result.exceptions) == (REFUTED, (cells.loc[7, "cell"],))


def test_an_expression_that_fails_is_told_and_costs_nothing_else(cells):
    results = evaluate(
        [
            {"statement": "x", "where": "accuracy > 'a'", "holds": "seed == 0"},
            {"statement": "y", "where": "seed == 0", "holds": "seed == 0"},
        ],
        cells,
    )
    assert results[0].status == BROKEN and results[0].problem
    assert results[1].status == CONFIRMED


def test_an_expression_that_is_neither_true_nor_false_settles_nothing(cells):
    assert settle(cells, holds="activation").status == BROKEN
    assert settle(cells, where="seed").status == BROKEN


def test_a_measure_is_a_table_of_its_own(cells):
    measure = {"by": ["activation"], "value": "verdict == 'incorrect gradient'", "as": "share"}
    table = settle(cells, measure=measure).measure
    assert table.set_index("activation")["share"].to_dict() == {"relu": 0, "tanh": pytest.approx(6 / 9)}
    measure = {"by": ["loss"], "value": "gradient_error", "as": "median"}
    assert set(settle(cells, measure=measure).measure.columns) == {"loss", "median", "least", "greatest", "n"}


def test_good_claims_pass_the_door():
    claims_of(
        [
            {
                "where": "`clip.eps` > 0 and abs(accuracy) < 1",
                "holds": "verdict in ['agrees']",
                "share": ">= 0.5",
            },
            {
                "where": "True",
                "holds": "seed == 0",
                "measure": {"by": ["loss"], "value": "seed", "as": "mean"},
            },
        ],
        COLUMNS,
    )


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            {"where": "activaton == 'relu'"},
            r"claims\[0\].where: unknown name activaton; did you mean 'activation'",
        ),
        ({"holds": "verdict =="}, r"claims\[0\].holds: .*syntax"),
        ({"holds": "clip.eps > 0"}, "must be in backticks"),
        ({"holds": "`clip.ep` > 0"}, "did you mean 'clip.eps'"),
        ({"holds": "__import__('os')"}, "unknown name __import__"),
        ({"holds": "@pd.eval('1')"}, "invalid syntax"),
        ({"holds": 3}, "must be an expression"),
        ({"share": "most"}, "share: must be all, none, some"),
        ({"share": ">= 2"}, "share: must be"),
        ({"measure": {"by": ["loss"]}}, "measure: must be a mapping"),
        ({"measure": {"by": ["los"], "value": "seed", "as": "mean"}}, "did you mean 'loss'"),
        ({"measure": {"by": "loss", "value": "seed", "as": "mean"}}, "by: must be a list"),
        ({"measure": {"by": ["loss"], "value": "seed", "as": "median_"}}, "did you mean 'median'"),
        ({"measure": {"by": ["loss"], "value": "sed", "as": "mean"}}, "did you mean 'seed'"),
    ],
)
def test_the_door_refuses(broken, message):
    with pytest.raises(ConfigurationError, match=message):
        claims_of([{"where": "seed == 0", "holds": "seed == 0", **broken}], COLUMNS)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"value": "gradient_eror"}, "did you mean 'gradient_error'"),
        ({"rows": "loss"}, "rows: must be a list"),
        ({"columns": ["los"]}, "columns: unknown axis los; did you mean 'loss'"),
        ({"where": "sed == 0"}, "where: unknown name sed"),
        ({"rows": ["gradient_error"]}, "rows: unknown axis gradient_error"),
        ({"rows": ["loss"]}, "loss is named twice"),
        ({"facet": ["loss"]}, "loss is named twice"),
        ({"facet": ["los"]}, "facet: unknown axis los"),
        ({"aggregate": "median"}, "aggregate: must be one of most frequent, worst"),
        ({"value": "excess", "aggregate": "mediam"}, "did you mean 'median'"),
    ],
)
def test_the_door_refuses_figures(broken, message):
    good = {"value": "verdict", "rows": ["activation"], "columns": ["loss"]}
    figure_specs([good], COLUMNS)
    with pytest.raises(ConfigurationError, match=message):
        figure_specs([{**good, **broken}], COLUMNS)


def test_replicates_that_disagree_are_counted(cells):
    all_same = settle(cells, where="seed >= 0", holds="verdict in ['agrees', 'incorrect gradient']")
    assert (all_same.cases, all_same.agreeing) == (6, 6)
    one = (cells["activation"] == "relu") & (cells["loss"] == "squared_error") & (cells["seed"] == 1)
    cells.loc[one, "verdict"] = "incorrect gradient"
    mixed = settle(cells, where="seed >= 0", holds="verdict == 'agrees'")
    assert (mixed.cases, mixed.agreeing) == (6, 5)
    assert settle(cells, where="seed == 0", holds="verdict == 'agrees'").cases == 0


def test_a_claim_over_an_axis_that_changes_nothing_is_vacuous(cells):
    claim = {"statement": "eps does not matter", "where": "notnull(`clip.eps`)", "holds": "accuracy >= 0.5"}
    [over] = evaluate([{**claim, "over": "clip.eps"}], cells)
    assert (over.status, over.n) == (VACUOUS, 12), "the two eps have equal accuracies"
    cells.loc[cells["clip.eps"] == 1e-3, "accuracy"] += 1e-15
    assert evaluate([{**claim, "over": "clip.eps"}], cells)[0].status is CONFIRMED
    assert evaluate([{**claim, "over": "seed"}], cells)[0].status is CONFIRMED
    one = cells[(cells["clip.eps"] != 1e-3)]
    assert evaluate([{**claim, "over": "clip.eps"}], one)[0].status is VACUOUS, "one value alone"
    [unknown] = evaluate([{**claim, "over": "clip.epps"}], cells)
    assert unknown.status is BROKEN and "did you mean" in unknown.problem


EXPECTED = {"value": "accuracy", "of": "activation == 'tanh'", "against": "activation == 'relu'"}


@pytest.fixture
def trained(cells):
    """One cell per activation and seed, forty seeds; tanh is better by 0.02, give or take 0.01."""
    noise = np.random.default_rng(0).normal(0.02, 0.01, 40)
    rows = []
    for seed, gain in enumerate(noise):
        for activation in ("relu", "tanh"):
            row = cells.iloc[0].to_dict() | {"cell": f"{len(rows):08x}", "activation": activation}
            rows.append(row | {"seed": seed, "accuracy": 0.8 + gain * (activation == "tanh")})
    return pd.DataFrame(rows).astype(cells.dtypes)


@pytest.mark.parametrize(
    ("expect", "effect", "seeds", "status"),
    [
        ("greater", 0.02, 40, CONFIRMED),
        ("greater", 0.03, 40, REFUTED),  # it is greater, and certainly not by so much
        ("less", 0.02, 40, REFUTED),
        ("different", 0.02, 40, CONFIRMED),
        ("equivalent", 0.03, 40, CONFIRMED),
        ("equivalent", 0.01, 40, REFUTED),
        ("equivalent", 0.02, 40, REFUTED),  # not excluded, and not shown by so many
    ],
)
def test_what_is_expected_of_a_contrast_decides_a_claim(trained, expect, effect, seeds, status):
    cells = trained[trained["seed"] < seeds]
    [found] = evaluate(
        [{"statement": "x", "contrast": {**EXPECTED, "expect": expect, "effect": effect}}], cells
    )
    assert found.status is status
    test = found.difference.test
    assert (test.n, found.n) == (seeds, 2 * seeds), "the contrast's cells are what it is about"
    assert 0.8 < test.power <= 1


@pytest.mark.parametrize("expect", ["greater", "less", "different", "equivalent"])
def test_what_is_neither_shown_nor_excluded_by_too_few_seeds_is_underpowered(trained, expect):
    noisy = {**EXPECTED, "value": "accuracy + (seed - 2) / 10 * (activation == 'tanh')"}
    claim = {"statement": "x", "contrast": {**noisy, "expect": expect, "effect": 0.05}}
    [found] = evaluate([claim], trained[trained["seed"] < 5])
    test = found.difference.test
    assert (found.status, test.n) == (UNDERPOWERED, 5)
    assert test.needed > 40 and power_of(test.expectation, test.needed, test.deviation) >= 0.8
    assert power_of(test.expectation, test.needed - 1, test.deviation) < 0.8


def test_a_contrast_that_is_shown_does_not_save_a_claim_whose_cells_break_it(trained):
    claim = {"statement": "x", "contrast": {**EXPECTED, "expect": "greater", "effect": 0.02}}
    assert evaluate([{**claim, "holds": "accuracy > 0.5"}], trained)[0].status is CONFIRMED
    assert evaluate([{**claim, "holds": "accuracy > 0.8"}], trained)[0].status is REFUTED


def test_a_contrast_without_a_pair_is_vacuous(trained):
    claim = {"statement": "x", "contrast": {**EXPECTED, "expect": "greater", "effect": 0.02}}
    assert evaluate([claim], trained[trained["activation"] == "relu"])[0].status is VACUOUS


def test_the_tests_of_one_hypothesis_are_corrected_together_and_those_of_others_are_not(trained):
    few = trained[trained["seed"] < 6]
    claim = {"statement": "x", "contrast": {**EXPECTED, "expect": "greater", "effect": 0.02}}
    alone, *others = evaluate([claim | {"hypothesis": h} for h in ("a", "b", "b", "b")], few)
    p = alone.difference.test.p
    assert alone.difference.p == p
    assert [c.difference.p for c in others] == pytest.approx([3 * p] * 3)
    assert others[0].difference.test.power < alone.difference.test.power


def test_few_seeds_are_noted_of_claims_on_training_alone(trained):
    few = trained[trained["seed"] < 19]
    [on_training] = evaluate([{"statement": "x", "where": "seed >= 0", "holds": "accuracy > 0"}], few)
    assert on_training.notes == ("It is about training and rests on 19 seeds, fewer than 20.",)
    [on_verdicts] = evaluate([{"statement": "x", "where": "seed >= 0", "holds": "excess > 0"}], few)
    [enough] = evaluate([{"statement": "x", "where": "seed >= 0", "holds": "accuracy > 0"}], trained)
    assert on_verdicts.notes == enough.notes == ()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({}, "needs where, or a contrast of which something is expected"),
        ({"where": "seed == 0"}, "needs holds, or a contrast of which something is expected"),
        ({"where": "seed == 0", "contrast": EXPECTED}, "needs holds"),
        ({"contrast": {**EXPECTED, "expect": "greater"}}, "contrast: expect needs effect"),
        ({"contrast": {**EXPECTED, "effect": 0.1}}, "contrast: effect needs expect"),
        ({"contrast": {**EXPECTED, "expect": "grater", "effect": 0.1}}, "did you mean 'greater'"),
        ({"contrast": {**EXPECTED, "expect": "less", "effect": 0}}, "effect: must be a number > 0; not 0"),
        ({"where": "seed == 0", "holds": "seed == 0", "at": "best"}, "at: must be tuned; not 'best'"),
    ],
)
def test_the_door_refuses_what_decides_nothing(broken, message):
    with pytest.raises(ConfigurationError, match=message):
        claims_of([broken], COLUMNS)
