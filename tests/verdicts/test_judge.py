"""Every verdict is reached, for the right reason; a gradient that is wrong is refused, a right one is not."""

from dataclasses import replace

import numpy as np
import pytest
from layers import layers_of
from oracles import random_problem

from backproof.estimates.incremental import numerical_gradient
from backproof.estimates.stencils import Scheme
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Precision
from backproof.network.deltas import DELTAS
from backproof.network.faults import FAULTS
from backproof.network.rules import Backward, BackwardRule
from backproof.targets.network import in_precision, look_at_outputs
from backproof.verdicts import Verdict
from backproof.verdicts.comparison import RESOLUTION, gradient_error
from backproof.verdicts.mixtures import Mixtures
from backproof.verdicts.network import NetworkEvidence, judge_network
from backproof.verdicts.view import view_of

EXACT, Y_MINUS_T = BackwardRule(DELTAS["exact"]()), BackwardRule(DELTAS["y_minus_t"]())


class Tampered:
    """A rule whose gradients are changed in place before they are judged."""

    def __init__(self, rule, tamper):
        self.rule, self.tamper = rule, tamper

    def backward(self, *here):
        found = self.rule.backward(*here)
        self.tamper(found.gradients)
        return found


class Given:
    """A gradient that is simply there."""

    def __init__(self, gradients):
        self.gradients = gradients

    def backward(self, *_here):
        return Backward([], self.gradients)


def judged(problem, weights, rule=EXACT, *, tamper=None, **how):
    """The verdict on a rule's gradient, which `tamper` may change in place before it is judged."""
    return judge_network(Tampered(rule, tamper) if tamper else rule, view_of(problem, weights, **how))


def judged_twice(problem, weights, rule=EXACT, **how):
    """The same, the rule itself being judged in double precision and with the best steps."""
    wide = view_of(*in_precision(problem, weights, np.float64))
    return judge_network(rule, view_of(problem, weights, **how), wide)


def judged_finely(problem, weights, rule=EXACT):
    """The same, with complex steps in extended precision where rounding hides everything."""
    view, finest = view_of(problem, weights), in_precision(problem, weights, np.longdouble)
    return judge_network(rule, view, finer=lambda: view_of(*finest, scheme=Scheme.COMPLEX))


def names(found):
    return tuple(cause.name for cause in found.causes)


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
    return random_problem(3, output="identity", loss="binary_cross_entropy")


def saturated(clip, seed=4):
    return random_problem(seed, loss="binary_cross_entropy", clip=clip, eps=1e-15, init_scale=64)


def clipped():
    """Probabilities within 0.3 of 0 or 1 are flattened, and there are such."""
    return random_problem(4, loss="binary_cross_entropy", clip="floor", eps=0.3)


def at_two_kinks():
    """relu(w) - relu(-w) is w: a smooth function of two kinks, both hit at w = 0."""
    problem, weights = random_problem(
        0, activation="relu", output="identity", hidden=(1,), samples=2, features=1, outputs=1
    )
    problem.inputs[:], problem.targets[:] = [[1], [-1]], [[-1], [1]]
    weights[0][:], weights[1][:] = 0, [[1, 0]]
    return problem, weights


def dicey():
    """A network whose activation is not a function."""
    problem, weights = generic()
    draw = np.random.default_rng(0)
    value = problem.activation.value
    activation = replace(problem.activation, value=lambda z: value(z) + 1e-9 * draw.standard_normal(z.shape))
    return replace(problem, activation=activation), weights


IGNORED = BackwardRule(clip_backward="ignored")
CASES = {
    "agrees": lambda: judged(*generic()),
    "valid subgradient": lambda: judged(*on_the_kink()),
    "round-off": lambda: judged_twice(*generic(), step=2.0**-50),
    "truncation": lambda: judged_twice(*generic(), step=1.0),
    "incorrect gradient": lambda: judged(
        *generic(activation="relu", output="relu", loss="binary_cross_entropy", clip="floor"), Y_MINUS_T
    ),
    "clip active": lambda: judged(*clipped(), IGNORED),
    "kink crossed": lambda: judged(*beside_the_kink(), BackwardRule(relu_at_zero=0.5)),
    "outside domain": lambda: judged(*outside()),
    "unresolved": lambda: judged(*saturated("floor")),
    "not finite": lambda: judged(*saturated("none")),
    "not deterministic": lambda: judged(*dicey()),
}


