"""Wrong input from Python: a note where it can be read all the same, else one line that names the entry."""

from __future__ import annotations

import numpy as np
import pytest

import backproof

W = np.array([1.0, -2.0, 3.0])
X = np.arange(15.0).reshape(5, 3)
Y = np.ones(5)


def refused(*given, **how):
    """The one line with which something is refused."""
    with pytest.raises(backproof.FunctionError) as raised:
        backproof.check(*given, **how)
    line = str(raised.value)
    assert "\n" not in line
    return line


# --- gradients of whole numbers and of truth values


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16])
def test_a_gradient_of_whole_numbers_is_read_with_a_note(dtype):
    found = backproof.check(lambda w: (2 * w.sum(), np.array([2, 2, 2], dtype)), W)
    assert found.agrees
    assert any(f"dW holds whole numbers ({np.dtype(dtype)})" in note for note in found.target.notes)
    assert "read as float64" in repr(found)


def test_a_gradient_that_was_cut_to_whole_numbers_is_found():
    found = backproof.check(lambda w: (2.001 * w.sum(), np.array([2, 2, 2])), W)
    assert found.verdict == "incorrect gradient"
    assert any("whole numbers" in note for note in found.target.notes)


def test_a_mask_is_a_gradient():
    found = backproof.check(lambda w: (np.maximum(w, 0).sum(), w > 0), W)
    assert found.agrees
    assert any("dW holds truth values (bool)" in note for note in found.target.notes)
    assert not backproof.check(lambda w: (np.maximum(w, 0).sum(), w > -5), W).agrees


def test_a_gradient_of_floats_has_no_note():
    assert backproof.check(lambda w: (2 * w.sum(), np.full(3, 2.0)), W).target.notes == ()


# --- arguments in another order


def both(X, y, w):
    r = X @ w - y
    return 0.5 * r @ r, X.T @ r


def loss(X, y, w):
    return both(X, y, w)[0]


def slope(X, y, w):
    return both(X, y, w)[1]


def test_parameters_that_come_last_get_a_hint():
    hint = "is w its parameters? They come first: lambda w, X, y: "
    assert refused(both, W, X, Y).endswith(hint + "both(X, y, w)")
    assert refused(loss, W, X, Y, df=slope).endswith(hint + "loss(X, y, w)")
    assert refused(lambda w, X, y: loss(X, y, w), W, X, Y, df=slope).endswith(hint + "slope(X, y, w)")
    assert backproof.check(lambda w, X, y: both(X, y, w), W, X, Y).agrees  # what the hint says


def test_arguments_in_the_functions_order_get_a_hint():
    line = refused(both, X, Y, W)
    assert "dW has shape (3,), and W has (5, 3)" in line
    assert line.endswith("that is the shape of argument number 3, and W comes first")


def test_a_function_that_fails_in_every_order_gets_no_hint():
    def broken(*_):
        raise RuntimeError("broken")

    assert refused(broken, W, X, Y).endswith("raises RuntimeError: broken")


def test_looking_for_the_order_leaves_the_arguments_alone():
    def spoils(X, y, w):
        w += 1
        return loss(X, y, w)

    w = W.copy()
    refused(spoils, w, X, Y, df=slope)
    assert (w == W).all()
    assert np.array_equal(X, np.arange(15.0).reshape(5, 3))


# --- each refusal names the entry


NAMED = {
    "dW must be real numbers; not nothing (None) at dW[1]": lambda w: (
        w.sum(),
        np.array([1, None, 1], object),
    ),
    "dW: must be an array; its rows are of different lengths": lambda w: (w.sum(), [[1.0, 2.0], [1.0]]),
    "dW must be real numbers; not complex128": lambda w: (w.sum(), w * 1j),
}


@pytest.mark.parametrize("message", NAMED)
def test_what_is_no_gradient(message):
    assert message in refused(NAMED[message], W)


