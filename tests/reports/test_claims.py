"""Claims: each way to settle one, and each way to get one wrong."""

import pytest

from backproof.errors import ConfigurationError
from backproof.reports.claims import ClaimStatus, claims_of, evaluate
from backproof.reports.specification import figure_specs

CONFIRMED, REFUTED, OPEN, VACUOUS, BROKEN = ClaimStatus
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


def test_no_cell_is_not_enough_data(cells):
    assert settle(cells, where="seed == 99").status == OPEN


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
