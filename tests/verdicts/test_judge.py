"""Every verdict is reached, for the right reason; a gradient that is wrong is refused, a right one is not."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import random_problem

from backproof.differences import numeric_gradient
from backproof.network import BackwardRule
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import PRECISIONS
from backproof.network.faults import FAULTS
from backproof.network.rules import DELTAS
from backproof.verdicts import VERDICTS, judge, look_at_outputs
from backproof.verdicts.judge import VISIBLE, gradient_error

EXACT, CANONICAL = BackwardRule(DELTAS["exact"]), BackwardRule(DELTAS["canonical"])


def judged(problem, weights, rule=EXACT, *, tamper=None, selected=None):
    """The verdict on a rule's gradient, which `tamper` may change in place before it is judged."""
    forward = problem.forward(weights)
    gradient = rule.gradient(problem, forward, weights)
    if tamper:
        tamper(gradient)
    numeric = numeric_gradient(problem, weights, selected=selected)
    return judge(gradient, numeric, look_at_outputs(problem, forward))


def scaled(factor):
    def tamper(gradient):
        for g in gradient:
            g *= factor

    return tamper


def scaled_at(layer, unit, column, factor=1.001):
    def tamper(gradient):
        gradient[layer][unit, column] *= factor

    return tamper


def generic(seed=1, **choice):
    """Features and the first hidden layer are four each, so that there is a square matrix."""
    return random_problem(seed, **{"hidden": (4, 5), **choice})


def on_the_kink():
    """Six ReLU units, all on zero exactly in the first sample and only there."""
    problem, weights = random_problem(8, activation="relu", bias="zero")
    problem.inputs[0] = 0
    return problem, weights


def beside_the_kink(distance=1e-12):
    """Two of six ReLU units so near zero in the first sample that no step avoids it."""
    problem, weights = random_problem(8, activation="relu")
    problem.inputs[0] = 0
    weights[0][:2, -1] = distance, -distance
    return problem, weights


def outside():
    return random_problem(3, output="identity", loss="logistic")


def saturated(clip, seed=4):
    return random_problem(seed, loss="logistic", clip=clip, eps=1e-15, init_scale=64)


CASES = {
    "agrees": (generic, EXACT),
    "valid subgradient": (on_the_kink, EXACT),
    "wrong rule": (
        lambda: generic(activation="relu", output="relu", loss="logistic", clip="floor"),
        CANONICAL,
    ),
    "kink crossed": (beside_the_kink, BackwardRule(relu_at_zero=0.5)),
    "outside domain": (outside, EXACT),
    "undetermined": (lambda: saturated("floor"), EXACT),
    "not finite": (lambda: saturated("none"), EXACT),
}


def test_there_is_a_case_for_every_verdict():
    assert set(CASES) == set(VERDICTS) - {"not checked"}


@pytest.mark.parametrize("name", CASES)
def test_every_verdict_is_reached(name):
    network, rule = CASES[name]
    found = judged(*network(), rule)
    assert found.verdict is VERDICTS[name]
    assert bool(found.causes) == (name != "agrees")


def test_verdicts_can_be_told_apart_and_explain_themselves():
    assert len({v.symbol for v in VERDICTS.values()}) == len(VERDICTS)
    assert all(len(v.symbol) == 1 and v.sentence and v.remedy for v in VERDICTS.values())
    assert {v.name for v in VERDICTS.values() if v.right} == {"agrees", "valid subgradient"}


# A wrong gradient


MATCHED = [
    ("sigmoid", "squared_error"),
    ("sigmoid", "logistic"),
    ("softmax", "categorical"),
    ("relu", "squared_error"),
]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("output", "loss"), MATCHED)
def test_a_gradient_wrong_by_one_in_a_thousand_is_a_wrong_rule(activation, output, loss):
    network = generic(activation=activation, output=output, loss=loss)
    right, wrong = judged(*network), judged(*network, tamper=scaled(1.001))
    assert right.verdict is VERDICTS["agrees"]
    assert right.excess <= 1
    assert right.gradient_error < 1e-8
    assert wrong.verdict is VERDICTS["wrong rule"]
    assert wrong.excess > 1
    np.testing.assert_allclose(wrong.gradient_error, 0.001 / 2.001, rtol=1e-4)
    assert wrong.causes[0] == "delta at the output"


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("seed", range(4))
def test_in_every_precision_a_right_gradient_agrees_and_a_doubled_one_does_not(precision, seed):
    network = generic(seed, precision=precision)
    assert judged(*network).verdict is VERDICTS["agrees"]
    assert judged(*network, tamper=scaled(2)).verdict is VERDICTS["wrong rule"]


