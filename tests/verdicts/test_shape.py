"""The shape of an error in words: where its entries lie, and what they have in common."""

import numpy as np
import pytest

from backproof.verdicts.shape import MOST_RANKED, shape_of, where_wrong

DRAW = np.random.default_rng(0)


def mask(shape, *cuts):
    wrong = np.zeros(shape, bool)
    for cut in cuts:
        wrong[cut] = True
    return wrong


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.array(True), "the number"),
        (mask(1, 0), "the entry [0]"),
        (mask((1, 1), 0), "the entry [0,0]"),
        (mask(5, 3), "the entry [3]"),
        (mask((4, 5), (2, 1)), "the entry [2,1]"),
        (mask(2, 0, 1), "every entry"),
        (mask((4, 5), np.s_[:]), "every entry"),
        (mask(5, 0, 3), "2 of 5 entries"),
        (mask((4, 5), (2, np.s_[:])), "row 2"),
        (mask((4, 5), (2, 1), (2, 4)), "row 2"),
        (mask((4, 5), np.s_[:, 1]), "column 1"),
        (mask((1, 5), np.s_[:, 1:3]), "columns 1, 2"),
        (mask((5, 1), np.s_[1:3]), "rows 1, 2"),
        (mask((4, 5), (0, 0), (1, 1), (3, 2)), "rows 0, 1, 3"),
        (mask((3, 5), (0, 0), (1, 1), (2, 2)), "columns 0, 1, 2"),
        (mask((5, 5), (0, 0), (1, 1), (2, 2), (3, 3)), "4 of 25 entries"),
        (mask((3, 3), (0, 0), (1, 1), (2, 2)), "3 of 9 entries"),
        (mask((2, 2, 2), (0, 0, 0), (0, 0, 1)), "2 of 8 entries"),
    ],
)
def test_where_entries_lie(wrong, words):
    assert where_wrong(wrong) == words


def test_axes_have_the_names_that_they_are_given():
    wrong = mask((4, 5), (2, 1), (2, 4))
    assert where_wrong(wrong, ("sample", "unit")) == "sample 2"
    assert where_wrong(wrong.T, ("sample", "unit")) == "unit 2"
    assert shape_of(1.0 * wrong, np.full((4, 5), 0.1), ("sample", "unit")) == "sample 2; of rank 1"


ROWS, COLUMNS = np.arange(1.0, 6)[:, None], np.arange(1.0, 8)
RANDOM = DRAW.standard_normal((6, 6))


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (np.full((5, 7), 0.3), "every entry; the same everywhere, 0.3"),
        (np.full((2, 2), -2.0), "every entry; the same everywhere, -2"),
        (np.broadcast_to(COLUMNS, (5, 7)), "every entry; the same in every row"),
        (np.broadcast_to(ROWS, (5, 7)), "every entry; the same in every column"),
        (ROWS * COLUMNS, "every entry; of rank 1"),
        (ROWS * COLUMNS + ROWS**2, "every entry; of rank 2"),
        (RANDOM, "every entry"),
        (RANDOM[:, :4] @ RANDOM[:4], "every entry; of rank 4"),
        (RANDOM[:, :5] @ RANDOM[:5], "every entry"),
        (RANDOM[:1], "every entry"),
        (RANDOM[:2, :2], "every entry"),
        (np.full((1, 3), 0.3), "every entry; the same everywhere, 0.3"),
        (np.full((1, 2), 0.3), "every entry"),
        (RANDOM[0], "every entry"),
        (np.full(3, 0.3), "every entry; the same everywhere, 0.3"),
    ],
)
def test_what_entries_have_in_common(gap, words):
    assert shape_of(gap, np.full(gap.shape, 1e-9)) == words


def test_what_is_within_its_tolerance_is_no_error():
    gap = np.array([[0.1, -0.1], [0.1, 0.1]])
    assert shape_of(gap, np.full((2, 2), 0.1)) == ""
    assert shape_of(gap, np.array([[0.1, 0.09], [0.1, 0.1]])) == "the entry [0,1]"


def test_entries_are_the_same_within_both_their_tolerances():
    for apart, words in ((1.9e-3, "every entry; the same everywhere, 1"), (2.1e-3, "every entry")):
        gap = np.array([[1.0, 1.0, 1.0 + apart]])
        assert shape_of(gap, np.full((1, 3), 1e-3)) == words


def test_an_error_of_few_tolerances_is_alike_by_chance():
    for size, words in ((101.0, "every entry; the same everywhere, 101"), (99.0, "every entry")):
        assert shape_of(np.full((1, 3), size), np.ones((1, 3))) == words


def test_the_rank_is_that_of_a_matrix_within_the_tolerance():
    """The 36 tolerances together, as a 2-norm, are 6e-3."""
    u, s, v = np.linalg.svd(RANDOM)
    for third, words in ((5.9e-3, "of rank 2"), (6.1e-3, "of rank 3")):
        gap = (u * [s[0], s[1], third, 0, 0, 0]) @ v
        assert shape_of(gap, np.full((6, 6), 1e-3)).endswith(words)


def test_what_is_not_finite_has_a_place_and_no_pattern():
    gap = np.full((5, 7), 0.3)
    gap[2, 3] = np.nan
    assert shape_of(gap, np.full((5, 7), 1e-9)) == "every entry"


def test_no_rank_is_looked_for_in_large_arrays():
    ones = np.ones((2, MOST_RANKED // 2 + 1))
    ones[0] *= np.arange(1, ones.shape[1] + 1)
    ones[1] = 2 * ones[0]
    assert shape_of(ones, np.full(ones.shape, 1e-9)) == "every entry"
