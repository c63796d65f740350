"""Evidence: the valley of the error against the step, maps of what was changed, the alarms of baselines."""

import numpy as np
import pytest
from oracles import random_problem
from verdicts.test_judge import EXACT, Tampered, scaled, scaled_at

from backproof.network.faults import FAULTS
from backproof.network.rules import BackwardRule
from backproof.verdicts.baselines import FIXED, baselines_of
from backproof.verdicts.evidence import MAP, STEPS, error_against_step, evidence_of
from backproof.verdicts.view import view_of


def slope(exponents, errors, low, high):
    chosen = (exponents >= low) & (exponents <= high)
    return np.polyfit(exponents[chosen], np.log2(errors[chosen]), 1)[0]


def test_the_error_falls_by_truncation_and_rises_by_round_off():
    problem, weights = random_problem(3, hidden=(6, 5))
    view = view_of(problem, weights)
    exponents, errors = error_against_step(EXACT.gradient(problem, view.forward, weights), view)
    assert slope(exponents, errors, -8, -3) == pytest.approx(2, abs=0.1)
    assert slope(exponents, errors, -45, -25) == pytest.approx(-1, abs=0.1)


def test_a_wrong_rule_is_as_wrong_at_every_step():
    problem, weights = random_problem(3)
    view = view_of(problem, weights)
    wrong = BackwardRule(fault=FAULTS["derivative_squared"]()).gradient(problem, view.forward, weights)
    exponents, errors = error_against_step(wrong, view)
    assert abs(slope(exponents, errors, -30, -5)) < 1e-3


def test_maps_show_what_was_changed_and_nothing_else():
    problem, weights = random_problem(3)
    curves = evidence_of(Tampered(EXACT, scaled_at(0, 2, 1)), view_of(problem, weights))
    assert set(curves) == {STEPS, "error of W1 (6 units)", "error of W2 (3 units)"}
    maps = {MAP.fullmatch(k)["tensor"]: v for k, (_, v) in curves.items() if MAP.fullmatch(k)}
    assert np.argwhere(maps["W1"].reshape(6, -1) > 1).tolist() == [[2, 1]]
    assert maps["W2"].max() <= 1


def test_baselines_are_quiet_over_a_right_gradient_and_loud_over_a_doubled_one():
    view = view_of(*random_problem(3))
    quiet, loud = baselines_of(EXACT, view), baselines_of(Tampered(EXACT, scaled(2)), view)
    assert not any(quiet.values())
    assert all(loud.values())
    assert set(quiet) == {*FIXED, "allclose", "quadratic"}


def test_baselines_let_small_errors_pass_by_their_thresholds():
    found = baselines_of(Tampered(EXACT, scaled(1 + 1e-5)), view_of(*random_problem(3)))
    assert found == {
        "relative_1e_2": False, "relative_1e_4": False, "relative_1e_7": True, "allclose": False,
        "quadratic": False,
    }  # fmt: skip


def test_nothing_is_reported_where_nothing_is_finite():
    view = view_of(*random_problem(3, output="identity", loss="binary_cross_entropy"))
    assert set(baselines_of(EXACT, view).values()) == {None}
    assert evidence_of(EXACT, view) == {}