SMALL = random_problem(0, loss="logistic")
ENTRIES = [(layer, *at) for layer, w in enumerate(SMALL[1]) for at in np.ndindex(w.shape)]


@pytest.mark.parametrize(("layer", "unit", "column"), ENTRIES)
def test_a_single_entry_wrong_by_one_in_a_thousand_is_a_wrong_rule_and_is_named(layer, unit, column):
    found = judged(*SMALL, tamper=scaled_at(layer, unit, column))
    depth, is_bias = layer + 1, column == SMALL[1][layer].shape[1] - 1
    assert found.verdict is VERDICTS["wrong rule"]
    assert found.worst_parameter == (f"b{depth}[{unit}]" if is_bias else f"W{depth}[{unit},{column}]")
    tensor = f"b{depth}" if is_bias else f"W{depth}"
    assert {t.name: t.disagreeing for t in found.tensors} == {
        name: int(name == tensor) for name in ("W1", "b1", "W2", "b2")
    }
    assert found.causes == ("delta at the output" if layer else "slope or weights above layer 1",)


@pytest.mark.parametrize(("at", "name"), [((1, 1, 2), "W2[1,2]"), ((0, 0, -1), "b1[0]")])
def test_the_worst_parameter_is_the_planted_one(at, name):
    found = judged(*SMALL, tamper=scaled_at(*at))
    right = EXACT.gradient(SMALL[0], SMALL[0].forward(SMALL[1]), SMALL[1])
    assert found.worst_parameter == name
    tensor = next(t for t in found.tensors if t.worst == name)
    assert tensor.excess == found.excess
    np.testing.assert_allclose(tensor.analytic, 1.001 * right[at[0]][at[1:]], rtol=1e-12)
    np.testing.assert_allclose(tensor.numeric, right[at[0]][at[1:]], rtol=1e-6)
    np.testing.assert_allclose(tensor.excess, abs(tensor.analytic - tensor.numeric) / tensor.budget)


@pytest.mark.parametrize(
    ("budgets", "name"), [(0.95, "agrees"), (-0.95, "agrees"), (1.05, "wrong rule"), (-1.05, "wrong rule")]
)
def test_the_line_is_drawn_at_the_budget(budgets, name):
    problem, weights = SMALL
    numeric = numeric_gradient(problem, weights)
    gradient = [layer.gradient.copy() for layer in numeric.layers]
    gradient[1][1, 2] += budgets * numeric.layers[1].budget[1, 2]
    found = judge(gradient, numeric, look_at_outputs(problem, problem.forward(weights)))
    assert found.verdict is VERDICTS[name]
    assert found.worst_parameter == "W2[1,2]"
    assert found.excess == pytest.approx(abs(budgets), rel=1e-3)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_every_planted_fault_is_a_wrong_rule(fault, activation, reduction):
    found = judged(*generic(activation=activation, reduction=reduction), BackwardRule(fault=FAULTS[fault]))
    assert found.verdict is VERDICTS["agrees" if fault == "none" else "wrong rule"]


@pytest.mark.parametrize(
    ("fault", "choice"),
    [
        ("missing_slope", {"activation": "identity", "output": "identity"}),
        ("slope_of_value", {"activation": "relu", "output": "relu"}),
        ("transposed", {"hidden": (6,)}),
        ("bias_not_summed", {"samples": 1}),
        ("divided_by_samples", {"samples": 1}),
        ("updated_weights", {"hidden": ()}),
    ],
)
def test_a_fault_that_has_no_effect_is_no_fault(fault, choice):
    assert judged(*generic(**choice), BackwardRule(fault=FAULTS[fault])).verdict is VERDICTS["agrees"]


