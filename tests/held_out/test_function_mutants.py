"""Mutants of the gradients of functions are not named falsely: some of those of `function_mutants.py`."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from held_out.function_mutants import _true, judged

SEEDS = range(500, 540)


@pytest.fixture(scope="module")
def outcomes():
    found = {1.0: Counter(), 1e-3: Counter()}
    for seed in SEEDS:
        for share, what, _mutant, _cause in judged(seed):
            found[share][what] += 1
    return found


@pytest.mark.slow
@pytest.mark.parametrize("share", [1.0, 1e-3])
def test_at_most_one_name_in_a_hundred_is_false_and_most_are_named(outcomes, share):
    counts = outcomes[share]
    assert counts.total() > 0.9 * len(SEEDS)
    assert counts["false"] <= 0.01 * counts.total()
    assert counts["named"] >= 0.6 * counts.total()


@pytest.mark.parametrize(
    ("name", "factor", "true"),
    [
        ("sign", -1, True),
        ("sign", -1.001, False),
        ("scale", 3, True),
        ("missing", 0, True),
        ("missing", 1e-3, False),
    ],
)
def test_names_are_held_against_the_gradients(name, factor, true):
    right = np.array([1.0, 2.0, -3.0])
    cause = SimpleNamespace(name=name, detail="W: all")
    assert _true(cause, factor * right, right, np.ones(3)) is true
    crooked = right * np.array([2.0, 3.0, 2.0])
    assert not _true(SimpleNamespace(name="scale", detail="W: all"), crooked, right, np.ones(3))
