"""Maxout, sorting and max pooling written by hand: what the check says of each convention at ties."""

import sys
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

import backproof

SPEC = spec_from_file_location("piecewise", Path(__file__).parents[1] / "examples" / "piecewise.py")
piecewise = sys.modules["piecewise"] = module_from_spec(SPEC)  # its folder is not on the path of other tests
SPEC.loader.exec_module(piecewise)

RIGHT = ("agrees", "valid subgradient")


def verdict(function, at, *args, **conventions):
    return str(backproof.check(lambda w: function(w, *args, **conventions), at).verdict)


@pytest.mark.parametrize("ties", piecewise.TIES)
@pytest.mark.parametrize("seed", range(3))
def test_away_from_ties_every_convention_agrees(ties, seed):
    w, x = piecewise.maxout_start(seed)
    assert verdict(piecewise.maxout, w, x, ties=ties) == "agrees"
    assert verdict(piecewise.top, piecewise.top_start(seed), ties=ties) == "agrees"


@pytest.mark.parametrize("seed", range(3))
def test_at_ties_one_of_the_candidates_is_a_subgradient_and_equal_parts_are_the_mean(seed):
    w, x = piecewise.maxout_start(seed, tied=True)
    assert verdict(piecewise.maxout, w, x, ties="first") in (*RIGHT, "undetermined")
    assert verdict(piecewise.maxout, w, x, ties="shared") in RIGHT
    tied = piecewise.top_start(seed, tied=True)
    assert verdict(piecewise.top, tied, ties="first") == "valid subgradient"
    assert verdict(piecewise.top, tied, ties="shared") == "agrees"


@pytest.mark.parametrize("seed", range(3))
def test_the_whole_gradient_to_each_of_those_that_share_a_place_is_wrong(seed):
    assert verdict(piecewise.top, piecewise.top_start(seed, tied=True), ties="all") == "incorrect gradient"


@pytest.mark.xfail(strict=True, reason="24 entries at kinks of a loss that is not convex")
def test_the_whole_gradient_to_each_of_three_equal_pieces_is_wrong():
    """Moving all pieces together is smooth there, and the gradient is three times the derivative."""
    w, x = piecewise.maxout_start(0, tied=True)
    assert verdict(piecewise.maxout, w, x, ties="all") == "incorrect gradient"


@pytest.mark.parametrize("ties", ["first", "shared"])
@pytest.mark.parametrize("bias", [0.1, -0.1])
def test_blank_patches_are_ties_that_move_together_so_that_any_one_of_them_gives_the_derivative(ties, bias):
    w, images, targets = piecewise.convolution_start(0, bias=bias)
    assert verdict(piecewise.convolution, w, images, targets, ties=ties) == "agrees"


def test_the_gradient_for_each_blank_patch_is_several_times_too_large_in_the_bias():
    w, images, targets = piecewise.convolution_start(0)
    wrong = backproof.check(lambda w: piecewise.convolution(w, images, targets, ties="all"), w)
    assert wrong.verdict == "incorrect gradient"
    assert "column 9" in str(wrong.causes[0])
    rows = piecewise.patches(images)[..., :9]
    assert (rows == 0).all(axis=-1).mean() > 0.02  # there are blank patches


@pytest.mark.parametrize(
    ("ties", "at_zero", "right"),
    [("first", 0.0, True), ("shared", 0.0, True), ("shared", 0.5, True), ("all", 1.0, False)],
)
def test_without_a_bias_blank_patches_are_on_the_kink_of_relu_as_well(ties, at_zero, right):
    w, images, targets = piecewise.convolution_start(0, channels=2, bias=0)
    found = verdict(piecewise.convolution, w, images, targets, ties=ties, relu_at_zero=at_zero)
    assert found == ("valid subgradient" if right else "incorrect gradient")


def test_conventions_are_documented_and_others_refused():
    values = np.array([[2.0, 2.0, 1.0]])
    shares = [piecewise.share_of_largest(values, ties).tolist() for ties in piecewise.TIES]
    assert shares == [[[1, 0, 0]], [[0.5, 0.5, 0]], [[1, 1, 0]]]
    with pytest.raises(ValueError, match="ties must be one of"):
        partial(piecewise.share_of_largest, ties="last")(values)
