"""When a candidate explains an error: in every entry, by enough digits, and the simplest one first."""

import numpy as np
import pytest

from backproof.verdicts.fit import (
    Candidate,
    Error,
    Term,
    amount,
    first_fit,
    function_product,
    in_part,
    matrix_product,
    mixed_in,
    plain_numbers,
    product,
    shown,
)

RIGHT = np.array([0.5, -1.25, 2.0, 3.5, -0.75])
OTHER = np.array([1.5, 0.25, -1.0, 2.0, 4.0])


def error(found, right=RIGHT, tolerance=1e-12, sure=None):
    """What was found, with one tolerance for all entries."""
    found = np.asarray(found, float)
    sure = np.ones(found.shape, bool) if sure is None else np.asarray(sure)
    return Error(found, np.asarray(right, float), np.full(found.shape, tolerance), sure)


def of_one(tolerance, tried=1):
    """The share of a candidate that is exact, in an error of 1 in a single entry."""
    return error([1.0], [0.0], tolerance).share_of(Candidate("", "", np.ones(1)), tried)


# Digits


def test_a_single_entry_needs_five_digits_and_those_of_the_choice():
    """Of two candidates one is a choice of log10 2 = 0.301 digits."""
    assert of_one(10**-5.31) == 1
    assert of_one(10**-5.29) is None
    assert of_one(10**-7.01, tried=99) == 1
    assert of_one(10**-6.99, tried=99) is None


def test_an_entry_counts_for_eight_digits_at_most():
    assert of_one(1e-30, tried=998) == 1
    assert of_one(1e-30, tried=1000) is None


def test_candidates_that_were_compared_to_find_one_cost_digits_as_well():
    one = error([1.0], [0.0], 1e-30)
    assert one.share_of(Candidate("", "", np.ones(1), tried=998)) == 1
    assert one.share_of(Candidate("", "", np.ones(1), tried=1000)) is None


def test_digits_of_entries_add_up():
    for count, share in ((1, None), (2, 1)):
        ones = np.ones(count)
        assert error(ones, 0 * ones, 1e-3).share_of(Candidate("", "", ones)) == share


def test_digits_are_those_of_the_larger_of_gap_and_change():
    """What is found is right to 1e-3, and the candidate would change it by as little: nothing is told."""
    assert error([1e-3], [0.0], 1e-3).share_of(Candidate("", "", np.array([1e-3]))) is None
    assert error([1e-3, 1.0], [0.0, 0.0], 1e-3).share_of(Candidate("", "", np.array([1e-3, 1.0]))) is None


@pytest.mark.parametrize(("parameters", "share"), [(0, 1), (1, 1), (2, None), (3, None)])
def test_every_fitted_number_costs_the_digits_of_the_entry_met_best(parameters, share):
    """Two entries of 8 digits each: less one fitted number there are 8 left, less two none."""
    assert error([1.0, 1.0], [0.0, 0.0]).share_of(Candidate("", "", np.ones(2), parameters)) == share


# Entries


def test_a_candidate_must_meet_every_entry():
    for off, share in ((0.9e-6, 1), (1.1e-6, None)):
        values = OTHER + np.array([0, 0, off, 0, 0])
        assert error(OTHER, tolerance=1e-6).share_of(Candidate("", "", values)) == share


def test_candidates_are_good_to_ten_digits_whatever_the_tolerance():
    for off, share in ((0.9e-10, 1), (1.1e-10, None)):
        values = OTHER * (1 + off * np.array([0, 0, 0, 0, 1]))
        assert error(OTHER, tolerance=1e-30).share_of(Candidate("", "", values)) == share


def test_entries_that_are_not_sure_are_not_compared():
    sure = np.array([1, 1, 1, 1, 0], bool)
    found = np.append(OTHER[:4], 77.0)
    assert error(found, sure=sure).share_of(Candidate("", "", OTHER)) == 1
    assert error(found).share_of(Candidate("", "", OTHER)) is None
    assert error(found, sure=sure & ~sure).share_of(Candidate("", "", OTHER)) is None


def test_nan_departs_and_what_is_at_the_tolerance_does_not():
    found = np.array([1.0, 1.0 + 2**-10, 1.0 + 2**-9, np.nan, 1 - 2**-9])
    assert error(found, np.ones(5), 2**-10).departs.tolist() == [False, False, True, True, True]


def test_an_entry_beyond_the_probes_is_looked_at_as_well():
    """Candidates are tried by the twelve largest gaps first."""
    found = np.arange(1.0, 31.0)
    candidate = found.copy()
    candidate[2] += 0.01
    assert error(found, 0 * found).share_of(Candidate("", "", found)) == 1
    assert error(found, 0 * found).share_of(Candidate("", "", candidate)) is None