def test_there_is_a_case_for_every_verdict():
    assert set(CASES) == set(Verdict) - {"undetermined", "not checked"}


@pytest.mark.parametrize("name", CASES)
def test_every_verdict_is_reached(name):
    found = CASES[name]()
    assert found.verdict is Verdict(name)
    assert bool(found.causes) == (name != "agrees")


def test_verdicts_can_be_told_apart_and_explain_themselves():
    assert len({v.symbol for v in Verdict}) == len(Verdict)
    assert all(len(v.symbol) == 1 and v.sentence and v.remedy for v in Verdict)
    right = {v for v in Verdict if v.right}
    assert right == {"agrees", "valid subgradient", "round-off", "truncation"}


# A wrong gradient


MATCHED = [
    ("sigmoid", "squared_error"),
    ("sigmoid", "binary_cross_entropy"),
    ("softmax", "categorical_cross_entropy"),
    ("relu", "squared_error"),
]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("output", "loss"), MATCHED)
def test_a_gradient_wrong_by_one_in_a_thousand_is_a_wrong_rule(activation, output, loss):
    network = generic(activation=activation, output=output, loss=loss)
    right, wrong = judged(*network), judged(*network, tamper=scaled(1.001))
    assert right.verdict is Verdict.AGREES
    assert right.excess <= 1
    assert right.gradient_error < 1e-8
    assert wrong.verdict is Verdict.INCORRECT_GRADIENT
    assert wrong.excess > 1
    np.testing.assert_allclose(wrong.gradient_error, 0.001 / 2.001, rtol=1e-4)
    assert names(wrong) == ("weight gradient: scale",)
    assert wrong.causes[0].layers == (3, 2, 1)


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("seed", range(4))
def test_in_every_precision_a_right_gradient_agrees_and_a_doubled_one_does_not(precision, seed):
    network = generic(seed, precision=precision)
    assert judged_twice(*network).verdict is Verdict.AGREES
    assert judged_twice(*network, Tampered(EXACT, scaled(2))).verdict is Verdict.INCORRECT_GRADIENT


SMALL = random_problem(0, loss="binary_cross_entropy")
ENTRIES = [(layer, *at) for layer, w in enumerate(SMALL[1]) for at in np.ndindex(w.shape)]


@pytest.mark.parametrize(("layer", "unit", "column"), ENTRIES)
def test_a_single_entry_wrong_by_one_in_a_thousand_is_a_wrong_rule_and_is_named(layer, unit, column):
    found = judged(*SMALL, tamper=scaled_at(layer, unit, column))
    depth, is_bias = layer + 1, column == SMALL[1][layer].shape[1] - 1
    assert found.verdict is Verdict.INCORRECT_GRADIENT
    assert found.worst_parameter == (f"b{depth}[{unit}]" if is_bias else f"W{depth}[{unit},{column}]")
    tensor = f"b{depth}" if is_bias else f"W{depth}"
    assert {t.name: t.disagreeing for t in found.tensors} == {
        name: int(name == tensor) for name in ("W1", "b1", "W2", "b2")
    }
    assert names(found) == (f"{'bias' if is_bias else 'weight'} gradient: not identified",)
    assert found.causes[0].layers == (depth,)
    assert int((found.verdicts == Verdict.INCORRECT_GRADIENT.severity).sum()) == 1
    assert {t.name for t in found.tensors if t.verdict == "incorrect gradient"} == {tensor}


@pytest.mark.parametrize(("at", "name"), [((1, 1, 2), "W2[1,2]"), ((0, 0, -1), "b1[0]")])
def test_the_worst_parameter_is_the_planted_one(at, name):
    found = judged(*SMALL, tamper=scaled_at(*at))
    right = EXACT.gradient(SMALL[0], SMALL[0].forward(SMALL[1]), SMALL[1])
    assert found.worst_parameter == name
    tensor = next(t for t in found.tensors if t.worst == name)
    assert tensor.excess == found.excess
    np.testing.assert_allclose(tensor.analytic, 1.001 * right[at[0]][at[1:]], rtol=1e-12)
    np.testing.assert_allclose(tensor.numerical, right[at[0]][at[1:]], rtol=1e-6)
    np.testing.assert_allclose(tensor.excess, abs(tensor.analytic - tensor.numerical) / tensor.bound)