@pytest.mark.parametrize(
    ("fault", "wrong", "cause"),
    [
        ("sign", {"W1", "b1", "W2", "b2", "W3", "b3"}, "delta at the output"),
        ("no_bias", {"b1", "b2", "b3"}, "delta at the output"),
        ("transposed", {"W1"}, "slope or weights above layer 1"),
        ("accumulated_twice", {"W1", "b1"}, "slope or weights above layer 1"),
        ("updated_weights", {"W1", "b1", "W2", "b2"}, "slope or weights above layer 2"),
    ],
)
def test_the_tensors_that_disagree_and_the_topmost_layer_are_named(fault, wrong, cause):
    found = judged(*generic(), BackwardRule(fault=FAULTS[fault]))
    assert {t.name for t in found.tensors if t.disagreeing} == wrong
    assert {t.name for t in found.tensors if t.excess > 1} == wrong
    assert found.causes == (cause,)
    assert [t.name for t in found.tensors] == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert [t.size for t in found.tensors] == [16, 4, 20, 5, 15, 3]


def test_where_the_clip_is_active_or_outputs_leave_the_domain_a_wrong_rule_says_so():
    found = judged(
        *random_problem(3, output="identity", loss="logistic", clip="floor"),
        BackwardRule(clip_backward="ignored"),
    )
    assert found.verdict is VERDICTS["wrong rule"]
    assert {"clip active", "outside domain"} <= set(found.causes)


# What is counted


@pytest.mark.parametrize("rule", [EXACT, CANONICAL], ids=["exact", "canonical"])
def test_only_selected_parameters_are_judged(rule):
    problem, weights = generic()
    selected = [np.zeros(w.shape, bool) for w in weights]
    selected[0][1, 2] = selected[2][0, -1] = True
    found = judged(problem, weights, rule, tamper=scaled_at(1, 0, 0, np.nan), selected=selected)
    assert found.parameters == 2
    assert [(t.name, t.size, t.worst) for t in found.tensors] == [("W1", 1, "W1[1,2]"), ("b3", 1, "b3[0]")]
    assert found.verdict is VERDICTS["agrees" if rule is EXACT else "wrong rule"]


def test_of_equal_gradients_a_selected_parameter_is_shown_and_none_is_the_worst():
    problem, weights = generic()
    selected = [np.zeros(w.shape, bool) for w in weights]
    selected[1][3, 2] = True
    numeric = numeric_gradient(problem, weights, selected=selected)
    gradient = [layer.gradient for layer in numeric.layers]
    found = judge(gradient, numeric, look_at_outputs(problem, problem.forward(weights)))
    assert [(t.worst, t.excess) for t in found.tensors] == [("W2[3,2]", 0)]
    assert (found.worst_parameter, found.gradient_error) == (None, 0)


def test_nothing_selected_is_nothing_wrong():
    problem, weights = generic()
    found = judged(problem, weights, CANONICAL, selected=[np.zeros(w.shape, bool) for w in weights])
    assert (found.verdict.name, found.gradient_error, found.excess) == ("agrees", 0.0, 0.0)
    assert (found.parameters, found.worst_parameter, found.tensors) == (0, None, ())


def test_no_samples_agree():
    found = judged(*random_problem(0, samples=0))
    assert (found.verdict.name, found.gradient_error, found.excess) == ("agrees", 0.0, 0.0)
    assert (found.parameters, found.worst_parameter) == (6 * 5 + 3 * 7, None)


def test_touched_and_crossed_parameters_are_counted():
    """In the sample that lies at the kink all inputs are zero, so its six units are moved by b1 alone."""
    smooth = judged(*random_problem(8))
    assert (smooth.parameters, smooth.touched, smooth.crossed) == (6 * 5 + 3 * 7, 0, 0)
    touching = judged(*on_the_kink())
    assert (touching.touched, touching.crossed) == (6, 0)
    crossing = judged(*beside_the_kink())
    assert (crossing.touched, crossing.crossed) == (0, 2)
    distant = judged(*beside_the_kink(0.01))
    assert (distant.touched, distant.crossed, distant.verdict.name) == (0, 0, "agrees")


