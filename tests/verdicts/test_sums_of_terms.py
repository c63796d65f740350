"""Formulas in place of another: the few known quantities that give what was found, and in which multiples."""

import numpy as np
import pytest

from backproof.verdicts.fit import Error
from backproof.verdicts.formulas import MOST_PAIRS, formulas, pair_of_terms

DRAW = np.random.default_rng(11)
N = 40
Q = {name: DRAW.standard_normal(N) for name in "abcdef"}
FACTOR = DRAW.uniform(0.5, 2, N)


def error(found, right=None, sure=None, tolerance=1e-12):
    right = Q["a"] * FACTOR if right is None else right
    sure = np.ones(len(found), bool) if sure is None else sure
    return Error(np.asarray(found), right, np.full(len(found), tolerance), sure)


def first(found, quantities=Q, **given):
    given = error(found, **given)
    return next(formulas(given, quantities, FACTOR[: len(found)], "name", "a"), None)


@pytest.mark.parametrize(
    ("shares", "words", "fitted"),
    [
        ({"c": 1.0}, "c", 0),
        ({"c": -2.0}, "- 2 c", 0),
        ({"c": 0.5}, "1/2 c", 1),
        ({"b": 1.0, "e": -1.0}, "b - e", 0),
        ({"b": 3.0, "e": 0.37}, "3 b + 0.37 e", 1),
        ({"b": -1.0, "d": 2.0, "f": 0.37}, "- b + 2 d + 0.37 f", 1),
        ({"b": 0.11, "d": 0.22, "f": 0.37}, "0.11 b + 0.22 d + 0.37 f", 3),
    ],
)
def test_sums_of_up_to_three_terms_are_found(shares, words, fitted):
    found = FACTOR * sum(share * Q[name] for name, share in shares.items())
    candidate = first(found)
    assert (candidate.name, candidate.detail) == ("name", f"{words} in place of a")
    assert (candidate.parameters, candidate.share) == (fitted, 1)
    np.testing.assert_allclose(candidate.values, found, rtol=1e-9, atol=1e-9)


def test_four_terms_are_too_many():
    assert first(FACTOR * sum(Q[name] for name in "bcde")) is None


def test_what_no_sum_gives_is_none():
    assert first(DRAW.standard_normal(N)) is None
    off = FACTOR * (Q["b"] - Q["e"])
    off[17] += 1e-10
    assert first(off) is None


def test_the_number_one_is_no_name_in_a_sum():
    quantities = {"1": np.ones(N), **Q}
    assert first(FACTOR * (2 - Q["c"]), quantities).detail == "2 - c in place of a"
    assert first(FACTOR * (Q["c"] - 1), quantities).detail == "- 1 + c in place of a"


def test_a_mixture_with_what_is_right_says_the_share_of_the_rest():
    for own, share in ((0.75, 0.25), (1.5, 1), (-0.5, 1), (1.0, 1)):
        assert first(FACTOR * (own * Q["a"] + 0.37 * Q["d"])).share == pytest.approx(share)


def test_all_choices_count_as_tried():
    """Of six quantities there are 6 + 15 + 20 choices of up to three."""
    assert first(FACTOR * Q["c"]).tried == 41


def test_entries_that_are_not_sure_count_for_nothing():
    sure = DRAW.random(N) > 0.3
    found = np.where(sure, FACTOR * (Q["b"] - Q["e"]), 55.0)
    assert first(found, sure=sure).detail == "b - e in place of a"
    assert first(found) is None
    assert first(found, sure=sure & ~sure) is None


def test_quantities_that_are_zero_or_not_finite_are_left_out():
    bad = {"zero": np.zeros(N), "infinite": np.full(N, np.inf), "nan": np.full(N, np.nan)}
    assert first(FACTOR * Q["c"], {**bad, **Q}).detail == "c in place of a"
    assert first(FACTOR * Q["c"], bad) is None
    assert first(np.full(N, np.inf)) is None


def test_there_are_fewer_terms_than_entries():
    """Two entries are a multiple of one quantity at most: two would give anything."""
    few = {name: q[:2] for name, q in Q.items()}
    right = few["a"] * FACTOR[:2]
    assert first((FACTOR * Q["c"])[:2], few, right=right).detail == "c in place of a"
    assert first(DRAW.standard_normal(2), few, right=right) is None
    assert first(np.array([1.0]), {"c": np.ones(1)}, right=np.zeros(1)) is None


