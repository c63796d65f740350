"""What several kinks say together of a gradient; of functions whose pieces are written out."""

import numpy as np
import pytest
from verdicts.test_tensors import SMOOTH, TOUCHED, compared

from backproof.estimates import one_sided
from backproof.estimates.one_sided import Kinked
from backproof.verdicts.mixtures import Mixtures
from backproof.verdicts.subgradients import Joint, Standing, joint_standing


def joint(f, g, pieces, *, steps=1e-3, smooth=0):
    """What is said of g at 0, where f has these pieces; `smooth` entries before it touch no kink."""
    n = len(g)
    low, high = np.min(pieces, axis=0), np.max(pieces, axis=0)
    pad = np.zeros(smooth)
    comparison = compared(
        np.append(pad, g), np.append(pad, (low + high) / 2), status=[SMOOTH] * smooth + [TOUCHED] * n,
        low=np.append(pad, low), high=np.append(pad, high), bound=1e-9,
    )  # fmt: skip
    at = np.arange(smooth, smooth + n)
    kinked = Kinked(lambda w: float(f(w[smooth:])), np.zeros(smooth + n), at, np.full(n, steps))
    return joint_standing(comparison, kinked)


def largest(w):
    return w.max()


def smallest(w):
    return w.min()


@pytest.mark.parametrize("smooth", [0, 3])
@pytest.mark.parametrize("steps", [1e-3, 1.0])
def test_the_direction_and_both_derivatives_are_said(steps, smooth):
    """Along (1, 1) the larger of both grows by 1, and g·v is 1.5."""
    found = joint(largest, [0.75, 0.75], np.eye(2), steps=steps, smooth=smooth)
    assert found.standing is Standing.NONE
    assert found.words == f"along a[{smooth}] + a[{smooth + 1}]"
    assert (found.derivative, found.product) == (pytest.approx(1), pytest.approx(1.5))
    assert str(found) == f"{found.words} the derivative is 1, and the gradient's 1.5"


def test_of_a_concave_function_the_gradient_grows_too_little():
    found = joint(smallest, [0.25, 0.25], np.eye(2))
    assert found.standing is Standing.NONE
    assert (abs(found.derivative), abs(found.product)) == (pytest.approx(1), pytest.approx(0.5))


def test_an_entry_outside_its_interval_is_named_with_its_sign():
    found = joint(lambda w: np.abs(w).sum(), [1.5, 0.2], [[1, 1], [-1, -1], [1, -1], [-1, 1]])
    assert (found.standing, found.words) == (Standing.NONE, "along a[0]")
    assert (found.derivative, found.product) == (pytest.approx(1), pytest.approx(1.5))
    found = joint(lambda w: np.abs(w).sum(), [-1.5, 0.2], [[1, 1], [-1, -1], [1, -1], [-1, 1]])
    assert (found.standing, found.words) == (Standing.NONE, "along − a[0]")
    assert (found.derivative, found.product) == (pytest.approx(1), pytest.approx(1.5))


def test_many_entries_alike_are_said_as_all():
    found = joint(largest, [0.5] * 4, np.eye(4))
    assert found.words == "along 1 in all 4 entries that touch a kink"
    assert (found.derivative, found.product) == (pytest.approx(1), pytest.approx(2))
    less = joint(largest, [0.1] * 4, np.eye(4))
    assert less.words == "along −1 in all 4 entries that touch a kink"
    assert (less.derivative, less.product) == (pytest.approx(-1), pytest.approx(-0.4))


@pytest.mark.parametrize("f", [largest, smallest])
@pytest.mark.parametrize("g", [[1.0, 0, 0], [0.2, 0.3, 0.5], [1 / 3] * 3])
def test_a_mixture_of_pieces_is_a_subgradient(f, g):
    found = joint(f, g, np.eye(3))
    assert found.standing is Standing.SUBGRADIENT
    assert found.words == "together a mixture of the loss's derivatives around the kinks"
    assert found.resolution == 1e-3


@pytest.mark.parametrize(("off", "standing"), [(5e-4, Standing.SUBGRADIENT), (3e-3, Standing.NONE)])
def test_a_mixture_is_met_to_a_thousandth_of_the_largest(off, standing):
    assert joint(largest, [0.5 + off, 0.5 + off], np.eye(2)).standing is standing


def median(w):
    return np.median(w)


def test_where_the_function_is_neither_convex_nor_concave_many_points_decide():
    assert joint(median, [0.2, 0.3, 0.5], np.eye(3)).standing is Standing.SUBGRADIENT
    wrong = joint(median, [1.0, 1.0, 0.0], np.eye(3))
    assert wrong.standing is Standing.NONE
    assert wrong.nearby > 3
    assert wrong.product > wrong.derivative
    assert f"is at most {wrong.derivative:.6g} at {wrong.nearby} points around the kinks" in str(wrong)


def test_what_is_decided_against_counts_most():
    assert Standing.SUBGRADIENT < Standing.UNDECIDED < Standing.NONE
    assert Joint(Standing.SUBGRADIENT).resolution == 0


# Mixtures


def mixtures(f, g):
    n = len(g)
    kinked = Kinked(lambda w: float(f(w)), np.zeros(n), np.arange(n), np.ones(n))
    return Mixtures(kinked, np.array(g, float), np.ones(n), np.ones(n))


def test_the_hull_holds_mixtures_and_says_what_is_lacking_of_others():
    assert mixtures(largest, [0.2, 0.3, 0.5]).holds()
    outside = mixtures(largest, [1.0, 1.0, 0.0])
    assert not outside.holds()
    v = outside.lacking
    assert np.linalg.norm(v) == pytest.approx(1)
    assert outside.reached == pytest.approx(max(v))  # of the pieces, which are the axes
    assert outside.g @ v > outside.reached


def test_a_gradient_near_the_kinks_is_found_once(monkeypatch):
    """Whatever was asked for before, and where those that are kept are too many."""
    asked = []

    def f(w):
        asked.append(1)
        return float(w.max())

    ways = np.random.default_rng(3).standard_normal((6, 4))
    kinked = Kinked(f, np.zeros(4), np.arange(4), np.ones(4))
    first = [kinked.piece(way) for way in ways]
    evaluated = len(asked)
    again = [kinked.piece(way) for way in ways[::-1]][::-1]
    assert len(asked) == evaluated
    np.testing.assert_equal(again, first)
    monkeypatch.setattr(one_sided, "MOST_PIECES", 2)
    few = Kinked(f, np.zeros(4), np.arange(4), np.ones(4))
    np.testing.assert_equal([few.piece(way) for way in (*ways, *ways)], [*first, *first])
    assert kinked.piece(ways[0], 0.5) is not first[0]


def test_a_hull_of_one_piece_is_that_piece():
    smooth = mixtures(lambda w: w @ np.array([1.0, -2.0]), [1.0, -2.0])
    assert smooth.holds()
    np.testing.assert_allclose(smooth.near.gradients - [1, -2], 0, atol=1e-9)
    assert not mixtures(lambda w: w @ np.array([1.0, -2.0]), [1.0, -1.9]).holds()