# Kinks


@pytest.mark.parametrize(
    ("number", "name"),
    [(0.0, "valid subgradient"), (0.5, "agrees"), (1.0, "valid subgradient"), (0.3, "valid subgradient")],
)
def test_at_a_kink_every_number_between_the_slopes_is_allowed(number, name):
    found = judged(*on_the_kink(), BackwardRule(relu_at_zero=number))
    assert found.verdict is VERDICTS[name]
    assert found.causes == (("kink touched",) if name != "agrees" else ())


@pytest.mark.parametrize("number", [-0.5, 1.5])
def test_at_a_kink_a_number_beyond_the_slopes_is_wrong(number):
    found = judged(*on_the_kink(), BackwardRule(relu_at_zero=number))
    assert found.verdict is VERDICTS["wrong rule"]
    assert "outside the one-sided slopes at a kink" in found.causes


@pytest.mark.parametrize("number", [0.5, 1.0])
def test_a_number_assigned_at_a_kink_is_wrong(number):
    found = judged(*on_the_kink(), BackwardRule(relu_at_zero=number, kink="assign"))
    assert found.verdict is VERDICTS["wrong rule"]
    assert "outside the one-sided slopes at a kink" in found.causes
    assert {t.name for t in found.tensors if t.disagreeing} == {"b1"}


def test_zero_assigned_at_a_kink_is_zero_multiplied():
    found = judged(*on_the_kink(), BackwardRule(relu_at_zero=0.0, kink="assign"))
    assert found.verdict is VERDICTS["valid subgradient"]


@pytest.mark.parametrize(("number", "name"), [(0.0, "wrong rule"), (0.5, "agrees"), (1.0, "wrong rule")])
def test_two_kinks_that_make_a_smooth_function_leave_one_slope(number, name):
    """relu(w) - relu(-w) is w, whose slope at 0 is 1: the chain rule with 0 or 1 at the kink gives 0 or 2."""
    problem, weights = random_problem(
        0, activation="relu", output="identity", hidden=(1,), samples=2, features=1, outputs=1
    )
    problem.inputs[:], problem.targets[:] = [[1], [-1]], [[-1], [1]]
    weights[0][:], weights[1][:] = 0, [[1, 0]]
    found = judged(problem, weights, BackwardRule(relu_at_zero=number))
    slope = found.tensors[0]
    assert (slope.name, slope.analytic, slope.numeric) == ("W1", 2 * number, pytest.approx(1))
    assert found.touched == 2
    assert found.verdict is VERDICTS[name]
    assert ("outside the one-sided slopes at a kink" in found.causes) == (name == "wrong rule")


@pytest.mark.parametrize("network", [on_the_kink, beside_the_kink])
def test_a_kink_excuses_only_the_parameters_that_it_concerns(network):
    found = judged(*network(), tamper=scaled_at(0, 0, 1))
    assert found.verdict is VERDICTS["wrong rule"]
    assert found.causes[0] == "slope or weights above layer 1"


# Round-off, and numbers that are none


@pytest.mark.parametrize("rule", [EXACT, BackwardRule(fault=FAULTS["sign"])], ids=["right", "wrong"])
def test_where_round_off_hides_everything_right_and_wrong_are_both_undetermined(rule):
    """ReLU units of size 64 below sigmoids: every output is saturated, every true slope far below noise."""
    found = judged(
        *random_problem(3, activation="relu", loss="logistic", clip="floor", eps=1e-15, init_scale=64), rule
    )
    assert found.verdict is VERDICTS["undetermined"]
    assert found.causes == ("round-off",)
    assert found.excess < 1
    assert found.gradient_error > VISIBLE


