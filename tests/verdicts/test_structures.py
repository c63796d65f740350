"""Structures of any array: constants, cut off, rows or columns with factors, samples, lower precision."""

import numpy as np
import pytest

from backproof.verdicts.fit import Error
from backproof.verdicts.low_precision import precision_of, rounded
from backproof.verdicts.sample_factors import sample_factors
from backproof.verdicts.structures import (
    common_structures,
    constants,
    factors_of,
    full_name,
    in_lower_precision,
)

DRAW = np.random.default_rng(7)
X = DRAW.standard_normal((7, 6))


def error(found, right=X, sure=None):
    found = np.asarray(found)
    sure = np.ones(found.shape, bool) if sure is None else sure
    return Error(found, right, np.full(found.shape, 1e-12), sure)


def test_some_structures_name_another_operation():
    assert full_name("weight gradient", "sign") == "weight gradient: sign"
    assert full_name("weight gradient", "penalty: missing") == "penalty: missing"
    assert full_name("weight gradient", "lower precision") == "lower precision"


# Constants


def of_constants(found, samples=7, outputs=3):
    return [(c.name, c.detail, c.parameters) for c in constants(error(found), X, samples, outputs)]


SIGN, ZERO = ("sign", "× −1", 0), ("zero", "", 0)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (7, "7, the number of samples"),
        (1 / 7, "1/7, one over the number of samples"),
        (3, "3, the number of outputs"),
        (1 / 3, "1/3, one over the number of outputs"),
        (21, "21, samples × outputs"),
        (1 / 21, "1/21, one over samples × outputs"),
        (5, "5"),
        (1 / 5, "1/5"),
    ],
)
def test_factors_that_are_counts_are_said_to_be(factor, words):
    """As a number that is known, and then as one that was fitted."""
    assert of_constants(factor * X) == [SIGN, ZERO, ("scale", f"× {words}", 0), ("scale", f"× {words}", 1)]


def test_a_factor_of_its_own_is_fitted():
    assert of_constants(0.3 * X) == [SIGN, ZERO, ("scale", "× 0.3", 1)]
    assert of_constants(7.0001 * X)[-1] == ("scale", "× 7.0001", 1)


def test_a_single_output_or_two_are_not_named_after_a_factor():
    assert of_constants(2 * X, outputs=2)[2] == ("scale", "× 2", 0)
    assert of_constants(3 * X, outputs=3)[2] == ("scale", "× 3, the number of outputs", 0)


def test_what_is_no_multiple_has_no_factor():
    assert of_constants(1e-11 * X) == [SIGN, ZERO]
    assert of_constants(0 * X) == [SIGN, ZERO]
    bad = X.copy()
    bad[0, 0] = np.nan
    assert of_constants(bad) == []


def test_the_candidates_are_the_multiples():
    sign, zero, plain, fitted = constants(error(-4 * X), X, 7, 3)
    for candidate, factor in ((sign, -1), (zero, 0), (plain, -4), (fitted, -4)):
        np.testing.assert_allclose(candidate.values, factor * X)
    assert (plain.amplified, fitted.amplified) == (4, pytest.approx(4))
    assert [c.amplified for c in constants(error(X / 4), X, 7, 3)] == [1, 1, 1, 1]


def test_a_factor_is_that_of_the_sure_entries():
    sure = DRAW.random(X.shape) > 0.3
    found = np.where(sure, 5 * X, np.inf)
    assert [c.detail for c in constants(error(found, sure=sure), X, 7, 3)][2] == "× 5"


# Rows and columns


def of_factors(found, axis=1, **given):
    (candidate,) = factors_of(error(found, **given), axis, "samples")
    return candidate


def test_rows_that_are_left_out_are_listed():
    keep = np.array([1, 0, 1, 1, 0, 1, 1.0])[:, None]
    candidate = of_factors(keep * X)
    assert (candidate.name, candidate.detail) == ("samples left out", "2 of 7: 1, 4")
    assert (candidate.parameters, candidate.amplified) == (0, 1)
    np.testing.assert_array_equal(candidate.values, keep * X)


def test_five_rows_are_listed():
    for count, words in ((5, "5 of 7: 0, 1, 2, 3, 4"), (6, "6 of 7: 0, 1, 2, 3, 4, …")):
        assert of_factors((np.arange(7) >= count)[:, None] * X).detail == words


def test_rows_and_columns_have_factors():
    factors = np.array([1, 2.5, 1, 0, 1, -3, 1])[:, None]
    candidate = of_factors(factors * X)
    assert (candidate.name, candidate.detail) == ("factors of samples", "3 of 7: 1, 3, 5, × 2.5, 0, -3")
    assert (candidate.parameters, candidate.amplified) == (2, pytest.approx(3))
    np.testing.assert_allclose(candidate.values, factors * X)
    (candidate,) = factors_of(error(X * [1, 1, 2.5, 1, 1, 1]), 0, "units")
    assert (candidate.name, candidate.detail) == ("factors of units", "1 of 6: 2, × 2.5")


