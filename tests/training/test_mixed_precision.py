"""Training in few bits: what rounding loses, and what a loss scale and master weights keep."""

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from test_train import IDENTITY, NONE, RELU, SQUARED_ERROR, plan_of, samples_of, weights_of

from backproof.network.arithmetic import Arithmetic
from backproof.network.number_formats import BFLOAT16, mantissa
from backproof.network.problem import Problem
from backproof.network.rules import BackwardRule
from backproof.training import train
from backproof.training.optimisers import OPTIMISERS
from backproof.training.optimisers.sgd import sgd
from backproof.training.updating import Mixed, Updating

IN_BFLOAT16 = Arithmetic(BFLOAT16)


def in_bfloat16(x):
    return np.asarray(x, np.float32).astype(ml_dtypes.bfloat16).astype(np.float32)


def updating(weights, mixed=None, arithmetic=IN_BFLOAT16, optimiser=None, rate=1.0):
    steps = np.full((500, 1), rate)
    return Updating(
        [w[None].copy() for w in weights], optimiser or sgd(), steps, arithmetic, mixed or Mixed()
    )


def trained(dtype, mixed, arithmetic=None, steps=6, **more):
    """The loss curve of a small ReLU network, one cell."""
    samples, weights = samples_of(0, dtype=dtype), weights_of(0, dtype=dtype)
    arithmetic = arithmetic or Arithmetic()
    samples = replace(samples, **{k: arithmetic.rounded(v) for k, v in vars(samples).items()})
    problem = Problem(
        samples.inputs, samples.targets, RELU, IDENTITY, SQUARED_ERROR, NONE, arithmetic=arithmetic, **more
    )
    plan = replace(plan_of((0.1,), steps=steps), mixed=mixed)
    stacked = [arithmetic.rounded(w)[None] for w in weights]
    return train(problem, stacked, BackwardRule(), plan, [samples], [np.random.default_rng(0)])[0]


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("mixed", [Mixed(), Mixed(64.0), Mixed(1.0, True)], ids=str)
def test_weights_stay_numbers_of_the_format_whatever_updates_them(name, mixed):
    rng = np.random.default_rng(0)
    weights = [in_bfloat16(rng.normal(size=(3, 4)))]
    running = updating(weights, mixed, optimiser=OPTIMISERS[name](), rate=1.0)
    before = running.weights[0].copy()
    for step in range(5):
        running.step(step, [in_bfloat16(rng.normal(size=(1, 3, 4)))], 0.37)
    assert np.array_equal(in_bfloat16(running.weights[0]), running.weights[0])
    assert not np.array_equal(running.weights[0], before)


def test_an_update_below_half_a_spacing_is_lost_but_for_master_weights():
    """1 − 100·2⁻¹⁰ is 0.9023; the spacing of bfloat16 below 1 is 2⁻⁸, so that no single 2⁻¹⁰ moves it."""
    for master, expected in ((False, 1.0), (True, float(in_bfloat16(1 - 100 * 2.0**-10)))):
        running = updating([np.ones((1, 1), np.float32)], Mixed(1.0, master))
        for step in range(100):
            running.step(step, [np.full((1, 1, 1), 2.0**-10, np.float32)], 1.0)
        assert running.weights[0].item() == expected


def test_a_plain_update_is_that_of_sgd_by_hand():
    rng = np.random.default_rng(1)
    w, g = in_bfloat16(rng.normal(size=(3, 4))), in_bfloat16(rng.normal(size=(1, 3, 4)))
    running = updating([w], rate=0.25)
    running.step(0, [g], 1 / 3)
    scaled = in_bfloat16(g * np.float32(1 / 3))
    assert np.array_equal(running.weights[0], in_bfloat16(w - np.float32(0.25) * scaled))
    assert not np.array_equal(running.weights[0], w - np.float32(0.25) * scaled)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_power_of_two_as_loss_scale_changes_no_bit_in_wide_precisions(dtype):
    plain, scaled = (trained(dtype, Mixed(scale), l2=0.1) for scale in (1.0, 1024.0))
    assert np.array_equal(plain.curves["loss"][1], scaled.curves["loss"][1])
    assert np.array_equal(plain.curves["gradient_norm"][1], scaled.curves["gradient_norm"][1])
    other = trained(dtype, Mixed(1000.0), l2=0.1)
    assert not np.array_equal(plain.curves["loss"][1], other.curves["loss"][1])
    assert other.final_loss == pytest.approx(plain.final_loss, rel=1e-5)


def test_a_loss_scale_keeps_gradients_that_underflow_in_float16():
    """Gradients near 2⁻²² have two bits left in float16, whose smallest number is 2⁻²⁴."""
    samples = samples_of(3, dtype=np.float16)
    tiny = replace(samples, inputs=samples.inputs * np.float16(2.0**-12), targets=samples.targets * 0)
    weights = [(w * 2.0**-13).astype(np.float16) for w in weights_of(3, widths=(3, 2))]
    problem = Problem(tiny.inputs, tiny.targets, RELU, IDENTITY, SQUARED_ERROR, NONE)
    forward = problem.forward(weights)
    plain, scaled = (
        BackwardRule(loss_scale=scale).gradient(problem, forward, weights)[0][:, :-1].astype(float)
        for scale in (1.0, 2.0**16)
    )
    exact = problem.inputs.astype(float).T @ (forward.outputs.astype(float))
    assert np.abs(scaled / 2**16 - exact.T).max() < 1e-3 * np.abs(exact).max()
    assert np.abs(plain - exact.T).max() > 0.05 * np.abs(exact).max()


def test_a_scale_beyond_float16_is_no_infinity():
    rule = BackwardRule(loss_scale=2.0**17)
    samples, weights = samples_of(0, dtype=np.float16), weights_of(0, dtype=np.float16)
    targets = samples.targets * np.float16(2.0**-10)
    problem = Problem(samples.inputs * np.float16(0), targets, RELU, IDENTITY, SQUARED_ERROR, NONE)
    weights = [w * np.float16(0) for w in weights]
    found = rule.gradient(problem, problem.forward(weights), weights)
    assert np.isfinite(found[-1]).all() and np.abs(found[-1]).max() > 100


def test_training_in_many_mantissa_bits_is_nearly_that_of_float64_and_in_few_is_not():
    exact = trained(np.float64, Mixed()).final_loss
    fine = trained(np.float64, Mixed(), Arithmetic(mantissa(40))).final_loss
    coarse = trained(np.float64, Mixed(), Arithmetic(mantissa(3))).final_loss
    assert fine == pytest.approx(exact, rel=1e-9)
    assert fine != exact
    assert abs(coarse - exact) > 1e-3 * exact
