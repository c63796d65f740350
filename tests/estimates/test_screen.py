"""Screens: the probability of a miss is what it is said to be, and bounds hold what they should."""

import math

import numpy as np
import pytest

from backproof.estimates.screen import (
    DIRECTIONS,
    ENDS,
    MISS,
    Changes,
    probability_of_a_miss,
    screened,
    smallest_error_seen,
)
from backproof.targets.layout import in_sequence

W = np.linspace(0.5, 1.5, 8)
LAYOUT = in_sequence(["W"], [(8,)])


def screen_of(f, analytic, *, seed=0, asked=1e-3, w=W, **more):
    def along(steps, moves):
        return Changes(np.array([[f(w + h * v) - f(w) for v in moves] for h in steps]), kinked=False)

    draw = np.random.default_rng(seed)
    spacing = np.finfo(float).eps * abs(f(w))
    return screened(along, spacing, analytic, np.abs(w), LAYOUT, generator=draw, asked=asked, **more)


def cubes(w):
    return float(np.sum(w**3))


@pytest.mark.parametrize("errors", [[1.0], [1.0, 1.0], [1.0, -1.0, 0.5], [0.3] * 40, [1.0, *[0.01] * 20]])
def test_errors_of_any_shape_are_missed_no_more_often_than_is_stated(errors):
    errors, count = np.array(errors), 400_000
    draws = (np.random.default_rng(1).random((count, len(errors))) - 0.5) * math.sqrt(12)
    size, missed = float(np.linalg.norm(errors)), np.abs(draws @ errors)
    for bound in (0.05 * size, 0.01 * size):
        stated, seen = probability_of_a_miss(bound, size, 1), float(np.mean(missed <= 2 * bound))
        assert seen <= stated + 5 * math.sqrt(stated / count)
        if len(errors) == 2:  # the section of a square along its diagonal is the largest there is
            assert seen >= 0.95 * stated


def test_directions_multiply_and_many_wrong_entries_are_seen_better_than_one():
    one = probability_of_a_miss(1e-6, 1e-3, 1)
    assert probability_of_a_miss(1e-6, 1e-3, 4) == pytest.approx(one**4)
    assert probability_of_a_miss(1e-6, 1e-3, 1, entries=100) == pytest.approx(one / 10)
    assert probability_of_a_miss(1e-6, 0.0, 4) == probability_of_a_miss(1.0, 1e-3, 4) == 1


def test_the_resolution_is_the_error_that_is_missed_with_the_stated_probability():
    error = smallest_error_seen(1e-7, DIRECTIONS)
    assert probability_of_a_miss(1e-7, error, DIRECTIONS) == pytest.approx(MISS)
    assert probability_of_a_miss(1e-7, error / 2, DIRECTIONS) == pytest.approx(2**DIRECTIONS * MISS)


@pytest.mark.parametrize("seed", range(40))
def test_a_right_gradient_agrees_and_one_entry_off_by_a_ten_thousandth_does_not(seed):
    right = 3 * W**2
    found = screen_of(cubes, right, seed=seed)
    assert found.agrees
    assert found.resolution < 1e-4
    for entry in (0, 7):
        wrong = right.copy()
        wrong[entry] *= 1 + 1e-4
        assert not screen_of(cubes, wrong, seed=seed).agrees


def test_a_wrong_entry_of_a_tensor_with_a_small_gradient_is_not_drowned():
    w = np.ones(8)
    layout = in_sequence(["V", "W"], [(4,), (4,)])
    weights = np.array([10.0] * 4 + [1e-3] * 4)
    wrong = weights.copy()
    wrong[6] *= 1.01

    def along(steps, moves):
        return Changes(np.array([[float(weights @ (h * v)) for v in moves] for h in steps]), kinked=False)

    for analytic, agrees in ((weights, True), (wrong, False)):
        draw = np.random.default_rng(3)
        found = screened(along, 1e-15, analytic, w, layout, generator=draw, asked=1e-3)
        assert found.agrees is agrees


def test_what_a_screen_cannot_tell_is_left_to_the_full_check():
    right = 3 * W**2
    assert screen_of(cubes, np.zeros(8)) is None
    assert screen_of(lambda w: float("nan") if (w != W).any() else 1.0, right) is None
    assert screen_of(lambda w: float(np.float32(cubes(w))), right) is None
    assert screen_of(cubes, right, asked=1e-9) is None
    assert screen_of(cubes, right, rounding=np.full(8, 0.1)) is None
    assert screen_of(cubes, right, allowed=1e-3) is None


def test_a_kink_at_the_point_is_no_agreement_whatever_the_gradient_says():
    def kinked(w):
        return float(np.sum(np.abs(w - 1)))

    w, half = np.ones(8), np.zeros(8)
    half[0] = 1.0
    for analytic in (half, np.ones(8), -np.ones(8)):
        found = screen_of(kinked, analytic, w=w)
        assert found is None or not found.agrees


def test_the_known_rounding_of_a_gradient_is_part_of_the_resolution():
    right = 3 * W**2
    plain, rounded = screen_of(cubes, right), screen_of(cubes, right, rounding=1e-5 * right)
    assert plain.resolution + 0.5e-5 < rounded.resolution < plain.resolution + 1.1e-5


def test_the_step_is_shortened_where_a_kink_is_met():
    longest = []

    def along(steps, moves):
        longest.append(steps[0])
        changes = np.array([[cubes(W + h * v) - cubes(W) for v in moves] for h in steps])
        return Changes(changes, kinked=len(longest) == 1)

    found = screened(
        along, 1e-15, 3 * W**2, W, LAYOUT, generator=np.random.default_rng(0), asked=1e-3
    )  # fmt: skip
    assert found.agrees
    assert longest[1] < longest[0] / 4
    assert len(ENDS) == 3