def test_entries_beyond_those_that_are_tried_first_are_looked_at():
    """Of 1000 entries 200 are tried."""
    many = {name: DRAW.standard_normal(1000) for name in "ab"}
    found = 2 * many["b"]
    given = Error(found, many["a"], np.full(1000, 1e-12), np.ones(1000, bool))
    (only, *_) = formulas(given, many, np.ones(1000), "name", "a")
    assert only.detail == "2 b in place of a"
    np.testing.assert_allclose(only.values, found)


def test_equal_quantities_are_no_obstacle():
    twice = {"b": Q["b"], "again": Q["b"], "c": Q["c"]}
    assert first(FACTOR * (Q["b"] + 0.37 * Q["c"]), twice).detail == "b + 0.37 c in place of a"


# Pairs that were added


RIGHT = DRAW.standard_normal(N)


def pairs(found, quantities=Q, tolerance=1e-12):
    given = error(found, RIGHT[: len(found)], tolerance=tolerance)
    with np.errstate(all="ignore"):
        return list(pair_of_terms(given, quantities, "two terms"))


def test_two_terms_that_were_added_are_found():
    found = RIGHT + 0.3 * Q["b"] - 2 * Q["e"]
    (only,) = pairs(found)
    assert (only.name, only.detail) == ("two terms", "0.3 b - 2 e too much")
    assert (only.parameters, only.tried) == (2, 18)
    np.testing.assert_allclose(only.values, found, rtol=1e-12)


@pytest.mark.parametrize("words", ["b + e", "- b + e", "- 3 b - 1/4 e"])
def test_pairs_in_words(words):
    shares = {"b + e": (1, 1), "- b + e": (-1, 1), "- 3 b - 1/4 e": (-3, -0.25)}[words]
    (only,) = pairs(RIGHT + shares[0] * Q["b"] + shares[1] * Q["e"])
    assert only.detail == f"{words} too much"


def test_a_single_term_with_any_other_is_a_pair_and_three_are_none():
    assert len(pairs(RIGHT + Q["b"])) == 5
    assert pairs(RIGHT + Q["b"] + Q["c"] + Q["d"]) == []
    assert pairs(RIGHT + DRAW.standard_normal(N)) == []


def test_a_pair_must_leave_less_than_one_in_ten_million_of_the_square():
    """An error that is orthogonal to both, of 2e-4 and of 5e-4 of the size: 4e-8 and 2.5e-7 of the square."""
    added = 0.3 * Q["b"] - 2 * Q["e"]
    span = np.stack([Q["b"], Q["e"]], axis=1)
    rest = Q["c"] - span @ np.linalg.lstsq(span, Q["c"], rcond=None)[0]
    rest *= np.linalg.norm(added) / np.linalg.norm(rest)
    for share, count in ((2e-4, 1), (5e-4, 0)):
        found = pairs(RIGHT + added + share * rest, {k: Q[k] for k in "abef"})
        assert len(found) == count


def test_pairs_need_two_usable_quantities_and_three_entries():
    found = RIGHT + 0.3 * Q["b"] - 2 * Q["e"]
    bad = {"b": Q["b"], "zero": 0 * Q["b"], "infinite": np.inf * Q["b"]}
    assert pairs(found, bad) == []
    assert len(pairs(found, {**bad, "e": Q["e"]})) == 1
    for count, number in ((3, 1), (2, 0)):
        few = {name: Q[name][:count] for name in "be"}
        assert len(pairs(found[:count], few)) == number


def test_quantities_that_are_the_same_are_no_pair():
    assert pairs(RIGHT + Q["b"], {"b": Q["b"], "again": Q["b"], "almost": Q["b"] * (1 + 1e-9)}) == []


def test_twenty_pairs_are_solved_again():
    many = {f"q{k}": DRAW.standard_normal(N) for k in range(30)}
    assert len(pairs(RIGHT + many["q0"], many)) == MOST_PAIRS == 20


def test_pairs_of_what_is_not_finite_are_none():
    found = RIGHT + Q["b"] + Q["e"]
    found[3] = np.inf
    assert pairs(found) == []