@pytest.mark.parametrize(
    ("budgets", "name"),
    [(0.95, "agrees"), (-0.95, "agrees"), (1.05, "incorrect gradient"), (-1.05, "incorrect gradient")],
)
def test_the_line_is_drawn_at_the_budget(budgets, name):
    problem, weights = SMALL
    numeric = numerical_gradient(problem, weights)
    gradient = [layer.value.copy() for layer in layers_of(numeric, weights)]
    gradient[1][1, 2] += budgets * layers_of(numeric, weights)[1].bound[1, 2]
    found = judge_network(Given(gradient), view_of(problem, weights))
    assert found.verdict is Verdict(name)
    assert found.worst_parameter == "W2[1,2]"
    assert found.excess == pytest.approx(abs(budgets), rel=1e-3)


@pytest.mark.parametrize(
    ("fault", "wrong", "cause"),
    [
        ("sign", {"W1", "b1", "W2", "b2", "W3", "b3"}, "output delta: sign"),
        ("no_bias", {"b1", "b2", "b3"}, "bias gradient: zero"),
        ("transposed", {"W1"}, "weight gradient: transposed"),
        ("accumulated_twice", {"W1", "b1"}, "weight gradient: scale"),
        ("updated_weights", {"W1", "b1", "W2", "b2"}, "carried weights: updated"),
    ],
)
def test_the_tensors_that_disagree_and_the_operation_are_named(fault, wrong, cause):
    found = judged(*generic(), BackwardRule(fault=FAULTS[fault]()))
    assert {t.name for t in found.tensors if t.disagreeing} == wrong
    assert {t.name for t in found.tensors if t.excess > 1} == wrong
    assert {t.name for t in found.tensors if t.verdict == "incorrect gradient"} == wrong
    assert names(found) == (cause,)
    assert [t.name for t in found.tensors] == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert [t.size for t in found.tensors] == [16, 4, 20, 5, 15, 3]
    assert all(set(t.causes) == ({cause} if t.name in wrong else set()) for t in found.tensors)


def test_outputs_that_leave_the_domain_are_named_with_a_wrong_rule():
    network = random_problem(3, output="identity", loss="binary_cross_entropy", clip="floor")
    assert "outside domain" in names(judged(*network, Y_MINUS_T))


# In the case's own precision, and without its noise


@pytest.mark.parametrize("precision", ["float16", "float32"])
@pytest.mark.parametrize("seed", range(6))
def test_in_low_precision_a_wrong_rule_is_told_from_noise(precision, seed):
    network = generic(seed, precision=precision)
    right = judged_twice(*network)
    assert right.verdict.right
    assert right.rule_error < 1e-8
    assert right.noise > 1e-9
    for fault in ("derivative_squared", "no_bias", "sign"):
        wrong = judged_twice(*network, BackwardRule(fault=FAULTS[fault]()))
        assert wrong.verdict is Verdict.INCORRECT_GRADIENT
        assert names(wrong)[0] == FAULTS[fault]().cause


def test_a_rule_wrong_by_one_in_ten_thousand_is_told_from_the_noise_of_float16():
    network = generic(precision="float16")
    found = judge_network(
        Tampered(EXACT, scaled(1.0001)),
        view_of(*network),
        view_of(*in_precision(*network, np.float64)),
    )
    assert found.verdict is Verdict.INCORRECT_GRADIENT
    assert found.rule_error == pytest.approx(0.00005, rel=1e-3)


@pytest.mark.parametrize("step", [1.0, 2.0**-50])
def test_a_poor_step_does_not_hide_a_wrong_rule(step):
    found = judged_twice(*generic(), BackwardRule(fault=FAULTS["derivative_squared"]()), step=step)
    assert found.verdict is Verdict.INCORRECT_GRADIENT
    assert names(found) == ("derivative: squared",)


def test_truncation_and_round_off_share_the_error_by_what_they_explain():
    long, short = judged_twice(*generic(), step=1.0), judged_twice(*generic(), step=2.0**-50)
    assert names(long)[0] == "truncation"
    assert names(short)[0] == "round-off"
    for found in (long, short):
        assert found.causes[0].error > 0.5
        assert sum(cause.error for cause in found.causes) == pytest.approx(1)


