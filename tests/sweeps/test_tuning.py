"""Tuning: the choice of a value by validation, its edges, and what is tried beyond them."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from backproof.errors import ConfigurationError
from backproof.sweeps.columns import RESULTS
from backproof.sweeps.experiment import experiment_of
from backproof.sweeps.tuning import (
    Tuning,
    choices_of,
    extensions,
    marked,
    marks_of,
    most_extensions,
    tuning_of,
)

AXIS = "training.learning_rate"
TUNING = Tuning(AXIS)
EXPERIMENT = {"tune": {"axis": AXIS}}


def table(accuracies, losses=None, seeds=2, rule="exact"):
    """Cells of one setting: an accuracy by rate, the same for all seeds, or one for each."""
    rows = []
    for rate, seed in itertools.product(accuracies, range(seeds)):
        accuracy = np.broadcast_to(accuracies[rate], seeds)[seed]
        loss = np.broadcast_to((losses or {}).get(rate, 1.0), seeds)[seed]
        rows.append(
            dict.fromkeys(RESULTS)
            | {"cell": f"{rule} {rate:g} {seed}", AXIS: rate, "seed": seed, "delta": rule, "status": "ok"}
            | {"training": "sgd", "validation_accuracy": accuracy, "validation_loss": loss}
        )
    return pd.DataFrame(rows)[["cell", "delta", AXIS, "training", "seed", *RESULTS]]


def chosen(cells, tuning=TUNING):
    return [(choice.value, choice.at_edge) for choice in choices_of(tuning, cells)]


def test_the_best_mean_over_seeds_is_chosen():
    assert chosen(table({0.01: 0.5, 0.1: [0.9, 0.7], 1.0: [1.0, 0.5]})) == [(0.1, False)]
    assert chosen(table({0.01: 0.5, 0.1: [0.9, 0.7], 1.0: [1.0, 0.61]})) == [(1.0, True)]


def test_each_setting_has_its_own_choice():
    cells = pd.concat([table({0.1: 0.5, 1.0: 0.6}), table({0.1: 0.6, 1.0: 0.5}, rule="y_minus_t")])
    assert chosen(cells) == [(1.0, True), (0.1, True)]


def test_ties_go_to_the_smaller_loss_and_then_to_the_smaller_rate():
    equal = {0.01: 0.5, 0.1: 0.9, 1.0: 0.9, 10.0: 0.5}
    assert chosen(table(equal)) == [(0.1, False)]
    assert chosen(table(equal, losses={0.1: 1.0, 1.0: 0.999})) == [(1.0, False)]


@pytest.mark.parametrize(
    "broken",
    [
        {"diverged_at": 3},
        {"status": "failed"},
        {"validation_loss": math.inf},
        {"validation_loss": math.nan},
        {"validation_accuracy": math.nan},
    ],
)
def test_a_run_without_a_good_end_counts_as_the_worst(broken):
    cells = table({0.01: 0.5, 0.1: 0.8, 1.0: 0.9})
    assert chosen(cells) == [(1.0, True)]
    for name, value in broken.items():
        cells.loc[cells["cell"] == "exact 1 0", name] = value
    assert chosen(cells) == [(0.1, False)], "half of 0.9 is less than 0.8"


def test_by_the_loss_the_accuracy_counts_for_nothing():
    cells = table({0.01: 0.9, 0.1: 0.1, 1.0: 0.9}, losses={0.01: 2.0, 0.1: 1.9, 1.0: 2.1})
    assert chosen(cells, Tuning(AXIS, "validation_loss")) == [(0.1, False)]


def test_nothing_is_chosen_while_a_cell_is_to_come():
    cells = table({0.01: 0.5, 0.1: 0.8, 1.0: 0.7})
    cells.loc[0, "status"] = "pending"
    assert chosen(cells) == [(None, False)]
    assert marks_of(EXPERIMENT, cells) == {}


def test_cells_are_marked_and_those_that_train_nothing_are_not():
    untrained = table({0.1: 0.3}, rule="none").assign(training="none")
    cells = pd.concat([table({0.01: 0.5, 0.1: 0.8}), untrained], ignore_index=True)
    found = marked(cells, marks_of(EXPERIMENT, cells))
    assert found.loc[found["tuned"].fillna(False), "cell"].tolist() == ["exact 0.1 0", "exact 0.1 1"]
    assert found["tuned"].isna().tolist() == [False] * 4 + [True] * 2
    assert found["tuned_at_edge"].tolist()[2:4] == [True, True]
    assert found["tuned_at_edge"].isna().tolist() == [True, True, False, False, True, True]


def test_an_experiment_that_tunes_nothing_or_cannot_be_read_marks_nothing():
    cells = table({0.01: 0.5, 0.1: 0.8})
    assert marks_of({}, cells) == marks_of({"tune": 3}, cells) == marks_of({"tune": "x"}, cells) == {}


def test_beyond_an_edge_the_grids_own_factor_goes_on():
    def beyond(accuracies):
        cells = table(accuracies)
        return extensions(TUNING, cells, frozenset(cells["cell"]))

    assert beyond({0.1: 0.5, 0.3: 0.6, 0.9: 0.7}) == [("exact 0.9 0", 2.7), ("exact 0.9 1", 2.7)]
    assert beyond({0.1: 0.7, 0.3: 0.6, 0.9: 0.5}) == [("exact 0.1 0", 0.0333333), ("exact 0.1 1", 0.0333333)]
    assert beyond({0.1: 0.5, 0.3: 0.7, 0.9: 0.5}) == []


def test_a_side_is_extended_three_times_at_most():
    rates = {10.0**k: 0.1 * k for k in range(1, 8)}
    for added in range(5):
        cells = table(dict(itertools.islice(rates.items(), 2 + added)))
        own = frozenset(cells["cell"][:4])
        assert bool(extensions(TUNING, cells, own)) is (added < 3)
        assert not extensions(Tuning(AXIS, rounds=0), cells, own)
    below = table({1.0: 0.9, 10.0: 0.5, 100.0: 0.4, 1000.0: 0.3, 1e4: 0.2})
    own = frozenset(below["cell"][:4])
    assert extensions(TUNING, below, own), "the rounds of one side are not those of the other"


def test_the_most_that_may_be_added_is_known_beforehand():
    assert most_extensions(TUNING, table({0.01: 0.5, 0.1: 0.8}, seeds=5)) == 15


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"axis": "training.learning_rat"}, "tune.axis: unknown axis training.learning_rat; did you mean"),
        ({"axis": "seed"}, "tune.axis: unknown axis seed"),
        ({"axis": "delta"}, "tune.axis: must be an axis of numbers > 0; delta has others"),
        ({"axis": AXIS, "by": "accuracy"}, "tune.by: must be one of validation_accuracy, validation_loss"),
        ({"axis": AXIS, "rounds": -1}, "tune.rounds: must be a whole number from 0 to 10; not -1"),
    ],
)
def test_what_cannot_be_tuned_is_refused_by_name(given, says):
    with pytest.raises(ConfigurationError, match=says):
        tuning_of(given, table({0.01: 0.5, 0.1: 0.8}))


def test_one_value_alone_is_not_tuned():
    with pytest.raises(ConfigurationError, match="needs two values or more for one setting, with training"):
        tuning_of({"axis": AXIS}, table({0.1: 0.8}))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"tune": {"by": "validation_loss"}}, "tune: needs axis"),
        ({"tune": {"axis": AXIS, "round": 1}}, "tune.round: unknown; did you mean 'rounds'"),
        ({"tune": 3}, "tune: must be an axis, or a mapping with axis, by and rounds"),
        ({"tune": AXIS, "refine": AXIS}, "tune: does not go with refine"),
        ({"claims": [{"statement": "x", "at": "tuned"}]}, r"claims\[0\].at: needs tune"),
        ({"figures": [{"value": "verdict", "at": "tuned"}]}, r"figures\[0\].at: needs tune"),
    ],
)
def test_the_door_refuses(content, says):
    with pytest.raises(ConfigurationError, match=says):
        experiment_of("mine", content)
