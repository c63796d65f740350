"""What a cause says of a function from outside is true; a name is given only where enough entries bear it."""

import json

import numpy as np
import pytest

import backproof

X = np.random.default_rng(1).standard_normal(8)


def causes(w, gradient, f=lambda w: np.sin(w).sum(), **given):
    found = backproof.check(f, np.array(w), df=lambda _w: np.array(gradient), **given)
    assert found.verdict == "incorrect gradient"
    return found.causes


@pytest.mark.parametrize("added", [0.3 * X, 0.3 * np.sign(X), np.full(8, 0.3)])
@pytest.mark.parametrize("count", [2, 3])
def test_a_term_in_a_few_entries_has_no_name(added, count):
    few = np.arange(8) < count
    assert causes(X, np.cos(X) + few * added) == (f"not identified: W: {count} of 8 entries",)
    assert "0.3 times" in causes(X, np.cos(X) + added)[0]


@pytest.mark.parametrize("power", [3, 4])
def test_a_gradient_that_is_the_parameter_is_no_multiple_of_the_right_one(power):
    assert "in place of" in causes(X, X)[0]
    assert "scale" not in causes(X, X, lambda w: (w**power).sum())[0]
    assert causes(X, X, lambda w: (w**2).sum()) == ("scale: W: the gradient is 1/2 times the right one",)


@pytest.mark.parametrize(
    ("gradient", "name"),
    [(np.round(200 * X), "rounded"), (np.trunc(200 * X), "whole numbers"), (X > 0.5, "truth values")],
)
def test_whole_numbers_are_no_lower_precision_and_no_clip(gradient, name):
    assert causes(X, gradient.astype(int), lambda w: 100 * (w**2).sum())[0].startswith(name)
    assert causes(np.abs(X) + 1, np.ones(8))[0].partition(":")[0] not in ("cut off", "lower precision")


def test_a_gradient_that_is_cut_off_is_named():
    assert causes(X, np.clip(2 * X, -1, 1), lambda w: (w**2).sum()) == ("cut off: W: at ±1",)


def test_small_errors_are_those_of_single_entries():
    w = np.append(X, np.pi / 2 - 1e-6)
    off = np.cos(w) * np.append(np.ones(8), 1.02)
    assert not any("small errors" in cause for cause in causes(w, off))
    assert "small errors" in causes(w, np.cos(w) * (1 + 1e-6 * np.append(np.sin(X), 1)))[-1]


def test_what_looks_like_a_jump_is_not_said_to_be_one():
    """A continuous function that is steeper than any step that is tried."""
    found = backproof.check(
        lambda w: np.tanh(1e9 * (w[0] - 1)) + w[1] ** 2, np.ones(2), df=lambda w: np.array([1e9, 2 * w[1]])
    )
    assert found.verdict == "agrees"


@pytest.mark.parametrize(
    ("bounds", "line"),
    [
        (
            (X, X + np.arange(8)),
            "bounds: of W[0] must leave room to move it, or nothing can be checked; not",
        ),
        ((np.nan, 9), "bounds: of W[0] must be numbers; not from nan to 9"),
        ((9, -9), "bounds: of W[0] must be low before high; not from 9 to -9"),
    ],
)
def test_bounds_without_room(bounds, line):
    with pytest.raises(backproof.FunctionError) as refused:
        backproof.check(lambda w: (w**2).sum(), X, df=lambda w: 2 * w, bounds=bounds)
    assert str(refused.value).startswith(line)


def test_a_scalar_parameter_has_no_position():
    w, gradient = (np.ones(2), np.array(1.0)), (2 * np.ones(2), 1.1 * np.exp(1.0) + 0.3)
    found = backproof.check(lambda w: w[0] @ w[0] + np.exp(w[1]), w, df=lambda _w: gradient)
    assert found.causes == ("not identified: W[1]: the number",)


def test_where_nothing_is_named_the_remedy_is_no_first_cause():
    odd = np.cos(X) * (1 + 0.02 * np.random.default_rng(2).standard_normal(8))
    unnamed, named = (
        backproof.check(lambda w: np.sin(w).sum(), X, df=lambda _w, g=g: g) for g in (odd, -np.cos(X))
    )
    assert unnamed.causes == ("not identified: W: every entry",)
    assert "first cause" not in unnamed.remedy
    assert f"remedy: {unnamed.remedy}" in str(unnamed)
    assert json.loads(unnamed.as_json())["remedy"] == unnamed.remedy
    assert named.remedy == named.verdict.remedy


def test_an_array_that_holds_the_gradient_itself_is_no_explanation():
    gradient = np.cos(X) * (1 + 0.02 * np.random.default_rng(2).standard_normal(8))
    found = backproof.check(lambda w: np.sin(w).sum(), X, df=lambda _w: gradient)
    assert found.causes == ("not identified: W: every entry",)
