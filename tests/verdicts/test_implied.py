"""Operands that are solved for: cut off, left out, to a power, in another order, another matrix."""

import numpy as np
import pytest

from backproof.verdicts.fit import Error
from backproof.verdicts.implied import Implied, another_matrix, factors_of_rows, solved

DRAW = np.random.default_rng(4)
X = DRAW.standard_normal((6, 5))
POSITIVE = np.abs(X) + 0.1


def all_implied(found, right=X, known=None):
    known = np.ones(right.shape, bool) if known is None else known
    return list(Implied("op", found, right, known, lambda x: 10 * x, ("samples", "units")).candidates())


def implied(found, right=X, known=None):
    """The candidates by name."""
    return {c.name.removeprefix("op: "): c for c in all_implied(found, right, known)}


def assert_explains(candidate, found, detail, parameters):
    np.testing.assert_allclose(candidate.values, 10 * found, rtol=1e-9, atol=1e-12)
    assert (candidate.detail, candidate.parameters) == (detail, parameters)


# Bounds


def test_cut_off_at_a_bound():
    found = np.clip(X, -0.7, 0.7)
    assert_explains(implied(found)["cut off"], found, "at ±0.7", 1)


def test_cut_off_and_mixed_with_what_is_right():
    found = X + 0.25 * (np.clip(X, -0.7, 0.7) - X)
    assert_explains(implied(found)["cut off"], found, "at ±0.7, mixed in by 25 %", 2)


def test_raised_to_a_bound():
    found = np.where(np.abs(X) < 0.7, 0.7 * np.sign(X), X)
    assert_explains(implied(found)["raised to a bound"], found, "at ±0.7", 1)


@pytest.mark.parametrize("slope", [-0.5, 1.0, 1.5])
def test_a_line_that_is_no_mixture_is_no_bound(slope):
    found = np.where(np.abs(X) > 0.7, slope * X + 0.7 * np.sign(X), X)
    assert "cut off" not in implied(found)


def test_a_bound_below_zero_is_none():
    found = np.where(np.abs(X) > 0.7, 0.5 * X - 0.1 * np.sign(X), X)
    assert "cut off" not in implied(found)


def test_one_changed_entry_tells_no_bound():
    found = X.copy()
    found[2, 3] /= 2
    assert "cut off" not in implied(found)
    found[1, 1] /= 2
    assert "cut off" not in implied(found) or implied(found)["cut off"].detail != "at ±0"


# Two factors


def test_entries_left_out():
    found = X * (np.arange(30).reshape(X.shape) % 3 > 0)
    assert_explains(implied(found)["entries left out"], found, "10 of 30", 0)


def test_entries_left_out_and_the_others_scaled():
    found = 1.25 * X * (np.arange(30).reshape(X.shape) % 3 > 0)
    assert_explains(implied(found)["entries left out"], found, "10 of 30, the others × 1.25", 1)


def test_some_entries_times_a_factor():
    found = np.where(np.arange(30).reshape(X.shape) % 3 > 0, X, -2 * X)
    assert_explains(implied(found)["factors of entries"], found, "10 of 30 × -2", 1)
    found = np.where(np.arange(30).reshape(X.shape) % 3 > 0, X, 2.5 * X)
    assert_explains(implied(found)["factors of entries"], found, "20 of 30 × (1 - 0), the others × 2.5", 1)


def test_two_factors_of_their_own_are_two_numbers():
    found = np.where(np.arange(30).reshape(X.shape) % 3 > 0, 3.5 * X, 2.5 * X)
    assert_explains(implied(found)["factors of entries"], found, "10 of 30 × 2.5, the others × 3.5", 2)


def test_a_factor_of_a_single_entry_explains_anything():
    found = X.copy()
    found[2, 3] *= 2.5
    assert "factors of entries" not in implied(found)
    found[2, 3] = 0
    assert_explains(implied(found)["entries left out"], found, "1 of 30", 0)


def test_three_factors_are_no_two():
    found = X * (1.0 + np.arange(30).reshape(X.shape) % 3)
    assert "factors of entries" not in implied(found)
    assert "factors of entries" not in implied(2.5 * X)


@pytest.mark.parametrize("factor", [2.5, 0.25])
def test_factors_are_the_same_to_six_digits(factor):
    """Of the factor, or of 1 if that is more; whether it is the smaller of the two or the larger."""
    for other in (0.1, 7.5):
        found = np.where(np.arange(30).reshape(X.shape) % 3 > 0, other * X, factor * X)
        for off, same in ((0.9e-6, True), (1.2e-6, False)):
            near = found.copy()
            near[0, 0] += off * max(factor, 1) * (1 if other > factor else -1) * X[0, 0]
            assert ("factors of entries" in implied(near)) == same


