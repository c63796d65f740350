"""What may stand in the place of an array: each change by hand, on a matrix of six numbers."""

import numpy as np
import pytest

from backproof.verdicts.fit import Error
from backproof.verdicts.rearranged import MOST_MOVED, moved, turned, turns
from backproof.verdicts.variants import Variant, candidates_of, operators, others, times, variants

X = np.array([[4.0, -9.0, 0.25], [1.0, 16.0, -0.5]])

ALONG = {
    ("reversed", "the order of samples"): [[1, 16, -0.5], [4, -9, 0.25]],
    ("shifted", "samples by 1"): [[1, 16, -0.5], [4, -9, 0.25]],
    ("shifted", "samples by -1"): [[1, 16, -0.5], [4, -9, 0.25]],
    ("one for all", "the first of the samples"): [[4, -9, 0.25], [4, -9, 0.25]],
    ("left out", "the first of the samples"): [[0, 0, 0], [1, 16, -0.5]],
    ("one alone", "the first of the samples"): [[4, -9, 0.25], [0, 0, 0]],
    ("one for all", "the last of the samples"): [[1, 16, -0.5], [1, 16, -0.5]],
    ("left out", "the last of the samples"): [[4, -9, 0.25], [0, 0, 0]],
    ("one alone", "the last of the samples"): [[0, 0, 0], [1, 16, -0.5]],
    ("one for all", "the mean of the samples"): [[2.5, 3.5, -0.125], [2.5, 3.5, -0.125]],
    ("mean taken off", "over the samples"): [[1.5, -12.5, 0.375], [-1.5, 12.5, -0.375]],
    ("left out", "the first half of the samples"): [[0, 0, 0], [1, 16, -0.5]],
    ("left out", "the second half of the samples"): [[4, -9, 0.25], [0, 0, 0]],
    ("reversed", "the order of units"): [[0.25, -9, 4], [-0.5, 16, 1]],
    ("shifted", "units by 1"): [[0.25, 4, -9], [-0.5, 1, 16]],
    ("shifted", "units by -1"): [[-9, 0.25, 4], [16, -0.5, 1]],
    ("one for all", "the first of the units"): [[4, 4, 4], [1, 1, 1]],
    ("left out", "the first of the units"): [[0, -9, 0.25], [0, 16, -0.5]],
    ("one alone", "the first of the units"): [[4, 0, 0], [1, 0, 0]],
    ("one for all", "the last of the units"): [[0.25, 0.25, 0.25], [-0.5, -0.5, -0.5]],
    ("left out", "the last of the units"): [[4, -9, 0], [1, 16, 0]],
    ("one alone", "the last of the units"): [[0, 0, 0.25], [0, 0, -0.5]],
    ("one for all", "the mean of the units"): [[-1.5833333333333333] * 3, [5.5] * 3],
    ("left out", "the first half of the units"): [[0, -9, 0.25], [0, 16, -0.5]],
    ("left out", "the second half of the units"): [[4, 0, 0], [1, 0, 0]],
    ("absolute value", ""): [[4, 9, 0.25], [1, 16, 0.5]],
    ("positive part", "negative ones cut off"): [[4, 0, 0.25], [1, 16, 0]],
    ("negative part", "positive ones cut off"): [[0, -9, 0], [0, 0, -0.5]],
    ("squared", ""): [[16, 81, 0.0625], [1, 256, 0.25]],
    ("sign only", ""): [[1, -1, 1], [1, 1, -1]],
    ("square root", ""): [[2, 3, 0.5], [1, 4, 0.7071067811865476]],
    ("reciprocal", ""): [[0.25, -0.1111111111111111, 4], [1, 0.0625, -2]],
    ("tanh", "of it"): [
        [0.999329299739067, -0.999999969540041, 0.24491866240370913],
        [0.7615941559557649, 0.9999999999999747, -0.46211715726000973],
    ],
    ("one minus", ""): [[-3, 10, 0.75], [0, -15, 1.5]],
    ("one added", ""): [[5, -8, 1.25], [2, 17, 0.5]],
    ("one taken off", ""): [[3, -10, -0.75], [0, 15, -1.5]],
    ("mean taken off", "of all"): [
        [2.0416666666666665, -10.958333333333334, -1.7083333333333333],
        [-0.9583333333333333, 14.041666666666666, -2.4583333333333335],
    ],
}
OWN_MEAN = ("mean taken off", "over the units")