def test_a_part_is_that_of_its_entries():
    square = np.arange(9.0).reshape(3, 3)
    part = Error(square + 1, square, square / 100, square > 3).part(np.s_[:, 1:])
    assert part.found.tolist() == [[2, 3], [5, 6], [8, 9]]
    assert part.right.tolist() == [[1, 2], [4, 5], [7, 8]]
    assert part.tolerance.tolist() == [[0.01, 0.02], [0.04, 0.05], [0.07, 0.08]]
    assert part.sure.tolist() == [[False, False], [True, True], [True, True]]


# What a candidate's own error allows


def test_a_multiple_has_a_multiple_of_the_error():
    """100 times the right values, which err by 1e-6 each, err by 1e-4."""
    off = 100 * RIGHT + np.array([0, 0.9e-4, 0, -0.9e-4, 0])
    for amplified, share in ((100.0, 1), (40.0, None), (1.0, None)):
        candidate = Candidate("", "", 100 * RIGHT, amplified=amplified)
        assert error(off, tolerance=1e-6).share_of(candidate) == share


def test_a_candidates_own_error_is_added():
    """That of entry 3 is 1e-3, beside the 1e-6 of what is right."""
    own = np.array([0, 0, 0, 1e-3, 0])
    for at, off, share in ((3, 1.0e-3, 1), (3, 1.01e-3, None), (2, 1e-5, None)):
        values = OTHER + off * (np.arange(5) == at)
        assert error(OTHER, tolerance=1e-6).share_of(Candidate("", "", values, tolerance=own)) == share


def test_an_error_of_its_own_takes_the_place_of_the_amplified_one():
    values = OTHER + np.array([0, 0, 0, 1e-3, 0])
    candidate = Candidate("", "", values, amplified=1e6, tolerance=np.zeros(5))
    assert error(OTHER, tolerance=1e-6).share_of(candidate) is None


# Mixtures


@pytest.mark.parametrize("share", [0.25, 0.999, 1e-3, 2e-9])
def test_the_share_of_a_mixture_is_found(share):
    found = RIGHT + share * (OTHER - RIGHT)
    assert error(found, tolerance=1e-15).share_of(Candidate("", "", OTHER)) == pytest.approx(share, rel=1e-5)


@pytest.mark.parametrize("share", [-0.25, 1.001, 1.5, 5e-10])
def test_shares_that_are_no_mixture(share):
    found = RIGHT + share * (OTHER - RIGHT)
    assert error(found, tolerance=1e-18).share_of(Candidate("", "", OTHER)) is None


def test_a_mixture_must_meet_every_entry():
    for off, found in ((0.5e-8, True), (1.35e-8, False)):
        mixed = RIGHT + 0.25 * (OTHER - RIGHT) + off * np.array([0, 1, -1, 0, 0])
        assert (error(mixed, tolerance=1e-8).share_of(Candidate("", "", OTHER)) is not None) == found


def test_a_share_is_a_fitted_number():
    """One entry has a share of any candidate, so that two entries of eight digits have but eight left."""
    right, other = np.zeros(2), np.array([1.0, -2.0])
    assert error(other[:1] / 4, right[:1]).share_of(Candidate("", "", other[:1])) is None
    assert error(other / 4, right).share_of(Candidate("", "", other)) == pytest.approx(0.25)
    assert error(other / 4, right).share_of(Candidate("", "", other, 1)) is None


def test_in_a_mixture_the_candidates_error_counts_by_its_share():
    """The right values err by 1e-9 and the candidate by 1e-3; a thousandth of that is 1e-6."""
    mixed = RIGHT + 1e-3 * (OTHER - RIGHT)
    for off, found in ((0.8e-6, True), (4e-6, False)):
        moved = mixed + off * np.array([0, 0, 0, 1, 0])
        candidate = Candidate("", "", OTHER, tolerance=np.full(5, 1e-3))
        assert (error(moved, tolerance=1e-9).share_of(candidate) is not None) == found


# Terms


def test_the_multiple_of_a_term_is_found():
    for multiple in (0.3, -7.0, 1e-6):
        found = error(RIGHT + multiple * OTHER, tolerance=1e-14).multiple_of(OTHER)
        assert found == pytest.approx(multiple, rel=1e-7)


def test_a_term_must_meet_every_entry():
    for off, found in ((0.5e-8, True), (3e-8, False)):
        there = RIGHT + 0.3 * OTHER + off * np.array([0, 1, -1, 0, 0])
        assert (error(there, tolerance=1e-8).multiple_of(OTHER) is not None) == found


def test_a_term_in_one_entry_has_any_multiple_and_explains_nothing():
    assert error([1.3], [1.0]).multiple_of(np.ones(1)) is None
    assert error([1.3, 1.3], [1.0, 1.0]).multiple_of(np.ones(2)) == pytest.approx(0.3)


