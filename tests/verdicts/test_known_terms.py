"""Quantities that a wrong gradient may hold, from parameters and arrays that the functions are given."""

from functools import partial

import numpy as np
import pytest

from backproof.verdicts.known_terms import MOST_ARRAYS, MOST_ENTRIES, arrays_of, of_data, of_parameters

THETA = np.array([0.5, -2.0, 3.0])
GRADIENT = np.array([9.0, 8, 7])


# Arrays that functions are given or hold


def holding(**arrays):
    """A function that holds arrays in its closure."""
    a, b = arrays.get("a"), arrays.get("b")

    def f(w):
        return w if a is None and b is None else (w, a, b)

    return f


def nothing(w):
    return w


def names_of(loss, derivative, args=()):
    return {k: v.tolist() for k, v in arrays_of(loss, derivative, args, GRADIENT).items()}


def test_arguments_are_counted_from_the_second():
    found = names_of(nothing, nothing, (np.array([1, 2]), 3.0, np.array([[True, False]])))
    assert found == {"argument 2": [1, 2], "argument 4": [[1, 0]]}
    kept = arrays_of(nothing, nothing, (np.array([1, 2]),), GRADIENT)
    assert kept["argument 2"].dtype == float


def test_closures_and_partial_functions_hold_arrays():
    assert names_of(holding(a=np.ones(2)), nothing) == {"a": [1, 1]}
    bound = partial(partial(nothing, np.ones(1)), scale=np.zeros(2))
    assert names_of(bound, nothing) == {"argument 1": [1], "scale": [0, 0]}
    assert names_of(np.sin, nothing) == {}  # compiled, so it has no closure


def test_what_the_derivative_alone_holds_counts_unless_it_is_the_gradient():
    assert names_of(nothing, holding(a=np.ones(2))) == {"a": [1, 1]}
    assert names_of(nothing, holding(a=GRADIENT)) == {}
    assert names_of(nothing, holding(a=GRADIENT.reshape(3, 1))) == {}
    assert names_of(holding(a=GRADIENT), holding(a=GRADIENT)) == {"a": [9, 8, 7]}
    assert names_of(nothing, holding(a=GRADIENT + 1e-9)) != {}


def test_only_real_arrays_of_two_axes_at_most_and_of_a_size_count():
    for array, kept in (
        (np.ones((2, 2)), True),
        (np.ones((1, 1, 1)), False),
        (np.ones(1, complex), False),
        (np.array(["a"]), False),
        (np.ones(0), False),
        (np.array(2.0), True),
        (np.ones(1, np.uint8), True),
        (np.ones(MOST_ENTRIES), True),
        (np.ones(MOST_ENTRIES + 1), False),
    ):
        assert bool(arrays_of(nothing, nothing, (array,), GRADIENT)) == kept


def test_six_arrays_are_looked_at():
    assert len(arrays_of(nothing, nothing, [np.ones(1)] * 9, GRADIENT)) == MOST_ARRAYS == 6


# Functions of the parameters


def test_functions_of_the_parameters():
    found = {name: values.tolist() for name, values in of_parameters(THETA).items()}
    e = 2.718281828459045
    assert found == {
        "the parameter": [0.5, -2, 3],
        "the parameter's sign": [1, -1, 1],
        "one": [1, 1, 1],
        "the parameter squared": [0.25, 4, 9],
        "the parameter's size": [0.5, 2, 3],
        "the parameter cubed": [0.125, -8, 27],
        "one over the parameter": [2, -0.5, pytest.approx(1 / 3)],
        "exp of the parameter": [pytest.approx(e**0.5), pytest.approx(e**-2), pytest.approx(e**3)],
    }


def test_the_sign_of_parameters_of_one_sign_is_one():
    assert "the parameter's sign" not in of_parameters(np.abs(THETA))
    assert "the parameter's sign" not in of_parameters(-np.abs(THETA))
    with np.errstate(divide="ignore"):
        assert "the parameter's sign" in of_parameters(np.array([1.0, 0.0]))
    assert "the parameter's sign" in of_parameters(np.zeros(0))


# Arrays made of the data


X = np.array([[1.0, 2, -1], [0, 1, 3], [2, -1, 1], [1, 1, 0.5]])
Y = np.array([1.0, -1, 2, 0.5])
Z = X @ THETA  # -6.5, 7, 6, 0


def from_data(data, theta=THETA, parameters=None):
    parameters = {"w": theta} if parameters is None else parameters
    with np.errstate(all="ignore"):
        return dict(of_data(data, theta.ravel(), theta.shape, parameters))


def test_arrays_of_the_shape_and_sums_over_rows():
    found = from_data({"x": X, "c": np.array([1.0, 2, 3]), "y": Y})
    assert found["c"].tolist() == [1, 2, 3]
    assert found["w"].tolist() == THETA.tolist()
    assert found["the sum over x"].tolist() == [4, 3, 3.5]
    assert found["the first row of x"].tolist() == [1, 2, -1]
    assert not {"y", "the sum over y", "x"} & set(found)


