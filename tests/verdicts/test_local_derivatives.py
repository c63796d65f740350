"""Derivatives from values, to twelve digits: on both sides of a kink, column by column, up to an edge."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.network.activations import Activation, Kink
from backproof.network.activations.hard_tanh import hard_tanh
from backproof.network.activations.tanh import tanh
from backproof.verdicts.local_derivatives import (
    derivative_by_columns,
    middle_derivative,
    one_sided_derivatives,
)

REAL_ONLY = replace(tanh(), value=lambda z: np.tanh(np.real(z)).astype(np.real(z).dtype))
"""A function that no complex step sees."""

Z = np.linspace(-5, 5, 101)[:, None] + 0.00123


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_without_complex_steps_differences_are_as_good(dtype):
    z = Z.astype(dtype)
    low, high = one_sided_derivatives(REAL_ONLY, z)
    assert low.dtype == high.dtype == dtype
    assert np.array_equal(low, high)
    rtol = max(1e-12, 2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(low, 1 / np.cosh(z.astype(np.longdouble)) ** 2, rtol=rtol)


BEND = Activation(
    "bend", "", lambda z: np.where(z > 1, 3 * z**2, z**2 + 2), lambda z: np.where(z > 1, 6 * z, 2 * z),
    (Kink(1, 2, 6),),
)  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@pytest.mark.parametrize("distance", [0, 1e-9, -1e-9, 1e-3, -1e-3, 1, -1])
def test_no_difference_reaches_over_a_kink(distance, dtype):
    z = np.array([[1 + distance, 0.3, 4.0]], dtype)
    low, high = one_sided_derivatives(replace(BEND, value=lambda x: BEND.value(np.real(x))), z)
    left, right = 2 * z, 6 * z
    expected_low, expected_high = np.where(z > 1, right, left), np.where(z >= 1, right, left)
    np.testing.assert_allclose(low, expected_low, rtol=1e-7)  # a kink that is 1e-9 away leaves little room
    np.testing.assert_allclose(high, expected_high, rtol=1e-7)
    np.testing.assert_allclose(low[:, 1:], expected_low[:, 1:], rtol=1e-12)


def test_the_middle_is_that_of_both_sides():
    assert middle_derivative(hard_tanh(), np.array([[-1.0, 0.5, 1.0, 2.0]])).tolist() == [[0.5, 1, 0.5, 0]]


# Columns


X = np.array([[0.2, 0.5, 1.7], [0.9, 0.01, -2.0]])


def test_the_derivative_of_each_term_apart():
    found = derivative_by_columns(lambda x: x**3 + np.sin(x), X, apart=True)
    np.testing.assert_allclose(found, 3 * X**2 + np.cos(X), rtol=1e-12)


def test_the_derivative_of_a_rows_sum():
    """Σ_k x_k exp(x_0 x_k): each term depends on its own entry and on the first."""

    def terms(x):
        return x * np.exp(x[:, :1] * x)

    first, each = X[:, :1], np.exp(X[:, :1] * X)
    expected = each * (1 + first * X)
    expected[:, 0] = each[:, 0] * (1 + 2 * X[:, 0] ** 2) + (X[:, 1:] ** 2 * each[:, 1:]).sum(axis=1)
    np.testing.assert_allclose(derivative_by_columns(terms, X), expected, rtol=1e-12)
    assert derivative_by_columns(terms, X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("apart", [True, False])
def test_no_difference_reaches_over_an_edge_or_the_ends_of_a_probability(apart):
    """|x|, |1 − x| and |x − 0.3| bend at 0, at 1 and at the edge that is given."""
    x = np.array([[1e-4, 1 - 1e-4, 1 + 1e-4, -1e-4, 0.3 + 1e-4, 0.3 - 1e-4]])

    def terms(x):
        return np.abs(x) + 3 * np.abs(1 - x) + 10 * np.abs(x - np.longdouble(0.3))

    expected = np.sign(x) - 3 * np.sign(1 - x) + 10 * np.sign(x - 0.3)
    np.testing.assert_allclose(derivative_by_columns(terms, x, [0.3], apart=apart), expected, rtol=1e-10)
    without = derivative_by_columns(terms, x, apart=apart)
    np.testing.assert_allclose(without[:, :4], expected[:, :4], rtol=1e-10)


def test_at_an_edge_differences_are_as_long_as_to_the_next():
    x = np.array([[0.3]])
    found = derivative_by_columns(lambda x: x**2, x, [0.3], apart=True)
    np.testing.assert_allclose(found, 0.6, rtol=1e-12)
    found = derivative_by_columns(lambda x: np.where(x > 0.5, np.nan, x**2), x, [0.3, 0.5], apart=True)
    np.testing.assert_allclose(found, 0.6, rtol=1e-12)