def test_terms_that_were_tried_before_cost_digits():
    one = error([1.3, 1.3], [1.0, 1.0])
    assert one.multiple_of(np.ones(2), tried=900) == pytest.approx(0.3)
    assert one.multiple_of(np.ones(2), tried=1100) is None


def test_a_term_of_nothing_has_no_multiple():
    assert error(OTHER).multiple_of(np.zeros(5)) is None
    with np.errstate(invalid="ignore"):
        assert error(OTHER).multiple_of(np.full(5, np.inf)) is None
    assert error(RIGHT).multiple_of(OTHER) is None


def test_multiples_are_weighted_by_what_entries_are_sure_of():
    """The last entry is known to 0.1 alone, and pulls by no more than that."""
    tolerance = np.array([1e-12, 1e-12, 1e-12, 1e-12, 0.1])
    found = RIGHT + 0.3 * OTHER + np.array([0, 0, 0, 0, 0.05])
    multiple = Error(found, RIGHT, tolerance, np.ones(5, bool)).multiple_of(OTHER)
    assert multiple == pytest.approx(0.3, rel=1e-9)


# The first that fits


def named(*names, values, **given):
    return [Candidate(name, "d", values, **given) for name in names]


def test_the_first_that_fits_is_named():
    wrong, right = named("wrong", values=RIGHT + 1), named("one", "two", values=OTHER)
    assert first_fit(error(OTHER), [*wrong, *right]) == ("one", "d", 1.0)
    assert first_fit(error(OTHER), wrong) is None


def test_a_candidate_that_is_a_mixture_itself_says_its_share():
    (candidate,) = named("one", values=OTHER, share=0.2)
    assert first_fit(error(OTHER), [candidate]).share == 0.2


def test_a_term_is_put_in_words_with_its_multiple():
    term = Term("a term", OTHER, lambda share: f"{share:.3g} of it")
    later = named("later", values=RIGHT + 0.3 * OTHER)
    assert first_fit(error(RIGHT + 0.3 * OTHER), [term, *later]) == ("a term", "0.3 of it", 1.0)
    assert first_fit(error(RIGHT + 0.3 * RIGHT), [term]) is None


def test_a_mixture_goes_before_what_takes_more_fitted_numbers_and_after_what_takes_fewer():
    """A share is one number."""
    mixed = RIGHT + 0.25 * (OTHER - RIGHT)
    for parameters, name in ((0, "whole"), (1, "whole"), (2, "part")):
        candidates = [Candidate("part", "d", OTHER), Candidate("whole", "", mixed, parameters)]
        assert first_fit(error(mixed), candidates).name == name
    known = first_fit(error(mixed), named("part", "again", values=OTHER))
    assert (known.name, known.detail) == ("part", "d, mixed in by 25 %")
    assert known.share == pytest.approx(0.25)


def test_every_candidate_before_the_one_that_fits_costs():
    """One entry of 8 digits is worth 998 candidates, not 1002."""
    one, values = error([1.0], [0.0]), np.ones(1)
    for before, found in ((990, True), (1002, False)):
        candidates = [*named(*before * ["no"], values=np.zeros(1)), Candidate("yes", "", values)]
        assert (first_fit(one, candidates) is not None) == found


# Rows or columns alone


GRID = np.random.default_rng(0).standard_normal((8, 7))


def doubled(part):
    yield Candidate("scale", "× 2", 2 * part.right)


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        (np.s_[3], "× 2, in samples 3 alone"),
        (np.s_[:, [1, 4]], "× 2, in units 1, 4 alone"),
        (np.s_[1:6], "× 2, in samples 1, 2, 3, 4, 5 alone"),
        (np.s_[1:7], "× 2, in samples 1, 2, 3, 4, 5, … alone"),
    ],
)
def test_what_is_wrong_in_some_rows_or_columns_is_said_of_these(cut, words):
    found = GRID.copy()
    found[cut] *= 2
    assert in_part(error(found, GRID), doubled) == ("scale", words, 1.0)


def test_what_is_wrong_everywhere_or_nowhere_is_in_no_part():
    assert in_part(error(2 * GRID, GRID), doubled) is None
    assert in_part(error(GRID, GRID), doubled) is None
    half = GRID.copy()
    half[3] *= 2.1
    assert in_part(error(half, GRID), doubled) is None


def test_a_part_without_details_is_its_place():
    found = GRID.copy()
    found[3] *= 2
    known = in_part(error(found, GRID), lambda part: [Candidate("scale", "", 2 * part.right)])
    assert known.detail == "in samples 3 alone"


# Numbers in words


