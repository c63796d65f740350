"""Mistakes in the gradient of a layer's weights and biases."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from backproof.network.arrays import Array, square_part_transposed, transpose, with_ones
from backproof.network.faults.conditions import several_samples, some_hidden_layer
from backproof.network.faults.fault import Here, at_parameter_gradient


@at_parameter_gradient(
    cause="weight gradient: transposed", matters=lambda s: any(a == b > 1 for a, b in pairwise(s.widths))
)
def transposed(gradient: Array, _here: Here) -> Array:
    """the gradient of a square weight matrix, transposed"""
    return square_part_transposed(gradient)


def _with_bias(gradient: Array, bias: Array | float) -> Array:
    incorrect = gradient.copy()
    incorrect[..., -1] = bias
    return incorrect


@at_parameter_gradient(cause="bias gradient: zero")
def no_bias(gradient: Array, _here: Here) -> Array:
    """bias gradient left at zero"""
    return _with_bias(gradient, 0)


@at_parameter_gradient(cause="bias gradient: of one sample", matters=several_samples)
def bias_not_summed(gradient: Array, here: Here) -> Array:
    """bias gradient of the last sample only"""
    return _with_bias(gradient, here.delta[..., -1, :]) if here.delta.shape[-2] else gradient


@at_parameter_gradient(
    cause="bias gradient: summed over units",
    matters=lambda s: s.samples > 1 and s.samples in s.widths[1:],
)
def bias_over_units(gradient: Array, here: Here) -> Array:
    """bias gradient summed over units, where sizes agree"""
    samples, units = here.delta.shape[-2:]
    return _with_bias(gradient, here.delta.sum(axis=-1)) if samples == units else gradient


@at_parameter_gradient(cause="weight gradient: scale")
def accumulated_twice(gradient: Array, here: Here) -> Array:
    """the first layer's gradient added twice"""
    return 2 * gradient if here.layer == 0 else gradient


@at_parameter_gradient(
    cause="weight gradient: another layer's delta",
    matters=lambda s: any(a == b for a, b in pairwise(s.widths[1:])),
)
def off_by_one(gradient: Array, here: Here) -> Array:
    """a layer's gradient with the delta of the layer above"""
    above = here.delta_above
    if above is None or above.shape != here.delta.shape:
        return gradient
    return np.asarray(transpose(above) @ here.inputs)


@at_parameter_gradient(
    cause="weight gradient: pre-activations as inputs",
    matters=lambda s: some_hidden_layer(s) and s.activation.name != "identity",
)
def pre_activation_as_input(gradient: Array, here: Here) -> Array:
    """z in place of f(z) as the layer's input"""
    if here.layer == 0:
        return gradient
    return np.asarray(transpose(here.delta) @ with_ones(here.forward.pre_activations[here.layer - 1]))


@at_parameter_gradient(cause="weight gradient: not identified", matters=some_hidden_layer)
def stale_cache(gradient: Array, here: Here) -> Array:
    """the layer's inputs of an earlier forward pass

    That of the step before, when every weight of the first layer was 0.01 larger.
    """
    if here.layer == 0:
        return gradient
    first, *others = here.weights
    older = here.problem.forward([first + first.dtype.type(0.01), *others])
    return np.asarray(transpose(here.delta) @ older.inputs[here.layer])
