"""The numeric gradient: the same as by 2P forward passes, the same as JAX's, honest at kinks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import layers_of
from oracles import FUNCTIONS, jax_gradient, random_problem
from pairings import PAIRINGS

from backproof.estimates.incremental import numerical_gradient
from backproof.estimates.naive import naive_gradient
from backproof.estimates.stencils import Scheme
from backproof.estimates.steps import best_step, power_of_two_below, realised, smallest_step_of
from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Precision
from backproof.network.clips import CLIPS
from backproof.network.losses import LOSSES, Reduction
from backproof.network.rules import BackwardRule

every_precision = pytest.mark.parametrize("dtype", [p.dtype for p in Precision], ids=list(Precision))


def roundoff_of(layer):
    """What round-off alone explains: the noise of the budget, without truncation and analytic gradient."""
    return np.where(layer.step > 0, layer.bound, 0)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 10**6),
    **{part: st.sampled_from(list(names)) for part, names in FUNCTIONS.items()},
    hidden=st.lists(st.integers(1, 5), max_size=3).map(tuple),
    samples=st.integers(0, 5),
    features=st.integers(1, 4),
    outputs=st.integers(1, 3),
    reduction=st.sampled_from(Reduction),
    precision=st.sampled_from(list(Precision)),
    step=st.sampled_from([None, 2.0**-10]),
    scheme=st.sampled_from([Scheme.FIVE_POINT, Scheme.CENTRAL]),
)
def test_moving_single_pre_activations_gives_what_two_forward_passes_a_parameter_give(
    seed, step, scheme, **choice
):
    problem, weights = random_problem(seed, **choice)
    numeric = numerical_gradient(problem, weights, step=step, scheme=scheme)
    if numeric is None:
        assert not np.isfinite(problem.forward(weights).loss)
        return
    with np.errstate(invalid="ignore", divide="ignore"):  # in float16 a step may be lost beside its weight
        naive = naive_gradient(problem, weights, [layer.step for layer in layers_of(numeric, weights)])
        for layer, plain in zip(layers_of(numeric, weights), naive, strict=True):
            same = (layer.value == plain) | ~np.isfinite(plain)
            assert (same | (np.abs(layer.value - plain) <= layer.bound)).all()


@pytest.mark.parametrize("hidden", [(), (6,), (6, 5), (4, 5, 3, 4)])
@pytest.mark.parametrize("features", [1, 20])
@pytest.mark.parametrize(
    ("output", "loss"), [("sigmoid", "binary_cross_entropy"), ("softmax", "categorical_cross_entropy")]
)
def test_blocks_of_rows_give_the_central_differences_of_the_plain_way(hidden, features, output, loss):
    """To rounding, in narrow and wide layouts of memory, with inputs that are zero here and there."""
    choice = {"output": output, "loss": loss, "features": features, "samples": 7, "activation": "relu"}
    problem, weights = random_problem(31, hidden=hidden, **choice)
    problem.inputs[problem.inputs < -0.5] = 0
    numeric = numerical_gradient(problem, weights, scheme=Scheme.CENTRAL)
    naive = naive_gradient(problem, weights, [layer.step for layer in layers_of(numeric, weights)])
    for layer, plain in zip(layers_of(numeric, weights), naive, strict=True):
        assert not layer.crossed.any()
        np.testing.assert_allclose(layer.value, plain, rtol=1e-9, atol=1e-10)


def test_four_points_a_pre_activation_are_all_that_is_evaluated():
    """However many weights lead to a unit, and however many of them are looked at."""
    counts = []

    def counted(z):
        counts[-1] += z.size
        return np.tanh(z)

    for features in (2, 2, 30):  # the first finds out what is remembered of the function
        problem, weights = random_problem(32, activation="tanh", hidden=(6, 5), features=features)
        watched = replace(problem, activation=replace(problem.activation, value=counted))
        for scheme in (Scheme.FIVE_POINT, Scheme.CENTRAL):
            counts.append(0)
            numerical_gradient(watched, weights, scheme=scheme)
    few, few_central, many, many_central = counts[2:]
    assert few == many
    assert many_central > 4 * few_central > 4 * few


@pytest.mark.parametrize(("activation", "output"), PAIRINGS)
def test_in_double_precision_it_is_jaxs_gradient_within_the_budget(activation, output):
    depth = 1 + (len(activation) + len(output)) % 3
    problem, weights = random_problem(
        21, activation=activation, output=output, hidden=(5, 4, 3)[:depth], samples=5
    )
    numeric = numerical_gradient(problem, weights)
    for layer, right in zip(layers_of(numeric, weights), jax_gradient(problem, weights), strict=True):
        gap = np.abs(layer.value - right)
        assert (gap <= layer.bound)[~layer.crossed].all()
        assert np.linalg.norm(gap[~layer.crossed]) < 1e-7 * np.linalg.norm(right)
        assert (np.abs(layer.value - right * 1.001) > layer.bound)[np.abs(right) > 1e-3].all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("clip", CLIPS)
def test_it_is_jaxs_gradient_for_every_loss_and_clip(loss, clip):
    problem, weights = random_problem(22, loss=loss, clip=clip, output="sigmoid", eps=0.3)
    numeric = numerical_gradient(problem, weights)
    for layer, right in zip(layers_of(numeric, weights), jax_gradient(problem, weights), strict=True):
        assert not layer.crossed.any()
        assert (np.abs(layer.value - right) <= layer.bound).all()


@every_precision
def test_realised_steps_are_the_ones_between_the_numbers_that_were_evaluated(dtype):
    theta = np.random.default_rng(1).standard_normal(200).astype(dtype) * 30
    h = np.full(200, best_step(np.dtype(dtype)) / 3)  # no power of two
    up, down = realised(theta, h)
    step = h.astype(dtype)
    assert up.dtype == down.dtype == dtype
    assert np.array_equal(theta + up, theta + step)
    assert np.array_equal(theta - down, theta - step)
    assert (up != step).any()


@every_precision
def test_best_steps_balance_truncation_and_round_off(dtype):
    u = float(np.finfo(dtype).eps) / 2
    assert np.log2(best_step(np.dtype(dtype))) == pytest.approx(np.log2((3 * u) ** (1 / 3)), abs=0.5)
    assert smallest_step_of(u) < best_step(np.dtype(dtype))


def test_rounding_down_to_powers_of_two():
    assert power_of_two_below(np.array([0, 1, 1.5, 0.99, 1e-9, 4])).tolist() == [0, 1, 1, 0.5, 2.0**-30, 4]


@every_precision
def test_steps_are_powers_of_two_and_zero_where_nothing_can_move(dtype):
    name = np.dtype(dtype).name if dtype is not np.longdouble else "longdouble"
    problem, weights = random_problem(2, precision=name)
    problem.inputs[:, 1] = 0
    layer = layers_of(numerical_gradient(problem, weights), weights)[0]
    assert (layer.step[:, 1] == 0).all()
    assert (layer.value[:, 1] == 0).all()
    assert (layer.bound[:, 1] == 0).all()
    moving = np.delete(layer.step, 1, axis=1)
    assert (np.frexp(moving)[0] == 0.5).all()


def test_a_step_that_is_given_is_the_one_that_is_used():
    problem, weights = random_problem(2)
    steps = [np.full(w.shape, 0.001) for w in weights]
    numeric = numerical_gradient(problem, weights, step=0.001)
    for layer, step, plain in zip(
        layers_of(numeric, weights), steps, naive_gradient(problem, weights, steps), strict=True
    ):
        assert np.array_equal(layer.step, step)
        np.testing.assert_allclose(layer.value, plain, rtol=1e-9, atol=1e-11)


def test_twice_the_step_has_four_times_the_truncation():
    problem, weights = random_problem(2)
    right = jax_gradient(problem, weights)
    errors, budgets = [], []
    for step in (2.0**-8, 2.0**-7):
        layers = layers_of(numerical_gradient(problem, weights, step=step), weights)
        errors.append(
            np.concatenate([np.abs(n.value - g).ravel() for n, g in zip(layers, right, strict=True)])
        )
        budgets.append(np.concatenate([n.bound.ravel() for n in layers]))
        assert (errors[-1] <= budgets[-1]).all()
    assert np.median(errors[1] / errors[0]) == pytest.approx(4, rel=0.01)
    assert np.median(budgets[1] / budgets[0]) == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_only_selected_parameters_are_differentiated(share):
    problem, weights = random_problem(3, activation="relu", hidden=(5, 4))
    generator = np.random.default_rng(4)
    selected = [generator.uniform(size=w.shape) < share for w in weights]
    every = numerical_gradient(problem, weights)
    some = numerical_gradient(problem, weights, selected=selected)
    for mine, full, chosen in zip(layers_of(some, weights), layers_of(every, weights), selected, strict=True):
        assert np.array_equal(mine.selected, chosen)
        assert np.isnan(mine.value[~chosen]).all()
        np.testing.assert_allclose(mine.value[chosen], full.value[chosen], rtol=1e-12, atol=1e-14)
        assert not (mine.crossed | mine.touched)[~chosen].any()


@pytest.mark.parametrize("reduction", Reduction)
def test_gradient_budget_and_bounds_scale_with_the_reduction(reduction):
    problem, weights = random_problem(8, activation="relu", bias="zero", reduction=reduction)
    problem.inputs[0] = 0
    summed = replace(problem, reduction="sum")
    pairs = zip(
        layers_of(numerical_gradient(problem, weights), weights),
        layers_of(numerical_gradient(summed, weights), weights),
        strict=True,
    )
    for mine, whole in pairs:
        for name in ("value", "bound", "low", "high"):
            np.testing.assert_allclose(
                getattr(mine, name), problem.scale * getattr(whole, name), rtol=1e-12, atol=1e-18
            )


@pytest.mark.parametrize(
    ("output", "loss"), [("identity", "binary_cross_entropy"), ("relu", "categorical_cross_entropy")]
)
def test_a_loss_that_is_not_finite_has_no_numerical_gradient(output, loss):
    problem, weights = random_problem(5, output=output, loss=loss)
    numeric = numerical_gradient(problem, weights)
    assert numeric is None


def test_no_samples_no_differences():
    problem, weights = random_problem(5, samples=0)
    numeric = numerical_gradient(problem, weights)
    assert not any(layer.value.any() or layer.step.any() for layer in layers_of(numeric, weights))


def on_the_kink(activation="relu", precision="float64", hidden=(6,)):
    """A network whose first sample puts every unit of the first hidden layer on a kink at zero exactly."""
    problem, weights = random_problem(
        8, activation=activation, bias="zero", precision=precision, hidden=hidden
    )
    problem.inputs[0] = 0
    return problem, weights


@every_precision
def test_kinks_that_are_hit_exactly_are_flagged_and_bounded(dtype):
    name = Precision.of(np.dtype(dtype))
    problem, weights = on_the_kink(precision=name)
    forward = problem.forward(weights)
    layer = layers_of(numerical_gradient(problem, weights), weights)[0]
    # The first sample's inputs are zero: of all parameters of the first layer only the biases move it.
    assert layer.touched[:, -1].all()
    assert not layer.touched[:, :-1].any()
    if dtype is not np.float16:  # float16's steps are so long that they pass other units' kinks as well
        assert not (layer.touched & layer.crossed).any()
    assert np.isnan(layer.low[~(layer.touched | layer.crossed)]).all()
    for at_zero in (0.0, 0.5, 1.0):
        rule = BackwardRule(relu_at_zero=at_zero)
        bias = rule.gradient(problem, forward, weights)[0][:, -1]
        assert (layer.low[:, -1] <= bias).all()
        assert (bias <= layer.high[:, -1]).all()
        if at_zero == 0.5:  # a central difference is the average of the slopes
            assert (np.abs(layer.value[:, -1] - bias) <= layer.bound[:, -1]).all()
    if dtype is not np.float16:
        far = BackwardRule(relu_at_zero=1.5).gradient(problem, forward, weights)[0][:, -1]
        assert ((far < layer.low[:, -1]) | (far > layer.high[:, -1])).all()


def test_bounds_are_as_tight_as_one_in_a_thousand():
    problem, weights = on_the_kink()
    forward = problem.forward(weights)
    layer = layers_of(numerical_gradient(problem, weights), weights)[0]
    for at_zero in (-0.001, 1.001):
        bias = BackwardRule(relu_at_zero=at_zero).gradient(problem, forward, weights)[0][:, -1]
        assert ((bias < layer.low[:, -1]) | (bias > layer.high[:, -1])).all()


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS.records() if a.kinks], ids=lambda a: a.name)
def test_a_kink_of_every_activation_is_touched_and_bounded(activation):
    for kink in activation.kinks:
        problem, weights = on_the_kink(activation.name)
        weights[0][:, -1] = kink.at
        forward = problem.forward(weights)
        layer = layers_of(numerical_gradient(problem, weights), weights)[0]
        assert layer.touched[:, -1].all()
        for at_kink in (0.0, 0.5, 1.0):
            bias = BackwardRule(relu_at_zero=at_kink).gradient(problem, forward, weights)[0][:, -1]
            assert ((layer.low[:, -1] <= bias) & (bias <= layer.high[:, -1])).all()


def test_a_kink_nearer_than_any_step_is_crossed():
    problem, weights = on_the_kink()
    weights[0][:, -1] = 1e-11
    layer = layers_of(numerical_gradient(problem, weights), weights)[0]
    assert layer.crossed[:, -1].all()
    assert not layer.touched.any()
    assert not layer.crossed[:, :-1].any()


def test_a_kink_at_some_distance_shortens_the_step_and_is_not_crossed():
    problem, weights = on_the_kink()
    usual = layers_of(numerical_gradient(problem, weights), weights)[0].step[0, 0]
    weights[0][:, -1] = usual / 16
    layer = layers_of(numerical_gradient(problem, weights), weights)[0]
    assert not (layer.crossed | layer.touched).any()
    assert (layer.step[:, -1] <= usual / 16).all()
    right = jax_gradient(problem, weights)[0]
    assert (np.abs(layer.value - right) <= layer.bound).all()


@pytest.mark.parametrize("name", ["floor", "clamp"])
@pytest.mark.parametrize("side", ["p", "1 - p"])
def test_the_edge_of_a_clip_is_a_kink_of_the_loss(name, side):
    """One output, σ(0) = ½ for the first sample, with eps = ½: on the edge of p and of 1 − p at once."""
    problem, weights = random_problem(
        8, loss="binary_cross_entropy", clip=name, eps=0.5, outputs=1, hidden=(), bias="zero"
    )
    problem.inputs[0] = 0
    problem.targets[0] = side == "p"
    layer = layers_of(numerical_gradient(problem, weights), weights)[0]
    assert layer.touched[:, -1].all()
    assert not layer.touched[:, :-1].any()
