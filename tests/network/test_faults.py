"""Every planted fault changes the gradient in the way its record says, and nothing else."""

import numpy as np
import pytest
from oracles import random_problem

from backproof.network import BackwardRule
from backproof.network.faults import FAULTS

SAMPLES = 7


def gradients(fault, **choice):
    problem, weights = random_problem(1, hidden=(4, 5), samples=SAMPLES, **choice)
    forward = problem.forward(weights)
    right = BackwardRule().gradient(problem, forward, weights)
    return (
        BackwardRule(fault=FAULTS[fault]).gradient(problem, forward, weights),
        right,
        problem,
        forward,
        weights,
    )


def same(found, right):
    return [bool(np.allclose(a, b, rtol=1e-12, atol=1e-14)) for a, b in zip(found, right, strict=True)]


def _sign(right, *_):
    return [-g for g in right]


def _doubled(right, *_):
    return [2 * g for g in right]


def _divided(right, *_):
    return [g / SAMPLES for g in right]


def _twice(right, *_):
    return [2 * right[0], *right[1:]]


def _no_bias(right, *_):
    return [np.concatenate([g[:, :-1], np.zeros((len(g), 1))], axis=1) for g in right]


def _transposed(right, *_):
    """Features and the first hidden layer are four each: its matrix is the only square one."""
    first = right[0].copy()
    first[:, :-1] = first[:, :-1].T
    return [first, *right[1:]]


def _by_hand(problem, forward, weights, slope, weights_used=lambda w, _g: w):
    """The backward pass of tanh layers below a sigmoid, once more."""
    y, t = forward.outputs, problem.targets
    delta = (y - t) * slope(forward.pre_activations[-1], y, lambda s: s * (1 - s))
    found = []
    for layer in (2, 1, 0):
        found.insert(0, delta.T @ forward.inputs[layer])
        if layer:
            a, z = forward.inputs[layer][:, :-1], forward.pre_activations[layer - 1]
            carried = delta @ weights_used(weights[layer], found[0])[:, :-1]
            delta = carried * slope(z, a, lambda v: 1 - v**2)
    return found


def _missing_slope(_right, *network):
    return _by_hand(*network, lambda _z, a, _of_value: np.ones_like(a))


def _slope_of_value(_right, *network):
    sigmoid_of = network[1].outputs
    functions = {id(sigmoid_of): lambda v: 1 / (1 + np.exp(-v))}
    return _by_hand(*network, lambda _z, a, of_value: of_value(functions.get(id(a), np.tanh)(a)))


def _updated(_right, *network):
    return _by_hand(*network, lambda _z, a, of_value: of_value(a), lambda w, g: w - 0.01 * g)


def _last_sample(right, problem, _forward, weights):
    found = [g.copy() for g in right]
    last = problem.inputs[-1:]
    one = type(problem)(
        last, problem.targets[-1:], problem.activation, problem.output, problem.loss, problem.clip
    )
    for g, of_one in zip(found, BackwardRule().gradient(one, one.forward(weights), weights), strict=True):
        g[:, -1] = of_one[:, -1]
    return found


EFFECTS = {
    "none": lambda right, *_: right,
    "missing_slope": _missing_slope,
    "slope_of_value": _slope_of_value,
    "sign": _sign,
    "transposed": _transposed,
    "no_bias": _no_bias,
    "bias_not_summed": _last_sample,
    "divided_by_samples": _divided,
    "doubled": _doubled,
    "updated_weights": _updated,
    "accumulated_twice": _twice,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_does_what_its_record_says(fault):
    found, right, *network = gradients(fault)
    assert all(same(found, EFFECTS[fault](right, *network)))
    assert all(same(found, right)) == (fault == "none")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_never_touches_the_problem(fault):
    _, _, problem, forward, weights = gradients(fault)
    again = problem.forward(weights)
    assert np.array_equal(again.loss, forward.loss)


def test_an_effect_wrong_by_one_in_a_thousand_is_refused():
    found, right, *_ = gradients("doubled")
    assert not any(same(found, [2.002 * g for g in right]))