def test_a_mixture_in_words():
    assert mixed_in("× 2", 0.12345) == "× 2, mixed in by 12.3 %"
    assert mixed_in("", 0.5) == "mixed in by 50 %"


@pytest.mark.parametrize(
    ("factor", "numbers"),
    [
        (3.0002, [3.0]),
        (-7.0, [-7.0]),
        (3.01, []),
        (1000.0, [1000.0]),
        (1001.0, []),
        (0.25, [0.25]),
        (0.2502, [0.25]),
        (-0.125, [-0.125]),
        (0.251, []),
        (1 / 1000, [1 / 1000]),
        (1 / 1001, []),
        (1.0, []),
        (0.9999, []),
        (1e-9, []),
        (-1.0, [-1.0]),
    ],
)
def test_plain_numbers_are_whole_or_one_over_a_whole(factor, numbers):
    assert plain_numbers(factor) == numbers


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (2.0, "2"),
        (0.5, "1/2"),
        (1 + 1.1e-5, "1.00001"),
        (1 + 0.9e-5, "(1 + 9e-06)"),
        (1 - 0.9e-5, "(1 - 9e-06)"),
        (3 + 1e-9, "3"),
        (1 / 3 + 1e-9, "0.333333"),
        (1 / 3, "1/3"),
    ],
)
def test_factors_in_words(factor, words):
    assert shown(factor) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (7.0, "7"),
        (-7 * (1 + 0.9e-6), "-7"),
        (-7 * (1 + 1.1e-6), "-7.00001"),
        (1 / 7 * (1 + 0.9e-6), "1/7"),
        (-1 / 7, "-1/7"),
        (1 / 7 * (1 + 1.2e-6), "0.142857"),
        (0.3, "0.3"),
        (0.0, "0"),
        (-0.0, "0"),
        (np.inf, "inf"),
        (np.nan, "nan"),
        (1e-9, "1e-09"),
        (2.5e-6, "1/400000"),
    ],
)
def test_numbers_in_words(number, words):
    assert amount(number) == words


# Candidates whose values are computed where they are looked at


def operands(seed, samples=7, inner=4, units=5):
    draw = np.random.default_rng(seed)
    return [draw.standard_normal(shape) for shape in ((samples, inner), (inner, units), (samples, units))]


def as_computed(seed):
    """What is computed in some entries, and the whole of it."""
    a, b, by = operands(seed)
    other = operands(seed + 1)[2]
    return [
        (product(other, by), other * by),
        (product(np.broadcast_to(other[:1], by.shape), by), other[:1] * by),
        (matrix_product(a, b, by), (a @ b) * by),
        (matrix_product(a, np.ascontiguousarray(b.T).T, by), (a @ b) * by),
        (function_product(np.tanh, other[::-1], by), np.tanh(other[::-1]) * by),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_computed_values_are_those_of_the_whole_array(seed):
    mask = np.random.default_rng(seed).random((7, 5)) < 0.5
    few = tuple(np.random.default_rng(seed).integers(0, n, 6) for n in (7, 5))
    for computed, whole in as_computed(seed):
        for at in (..., mask, ~mask & mask, few):
            assert computed[at].shape == whole[at].shape
            np.testing.assert_allclose(computed[at], whole[at], rtol=1e-14)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [1.0, 0.25])
def test_a_candidate_is_found_whether_its_values_are_there_or_computed(seed, share):
    right = operands(seed + 9)[2]
    for computed, whole in as_computed(seed):
        found = error(share * whole + (1 - share) * right, right, tolerance=1e-13)
        for values in (computed, whole):
            assert found.share_of(Candidate("", "", values)) == pytest.approx(share, rel=1e-9)
            assert found.share_of(Candidate("", "", values, 0, 1.0, np.full(whole.shape, 1e-13))) is not None
        wrong = error(share * whole + (1 - share) * right + 1e-6 * right**2, right, tolerance=1e-13)
        assert wrong.share_of(Candidate("", "", computed)) is None
        added = error(right + 3 * whole, right, tolerance=1e-13)
        assert added.multiple_of(computed) == pytest.approx(3, rel=1e-12)


@pytest.mark.parametrize("entry", range(12))
def test_any_probe_refuses_what_the_others_allow(entry):
    """Twelve entries are tried first; one that is off is enough, whichever it is."""
    right = np.linspace(1.1, 2, 12)
    candidate = right**2
    found = candidate.copy()
    found[entry] += 1e-6
    assert error(candidate, right).share_of(Candidate("", "", candidate)) == 1
    assert error(found, right).share_of(Candidate("", "", candidate)) is None
    assert error(right + 2 * candidate, right).multiple_of(candidate) == pytest.approx(2)
    assert error(right + 2 * found, right).multiple_of(candidate) is None
