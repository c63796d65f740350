"""Planted faults: mistakes that people make in a backward pass, one small override each.

A fault replaces a step of the backward rule and nothing else; the problem never sees it. What a
check should make of it is its `cause`, in the words of `verdicts.causes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from backproof.network.activations import SIGMOID, TANH, Activation, Softmax
from backproof.network.arrays import Array, Weights, transpose, with_ones

if TYPE_CHECKING:
    from backproof.network.problem import Forward, Problem


@dataclass(frozen=True)
class Here:
    """The place in the backward pass where a fault acts.

    Attributes:
        layer: counted from 0.
        deltas: those of the layers above this one, the last layer's first.
    """

    problem: Problem
    forward: Forward
    weights: Weights
    layer: int
    deltas: Sequence[Array]


@dataclass(frozen=True)
class Setting:
    """What is known of a case before it is computed: enough to tell whether a fault can matter to it.

    Attributes:
        widths: features, hidden units of each layer, outputs.
        y_minus_t: whether the delta at the output is y − t.
    """

    widths: tuple[int, ...]
    samples: int
    activation: Activation
    output: Activation | Softmax
    loss: str
    clip: str
    reduction: str
    l2: float
    precision: str
    y_minus_t: bool

    @property
    def square(self) -> bool:
        """Whether some weight matrix is square and larger than 1 × 1."""
        return any(a == b > 1 for a, b in pairwise(self.widths))


def _keep(x: Array, _here: Here) -> Array:
    return x


def _keep_gradient(gradient: Array, _delta: Array, _here: Here) -> Array:
    return gradient


def _keep_weights(weights: Array, _gradient: Array, _here: Here) -> Array:
    return weights


def _always(_setting: Setting) -> bool:
    return True


@dataclass(frozen=True)
class Fault:
    """A mistake; what it does not override is done right.

    Attributes:
        cause: what a check should name first; empty where nothing is wrong.
        at_output: changes the delta of the last layer, before the reduction's factor.
        arriving: changes the gradient that arrives at a hidden layer's values.
        slope: changes a hidden activation's derivative.
        of_weights: changes a layer's gradient, given (gradient, delta, here).
        of_penalty: changes the penalty's part of it.
        weights_used: changes the weights that carry delta down, given (weights, their gradient, here).
        conventions: settings of the backward rule that the mistake amounts to.
        matters: whether it can change anything in a setting.
    """

    name: str
    formula: str
    cause: str = ""
    at_output: Callable[[Array, Here], Array] = _keep
    arriving: Callable[[Array, Here], Array] = _keep
    slope: Callable[[Array, Here], Array] = _keep
    of_weights: Callable[[Array, Array, Here], Array] = _keep_gradient
    of_penalty: Callable[[Array, Here], Array] = _keep
    weights_used: Callable[[Array, Array, Here], Array] = _keep_weights
    conventions: tuple[tuple[str, str], ...] = ()
    matters: Callable[[Setting], bool] = _always


# --- the delta at the output ---------------------------------------------------------------------


def _sign(delta: Array, _here: Here) -> Array:
    return -delta


def _doubled(delta: Array, _here: Here) -> Array:
    return 2 * delta


def _divided_by_samples(delta: Array, _here: Here) -> Array:
    return np.asarray(delta / delta.dtype.type(max(delta.shape[-2], 1)))


def _not_divided(delta: Array, here: Here) -> Array:
    return np.asarray(delta / delta.dtype.type(here.problem.scale))


def _without_output_slope(_delta: Array, here: Here) -> Array:
    problem, forward = here.problem, here.forward
    return problem.loss.slope(forward.outputs, problem.targets, problem.clip, problem.eps)


def _softmax_alone(delta: Array, here: Here) -> Array:
    if here.problem.output.elementwise:
        return delta
    y = here.forward.outputs
    return np.asarray(_without_output_slope(delta, here) * y * (1 - y))


def _in_float32(delta: Array, _here: Here) -> Array:
    return delta.astype(np.float32).astype(delta.dtype)


def _last_sample_left_out(delta: Array, _here: Here) -> Array:
    wrong = delta.copy()
    wrong[..., -1:, :] = 0
    return wrong


# --- a hidden activation's derivative ------------------------------------------------------------


def _no_slope(slope: Array, _here: Here) -> Array:
    return np.ones_like(slope)


def _slope_twice(slope: Array, _here: Here) -> Array:
    return slope * slope


def _slope_of_value(_slope: Array, here: Here) -> Array:
    activation = here.problem.activation
    return activation.derivative(activation.value(here.forward.pre_activations[here.layer]), 0.0)


def _formula_of_value_at_z(slope: Array, here: Here) -> Array:
    z, name = here.forward.pre_activations[here.layer], here.problem.activation.name
    return np.asarray({"sigmoid": z * (1 - z), "tanh": 1 - z * z}.get(name, slope))


def _mask_on_value(slope: Array, here: Here) -> Array:
    z = here.forward.pre_activations[here.layer]
    return _masked_on_value(here.problem.activation, z, slope)


def _masked_on_value(activation: Activation, z: Array, slope: Array) -> Array:
    for kink in activation.kinks:
        if kink.at == 0:
            slope = np.where((activation.value(z) >= 0) & (z <= 0), kink.right, slope)
    return np.asarray(slope.astype(z.dtype, copy=False))


def _mask_of_other_layer(slope: Array, here: Here) -> Array:
    for layer, z in enumerate(here.forward.pre_activations[:-1]):
        if layer != here.layer and z.shape == slope.shape:
            return here.problem.activation.derivative(z, 0.0)
    return slope


def _one_minus_value(slope: Array, here: Here) -> Array:
    z, activation = here.forward.pre_activations[here.layer], here.problem.activation
    return np.asarray(1 - activation.value(z)) if activation.name == "tanh" else slope


def _wrong_side(slope: Array, here: Here) -> Array:
    activation = here.problem.activation
    if not activation.kinks:
        return slope
    return activation.derivative(-here.forward.pre_activations[here.layer], 0.0)


def _positive_only(incoming: Array, _here: Here) -> Array:
    return np.maximum(incoming, 0)


# --- what carries delta down ---------------------------------------------------------------------


def _updated_weights(weights: Array, gradient: Array, _here: Here) -> Array:
    return np.asarray(weights - weights.dtype.type(0.01) * gradient)


def _transposed_weights(weights: Array, _gradient: Array, _here: Here) -> Array:
    return _square_part_transposed(weights)


def _square_part_transposed(a: Array) -> Array:
    if a.shape[-1] - 1 != a.shape[-2]:
        return a
    wrong = a.copy()
    wrong[..., :-1] = transpose(a[..., :-1])
    return wrong


# --- the gradient of weights and biases ----------------------------------------------------------


def _transposed(gradient: Array, _delta: Array, _here: Here) -> Array:
    return _square_part_transposed(gradient)


def _with_bias(gradient: Array, bias: Array) -> Array:
    wrong = gradient.copy()
    wrong[..., -1] = bias
    return wrong


def _no_bias(gradient: Array, _delta: Array, _here: Here) -> Array:
    return _with_bias(gradient, np.zeros_like(gradient[..., -1]))


def _bias_of_last_sample(gradient: Array, delta: Array, _here: Here) -> Array:
    return _with_bias(gradient, delta[..., -1, :]) if delta.shape[-2] else gradient


def _bias_over_units(gradient: Array, delta: Array, _here: Here) -> Array:
    return _with_bias(gradient, delta.sum(axis=-1)) if delta.shape[-1] == delta.shape[-2] else gradient


def _twice_in_first_layer(gradient: Array, _delta: Array, here: Here) -> Array:
    return 2 * gradient if here.layer == 0 else gradient


def _delta_of_layer_above(gradient: Array, delta: Array, here: Here) -> Array:
    if here.layer == len(here.weights) - 1 or here.deltas[-1].shape != delta.shape:
        return gradient
    return np.asarray(transpose(here.deltas[-1]) @ here.forward.inputs[here.layer])


def _pre_activations_as_inputs(gradient: Array, delta: Array, here: Here) -> Array:
    if here.layer == 0:
        return gradient
    return np.asarray(transpose(delta) @ with_ones(here.forward.pre_activations[here.layer - 1]))


def _stale_inputs(gradient: Array, delta: Array, here: Here) -> Array:
    """The cache still holds the forward pass of a step ago, when the first layer was 1 % smaller."""
    if here.layer == 0:
        return gradient
    older = [here.weights[0] * here.weights[0].dtype.type(0.99), *here.weights[1:]]
    return np.asarray(transpose(delta) @ here.problem.forward(older).inputs[here.layer])


def _no_penalty(penalty: Array, _here: Here) -> Array:
    return np.zeros_like(penalty)


def _penalty_on_biases(penalty: Array, here: Here) -> Array:
    return np.asarray(here.weights[here.layer] * penalty.dtype.type(here.problem.l2))


# --- what each of them can matter to -------------------------------------------------------------


def _several_samples(s: Setting) -> bool:
    return s.samples > 1


def _averaged(s: Setting) -> bool:
    count = {"sum": 1, "sample_mean": s.samples, "mean": s.samples * s.widths[-1]}[s.reduction]
    return count > 1


def _hidden(s: Setting) -> bool:
    return len(s.widths) > 2


def _deep(s: Setting) -> bool:
    hidden = s.widths[1:-1]
    return any(a == b for a, b in pairwise(hidden))


_PROBE = np.concatenate([np.linspace(-8, 8, 4001), [0.0]])


def _other_slope(change: Callable[[Activation, Array], Array]) -> Callable[[Setting], bool]:
    """Whether a changed derivative differs from the right one anywhere off the kinks."""

    def matters(s: Setting) -> bool:
        z = _PROBE[~s.activation.at_kink(_PROBE)]
        return _hidden(s) and not np.array_equal(change(s.activation, z), s.activation.slope(z))

    return matters


def _uses_output_slope(s: Setting) -> bool:
    return not s.y_minus_t and s.output.name != "identity"


def _with_clip(*names: str) -> Callable[[Setting], bool]:
    return lambda s: s.clip in names and not s.y_minus_t


def _has_kinks(s: Setting) -> bool:
    of_output = isinstance(s.output, Activation) and bool(s.output.kinks) and not s.y_minus_t
    return of_output or (_hidden(s) and bool(s.activation.kinks))


def _square_above_first(s: Setting) -> bool:
    return any(a == b > 1 for a, b in pairwise(s.widths[1:]))


NO_FAULT = Fault("none", "nothing planted")

SIGN = Fault("sign", "t - y in place of y - t", "output delta: sign", at_output=_sign)
MISSING_OUTPUT_SLOPE = Fault(
    "missing_output_slope",
    "delta at the output without f'(z)",
    "output delta: slope missing",
    at_output=_without_output_slope,
    matters=_uses_output_slope,
)
DOUBLED = Fault(
    "doubled", "½ missing from the loss: its derivative twice", "output delta: scale", at_output=_doubled
)
DIVIDED_BY_SAMPLES = Fault(
    "divided_by_samples",
    "1/N too many",
    "output delta: scale",
    at_output=_divided_by_samples,
    matters=_several_samples,
)
NOT_DIVIDED = Fault(
    "not_divided", "the mean's 1/N missing", "output delta: scale", at_output=_not_divided, matters=_averaged
)
SOFTMAX_ELEMENTWISE = Fault(
    "softmax_elementwise",
    "y(1 - y) in place of softmax's Jacobian",
    "output delta: softmax unit by unit",
    at_output=_softmax_alone,
    matters=lambda s: not s.output.elementwise and not s.y_minus_t,
)
CLIP_IGNORED = Fault(
    "clip_ignored",
    "the clip's derivative taken as 1",
    "output delta: clip ignored",
    conventions=(("clip_backward", "ignored"),),
    matters=_with_clip("floor", "clamp", "log_floor"),
)
SHIFT_IGNORED = Fault(
    "shift_ignored",
    "log(p + eps) differentiated as log(p)",
    "output delta: clip ignored",
    conventions=(("clip_backward", "ignored"),),
    matters=_with_clip("shift"),
)
IN_FLOAT32 = Fault(
    "in_float32",
    "delta at the output rounded to float32",
    "lower precision",
    at_output=_in_float32,
    matters=lambda s: s.precision in ("float64", "longdouble"),
)
LAST_SAMPLE_LEFT_OUT = Fault(
    "last_sample_left_out",
    "a loop that ends one sample early",
    "output delta: samples left out",
    at_output=_last_sample_left_out,
)
MISSING_SLOPE = Fault(
    "missing_slope",
    "a hidden delta without f'(z)",
    "slope: missing",
    slope=_no_slope,
    matters=_other_slope(lambda _a, z: np.ones_like(z)),
)
SLOPE_TWICE = Fault(
    "slope_twice",
    "f'(z) multiplied in twice",
    "slope: squared",
    slope=_slope_twice,
    matters=_other_slope(lambda a, z: a.slope(z) ** 2),
)
SLOPE_OF_VALUE = Fault(
    "slope_of_value",
    "f'(f(z)) in place of f'(z)",
    "slope: of the value",
    slope=_slope_of_value,
    matters=_other_slope(lambda a, z: a.derivative(a.value(z), 0.0)),
)
FORMULA_OF_VALUE_AT_Z = Fault(
    "formula_of_value_at_z",
    "z(1 - z) for sigmoid, 1 - z² for tanh",
    "slope: another function of z",
    slope=_formula_of_value_at_z,
    matters=lambda s: _hidden(s) and s.activation in (SIGMOID, TANH),
)
TANH_ONE_MINUS_VALUE = Fault(
    "tanh_one_minus_value",
    "tanh's derivative as 1 - tanh(z)",
    "slope: another function of z",
    slope=_one_minus_value,
    matters=lambda s: _hidden(s) and s.activation == TANH,
)
MASK_ON_VALUE = Fault(
    "mask_on_value",
    "ReLU's mask as f(z) >= 0",
    "slope: missing",
    slope=_mask_on_value,
    matters=_other_slope(lambda a, z: _masked_on_value(a, z, a.slope(z))),
)
WRONG_SIDE = Fault(
    "wrong_side",
    "the slope of the other side of zero",
    "slope: of -z",
    slope=_wrong_side,
    matters=lambda s: bool(s.activation.kinks) and _other_slope(lambda a, z: a.slope(-z))(s),
)
MASK_OF_OTHER_LAYER = Fault(
    "mask_of_other_layer",
    "the derivative at another layer's pre-activations",
    "slope: another layer's",
    slope=_mask_of_other_layer,
    matters=lambda s: _deep(s) and s.activation.name != "identity",
)
POSITIVE_ONLY = Fault(
    "positive_only",
    "negative gradients cut off on the way down",
    "slope: depends on the gradient",
    arriving=_positive_only,
    matters=_hidden,
)
KINK_ASSIGNED = Fault(
    "kink_assigned",
    "at a kink the incoming gradient is replaced",
    "slope: at a kink",
    conventions=(("kink", "assign"),),
    matters=_has_kinks,
)
UPDATED_WEIGHTS = Fault(
    "updated_weights",
    "weights updated before they carry delta down",
    "carried weights: updated",
    weights_used=_updated_weights,
    matters=_hidden,
)
WEIGHTS_TRANSPOSED = Fault(
    "weights_transposed",
    "a square weight matrix carries delta down the wrong way round",
    "carried weights: transposed",
    weights_used=_transposed_weights,
    matters=_square_above_first,
)
TRANSPOSED = Fault(
    "transposed",
    "the gradient of a square weight matrix, transposed",
    "weight gradient: transposed",
    of_weights=_transposed,
    matters=lambda s: s.square,
)
NO_BIAS = Fault("no_bias", "bias gradient left at zero", "bias gradient: zero", of_weights=_no_bias)
BIAS_NOT_SUMMED = Fault(
    "bias_not_summed",
    "bias gradient of the last sample only",
    "bias gradient: of one sample",
    of_weights=_bias_of_last_sample,
    matters=_several_samples,
)
BIAS_OVER_UNITS = Fault(
    "bias_over_units",
    "bias gradient summed over units, where sizes agree",
    "bias gradient: summed over units",
    of_weights=_bias_over_units,
    matters=lambda s: s.samples > 1 and s.samples in s.widths[1:],
)
ACCUMULATED_TWICE = Fault(
    "accumulated_twice",
    "the first layer's gradient added twice",
    "weight gradient: scale",
    of_weights=_twice_in_first_layer,
)
OFF_BY_ONE = Fault(
    "off_by_one",
    "a layer's gradient with the delta of the layer above",
    "weight gradient: another layer's delta",
    of_weights=_delta_of_layer_above,
    matters=lambda s: any(a == b for a, b in pairwise(s.widths[1:])),
)
PRE_ACTIVATION_AS_INPUT = Fault(
    "pre_activation_as_input",
    "z in place of f(z) as the layer's input",
    "weight gradient: pre-activations as inputs",
    of_weights=_pre_activations_as_inputs,
    matters=lambda s: _hidden(s) and s.activation.name != "identity",
)
STALE_CACHE = Fault(
    "stale_cache",
    "the layer's inputs of an earlier forward pass",
    "weight gradient: other inputs",
    of_weights=_stale_inputs,
    matters=_hidden,
)
NO_PENALTY = Fault(
    "no_penalty",
    "the penalty's gradient left out",
    "penalty: missing",
    of_penalty=_no_penalty,
    matters=lambda s: s.l2 > 0,
)
PENALTY_ON_BIASES = Fault(
    "penalty_on_biases",
    "the penalty's gradient for biases too",
    "penalty: on the biases",
    of_penalty=_penalty_on_biases,
    matters=lambda s: s.l2 > 0,
)

FAULTS: dict[str, Fault] = {
    f.name: f
    for f in (
        NO_FAULT,
        SIGN,
        MISSING_OUTPUT_SLOPE,
        DOUBLED,
        DIVIDED_BY_SAMPLES,
        NOT_DIVIDED,
        SOFTMAX_ELEMENTWISE,
        CLIP_IGNORED,
        SHIFT_IGNORED,
        IN_FLOAT32,
        LAST_SAMPLE_LEFT_OUT,
        MISSING_SLOPE,
        SLOPE_TWICE,
        SLOPE_OF_VALUE,
        FORMULA_OF_VALUE_AT_Z,
        TANH_ONE_MINUS_VALUE,
        MASK_ON_VALUE,
        WRONG_SIDE,
        MASK_OF_OTHER_LAYER,
        POSITIVE_ONLY,
        KINK_ASSIGNED,
        UPDATED_WEIGHTS,
        WEIGHTS_TRANSPOSED,
        TRANSPOSED,
        NO_BIAS,
        BIAS_NOT_SUMMED,
        BIAS_OVER_UNITS,
        ACCUMULATED_TWICE,
        OFF_BY_ONE,
        PRE_ACTIVATION_AS_INPUT,
        STALE_CACHE,
        NO_PENALTY,
        PENALTY_ON_BIASES,
    )
}
