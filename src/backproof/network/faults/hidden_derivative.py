"""Mistakes in a hidden activation's derivative f'(z), or in how it is used."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import pairwise

import numpy as np

from backproof.choices import Choice
from backproof.network.activations import Activation, KinkRule
from backproof.network.arrays import Array
from backproof.network.faults.conditions import some_hidden_layer
from backproof.network.faults.fault import (
    Fault,
    Here,
    Setting,
    at_arriving_gradient,
    at_hidden_derivative,
    convention,
)

_PROBES = np.concatenate([np.linspace(-8, 8, 4001), [0.0]])


def elementwise(*, cause: str) -> Callable[[Callable[[Array, Array, Activation], Array]], Choice[[], Fault]]:
    """Make a fault of (f'(z), z, activation) to the incorrect derivative.

    It matters where the two differ anywhere off the kinks.
    """

    def decorate(mistake: Callable[[Array, Array, Activation], Array]) -> Choice[[], Fault]:
        @wraps(mistake)
        def change(derivative: Array, here: Here) -> Array:
            return mistake(derivative, here.z, here.problem.activation)

        def matters(s: Setting) -> bool:
            z = _PROBES[~s.activation.at_kink(_PROBES)]
            right = s.activation.derivative(z)
            return some_hidden_layer(s) and not np.array_equal(mistake(right, z, s.activation), right)

        return at_hidden_derivative(cause=cause, matters=matters)(change)

    return decorate


@elementwise(cause="derivative: missing")
def missing_derivative(derivative: Array, _z: Array, _activation: Activation) -> Array:
    """a hidden delta without f'(z)"""
    return np.ones_like(derivative)


@elementwise(cause="derivative: squared")
def derivative_squared(derivative: Array, _z: Array, _activation: Activation) -> Array:
    """f'(z) multiplied in twice"""
    return derivative * derivative


@elementwise(cause="derivative: of the value")
def derivative_of_value(_derivative: Array, z: Array, activation: Activation) -> Array:
    """f'(f(z)) in place of f'(z)"""
    return activation.derivative_at(activation.value(z), 0.0)


@elementwise(cause="derivative: another function of z")
def formula_of_value_at_z(derivative: Array, z: Array, activation: Activation) -> Array:
    """z(1 - z) for sigmoid, 1 - z² for tanh"""
    return np.asarray({"sigmoid": z * (1 - z), "tanh": 1 - z * z}.get(activation.name, derivative))


@elementwise(cause="derivative: another function of z")
def tanh_one_minus_value(derivative: Array, z: Array, activation: Activation) -> Array:
    """tanh's derivative as 1 - tanh(z)"""
    return np.asarray(1 - activation.value(z)) if activation.name == "tanh" else derivative


@elementwise(cause="derivative: missing")
def mask_on_value(derivative: Array, z: Array, activation: Activation) -> Array:
    """ReLU's mask as f(z) >= 0"""
    for kink in activation.kinks:
        if kink.at == 0:
            derivative = np.where((activation.value(z) >= 0) & (z <= 0), kink.right, derivative)
    return np.asarray(derivative.astype(z.dtype, copy=False))


@elementwise(cause="derivative: of -z")
def wrong_side(derivative: Array, z: Array, activation: Activation) -> Array:
    """the derivative on the other side of zero"""
    return activation.derivative_at(-z, 0.0) if activation.kinks else derivative


@at_hidden_derivative(
    cause="derivative: another layer's",
    matters=lambda s: s.activation.name != "identity" and any(a == b for a, b in pairwise(s.widths[1:-1])),
)
def mask_of_other_layer(derivative: Array, here: Here) -> Array:
    """the derivative at another layer's pre-activations"""
    for layer, z in enumerate(here.forward.pre_activations[:-1]):
        if layer != here.layer and z.shape == derivative.shape:
            return here.problem.activation.derivative_at(z, 0.0)
    return derivative


@at_arriving_gradient(cause="hidden delta: positive part", matters=some_hidden_layer)
def positive_only(arriving: Array, _here: Here) -> Array:
    """negative gradients cut off on the way down"""
    return np.maximum(arriving, 0)


def _meets_a_kink(s: Setting) -> bool:
    at_output = bool(s.output.kinks) and not s.y_minus_t
    return at_output or (some_hidden_layer(s) and bool(s.activation.kinks))


@convention(cause="derivative: at a kink", matters=_meets_a_kink)
def kink_assigned() -> dict[str, str]:
    """at a kink the incoming gradient is replaced"""
    return {"kink": KinkRule.ASSIGN}
