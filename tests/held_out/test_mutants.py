"""Mutants of backward passes are not named falsely: some of those that `mutants.py` judges by the hundred."""

from collections import Counter

import pytest
from held_out.mutants import judged

from backproof.network.faults.lines import LINES
from backproof.network.faults.mutant import mutant

SEEDS = range(500, 580)


@pytest.fixture(scope="module")
def counts_by_size():
    found = {1.0: Counter(), 1e-3: Counter()}
    for seed in SEEDS:
        _words, outcomes = judged(seed)
        for share, what, _mutant, _cause in outcomes:
            found[share][what] += 1
    return found


@pytest.mark.slow
@pytest.mark.parametrize("share", [1.0, 1e-3])
def test_at_most_one_name_in_a_hundred_is_false_and_most_are_named(counts_by_size, share):
    counts = counts_by_size[share]
    assert counts.total() > 0.9 * len(SEEDS)
    assert counts["misnamed"] <= 0.01 * counts.total()
    assert counts["named"] >= 0.7 * counts.total()


@pytest.mark.parametrize(
    ("line", "name", "what"),
    [
        ("loss derivative", "output delta: sign", "named"),
        ("loss derivative", "hidden delta: sign", "misnamed"),
        ("hidden derivative", "carried weights: transposed", "misnamed"),
        ("arriving gradient", "carried weights: absolute value", "misnamed"),
        ("carried weights", "carried weights: absolute value", "named"),
        ("penalty", "weight gradient: scale", "misnamed"),
        ("hidden derivative", "hidden delta: not identified", "located"),
        ("bias gradient", "weight gradient: not identified", "misnamed"),
        ("bias gradient", "not located", "misnamed"),
    ],
)
def test_what_is_not_true_of_the_line_is_a_false_name(line, name, what):
    of_line = next(m for m in map(mutant, range(500)) if m.line.name == line)
    assert of_line.identified_by(name) == what
    assert of_line.named_by(name) == (what == "named")


def test_every_line_has_names_and_locations_of_its_own_operation():
    assert len({line.name for line in LINES}) == len(LINES)
    for line in LINES:
        assert line.true and line.locations