VECTORS = {
    "Xθ": Z,
    "σ(Xθ)": [1 / (1 + np.exp(6.5)), 1 / (1 + np.exp(-7)), 1 / (1 + np.exp(-6)), 0.5],
    "tanh(Xθ)": [np.tanh(-6.5), np.tanh(7), np.tanh(6), 0],
    "exp(Xθ)": [np.exp(-6.5), np.exp(7), np.exp(6), 1],
    "exp(-Xθ)": [np.exp(6.5), np.exp(-7), np.exp(-6), 1],
    "Xθ²": [42.25, 49, 36, 0],
    "sign(Xθ)": [-1, 1, 1, 0],
    "max(Xθ, 0)": [0, 7, 6, 0],
    "1": [1, 1, 1, 1],
    "y": Y,
    "y · Xθ": [-6.5, -7, 12, 0],
    "reversed y": [0.5, 2, -1, 1],
    "y shifted by 1": [0.5, 1, -1, 2],
    "y shifted by -1": [-1, 2, 0.5, 1],
    "|y|": [1, 1, 2, 0.5],
    "the first of y": [1, 1, 1, 1],
    "softmax(Xθ)": np.exp(Z) / (np.exp(-6.5) + np.exp(7) + np.exp(6) + 1),
}


@pytest.mark.parametrize("words", VECTORS)
def test_x_transposed_times_what_is_at_hand(words):
    assert Z.tolist() == [-6.5, 7, 6, 0]
    found = from_data({"x": X, "y": Y})
    expected = sum(row * v for row, v in zip(X, VECTORS[words], strict=True))
    np.testing.assert_allclose(found[f"Xᵀ {words}, X = x"], expected, rtol=1e-14)


@pytest.mark.parametrize(("last", "fill"), [(True, 1), (False, 1), (True, 0), (False, 0)])
def test_an_intercept_comes_last_or_first(last, fill):
    """With a column of ones it has a gradient of its own; with one of zeros, none."""
    order = [0, 1, 2, 3] if last else [3, 0, 1, 2]
    theta = np.append(THETA, 0.25)[order]
    design = np.hstack([X, np.full((4, 1), fill)])[:, order]
    found = list(of_data({"x": X, "y": Y}, theta, (4,), {}))
    vectors = [v for words, v in found if words == "Xᵀ Xθ, X = x"]
    expected = design.T @ (design @ theta)
    assert sum(np.allclose(v, expected) for v in vectors) == 1
    assert len(vectors) == 4


def test_targets_of_several_outputs_and_of_one():
    theta = np.stack([THETA, -THETA], axis=1)
    targets = np.stack([Y, 2 * Y], axis=1)
    found = from_data({"x": X, "y": targets, "s": Y}, theta)
    np.testing.assert_allclose(found["Xᵀ y, X = x"], (X.T @ targets).ravel())
    np.testing.assert_allclose(found["Xᵀ s, X = x"], (X.T @ np.stack([Y, Y], axis=1)).ravel())
    np.testing.assert_allclose(found["Xᵀ s · Xθ, X = x"], (X.T @ np.stack([Y * Z, -Y * Z], axis=1)).ravel())


def test_x_is_no_target_of_its_own():
    """A square X has the shape of X θ where θ is square."""
    square = X[:3]
    found = from_data({"x": square}, np.eye(3))
    assert "Xᵀ x, X = x" not in found
    assert "Xᵀ Xθ, X = x" in found


def test_shapes_that_do_not_fit_give_nothing():
    assert from_data({"x": X}, np.array(2.0), {}) == {}
    assert from_data({"x": X[:, :1]}, THETA, {}) == {}
    assert from_data({"y": Y}, THETA, {}) == {}
    assert not any("Xᵀ" in words for words in from_data({"x": X}, np.ones((4, 2)), {}))


# Products of matrices


A = np.array([[1.0, 2], [3, -1], [0, 1]])  # (3, 2)
B = np.array([[2.0, 0], [1, 1]])  # (2, 2)
C = np.array([[1.0, -2, 1], [0, 3, 1]])  # (2, 3)


def test_products_of_two_matrices_one_of_them_a_parameter():
    found = from_data({"c": C}, A, {"w": A, "v": B})
    products = {words: v.reshape(A.shape).tolist() for words, v in found.items() if "Xᵀ" not in words}
    assert products == {
        "w": A.tolist(),
        "w v": [[4, 2], [5, -1], [1, 1]],
        "w vᵀ": [[2, 3], [6, 2], [0, 1]],
        "cᵀ v": [[2, 0], [-1, 3], [3, 1]],
        "cᵀ vᵀ": [[2, 1], [-4, 1], [2, 2]],
        "w vᵀ v": [[7, 3], [14, 2], [1, 1]],
    }


def test_a_matrix_of_data_alone_has_no_products():
    found = from_data({"c": C, "b": B}, A, {"w": A})
    assert {words for words in found if "Xᵀ" not in words} == {"w", "w b", "w bᵀ"}


def test_products_of_vectors_are_none():
    found = from_data({}, A, {"w": A, "u": np.ones(2)})
    assert set(found) == {"w"}