def test_a_rule_that_is_not_deterministic_is_no_wrong_rule():
    draw = np.random.default_rng(1)

    def tamper(gradient):
        gradient[0][0, 0] += draw.standard_normal()

    found = judged(*generic(), tamper=tamper)
    assert found.verdict is Verdict.NOT_DETERMINISTIC
    assert found.causes[0].detail == "the analytic gradient"


# What is counted


@pytest.mark.parametrize("rule", [EXACT, Y_MINUS_T], ids=["exact", "y_minus_t"])
def test_only_selected_parameters_are_judged(rule):
    problem, weights = generic()
    selected = [np.zeros(w.shape, bool) for w in weights]
    selected[0][1, 2] = selected[2][0, -1] = True
    found = judged(problem, weights, rule, tamper=scaled_at(1, 0, 0, np.nan), selected=selected)
    assert found.parameters == 2
    assert [(t.name, t.size, t.worst) for t in found.tensors] == [("W1", 1, "W1[1,2]"), ("b3", 1, "b3[0]")]
    assert found.verdict is (Verdict.AGREES if rule is EXACT else Verdict.INCORRECT_GRADIENT)


def test_of_equal_gradients_a_selected_parameter_is_shown_and_none_is_the_worst():
    problem, weights = generic()
    selected = [np.zeros(w.shape, bool) for w in weights]
    selected[1][3, 2] = True
    view = view_of(problem, weights, selected=selected)
    found = judge_network(Given([layer.value for layer in layers_of(view.estimate, weights)]), view)
    assert [(t.worst, t.excess) for t in found.tensors] == [("W2[3,2]", 0)]
    assert (found.worst_parameter, found.gradient_error) == (None, 0)


def test_nothing_selected_is_nothing_wrong():
    problem, weights = generic()
    found = judged(problem, weights, Y_MINUS_T, selected=[np.zeros(w.shape, bool) for w in weights])
    assert (found.verdict, found.gradient_error, found.excess) == ("agrees", 0.0, 0.0)
    assert (found.parameters, found.worst_parameter, found.tensors) == (0, None, ())


def test_no_samples_agree():
    found = judged(*random_problem(0, samples=0))
    assert (found.verdict, found.gradient_error, found.excess) == ("agrees", 0.0, 0.0)
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
    assert (distant.touched, distant.crossed, distant.verdict) == (0, 0, "agrees")


# Kinks


@pytest.mark.parametrize(
    ("number", "name"),
    [(0.0, "valid subgradient"), (0.5, "agrees"), (1.0, "valid subgradient"), (0.3, "valid subgradient")],
)
def test_at_a_kink_every_number_between_the_slopes_is_allowed(number, name):
    found = judged(*on_the_kink(), BackwardRule(relu_at_zero=number))
    assert found.verdict is Verdict(name)
    assert names(found) == (("kink touched",) if name != "agrees" else ())


@pytest.mark.parametrize("number", [-0.5, 1.5])
def test_at_a_kink_a_number_beyond_the_slopes_is_wrong(number):
    found = judged(*on_the_kink(), BackwardRule(relu_at_zero=number))
    assert found.verdict is Verdict.INCORRECT_GRADIENT
    assert names(found)[0] == "derivative: at a kink"


@pytest.mark.parametrize("number", [0.5, 1.0])
def test_a_number_assigned_at_a_kink_is_wrong(number):
    found = judged(*on_the_kink(), BackwardRule(relu_at_zero=number, kink="assign"))
    assert found.verdict is Verdict.INCORRECT_GRADIENT
    assert names(found)[0] == "derivative: at a kink"
    assert {t.name for t in found.tensors if t.disagreeing} == {"b1"}


def test_zero_assigned_at_a_kink_is_zero_multiplied():
    found = judged(*on_the_kink(), BackwardRule(relu_at_zero=0.0, kink="assign"))
    assert found.verdict is Verdict.VALID_SUBGRADIENT


@pytest.mark.parametrize(
    ("number", "name"), [(0.0, "valid subgradient"), (0.5, "agrees"), (1.0, "valid subgradient")]
)
def test_kinks_of_weight_and_bias_are_judged_together(number, name):
    """Along w alone relu(w) − relu(−w) has the derivative 1, and the chain rule gives 0 or 2 at the kinks.

    With the bias, relu(w + b) − relu(b − w) is 0 or 2w at points nearby, so these are subgradients.
    """
    found = judged(*at_two_kinks(), BackwardRule(relu_at_zero=number))
    first = found.tensors[0]
    assert (first.name, first.analytic, first.numerical) == ("W1", 2 * number, pytest.approx(1))
    assert found.touched == 2
    assert found.verdict is Verdict(name)
    assert names(found) == (("kink touched",) if name != "agrees" else ())


