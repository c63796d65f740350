"""What is known around a check: other checks' alarms, clipped outputs, kinks, views, screens."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from oracles import random_problem
from verdicts.test_judge import (
    EXACT,
    Given,
    Tampered,
    beside_the_kink,
    clipped,
    generic,
    on_the_kink,
    scaled,
    scaled_at,
)

from backproof.estimates.stencils import Scheme
from backproof.network.rules import BackwardRule
from backproof.verdicts.baselines import baselines_of
from backproof.verdicts.details import NetworkDetails
from backproof.verdicts.evidence import STEPS, error_against_step, error_maps, evidence_of
from backproof.verdicts.network import LARGEST, NetworkEvidence, NetworkTarget, judge_network
from backproof.verdicts.network_screening import screened_network
from backproof.verdicts.screening import is_coarse, judged
from backproof.verdicts.subgradients import Standing
from backproof.verdicts.view import evaluated_at, view_of

# Other checks


def alarms(tamper, **choice):
    view = view_of(*random_problem(3, **choice))
    return baselines_of(Tampered(EXACT, tamper), view)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (0.9e-7, set()),
        (1.1e-7, {"relative_1e_7"}),
        (0.9e-4, {"relative_1e_7"}),
        (1.1e-4, {"relative_1e_7", "relative_1e_4"}),
        (0.9e-2, {"relative_1e_7", "relative_1e_4"}),
        (1.1e-2, {"relative_1e_7", "relative_1e_4", "relative_1e_2"}),
    ],
)
def test_thresholds_are_relative_to_the_larger_of_both(error, raised):
    """x and x / (1 − e) differ by e of the larger one."""
    found = alarms(scaled(1 / (1 - error)))
    assert {name for name in found if name.startswith("relative") and found[name]} == raised


def shifted(by):
    def tamper(gradient):
        gradient[0][0, 0] += by

    return tamper


def test_allclose_allows_a_thousandth_and_a_little_beside_it():
    view = view_of(*random_problem(3))
    right = EXACT.gradient(view.problem, view.forward, view.weights)[0][0, 0]
    for off, alarm in ((0.99, False), (1.01, True)):
        found = baselines_of(Tampered(EXACT, shifted(off * (1e-5 + 1e-3 * abs(right)))), view)
        assert found["allclose"] is alarm


@pytest.mark.parametrize(("size", "output"), [(1.0, "sigmoid"), (300.0, "identity")])
def test_the_quadratics_tolerance_is_relative_to_1_or_the_derivative(size, output):
    problem, weights = random_problem(3, output=output)
    problem = replace(problem, targets=problem.targets * size)
    view = view_of(problem, weights)
    right = abs(EXACT.gradient(problem, view.forward, weights)[0][0, 0])
    assert (right > 1) == (output == "identity")
    for off, alarm in ((0.98, False), (1.02, True)):
        found = baselines_of(Tampered(EXACT, shifted(off * 1e-4 * max(1, right))), view)
        assert found["quadratic"] is alarm


def test_only_entries_that_were_measured_raise_an_alarm():
    problem, weights = random_problem(3)
    selected = [np.zeros(w.shape, bool) for w in weights]
    selected[1][0, 0] = True
    view = view_of(problem, weights, selected=selected)
    assert not any(baselines_of(Tampered(EXACT, shifted(5.0)), view).values())
    assert all(baselines_of(Tampered(EXACT, scaled_at(1, 0, 0, 3.0)), view).values())


def test_a_gradient_that_is_not_finite_raises_no_alarm():
    assert set(alarms(scaled(np.nan)).values()) == {None}


# The error against the step


def test_steps_reach_from_a_quarter_to_where_the_precision_ends():
    problem, weights = random_problem(3)
    view = view_of(problem, weights)
    exponents, errors = error_against_step(EXACT.gradient(problem, view.forward, weights), view)
    assert exponents.tolist() == list(range(-52, -1))
    assert np.isfinite(errors).all()
    single = view_of(*random_problem(3, precision="float32"))
    gradient = EXACT.gradient(single.problem, single.forward, single.weights)
    assert error_against_step(gradient, single)[0].tolist() == list(range(-23, -1))


def test_two_hundred_parameters_are_swept_and_the_last_is_among_them():
    problem, weights = random_problem(3, hidden=(30,), features=9)
    assert sum(w.size for w in weights) == 393  # so that the steps between those that are swept are 1 and 2
    view = view_of(problem, weights)
    right = EXACT.gradient(problem, view.forward, weights)
    error = error_against_step(right, view)[1][-20]
    for at, seen in (((1, -1, -1), True), ((0, 0, 2), False)):
        wrong = [g.copy() for g in right]
        wrong[at[0]][at[1:]] += 1
        assert (error_against_step(wrong, view)[1][-20] != error) == seen


def test_maps_are_excesses_of_the_measured_entries():
    problem, weights = random_problem(3)
    selected = [np.zeros(w.shape, bool) for w in weights]
    selected[1][0, 2] = selected[1][1, 1] = True
    view = view_of(problem, weights, selected=selected)
    gradient = EXACT.gradient(problem, view.forward, weights)
    gradient[1][0, 2] += 3 * view.estimate.bound[0]
    gradient[1][2, 2] += 1
    maps = error_maps(gradient, view)
    assert [(name, m.shape) for name, m in maps.items()] == [("W1", (6, 5)), ("W2", (3, 7))]
    assert not maps["W1"].any()
    assert maps["W2"][0, 2] == pytest.approx(3, rel=0.4)
    assert np.argwhere(maps["W2"] > 1).tolist() == [[0, 2]]
    curves = evidence_of(Given(gradient), view)
    assert curves["error of W2 (3 units)"][0].tolist() == list(range(21))
    assert curves["error of W2 (3 units)"][1].tolist() == maps["W2"].ravel().tolist()
    assert STEPS in curves


# Details


def test_clipped_outputs_are_listed_with_their_values():
    problem, weights = clipped()
    view = view_of(problem, weights)
    found = NetworkDetails(view).clipped
    y = view.forward.outputs
    expected = [(i, k) for i, k in np.ndindex(y.shape) if y[i, k] < 0.3 or 1 - y[i, k] < 0.3]
    assert [(o.sample, o.output) for o in found] == expected
    assert all(o.y == y[o.sample, o.output] for o in found)
    assert NetworkDetails(view_of(*generic())).clipped == []


def test_the_kinks_of_an_entry_and_of_each():
    view = view_of(*on_the_kink())
    details = NetworkDetails(view)
    words = details.kinks_of_each()
    touched = np.flatnonzero(view.estimate.touched)
    assert len(touched) == 6
    assert [bool(w) for w in words] == view.estimate.touched.tolist()
    assert details.kinked_parameter == touched[-1]
    assert [str(k) for k in details.kinks] == words[touched[-1]].split("; ")
    assert details.kinks_of(int(touched[0]))[0].sample == 0
    assert NetworkDetails(view_of(*beside_the_kink())).kinked_parameter is not None
    smooth = NetworkDetails(view_of(*generic()))
    assert (smooth.kinked_parameter, smooth.kinks, set(smooth.kinks_of_each())) == (None, [], {""})


def test_safe_steps_meet_no_kink():
    """A unit whose pre-activation is 0.01 in one sample: its bias may move by as much."""
    view = view_of(*beside_the_kink(0.01))
    details = NetworkDetails(view)
    assert details.safe_steps.shape == (6 * 5 + 3 * 7,)
    assert details.safe_steps.reshape(-1)[4] == pytest.approx(0.01)
    assert details.safe_steps_by_tensor["b1"] == pytest.approx(0.01)
    assert details.safe_steps_by_tensor["b1"] == details.safe_steps[: 6 * 5].reshape(6, 5)[:, -1].min()
    assert details.safe_steps_by_tensor["W2"] == np.inf


def test_without_an_estimate_there_are_no_details():
    details = NetworkDetails(evaluated_at(*on_the_kink()))
    assert (details.safe_steps.tolist(), details.safe_steps_by_tensor) == ([], {})
    assert (details.kinked_parameter, details.kinks, details.kinks_of_each()) == (None, [], [])


# Views


def test_a_view_knows_whether_its_differences_were_chosen():
    network = generic()
    assert not view_of(*network).chosen
    assert not evaluated_at(*network).chosen
    assert view_of(*network, step=0.01).chosen
    assert view_of(*network, scheme=Scheme.COMPLEX).chosen
    assert not view_of(*network, scheme=Scheme.FIVE_POINT).chosen
    assert evaluated_at(*network).estimate is None


def test_what_is_computed_once_is_kept_by_name():
    view, calls = evaluated_at(*generic()), []

    def work():
        calls.append(1)
        return np.arange(3)

    for name in ("a", "a", "b"):
        assert view.once(name, work).tolist() == [0, 1, 2]
    assert len(calls) == 2


# The network before the judge


def test_a_target_knows_its_network():
    problem, weights = generic(precision="float32")
    view = view_of(problem, weights, step=0.01)
    target = NetworkTarget(EXACT, view)
    assert (target.precision, target.differences_chosen, target.rtol) == ("float32", True, 0)
    assert target.loss == pytest.approx(float(problem.forward(weights).loss))
    assert target.size == sum(w.size for w in weights)
    assert (target.reference(None), target.finer()) == (None, None)
    assert target.own().precision == "float32"
    assert NetworkTarget(EXACT, evaluated_at(problem, weights)).own() is None


def test_outputs_outside_the_domain_and_clips_are_remarks():
    network = random_problem(3, output="identity", loss="binary_cross_entropy", clip="floor")
    target = NetworkTarget(EXACT, view_of(*network))
    share = (
        (network[0].forward(network[1]).outputs < 0) | (network[0].forward(network[1]).outputs > 1)
    ).mean()
    assert target.remarks()[0].detail == f"{share:.1%} of the outputs"
    assert target.clipped()
    assert NetworkTarget(EXACT, view_of(*generic())).remarks() == []
    assert not NetworkTarget(EXACT, view_of(*generic())).clipped()


def test_gradients_that_are_too_large_have_no_causes():
    view = view_of(*generic())
    right = EXACT.gradient(view.problem, view.forward, view.weights)
    for size, named in ((0.9 * LARGEST, True), (1.1 * LARGEST, False)):
        wrong = [g.copy() for g in right]
        wrong[0][0, 0] = size
        assert bool(NetworkEvidence(Given(wrong), view).explain().causes) == named


@pytest.mark.parametrize("weight", [0.3, 0.0, 0.5, 1.0])
def test_one_weight_at_all_kinks_is_a_subgradient(weight):
    view = view_of(*on_the_kink())
    joint = NetworkEvidence(BackwardRule(relu_at_zero=weight), view).joint()
    assert joint.words == f"together the derivative with {weight:g} at kinks"
    assert 0 <= joint.resolution < 1e-6


@pytest.mark.parametrize(("weight", "standing"), [(1.24, Standing.UNDECIDED), (1.26, Standing.NONE)])
def test_a_weight_beyond_both_sides_is_none(weight, standing):
    """Within a quarter of what both sides differ by there may be a gradient that was missed."""
    view = view_of(*on_the_kink())
    joint = NetworkEvidence(BackwardRule(relu_at_zero=weight), view).joint()
    assert joint.standing is standing


# Screens


def test_a_precision_is_coarse_beside_what_a_hundred_of_its_roundings_exceed():
    assert not is_coarse(1e-5, 1e-3)
    assert is_coarse(1.01e-5, 1e-3)


def test_a_screen_judges_only_what_agrees():
    found = SimpleNamespace(
        agrees=True, analytic=np.array([2.0]), value=np.array([1.0]), excess=0.5, resolution=1e-5
    )
    judgement = judged(found, 99)
    assert (judgement.verdict, judgement.parameters, judgement.excess, judgement.resolution) == (
        "agrees",
        99,
        0.5,
        1e-5,
    )
    assert judgement.gradient_error == pytest.approx(1 / 3)
    assert judgement.screen is found
    found.agrees = False
    assert judged(found, 99) is None
    assert judged(None, 99) is None


SCREENED = [{}, {"activation": "relu"}, {"precision": "float32"}, {"loss": "binary_cross_entropy"}]


@pytest.mark.parametrize("choice", SCREENED, ids=str)
def test_a_screen_passes_a_right_network_and_no_wrong_one(choice):
    problem, weights = generic(**choice)
    view = evaluated_at(replace(problem, l2=0.1), weights)
    found = screened_network(NetworkTarget(EXACT, view), 0)
    assert found.verdict == "agrees"
    assert found.parameters == sum(w.size for w in weights)
    assert found.excess <= 1
    assert found.resolution < 1e-3
    for tamper in (scaled(1.002), scaled_at(1, 2, 3, 1.1), scaled_at(0, 0, 0, 1.1)):
        assert screened_network(NetworkTarget(Tampered(EXACT, tamper), view), 0) is None


def test_a_screen_leaves_kinks_and_coarse_precisions_to_the_full_check():
    assert screened_network(NetworkTarget(EXACT, evaluated_at(*on_the_kink())), 0) is None
    assert screened_network(NetworkTarget(EXACT, evaluated_at(*beside_the_kink())), 0) is None
    assert screened_network(NetworkTarget(EXACT, evaluated_at(*generic(precision="float16"))), 0) is None
    infinite = random_problem(3, output="identity", loss="binary_cross_entropy")
    assert screened_network(NetworkTarget(EXACT, evaluated_at(*infinite)), 0) is None


def test_without_an_explanation_a_verdict_is_the_same():
    wrong = Tampered(EXACT, scaled(1.01))
    view = view_of(*generic())
    assert judge_network(wrong, view, explain=False).verdict == judge_network(wrong, view).verdict