def test_entries_that_are_not_known_or_zero_have_no_factor():
    known = np.arange(30).reshape(X.shape) % 5 > 0
    right = X.copy()
    right[1, 2] = 0
    found = np.where(known, 2.5 * right, 77.0)
    found[2:] = np.where(known[2:], right[2:], 55.0)
    candidate = implied(found, right, known)["factors of entries"]
    assert candidate.detail == "16 of 23 × (1 - 0), the others × 2.5"


def test_few_entries_have_no_two_factors():
    right = np.array([[1.0, -2.0, 3.0, -4.0]])
    found = right * [2.5, 2.5, 1, 1]
    assert "factors of entries" in implied(found, right)
    assert "factors of entries" not in implied(found[:, :3], right[:, :3])


# Powers


@pytest.mark.parametrize(
    ("power", "words", "parameters"),
    [(2.0, "2", 0), (0.5, "1/2", 0), (1 / 3, "1/3", 0), (1.21, "1.21", 1), (-1.0, "-1", 0)],
)
def test_a_power(power, words, parameters):
    found = POSITIVE**power
    candidate = implied(found, POSITIVE)["a power"]
    assert_explains(candidate, found, f"to the power of {words}", parameters)


def test_negative_entries_have_no_power():
    assert "a power" not in implied(np.abs(X) ** 2, X)
    right = POSITIVE.copy()
    right[0, 0] = 0
    candidate = implied(right**2, right)["a power"]
    np.testing.assert_allclose(candidate.values, 10 * right**2)


def test_two_entries_tell_no_power():
    assert "a power" not in implied(POSITIVE[:1, :2] ** 2, POSITIVE[:1, :2])
    assert "a power" in implied(POSITIVE[:1, :3] ** 2, POSITIVE[:1, :3])


# Orders


def orders(found, right=X, **given):
    return [c for c in all_implied(found, right, **given) if c.name == "op: in another order"]


def test_rows_or_columns_in_another_order():
    order = [2, 0, 1, 5, 3, 4]
    assert_explains(orders(X[order])[0], X[order], "samples: 2, 0, 1, 5, 3, 4", 0)
    order = [1, 2, 0, 4, 3]
    assert_explains(orders(X[:, order])[-1], X[:, order], "units: 1, 2, 0, 4, 3", 0)


def test_eight_of_an_order_are_listed():
    for count, more in ((8, ""), (9, ", …")):
        x = DRAW.standard_normal((count, 3))
        listed = ", ".join(map(str, range(count - 1, count - 9, -1)))
        assert_explains(orders(x[::-1], x)[0], x[::-1], f"samples: {listed}{more}", 0)


def test_two_rows_may_have_changed_places_and_what_is_right_has_not():
    assert orders(X[:2][::-1], X[:2])[0].detail == "samples: 1, 0"
    assert not orders(X)
    assert not orders(X[:1], X[:1])
    assert not orders(X[::-1], known=np.arange(30).reshape(X.shape) > 0)


def test_nothing_is_known_of_what_is_not_finite_or_not_solved():
    bad = 2.5 * X
    bad[0, 0] = np.nan
    assert not implied(bad)
    assert not implied(np.abs(X), known=np.zeros(X.shape, bool))
    known = np.ones(X.shape, bool)
    known[0, 0] = False
    assert "entries left out" in implied(np.where(X > 0, X, 0) + np.where(known, 0, np.nan), known=known)


# Solving for a matrix

LEFT = DRAW.standard_normal((9, 4))
RIGHT = DRAW.standard_normal((4, 3))
EVERYWHERE = np.ones((9, 3), bool)


def test_a_matrix_is_solved_for_from_its_product():
    other = DRAW.standard_normal((4, 3))
    found, unknowns = solved(LEFT, RIGHT, LEFT @ other, EVERYWHERE)
    np.testing.assert_allclose(found, other, rtol=1e-12)
    assert unknowns == 12


def test_it_is_solved_for_from_what_is_usable():
    usable = EVERYWHERE.copy()
    usable[:4, 1] = False
    product = np.where(usable, LEFT @ (2 * RIGHT), 99.0)
    np.testing.assert_allclose(solved(LEFT, RIGHT, product, usable)[0], 2 * RIGHT, rtol=1e-12)
    usable[4, 1] = False  # so that there are four equations for four unknowns
    assert solved(LEFT, RIGHT, product, usable) is None


def test_what_the_product_leaves_open_stays_as_it_should_be():
    """Three of four rows of the matrix are seen; of the last, nothing."""
    left = LEFT * [1, 1, 1, 0]
    found, unknowns = solved(left, RIGHT, left @ (2 * RIGHT), EVERYWHERE)
    np.testing.assert_allclose(found, RIGHT * [[2], [2], [2], [1]], rtol=1e-12)
    assert unknowns == 9