@pytest.mark.parametrize("network", [on_the_kink, beside_the_kink])
def test_a_kink_excuses_only_the_parameters_that_it_concerns(network):
    found = judged(*network(), tamper=scaled_at(0, 0, 1))
    assert found.verdict is Verdict.INCORRECT_GRADIENT
    assert names(found)[0] == "weight gradient: not identified"


# Round-off, and numbers that are none


@pytest.mark.parametrize("rule", [EXACT, BackwardRule(fault=FAULTS["sign"]())], ids=["right", "wrong"])
def test_where_round_off_hides_everything_right_and_wrong_are_both_unresolved(rule):
    """ReLU units of size 64 below sigmoids: every output is saturated, every true slope far below noise."""
    found = judged(
        *random_problem(
            3, activation="relu", loss="binary_cross_entropy", clip="floor", eps=1e-15, init_scale=64
        ),
        rule,
    )
    assert found.verdict is Verdict.UNRESOLVED
    assert names(found) == ("round-off",)
    assert found.excess < 1
    assert found.gradient_error > RESOLUTION


@pytest.mark.parametrize(
    ("rule", "name"), [(EXACT, "round-off"), (BackwardRule(fault=FAULTS["sign"]()), "incorrect gradient")]
)
def test_complex_steps_tell_them_apart(rule, name):
    """Outputs within 1e-15 of 0 or 1, none of them exactly there."""
    network = random_problem(
        3, activation="tanh", loss="binary_cross_entropy", clip="floor", eps=1e-15, init_scale=20
    )
    assert judged(*network, EXACT).verdict is Verdict.UNRESOLVED
    assert judged_finely(*network, rule).verdict is Verdict(name)


@pytest.mark.parametrize("seed", range(12))
def test_within_the_bounds_the_resolution_decides(seed):
    found = judged(*saturated("floor", seed))
    assert found.excess <= 1
    assert found.verdict is (Verdict.UNRESOLVED if found.resolution > RESOLUTION else Verdict.AGREES)
    assert names(found) == (("round-off",) if found.resolution > RESOLUTION else ())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_analytic_gradient_that_is_not_finite(value):
    def tamper(gradient):
        gradient[1][0, 0] = value

    found = judged(*generic(), tamper=tamper)
    assert (found.verdict, names(found)) == ("not finite", ("analytic gradient not finite",))
    assert found.causes[0].detail.startswith("gradient of layer 2, entry [0, 0]")
    assert (found.gradient_error, found.excess, found.worst_parameter) == (None, None, None)


def test_a_numerical_gradient_that_is_not_finite():
    """-log p at p = 1e-9: every step leaves the domain, though the loss itself is finite."""
    problem, weights = random_problem(
        0, output="identity", loss="binary_cross_entropy", hidden=(), samples=1, features=1, outputs=1
    )
    problem.inputs[:], problem.targets[:], weights[0][:] = 1, 1, [[1e-9, 0]]
    found = judged(problem, weights)
    assert (found.verdict, names(found)) == ("not finite", ("numerical gradient not finite",))


def test_a_loss_that_is_not_finite_names_what_made_it_so():
    found = judged(*saturated("none"))
    assert names(found)[0] == "loss not finite"
    assert "saturated outputs" in names(found)
    assert {"loss not finite", "outside domain"} <= set(names(judged(*outside())))


def test_the_first_operation_that_is_not_finite_is_named_with_layer_and_sample():
    problem, weights = generic(loss="binary_cross_entropy")
    weights[-1][2, -1] = 1e4
    problem.targets[:] = 1
    problem.targets[5, 2] = 0
    detail = judged(problem, weights).causes[0].detail
    assert detail.startswith("loss term, sample 0, output 2 is nan (y = 1)")
    weights[1][3, 0] = np.inf
    assert judged(problem, weights).causes[0].detail.startswith("pre-activation of layer 2, sample 0, unit 3")
    problem.inputs[4, 1] = np.nan
    assert judged(problem, weights).causes[0].detail.startswith("input, sample 4, unit 1 is nan")