@pytest.mark.parametrize("seed", range(12))
def test_within_the_budget_the_visible_difference_decides(seed):
    found = judged(*saturated("floor", seed))
    assert found.excess <= 1
    assert found.verdict is VERDICTS["undetermined" if found.gradient_error > VISIBLE else "agrees"]
    assert found.causes == (("round-off",) if found.gradient_error > VISIBLE else ())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_analytic_gradient_that_is_not_finite(value):
    def tamper(gradient):
        gradient[1][0, 0] = value

    found = judged(*generic(), tamper=tamper)
    assert (found.verdict.name, found.causes) == ("not finite", ("analytic gradient not finite",))
    assert (found.gradient_error, found.excess, found.worst_parameter) == (None, None, None)


def test_a_numeric_gradient_that_is_not_finite():
    """-log p at p = 1e-9: every step leaves the domain, though the loss itself is finite."""
    problem, weights = random_problem(
        0, output="identity", loss="logistic", hidden=(), samples=1, features=1, outputs=1
    )
    problem.inputs[:], problem.targets[:], weights[0][:] = 1, 1, [[1e-9, 0]]
    found = judged(problem, weights)
    assert (found.verdict.name, found.causes) == ("not finite", ("numeric gradient not finite",))


def test_a_loss_that_is_not_finite_names_what_made_it_so():
    assert judged(*saturated("none")).causes[0] == "loss not finite"
    assert "saturated outputs" in judged(*saturated("none")).causes
    assert {"loss not finite", "outside domain"} <= set(judged(*outside()).causes)


# The outputs


def test_outputs_are_counted_as_shares():
    problem, weights = random_problem(0, loss="logistic", clip="floor", eps=0.1, samples=2, outputs=5)
    outputs = np.array([[-0.5, 0, 0.05, 0.1, 0.25], [0.5, 0.95, 1, 1.5, 2]])
    forward = replace(problem.forward(weights), outputs=outputs)
    found = look_at_outputs(problem, forward)
    assert (found.outside_domain, found.saturated, found.clip_active) == (0.3, 0.2, 0.8)
    plain, _ = random_problem(0, loss="logistic", samples=2, outputs=5)
    assert look_at_outputs(plain, forward).clip_active == 0
    squared, _ = random_problem(0, samples=2, outputs=5)
    nothing = look_at_outputs(squared, forward)
    assert (nothing.outside_domain, nothing.saturated, nothing.clip_active) == (0, 0, 0)


def test_no_outputs_have_no_shares():
    problem, weights = random_problem(0, loss="logistic", samples=0)
    found = look_at_outputs(problem, problem.forward(weights))
    assert (found.outside_domain, found.saturated, found.clip_active) == (0, 0, 0)


# The gradient error


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1e-300, 1e-170, 1.0, 1e170, 1e300])
def test_the_gradient_error_is_its_formula_whatever_the_size(seed, size):
    a, n = np.random.default_rng(seed).standard_normal((2, 50))
    right = np.sqrt(((a - n) ** 2).sum()) / (np.sqrt((a**2).sum()) + np.sqrt((n**2).sum()))
    np.testing.assert_allclose(gradient_error(a * size, n * size), right, rtol=1e-12)


def test_the_gradient_error_at_its_ends():
    one, nothing = np.array([3.0, -4.0]), np.zeros(2)
    assert gradient_error(nothing, nothing) == 0
    assert gradient_error(nothing[:0], nothing[:0]) == 0
    assert gradient_error(one, one) == 0
    assert gradient_error(one, nothing) == gradient_error(nothing, one) == 1
    assert gradient_error(one, -one) == pytest.approx(1)
    smallest = np.array([5e-324])
    assert gradient_error(smallest, -smallest) == gradient_error(smallest, 0 * smallest) == 1
    largest = np.full(4, np.finfo(float).max)
    assert gradient_error(largest, -largest) == pytest.approx(1)
    assert gradient_error(np.array([1e300]), np.array([1e-300])) == 1


NOT_FINITE = [(v, where) for where in ("analytic", "numeric", "both") for v in (np.nan, np.inf, -np.inf)]


@pytest.mark.parametrize(("value", "where"), NOT_FINITE)
def test_there_is_no_gradient_error_where_a_gradient_is_not_finite(value, where):
    a, n = np.ones(3), np.ones(3)
    if where != "numeric":
        a[1] = value
    if where != "analytic":
        n[1] = value
    assert gradient_error(a, n) is None
