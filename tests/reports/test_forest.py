"""Forest plots: differences paired at equal settings, their classes, and how the cosine predicts them."""

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from backproof.errors import ConfigurationError
from backproof.reports.figures import draw
from backproof.reports.forest import Beside, Harm, correlation_of, forest_of
from backproof.reports.specification import figure_spec
from backproof.sweeps.columns import RESULTS
from backproof.sweeps.expressions import parse

LOST = {"none": 0.0, "harmless": 0.005, "mild": 0.05, "severe": 0.5, "better": -0.05, "wavering": 0.02}
RATE = "training.learning_rate"


@pytest.fixture
def cells():
    """Faults × two activations × eight seeds, each at its own rate; they lose accuracy as their names say."""
    rows = []
    for (k, fault), activation, seed in itertools.product(enumerate(LOST), ("relu", "tanh"), range(8)):
        wobble = 0.001 * (seed - 3.5) * (20 if fault == "wavering" else fault != "none")
        rows.append(
            dict.fromkeys(RESULTS)
            | {
                "cell": f"{len(rows):08x}",
                "status": "ok",
                "fault": fault,
                "activation": activation,
                "seed": seed,
            }
            | {RATE: 0.1 * (k + 1), "tuned": True, "training": "sgd", "cosine": 1 - LOST[fault]}
            | {"accuracy": 0.9 + 0.01 * seed - 0.1 * (activation == "tanh") - LOST[fault] - wobble}
        )
    return pd.DataFrame(rows)


def asked(cells, **given):
    figure = {
        "value": "forest",
        "rows": ["fault"],
        "contrast": {"value": "accuracy", "against": "fault == 'none'", "effect": 0.02},
    }
    return figure_spec("figures[0]", {**figure, **given}, list(cells))


def forest(cells, apart=RATE, rows=("fault",), facet=()):
    columns = list(cells)
    beside = Beside(parse("value", "accuracy", columns), parse("against", "fault == 'none'", columns), 0.02)
    return forest_of(cells, beside, rows, facet, apart)


def test_differences_are_those_from_the_reference_and_classed_by_their_intervals(cells):
    table = forest(cells).table.set_index("fault")
    for fault, lost in LOST.items():
        if fault != "none":
            assert table.loc[fault, "mean"] == pytest.approx(-lost)
            assert table.loc[fault, "low"] < -lost < table.loc[fault, "high"]
            assert table.loc[fault, "n"] == 8, "pairs of one seed are no replicates of each other"
    assert table["class"].to_dict() == {
        "harmless": Harm.HARMLESS, "mild": Harm.MILD, "severe": Harm.SEVERE, "better": Harm.BETTER,
        "wavering": Harm.UNDECIDED,
    }  # fmt: skip
    assert "none" not in table.index


def test_rates_that_were_tuned_do_not_part_pairs_and_others_do(cells):
    assert len(forest(cells, apart=None).table) == 5, "one rate for each fault follows from it"
    two = cells.assign(**{RATE: cells[RATE] + 0.01 * (cells["activation"] == "tanh")})
    assert len(forest(two, apart=None).table) == 0
    assert len(forest(two).table) == 5


def test_a_facet_has_its_own_reference(cells):
    found = forest(cells, facet=("activation",)).table
    assert len(found) == 10
    assert found.groupby("fault")["mean"].std().max() == pytest.approx(0, abs=1e-12)


def test_rows_that_the_reference_has_too_are_each_beside_their_own(cells):
    found = forest(cells[cells["fault"].isin(["none", "mild"])], rows=("activation",)).table
    assert found["activation"].tolist() == ["relu", "tanh"]
    assert found["mean"].tolist() == pytest.approx([-0.05, -0.05]), "the other activation is 0.1 away"


@pytest.mark.parametrize(
    ("low", "high", "harm"),
    [
        (-0.0199, 0.0199, Harm.HARMLESS),
        (-0.0201, 0.0199, Harm.UNDECIDED),
        (-0.0199, 0.0201, Harm.UNDECIDED),
        (-0.09, -0.02, Harm.MILD),
        (-0.09, -0.019, Harm.UNDECIDED),
        (-0.2, -0.09, Harm.MILD),
        (-0.2, -0.1, Harm.SEVERE),
        (0.02, 0.3, Harm.BETTER),
        (np.nan, np.nan, Harm.UNDECIDED),
    ],
)
def test_an_interval_has_a_class_only_if_all_of_it_has(low, high, harm):
    assert Harm.of(low, high, 0.02) is harm


def test_the_rank_correlation_is_spearmans_with_an_interval_over_seeds():
    random = np.random.default_rng(0)
    x = [pd.Series(random.normal(k, 1, 20)) for k in range(10)]
    y = [s + random.normal(0, 3, 20) for s in x]
    found, low, high = correlation_of(x, y)
    means = pd.DataFrame({"x": [s.mean() for s in x], "y": [s.mean() for s in y]})
    assert found == pytest.approx(means["x"].corr(means["y"], method="spearman"))
    assert low < found <= high and high - low > 0.01
    assert correlation_of(x[:3], y[:3]) is None
    assert correlation_of([pd.Series(np.ones(5))] * 6, y[:6]) is None


def test_it_is_drawn_with_what_it_found_and_its_data(cells):
    spec = asked(cells, facet=["activation"], at="tuned")
    drawn = draw(spec, cells, pa.table({}))
    assert not drawn.problem, drawn.problem
    assert drawn.finding.startswith(
        "Of 10 differences 2 better, 2 harmless, 2 mild, 2 severe, 2 underpowered;"
    )
    assert "rank correlation with the smallest cosine is +" in drawn.finding
    assert len(drawn.data) == 10 and {"fault", "mean", "low", "high", "class"} <= set(drawn.data)
    assert len(drawn.figure.axes) == 2


def test_without_a_reference_it_states_so(cells):
    drawn = draw(asked(cells), cells[cells["fault"] != "none"], pa.table({}))
    assert drawn.problem == "none of its cells has a pair among those of the reference"


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"contrast": None}, "contrast: forest needs one"),
        ({"contrast": {"value": "accuracy"}}, "contrast: must be a mapping with value, against and effect"),
        ({"contrast": {"value": "acuracy", "against": "seed == 0", "effect": 1}}, "did you mean 'accuracy'"),
        (
            {"contrast": {"value": "accuracy", "against": "seed == 0", "effect": 0}},
            "effect: must be a number",
        ),
        ({"value": "accuracy"}, "contrast: status|contrast: .* takes none"),
        ({"rows": []}, "needs rows or columns"),
    ],
)
def test_the_door_refuses(cells, broken, says):
    with pytest.raises(ConfigurationError, match=says):
        asked(cells, **broken)
