"""What is measured while a network trains: against counting and against one sample at a time."""

from dataclasses import replace

import numpy as np
import pytest
from test_train import (
    FLOOR,
    RELU,
    SIGMOID,
    SQUARED_ERROR,
    TANH,
    plan_of,
    problem_of,
    run_one,
    samples_of,
    weights_of,
)

from backproof.network.arithmetic import Arithmetic, BiasAdd
from backproof.network.faults import FAULTS
from backproof.network.number_formats import mantissa
from backproof.network.rules import BackwardRule
from backproof.training.telemetry import (
    cosine,
    cosine_per_sample,
    gradient_norm,
    kink_hits,
    saturated_outputs,
)


def at_zeros(widths=(3, 4, 5, 2)):
    """Two hidden ReLU layers, of which one unit of the second has a pre-activation of zero in each sample."""
    samples, weights = samples_of(0), weights_of(0, widths)
    weights[1][2] = 0
    weights[1][2, -1] = 0
    return samples, weights


def stacked(weights):
    return [w[None] for w in weights]


def test_hits_of_kinks_are_counted_layer_by_layer():
    samples, weights = at_zeros()
    problem = problem_of(samples, activation=RELU)
    batched = replace(problem, inputs=problem.inputs[None], targets=problem.targets[None])
    forward = batched.forward(stacked(weights))
    assert kink_hits(batched, forward).tolist() == [[0], [len(samples.inputs)]]


def test_hits_along_a_run_are_summed_and_the_first_is_told():
    samples, weights = at_zeros()
    problem = problem_of(samples, activation=RELU)
    frozen = run_one(samples, weights, plan_of((0.0,), steps=6, every=4), problem=problem)
    assert frozen.kink_hits == 6 * len(samples.inputs)
    assert frozen.first_kink_hit == 0
    steps, hits = frozen.curves["kink_hits"]
    assert steps.tolist() == [0, 4, 5]
    assert (hits / len(samples.inputs)).tolist() == [1, 4, 1]
    assert frozen.curves["kink_hits of layer 1"][1].sum() == 0
    assert frozen.curves["kink_hits of layer 2"][1].tolist() == hits.tolist()
    weights[1][2, -1] = 1e-3
    moved = run_one(samples, weights, plan_of((0.0,), steps=6), problem=problem)
    assert (moved.kink_hits, moved.first_kink_hit) == (0, None)


@pytest.mark.parametrize("bits", [3, 5, 7])
def test_hits_of_a_bias_added_to_a_rounded_product_are_as_many_as_its_spacing_says(bits):
    """λ = density at zero · spacing · samples · units, and the number that is found is Poisson's."""
    samples, weights = samples_of(5, count=4000, features=6), weights_of(5, (6, 40, 40, 2))
    to = mantissa(bits)
    arithmetic = Arithmetic(to, BiasAdd.UNFUSED)
    samples = replace(samples, **{k: to.rounded(v) for k, v in vars(samples).items()})
    problem = problem_of(samples, activation=RELU, arithmetic=arithmetic)
    run = run_one(samples, [to.rounded(w) for w in weights], plan_of((0.0,), steps=1), problem=problem)
    assert run.expected_kink_hits > 100
    deviation = np.sqrt(run.expected_kink_hits)
    assert abs(run.kink_hits - run.expected_kink_hits) < 2.5 * deviation + 0.1 * run.expected_kink_hits
    fused = replace(problem, arithmetic=Arithmetic(to))
    alone = run_one(samples, [to.rounded(w) for w in weights], plan_of((0.0,), steps=1), problem=fused)
    assert alone.expected_kink_hits < 1e-6 * run.expected_kink_hits


def test_in_float16_a_sum_in_float32_is_zero_below_half_the_smallest_number():
    bias = np.array([0.1, 2.0**-3, 0.0], np.float16)
    fused, unfused = (Arithmetic(None, each).spacing_at_zero(bias) for each in BiasAdd)
    assert fused.tolist() == [2.0**-24] * 3
    assert unfused.tolist() == [2.0**-14, 2.0**-13, 2.0**-24]
    assert Arithmetic().spacing_at_zero(bias.astype(np.float32))[1] == 2.0**-26


def test_an_activation_without_kinks_has_no_hits_and_no_curve_of_them():
    run = run_one(samples_of(0), weights_of(0), plan_of(), problem=problem_of(samples_of(0), activation=TANH))
    assert run.kink_hits is None
    assert "kink_hits" not in run.curves


def test_saturated_outputs_are_those_at_an_end_of_the_range():
    samples, weights = samples_of(1), weights_of(1)
    problem = problem_of(samples, output=SIGMOID)
    forward = problem.forward(weights)
    assert saturated_outputs(problem, forward) == 0
    outputs = forward.outputs.copy()
    outputs[0, 0], outputs[1, 1] = 1, 0
    outputs[2, 0] = np.nextafter(1, 0)
    share = saturated_outputs(problem, replace(forward, outputs=outputs))
    assert share == 2 / outputs.size
    assert np.isnan(saturated_outputs(problem_of(samples, output=replace(TANH, range=RANGE)), forward))


RANGE = type(TANH.range)(-np.inf, np.inf)


def test_the_norm_is_that_of_all_layers_for_the_mean_over_samples():
    samples, weights = samples_of(2), weights_of(2)
    problem = problem_of(samples)
    gradients = BackwardRule().gradient(problem, problem.forward(weights), weights)
    flat = np.concatenate([g.ravel() for g in gradients])
    found = gradient_norm(stacked(gradients), 1 / len(samples.inputs))
    assert found == pytest.approx(np.linalg.norm(flat) / len(samples.inputs), rel=1e-12)
    run = run_one(samples, weights, plan_of(), problem=problem)
    assert run.curves["gradient_norm"][1][0] == pytest.approx(float(found[0]), rel=1e-12)


@pytest.mark.parametrize("fault", ["doubled", "sign", "missing_derivative", "missing_output_derivative"])
def test_cosines_of_single_samples_are_those_of_their_own_gradients(fault):
    samples, weights = samples_of(3, count=6), weights_of(3)
    problem = problem_of(samples, output=SIGMOID, loss=SQUARED_ERROR, clip=FLOOR)
    wrong, right = BackwardRule(fault=FAULTS[fault]()), BackwardRule()
    each = []
    for i in range(6):
        alone = replace(problem, inputs=problem.inputs[i : i + 1], targets=problem.targets[i : i + 1])
        both = [rule.gradient(alone, alone.forward(weights), weights) for rule in (wrong, right)]
        each.append(cosine(*map(stacked, both))[0])
    batched = replace(problem, inputs=problem.inputs[None], targets=problem.targets[None])
    forward = batched.forward(stacked(weights))
    used, exact = (rule.backward(batched, forward, stacked(weights)) for rule in (wrong, right))
    found = cosine_per_sample(forward, used, exact)
    assert found == pytest.approx(np.mean(each), rel=1e-12)
    whole = cosine(used.gradients, exact.gradients)
    assert fault in ("doubled", "sign") or abs(found - whole) > 1e-3