def made(x=X, rows="samples", columns="units"):
    return {(v.structure, v.words): v.values for v in variants(x, rows, columns)}


@pytest.mark.parametrize("key", ALONG, ids=" ".join)
def test_every_change_of_a_matrix(key):
    np.testing.assert_allclose(made()[key], ALONG[key], rtol=1e-15)


def test_the_mean_of_each_row_taken_off():
    found = made()[OWN_MEAN]
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(found + np.array([[-4.75 / 3], [5.5]]), X)


def test_these_are_all_changes_but_for_rounding():
    rounding = {("rounded", f"to {n} decimals") for n in range(4)}
    rounding |= {("lower precision", name) for name in ("float32", "float16", "bfloat16")}
    assert set(made()) == set(ALONG) | rounding | {OWN_MEAN}
    assert set(made(X.astype(np.float16))) & rounding == {*rounding} - {
        ("lower precision", "float32"), ("lower precision", "float16")
    }  # fmt: skip


def test_rounding_is_to_decimals_and_to_precisions():
    x = np.array([[1.23456, -0.98765]])
    found = made(x)
    for decimals, values in enumerate([[1, -1], [1.2, -1.0], [1.23, -0.99], [1.235, -0.988]]):
        np.testing.assert_allclose(found["rounded", f"to {decimals} decimals"], [values])
    np.testing.assert_array_equal(found["lower precision", "float16"], x.astype(np.float16).astype(float))


def test_only_a_square_matrix_has_a_transpose_of_its_shape():
    assert ("transposed", "") not in made()
    np.testing.assert_array_equal(made(X[:, :2])["transposed", ""], [[4, 1], [-9, 16]])
    assert ("transposed", "") not in made(X[:1, :1])


def test_along_an_axis_of_one_nothing_can_be_changed():
    assert not any("samples" in words for _, words in made(X[:1]))
    assert not any("units" in words for _, words in made(X[:, :1]))
    assert made(X[:0]) == {}


def test_changes_do_not_reach_the_array_itself():
    before = X.copy()
    made()
    np.testing.assert_array_equal(X, before)


def test_candidates_are_named_after_the_operation_and_rounding_after_itself():
    changed = [Variant("squared", "w", X**2), Variant("lower precision", "float16", X)]
    one, other = candidates_of("inputs", "the inputs", changed, lambda x: 3 * x)
    assert (one.name, one.detail) == ("inputs: squared", "w")
    assert (other.name, other.detail) == ("lower precision", "the inputs in float16")
    np.testing.assert_array_equal(one.values, 3 * X**2)


def test_other_arrays_are_those_of_the_shape():
    (found,) = others({"a": X.T, "b": 2 * X}, X.shape)
    assert (found.structure, found.words) == ("another array", "b")


def test_operators_in_the_place_of_a_product():
    found = {v.words: v.values for v in operators(np.array([6.0, 3]), np.array([2.0, 4]), ("a", "b"))}
    expected = {"a + b": [8, 7], "a - b": [4, -1], "b - a": [-4, 1], "a / b": [3, 0.75],
                "b / a": [1 / 3, 4 / 3]}  # fmt: skip
    assert found.keys() == expected.keys()
    for words, values in expected.items():
        np.testing.assert_allclose(found[words], values)


def test_a_multiple_in_words():
    assert times("the weights", 0.25) == "1/4 times the weights"


# Rearrangements


FLAT = np.arange(6.0)


def rearranged(shape, **given):
    return {(name, detail): turn(FLAT).tolist() for name, detail, turn in turns(shape, **given)}


