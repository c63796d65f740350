"""Update rules against the formulas of their papers, worked out by hand."""

import numpy as np
import pytest

from backproof.training.optimisers import OPTIMISERS
from backproof.training.optimisers.adam import adam
from backproof.training.optimisers.momentum import momentum
from backproof.training.optimisers.sgd import sgd


def steps(optimiser, gradients, rate=0.5, start=1.0, dtype=np.float64):
    """The weight after each of a series of gradients."""
    weights, state, seen = [np.full((1, 1, 1), start, dtype)], {}, []
    for g in gradients:
        optimiser.update(weights, [np.full((1, 1, 1), g, dtype)], np.full((1, 1, 1), rate, dtype), state)
        seen.append(float(weights[0][0, 0, 0]))
    return seen


def test_sgd():
    assert steps(sgd(), [2.0, -1.0]) == [0.0, 0.5]


def test_momentum():
    # v = 2, w = 1 - 1 = 0; v = 0.75·2 - 1 = 0.5, w = -0.25; v = 0.375, w = -0.4375
    assert steps(momentum(0.75), [2.0, -1.0, 0.0]) == [0.0, -0.25, -0.4375]


def test_momentum_of_zero_is_sgd():
    assert steps(momentum(0.0), [2.0, -1.0, 3.0]) == steps(sgd(), [2.0, -1.0, 3.0])


def test_adam():
    # Step 1: m̂ = g and √ŝ = |g|, so the step is rate·sign(g). Step 2, with β₁ = 0.5 and β₂ = 0.75:
    # m = 0.5·1 + 0.5·(-1) = 0, hence no step, whatever s is. Step 3, g = 4: m = 2, m̂ = 2 / 0.875,
    # s = 0.75·(0.75·1 + 0.25) + 0.25·16 with s₁ = 0.25·4 = 1.
    got = steps(adam(beta1=0.5, beta2=0.75, epsilon=1e-300), [2.0, -1.0, 4.0])
    s = 0.75 * (0.75 * 1 + 0.25 * 1) + 0.25 * 16
    third = 0.5 - 0.5 * (2 / 0.875) / np.sqrt(s / (1 - 0.75**3))
    assert got == pytest.approx([0.5, 0.5, third], rel=1e-14)


def test_adams_first_step_has_the_learning_rates_size_whatever_the_gradients():
    for g in (1e-6, 1.0, 1e6):
        assert steps(adam(epsilon=1e-20), [g], rate=0.1, start=0.0) == pytest.approx([-0.1], rel=1e-10)


def test_adams_epsilon_stands_outside_the_root():
    assert steps(adam(epsilon=1.0), [3.0], rate=1.0, start=0.0) == pytest.approx([-3 / 4])


def test_adam_in_float16_divides_by_no_zero():
    got = steps(adam(), [0.0, 1e-4], rate=0.1, dtype=np.float16)
    assert np.isfinite(got).all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_each_network_of_a_batch_has_its_own_rate(name):
    weights, rates = [np.zeros((2, 1, 1))], np.array([1.0, 2.0]).reshape(2, 1, 1)
    OPTIMISERS[name]().update(weights, [np.ones((2, 1, 1))], rates, {})
    assert weights[0][1] == pytest.approx(2 * weights[0][0])
    assert weights[0][0] != 0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: momentum(1.0), r"momentum must be in \[0, 1\); not 1.0"),
        (lambda: momentum(-0.1), r"momentum must be in \[0, 1\); not -0.1"),
        (lambda: adam(beta1=1.0), r"beta1 must be in \[0, 1\); not 1.0"),
        (lambda: adam(beta2=float("nan")), r"beta2 must be in \[0, 1\); not nan"),
        (lambda: adam(epsilon=0.0), "epsilon must be positive; not 0.0"),
    ],
)
def test_parameters_out_of_range(make, says):
    with pytest.raises(ValueError, match=says):
        make()
