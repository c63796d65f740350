"""Screens pass no wrong gradient that they say they see, and refuse no right one for good."""

from itertools import chain

import pytest
from held_out.screens import of_right_rule, screened_mutants

from backproof.estimates.screen import MISS

AGREEING = {"agrees", "valid subgradient"}


@pytest.fixture(scope="module")
def mutants():
    return list(chain.from_iterable(map(screened_mutants, range(2000, 2200))))


def test_no_mutant_with_an_error_of_a_thousandth_passes(mutants):
    large = [each for each in mutants if each.error >= 1e-3]
    assert len(large) >= 300
    assert max(each.miss for each in large) < 10 * MISS
    assert not any(each.judgement for each in large)


def test_small_errors_pass_no_more_often_than_is_stated(mutants):
    small = [each for each in mutants if 1e-12 < each.miss < 0.5]
    passed = sum(each.judgement is not None for each in small)
    expected = sum(each.miss for each in small)
    assert len(small) > 50
    assert expected > 1
    assert passed <= expected + 3 * expected**0.5


def test_whatever_passes_says_that_such_an_error_may(mutants):
    for each in mutants:
        if each.judgement:
            assert each.error < each.judgement.resolution <= 1e-3


def test_right_rules_of_random_networks_agree_along_directions_or_are_checked_in_full():
    found = [of_right_rule(seed) for seed in range(3000, 3060)]
    screened = [full for _, screen, full in found if screen]
    assert len(screened) > 20
    assert sum(full in AGREEING for full in screened) >= 0.9 * len(screened)
    assert all(screen.verdict == "agrees" for _, screen, _ in found if screen)
    assert not any(full == "incorrect gradient" for _, _, full in found)
    assert sum(full in AGREEING for _, screen, full in found if not screen) < len(screened)