def test_every_rearrangement_of_a_matrix():
    transposes = [turn(FLAT).tolist() for name, _, turn in turns((2, 3)) if name == "transpose"]
    assert sorted(transposes) == [[0, 2, 4, 1, 3, 5], [0, 3, 1, 4, 2, 5]]
    found = rearranged((2, 3))
    del found["transpose", "the gradient is transposed"]
    assert found == {
        ("reversed", "the order along axis 0 is reversed"): [3, 4, 5, 0, 1, 2],
        ("shifted", "the entries along axis 0 are shifted by 1"): [3, 4, 5, 0, 1, 2],
        ("shifted", "the entries along axis 0 are shifted by -1"): [3, 4, 5, 0, 1, 2],
        ("reversed", "the order along axis 1 is reversed"): [2, 1, 0, 5, 4, 3],
        ("shifted", "the entries along axis 1 are shifted by 1"): [2, 0, 1, 5, 3, 4],
        ("shifted", "the entries along axis 1 are shifted by -1"): [1, 2, 0, 4, 5, 3],
        ("reversed", "the order along all axes is reversed"): [5, 4, 3, 2, 1, 0],
    }


@pytest.mark.parametrize("shape", [(6,), (2, 3), (3, 2), (1, 6), (6, 1)])
def test_what_takes_a_rearrangement_back_does(shape):
    there, back = list(turns(shape)), list(turns(shape, back=True))
    assert [t[:2] for t in there] == [t[:2] for t in back]
    for name, detail, turn in there:
        takes_back = [t for n, d, t in back if (n, d) == (name, detail)]
        assert any((t(turn(FLAT)) == FLAT).all() for t in takes_back), detail


def test_a_vector_and_a_number_have_fewer():
    assert {name for name, *_ in turns((6,))} == {"reversed", "shifted"}
    assert {detail for _, detail, _ in turns((1, 6))} == {
        "the order along axis 1 is reversed",
        "the entries along axis 1 are shifted by 1",
        "the entries along axis 1 are shifted by -1",
    }
    assert list(turns(())) == list(turns((1,))) == list(turns((1, 1))) == []
    assert next(name for name, *_ in turns((2, 2))) == "transpose"


def error(found, right, tolerance=1e-12):
    shape = np.shape(found)
    return Error(
        np.array(found, float), np.array(right, float), np.full(shape, tolerance), np.ones(shape, bool)
    )


def test_a_rearranged_gradient_has_the_rearranged_error():
    given = Error(FLAT, FLAT, FLAT / 100, FLAT >= 0)
    plain, negative = list(turned(given, (6,)))[:2]
    assert plain.values.tolist() == [5, 4, 3, 2, 1, 0]
    assert negative.values.tolist() == [-5, -4, -3, -2, -1, 0]
    assert plain.detail == "the order along axis 0 is reversed"
    assert negative.detail == "the order along axis 0 is reversed, and negative"
    for candidate in (plain, negative):
        np.testing.assert_allclose(candidate.tolerance, plain.values / 100)


def test_entries_with_the_values_of_others():
    right = [1.0, 2, 4, 8, 16]
    (candidate,) = moved(error([1, 16, 4, 2, 16], right), "w[{}]".format)
    assert candidate.name == "another entry"
    assert candidate.detail == "w[1] has the value of w[4]; w[3] has the value of w[1]"
    assert candidate.values.tolist() == [1, 16, 4, 2, 16]


def test_the_entry_that_is_meant_is_the_nearest_in_tolerances():
    """1.5 is 0.5 from both, which is less of the tolerance of the second."""
    right, tolerance = np.array([1.0, 2, 4]), np.array([0.01, 0.1, 0.01])
    given = Error(np.array([1, 2, 1.5]), right, tolerance, right > 0)
    (candidate,) = moved(given, str)
    assert candidate.detail == "2 has the value of 1"
    assert candidate.tolerance.tolist() == [0.01, 0.1, 0.1]


def test_eight_entries_may_have_moved():
    right = np.arange(1.0, 21)
    for count, found in ((MOST_MOVED, 1), (MOST_MOVED + 1, 0), (0, 0)):
        assert len(list(moved(error(np.where(right <= count, right + 1, right), right), str))) == found
    assert MOST_MOVED == 8
