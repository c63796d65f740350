"""Planted faults: mistakes that people make in a backward pass, one small override each.

A fault replaces a step of the backward rule and nothing else; the problem never sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backproof.network.arrays import Array, transpose

if TYPE_CHECKING:
    from backproof.network.activations import Activation
    from backproof.network.problem import Forward, Problem

OutputStep = Callable[[Array, "Problem", "Forward"], Array]
SlopeStep = Callable[["Activation", Array, Array, int], Array]
WeightStep = Callable[[Array, Array, int, "Problem", "Forward"], Array]
UseStep = Callable[[Array, Array], Array]


def _keep_delta(delta: Array, _problem: Problem, _forward: Forward) -> Array:
    return delta


def _keep_slope(_activation: Activation, _z: Array, slope: Array, _layer: int) -> Array:
    return slope


def _keep_gradient(
    gradient: Array, _delta: Array, _layer: int, _problem: Problem, _forward: Forward
) -> Array:
    return gradient


def _keep_weights(weights: Array, _gradient: Array) -> Array:
    return weights


@dataclass(frozen=True)
class Fault:
    """A mistake; what it does not override is done right.

    Attributes:
        at_output: changes the delta of the last layer.
        slope: changes the activation's derivative, given (activation, z, right slope, layer).
        of_weights: changes a layer's gradient, given (gradient, delta, layer, problem, forward).
        weights_used: changes the weights that carry delta down, given (weights, their gradient).
    """

    name: str
    formula: str
    at_output: OutputStep = _keep_delta
    slope: SlopeStep = _keep_slope
    of_weights: WeightStep = _keep_gradient
    weights_used: UseStep = _keep_weights


def _no_slope(_activation: Activation, _z: Array, slope: Array, _layer: int) -> Array:
    return np.ones_like(slope)


def _slope_of_value(activation: Activation, z: Array, _slope: Array, _layer: int) -> Array:
    return activation.slope(activation.value(z))


def _sign(delta: Array, _problem: Problem, _forward: Forward) -> Array:
    return -delta


def _transposed(gradient: Array, _delta: Array, _layer: int, _problem: Problem, _forward: Forward) -> Array:
    square = gradient.shape[-1] - 1 == gradient.shape[-2]
    if not square:
        return gradient
    wrong = gradient.copy()
    wrong[..., :-1] = transpose(gradient[..., :-1])
    return wrong


def _no_bias(gradient: Array, _delta: Array, _layer: int, _problem: Problem, _forward: Forward) -> Array:
    wrong = gradient.copy()
    wrong[..., -1] = 0
    return wrong


def _bias_of_last_sample(
    gradient: Array, delta: Array, _layer: int, _problem: Problem, _forward: Forward
) -> Array:
    wrong = gradient.copy()
    if delta.shape[-2]:
        wrong[..., -1] = delta[..., -1, :]
    return wrong


def _divided_by_samples(delta: Array, _problem: Problem, _forward: Forward) -> Array:
    return np.asarray(delta / delta.dtype.type(max(delta.shape[-2], 1)))


def _doubled(delta: Array, _problem: Problem, _forward: Forward) -> Array:
    return 2 * delta


def _updated_weights(weights: Array, gradient: Array) -> Array:
    return np.asarray(weights - weights.dtype.type(0.01) * gradient)


def _twice_in_first_layer(
    gradient: Array, _delta: Array, layer: int, _problem: Problem, _forward: Forward
) -> Array:
    return 2 * gradient if layer == 0 else gradient


NO_FAULT = Fault("none", "nothing planted")
MISSING_SLOPE = Fault("missing_slope", "delta without f'(z)", slope=_no_slope)
SLOPE_OF_VALUE = Fault("slope_of_value", "f'(f(z)) in place of f'(z)", slope=_slope_of_value)
SIGN = Fault("sign", "t - y in place of y - t", at_output=_sign)
TRANSPOSED = Fault("transposed", "the gradient of a square weight matrix, transposed", of_weights=_transposed)
NO_BIAS = Fault("no_bias", "bias gradient left at zero", of_weights=_no_bias)
BIAS_NOT_SUMMED = Fault(
    "bias_not_summed", "bias gradient of the last sample only", of_weights=_bias_of_last_sample
)
DIVIDED_BY_SAMPLES = Fault("divided_by_samples", "1/N too many", at_output=_divided_by_samples)
DOUBLED = Fault("doubled", "½ missing from the loss's derivative: a factor of 2", at_output=_doubled)
UPDATED_WEIGHTS = Fault(
    "updated_weights", "weights updated before they carry delta down", weights_used=_updated_weights
)
ACCUMULATED_TWICE = Fault(
    "accumulated_twice", "the first layer's gradient added twice", of_weights=_twice_in_first_layer
)

FAULTS: dict[str, Fault] = {
    f.name: f
    for f in (
        NO_FAULT,
        MISSING_SLOPE,
        SLOPE_OF_VALUE,
        SIGN,
        TRANSPOSED,
        NO_BIAS,
        BIAS_NOT_SUMMED,
        DIVIDED_BY_SAMPLES,
        DOUBLED,
        UPDATED_WEIGHTS,
        ACCUMULATED_TWICE,
    )
}