# The outputs


def test_outputs_are_counted_as_shares():
    problem, weights = random_problem(
        0, loss="binary_cross_entropy", clip="floor", eps=0.1, samples=2, outputs=5
    )
    outputs = np.array([[-0.5, 0, 0.05, 0.1, 0.25], [0.5, 0.95, 1, 1.5, 2]])
    forward = replace(problem.forward(weights), outputs=outputs)
    found = look_at_outputs(problem, forward)
    assert (found.outside_domain, found.saturated, found.clip_active) == (0.3, 0.2, 0.8)
    plain, _ = random_problem(0, loss="binary_cross_entropy", samples=2, outputs=5)
    assert look_at_outputs(plain, forward).clip_active == 0
    squared, _ = random_problem(0, samples=2, outputs=5)
    nothing = look_at_outputs(squared, forward)
    assert (nothing.outside_domain, nothing.saturated, nothing.clip_active) == (0, 0, 0)


def test_the_end_of_an_open_domain_lies_outside_of_it():
    problem, weights = random_problem(0, output="relu", loss="poisson", samples=1, outputs=4)
    outputs = np.array([[0.0, 1e-300, 1.0, np.nan]])
    assert look_at_outputs(problem, replace(problem.forward(weights), outputs=outputs)).outside_domain == 0.25
    assert judged(problem, [0 * w for w in weights]).verdict == "outside domain"
    positive, weights = random_problem(0, output="softplus", loss="poisson", samples=1, outputs=4)
    assert judged(positive, weights).verdict == "agrees"


def test_no_outputs_have_no_shares():
    problem, weights = random_problem(0, loss="binary_cross_entropy", samples=0)
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


def mixed_at_kinks(*, wrong):
    """Seven parts of one subgradient and three of another, with an entry beside all kinks that is wrong."""
    problem, weights = random_problem(
        0, activation="relu", output="identity", hidden=(4, 3), features=3, outputs=2, bias="zero"
    )
    problem.inputs[0] = 0
    view = view_of(problem, weights)
    ends = (BackwardRule(relu_at_zero=x).gradient(problem, view.forward, weights) for x in (0.0, 1.0))
    gradients = [0.3 * a + 0.7 * b for a, b in zip(*ends, strict=True)]
    gradients[2][0, 0] *= 1.5 if wrong else 1
    return Given(gradients), view


def test_a_wrong_entry_makes_none_wrong_that_touches_a_kink():
    found = judge_network(*mixed_at_kinks(wrong=True))
    assert (found.verdict, found.disagreeing) == (Verdict.INCORRECT_GRADIENT, 1)
    verdicts = {tensor.name: tensor.verdict for tensor in found.tensors}
    assert (verdicts["b1"], verdicts["W3"]) == (Verdict.VALID_SUBGRADIENT, Verdict.INCORRECT_GRADIENT)


def test_beside_a_wrong_entry_not_many_points_around_the_kinks_are_tried(monkeypatch):
    tried, real = [], Mixtures.found_with_more
    counted = lambda self, measured: tried.append(1) or real(self, measured)  # noqa: E731
    monkeypatch.setattr(Mixtures, "found_with_more", counted)
    rule, view = mixed_at_kinks(wrong=False)
    outside = [g.copy() for g in rule.gradients]
    outside[0][:, -1] += 40 * np.array([1, -1, 1, -1])
    judge_network(Given(outside), view)
    assert tried
    tried.clear()
    outside[2][0, 0] *= 1.5
    found = judge_network(Given(outside), view)
    assert found.verdict is Verdict.INCORRECT_GRADIENT
    assert not tried


def test_where_a_verdict_alone_is_asked_for_kinks_are_not_searched_beside_a_wrong_entry(monkeypatch):
    searched, real = [], NetworkEvidence.joint
    monkeypatch.setattr(NetworkEvidence, "joint", lambda self: searched.append(1) or real(self))
    assert judge_network(*mixed_at_kinks(wrong=True), explain=False).verdict is Verdict.INCORRECT_GRADIENT
    assert not searched
    assert (
        judge_network(*mixed_at_kinks(wrong=False), explain=False).verdict is not Verdict.INCORRECT_GRADIENT
    )
    assert searched