def test_a_product_that_is_not_finite_solves_nothing():
    product = LEFT @ RIGHT
    product[0, 2] = np.inf
    assert solved(LEFT, RIGHT, product, EVERYWHERE) is None


def of_matrix(found):
    candidates = another_matrix("op", found, RIGHT, 12, lambda w: LEFT @ w)
    return {c.name: c for c in candidates}


def test_a_few_entries_of_a_matrix_are_listed():
    found = RIGHT.copy()
    found[1, 2], found[3, 0] = 0.5, 1e-9
    candidates = of_matrix(found)
    few = candidates["op: entries changed"]
    assert few.detail == f"[1,2] is 0.5 and not {RIGHT[1, 2]:.6g}; [3,0] is 0 and not {RIGHT[3, 0]:.6g}"
    found[3, 0] = 0
    np.testing.assert_allclose(few.values, LEFT @ found)
    assert few.parameters == 1
    assert candidates["op: another matrix"].parameters == 12


def test_three_entries_are_few_and_four_are_not():
    found = RIGHT.copy()
    found[0] += 1
    few = of_matrix(found)["op: entries changed"]
    assert (few.detail.count(";"), few.parameters) == (2, 3)
    np.testing.assert_allclose(few.values, LEFT @ found)
    found[1, 0] += 1
    assert list(of_matrix(found)) == ["op: another matrix"]
    assert list(of_matrix(RIGHT)) == ["op: another matrix"]


@pytest.mark.parametrize(("change", "listed"), [(2e-9, True), (0.5e-9, False)])
def test_an_entry_has_changed_by_more_than_solving_errs_by(change, listed):
    """A billionth of the largest one."""
    found = RIGHT.copy()
    found[1, 2] += change * np.abs(RIGHT).max()
    assert ("op: entries changed" in of_matrix(found)) == listed


def test_another_matrix_says_how_much_it_differs():
    whole = of_matrix(1.25 * RIGHT)["op: another matrix"]
    assert whole.detail == "solved for, it differs by 0.25 of its size"
    np.testing.assert_allclose(whole.values, LEFT @ (1.25 * RIGHT))
    nothing = next(another_matrix("op", RIGHT, 0 * RIGHT, 12, lambda w: LEFT @ w))
    assert nothing.detail == f"solved for, it differs by {np.linalg.norm(RIGHT):.3g} of its size"


ABOVE, W, BY = DRAW.standard_normal((6, 5)), DRAW.standard_normal((5, 4)), DRAW.standard_normal((6, 4))
PARTS = np.einsum("su,ui,si->usi", ABOVE, W, BY)


def of_parts(found, sure=None):
    sure = np.ones(found.shape, bool) if sure is None else sure
    error = Error(found, PARTS.sum(axis=0), np.full(found.shape, 1e-12), sure)
    return list(factors_of_rows("op", (ABOVE, W, BY), error, "units above"))


def test_parts_of_a_sum_have_factors():
    factors = np.array([1, 0, 1, 2.5, 1])
    found = np.tensordot(factors, PARTS, axes=1)
    sure = np.ones(found.shape, bool)
    sure[0, 0] = False
    for candidate in (*of_parts(found), *of_parts(np.where(sure, found, 55), sure)):
        np.testing.assert_allclose(candidate.values, found)
        assert candidate.name == "op: factors of units above"
        assert (candidate.detail, candidate.parameters) == ("2 of 5, × 0, 2.5", 1)


def test_three_factors_of_parts_are_listed():
    for factors, words in (([2, 3, 4, 1, 1], "3 of 5, × 2, 3, 4"), ([2, 3, 4, 5, 1], "4 of 5, × 2, 3, 4, …")):
        (candidate,) = of_parts(np.tensordot(np.array(factors, float), PARTS, axes=1))
        assert (candidate.detail, candidate.parameters) == (words, 0)


def test_as_many_parts_as_entries_explain_anything():
    few = np.zeros((6, 4), bool)
    few.flat[:5] = True
    assert not of_parts(PARTS.sum(axis=0), few)
    few.flat[:6] = True
    assert of_parts(PARTS.sum(axis=0), few)
    assert not of_parts(np.full((6, 4), np.inf))


def test_what_no_factors_give_has_none():
    assert not of_parts(DRAW.standard_normal((6, 4)))


def test_factors_are_looked_for_by_a_few_of_many_entries():
    above, w, by = (DRAW.standard_normal(shape) for shape in ((50, 3), (3, 20), (50, 20)))
    right, found = (above @ w) * by, ((above * [1, 0.5, 1]) @ w) * by
    tolerance, sure = np.full(right.shape, 1e-12), np.ones(right.shape, bool)
    (candidate,) = factors_of_rows("op", (above, w, by), Error(found, right, tolerance, sure), "units above")
    np.testing.assert_allclose(candidate.values, found)
