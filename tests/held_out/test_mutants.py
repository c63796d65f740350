"""Mutants of backward passes are not named falsely: some of those that `mutants.py` judges by the hundred."""

from collections import Counter

import pytest
from held_out.mutants import judged, outcome

SEEDS = range(500, 580)


@pytest.fixture(scope="module")
def outcomes():
    found = {1.0: Counter(), 1e-3: Counter()}
    for seed in SEEDS:
        for share, what, _mutant, _cause in judged(seed):
            found[share][what] += 1
    return found


@pytest.mark.parametrize("share", [1.0, 1e-3])
def test_at_most_one_name_in_a_hundred_is_false_and_most_are_named(outcomes, share):
    counts = outcomes[share]
    assert counts.total() > 0.9 * len(SEEDS)
    assert counts["false"] <= 0.01 * counts.total()
    assert counts["named"] >= 0.7 * counts.total()


@pytest.mark.parametrize(
    ("line", "name", "what"),
    [
        ("output", "output delta: sign", "named"),
        ("output", "hidden delta: sign", "false"),
        ("derivative", "carried weights: transposed", "false"),
        ("arriving delta", "carried weights: absolute value", "false"),
        ("penalty", "weight gradient: scale", "false"),
        ("derivative", "hidden delta: not identified", "place"),
        ("bias", "weight gradient: not identified", "false"),
    ],
)
def test_what_is_not_true_of_the_line_counts_as_false(line, name, what):
    assert outcome(line, name) == what