def test_five_factors_are_listed():
    candidate = of_factors(np.arange(2.0, 9)[:, None] * X)
    assert candidate.detail == "7 of 7: 0, 1, 2, 3, 4, …, × 2, 3, 4, 5, 6"
    assert candidate.parameters == 7


def test_one_factor_for_all_rows_is_a_constant_and_not_one_each():
    assert list(factors_of(error(2 * X), 1, "samples")) == []
    assert list(factors_of(error(X), 1, "samples")) == []


def test_factors_near_0_and_1_are_these():
    factors = np.array([1 + 0.9e-6, 0.9e-6, 2, 1, 1, 1, 1])[:, None]
    assert of_factors(factors * X).detail == "2 of 7: 1, 2, × 0, 2"
    factors = np.array([1 + 1.1e-6, 1.1e-6, 2, 1, 1, 1, 1])[:, None]
    assert of_factors(factors * X).detail == "3 of 7: 0, 1, 2, × (1 + 1.1e-06), 1.1e-06, 2"


def test_rows_of_zeros_have_the_factor_1():
    right = X.copy()
    right[2] = 0
    candidate = of_factors(np.where(np.arange(7)[:, None] == 4, 0, right), right=right)
    assert candidate.detail == "1 of 7: 4"


def test_factors_are_those_of_entries_that_are_sure_and_finite():
    sure = np.ones(X.shape, bool)
    sure[4, 2] = False
    found = X * np.where(np.arange(7) == 4, 2.5, 1)[:, None]
    found[4, 2], found[5, 1] = 77.0, np.nan
    assert of_factors(found, sure=sure).detail == "1 of 7: 4, × 2.5"


def test_common_structures_are_a_bound_rows_and_columns():
    found = np.clip(X, -0.8, 0.8)
    names = [c.name for c in common_structures(error(found), ("samples", "units"))]
    assert names == ["cut off", "factors of samples", "factors of units"]
    cut = next(common_structures(error(found)))
    assert (cut.detail, cut.parameters) == ("at ±0.8", 1)
    np.testing.assert_array_equal(cut.values, found)
    assert [c.name for c in common_structures(error(X * [1, 1, 0, 1, 1, 1]))][-1] == "units left out"


# Factors of samples in a sum over them

DELTA, INPUTS = DRAW.standard_normal((8, 4)), DRAW.standard_normal((8, 5))
PENALTY = 0.1 * DRAW.standard_normal((4, 5))


def of_samples(factors):
    found = DELTA.T @ (INPUTS * np.array(factors)[:, None]) + PENALTY
    (candidate,) = sample_factors(error(found, DELTA.T @ INPUTS + PENALTY), DELTA, INPUTS, PENALTY)
    np.testing.assert_allclose(candidate.values, found, rtol=1e-10, atol=1e-12)
    return candidate.name, candidate.detail, candidate.parameters


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ([0, 0, 0, 1, 0, 0, 0, 0], ("of one sample", "sample 3", 0)),
        ([1, 1, 0, 1, 1, 1, 0, 1], ("samples left out", "2 of 8: 2, 6", 0)),
        ([1, 1, 1, 1, 1, 1, 1, 0], ("samples left out", "1 of 8: 7", 0)),
        ([0, 0, 0, 0, 0, 0, 1, 1], ("samples left out", "6 of 8: 0, 1, 2, 3, 4, …", 0)),
        ([0, 0, 0, 0, 0, 1, 1, 1], ("samples left out", "5 of 8: 0, 1, 2, 3, 4", 0)),
        ([1, 2, 1, 1, 1, 1, 1, 1], ("factors of samples", "1 of 8: 1, × 2", 0)),
        ([1, 2, 0.3, 1, 1, 1, 1, 0], ("factors of samples", "3 of 8: 1, 2, 7, × 2, 0.3, 0", 1)),
        (
            [2, 3, 4, 5, 6, 7, 1, 1],
            ("factors of samples", "6 of 8: 0, 1, 2, 3, 4, …, × 2, 3, 4, 5, 6", 0),
        ),
        ([2, 0, 0, 0, 0, 0, 0, 0], ("factors of samples", "8 of 8: 0, 1, 2, 3, 4, …, × 2, 0, 0, 0, 0", 0)),
    ],
)
def test_samples_have_factors_in_a_sum_over_them(factors, words):
    assert of_samples(factors) == words