def test_the_array_of_several_is_named():
    ws = [np.ones(2), np.ones((2, 3))]
    assert "dW[1] has shape (3, 2), and W[1] has (2, 3)" in refused(
        lambda w: (w[0].sum(), [w[0], np.ones((3, 2))]), ws
    )
    assert "W[1]: holds whole numbers (int64)" in refused(
        lambda w: (w[0].sum(), [np.ones(2), np.zeros(2)]), [np.ones(2), np.ones(2, int)]
    )
    assert "not nothing (None) at W[1]" in refused(both, np.array([1.0, None]))


def test_the_entry_that_is_changed_is_named():
    def spoils(w, x):
        x[1, 2] = 7
        return w.sum(), np.ones(3)

    assert "changes its argument number 2, at [1, 2]" in refused(spoils, W, np.ones((2, 3)))


# --- not finite: which side, and which entry


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e305])
def test_extreme_losses_are_compared_all_the_same(scale):
    found = backproof.check(lambda w: (scale * (w**2).sum(), 2 * scale * w), W)
    assert found.agrees, found
    wrong = backproof.check(lambda w: (scale * (w**2).sum(), 2.01 * scale * w), W)
    assert wrong.verdict == "incorrect gradient", wrong


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_an_entry_of_the_gradient_that_is_not_finite_is_named(value):
    ws = {"a": np.ones(2), "b": np.ones((2, 2))}

    def f_df(w):
        return w["a"].sum() + w["b"].sum(), {"a": np.ones(2), "b": np.array([[1, 1], [value, 1]])}

    found = backproof.check(f_df, ws)
    assert found.verdict == "not finite"
    assert found.causes == (f"analytic gradient not finite: first at W['b'][1,0], which is {value}",)


def test_a_loss_or_a_parameter_that_is_not_finite_is_named():
    def f_df(w):
        return 1e300 * (w**2).sum(), 2e300 * w

    assert backproof.check(f_df, W * 1e9).causes == ("loss not finite: it is inf",)
    with_nan = backproof.check(f_df, np.array([1.0, 2.0, np.nan]))
    assert with_nan.causes == ("parameters not finite: first at W[2], which is nan",)


def test_an_entry_next_to_which_the_loss_is_not_finite_is_named():
    def f_df(w):
        return (w.sum() if w[1] == W[1] else np.inf), np.ones(3)

    found = backproof.check(f_df, W)
    assert found.verdict == "not finite"
    assert found.causes == ("numerical gradient not finite: within a step of W[1]",)


# --- arguments of the check itself


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"df": W}, "df: must be a function of W that returns the gradient; not ndarray of shape (3,)"),
        ({"seed": "a"}, "seed: must be a whole number from 0 on; not 'a'"),
        ({"parameters": 0}, "parameters: must be None or a whole number from 1 on; not 0"),
        ({"parameters": 1.5}, "parameters: must be None or a whole number from 1 on; not 1.5"),
        ({"jobs": 0}, "jobs: must be a whole number other than 0; not 0"),
        ({"resolution": "x"}, "resolution: must be a number above 0 and below 1; not 'x'"),
        ({"resolution": True}, "resolution: must be a number above 0 and below 1; not True"),
        ({"resolution": 0}, "resolution: must be a number above 0 and below 1; not 0"),
        ({"rtol": 1}, "rtol: must be a number from 0 and below 1; not 1"),
        (
            {"rtol": 0.2},
            "rtol: allows for errors that must not go unseen with resolution=0.001; must be at most that, or "
            "give resolution=0.2 as well; not 0.2",
        ),
        ({"rtol": True}, "rtol: must be a number from 0 and below 1; not True"),
    ],
)
def test_an_argument_that_is_wrong_is_named(given, says):
    assert refused(lambda w: ((w**2).sum(), 2 * w), W, **given) == says


def test_what_is_no_function_and_a_loss_that_brings_its_gradient_beside_df():
    assert refused(3, W).startswith("f: must be a function of W; not ")
    line = refused(lambda w: ((w**2).sum(), 2 * w), W, df=lambda w: 2 * w)
    assert line.endswith("must return the loss alone where df is given; not 2 values")