def test_a_factor_near_a_whole_number_is_that():
    for off, parameters in ((0.9e-7, 0), (1.1e-7, 1)):
        found = DELTA.T @ (INPUTS * np.array([1, 2 + off, 1, 1, 1, 1, 1, 1])[:, None])
        (candidate,) = sample_factors(error(found, DELTA.T @ INPUTS), DELTA, INPUTS, 0 * PENALTY)
        assert candidate.parameters == parameters


def test_nearly_dependent_samples_are_told_apart():
    """Two samples alike to 1e-4: normal equations alone would lose all digits."""
    delta, inputs = DELTA.copy(), INPUTS.copy()
    delta[1], inputs[1] = delta[0], inputs[0] + 1e-4 * DRAW.standard_normal(5)
    found = delta.T @ (inputs * np.array([1, 0, 1, 1, 1, 1, 1, 1])[:, None])
    (candidate,) = sample_factors(error(found, delta.T @ inputs), delta, inputs, 0 * PENALTY)
    assert (candidate.name, candidate.detail) == ("samples left out", "1 of 8: 1")


def test_sums_that_are_not_finite_have_no_factors():
    found = DELTA.T @ INPUTS
    found[0, 0] = np.inf
    assert list(sample_factors(error(found, DELTA.T @ INPUTS), DELTA, INPUTS, PENALTY)) == []


# Lower precision


def bfloat16(x):
    import ml_dtypes

    return x.astype(ml_dtypes.bfloat16).astype(x.dtype)


def float32(x):
    return x.astype(np.float32).astype(x.dtype)


def float16(x):
    return x.astype(np.float16).astype(x.dtype)


NARROW = {"float32": float32, "float16": float16, "bfloat16": bfloat16}
EVERYWHERE = np.ones(X.shape, bool)


@pytest.mark.parametrize("name", NARROW)
def test_rounding_is_that_of_the_format(name):
    x = DRAW.standard_normal(5000).astype(np.float32).astype(float)
    ties = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 - 2.0**-9, 1 + 2.0**-11, -1 - 3 * 2.0**-11, 0.0, 1e-3])
    x = np.concatenate([x, ties, -x])
    np.testing.assert_array_equal(rounded(x, name), NARROW[name](x))


def test_what_is_not_finite_stays_so():
    for value in (np.nan, np.inf, -np.inf):
        np.testing.assert_array_equal(rounded(np.array([value]), "bfloat16"), [value])


@pytest.mark.parametrize("name", NARROW)
def test_an_array_of_a_lower_precision_is_recognised(name):
    assert precision_of(NARROW[name](X), X, EVERYWHERE) == name
    assert precision_of(X, X, EVERYWHERE) is None
    partly = NARROW[name](X)
    partly[0, 0] = X[0, 0]
    assert precision_of(partly, X, EVERYWHERE) is None


def test_two_entries_that_depart_tell_a_precision_and_one_does_not():
    for count, name in ((2, "float32"), (1, None)):
        assert precision_of(float32(X), X, np.arange(42).reshape(X.shape) < count) == name


def test_entries_that_have_few_digits_by_nature_tell_nothing():
    halves = np.array([0.5, 1.5, -2.25, 3.0])
    found = halves + np.array([0.0, 0.5, 0.25, 0])
    assert precision_of(found, halves, np.ones(4, bool)) is None
    assert precision_of(np.zeros(4), X[0, :4], np.ones(4, bool)) is None


@pytest.mark.parametrize(("name", "digits"), [("float32", 24), ("float16", 11), ("bfloat16", 8)])
@pytest.mark.parametrize("size", [1.0, 1024.0])
def test_a_precision_must_explain_by_how_much_entries_are_off(name, digits, size):
    """By 64 roundings of the largest one, which are 2^-18 of it in float32."""
    right = np.array([1.0, 1 / 3, 0.7]) * size
    for roundings, known in ((62.5, name), (65.5, None)):
        off = right + roundings * 2.0**-digits * size * np.array([0, 1, 1])
        assert precision_of(NARROW[name](off), right, right > 0) == known


def test_nothing_is_lower_than_itself():
    single = X.astype(np.float32)
    assert precision_of(single, single * np.float32(1 + 1e-6), EVERYWHERE) is None
    half = X.astype(np.float16)
    assert precision_of(half, half * np.float16(1.01), EVERYWHERE) is None
    assert precision_of(float16(single), single, EVERYWHERE) == "float16"


def test_what_is_not_finite_has_no_precision():
    found = float32(X)
    found[0, 0] = np.inf
    assert precision_of(found, X, EVERYWHERE) is None


def test_a_precision_is_found_behind_a_factor():
    found = float32(X) / 3
    assert in_lower_precision(error(found, X / 3)) is None
    known = in_lower_precision(error(found, X / 3), 1 / 3)
    assert (known.name, known.detail) == ("lower precision", "float32")
    assert in_lower_precision(error(X / 3 + 1e-6, X / 3), 1 / 3) is None
