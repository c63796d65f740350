"""A backward pass as it is written by hand: its lines of arithmetic, and which names are true of an edit.

A line is text over the pass's arrays and NumPy's functions. No right gradient is computed from these texts:
they are there to be edited. Where nothing is written for a component (a user's own activation, a derivative
that is 1), the pass has no such line, and an edit of it cannot matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from backproof.network.activations import ACTIVATIONS, Activation
from backproof.network.arrays import Array
from backproof.network.clips import ClipBackward
from backproof.network.clips.none import none as no_clip
from backproof.network.deltas.y_minus_t import y_minus_t
from backproof.network.faults.edits import Vocabulary, edits_of
from backproof.network.faults.fault import Here, Operation, Setting
from backproof.network.losses import LOSSES
from backproof.network.outputs import Output, Softmax

if TYPE_CHECKING:
    from backproof.network.problem import Problem
    from backproof.network.rules import BackwardRule

Values = dict[str, Any]
"""Arrays and numbers by the names that they have in a line."""

NAMES = Vocabulary(
    arrays=("y", "t", "g", "d", "z", "z_below", "a", "w", "delta", "arriving", "derivative"),
    indexed=(
        "{0}[..., ::-1, :]", "{0}[..., ::-1]", "{0}.mT", "roll({0}, 1, axis=-2)", "roll({0}, 1, axis=-1)",
        "{0}[..., :1, :]", "{0}[..., :1]", "-{0}", "abs({0})",
    ),
    numbers=("scale", "l2", "eps", "slope", "alpha"),
    axes=("samples", "units"),
)  # fmt: skip
"""All arrays are matrices, with a batch's axes before them; those stay as they are."""

DERIVATIVES = {
    "sigmoid": "a * (1 - a)",
    "tanh": "1 - a * a",
    "relu": "where(z > 0, 1, 0)",
    "leaky_relu": "where(z > 0, 1, slope)",
    "softplus": "1 / (1 + exp(-z))",
    "elu": "where(z > 0, 1, alpha * exp(z))",
    "silu": "1 / (1 + exp(-z)) * (1 + z * (1 - 1 / (1 + exp(-z))))",
    "gelu": "a / z + z * exp(-z * z / 2) / sqrt(2 * pi)",
    "hard_tanh": "where(abs(z) < 1, 1, 0)",
    "hard_sigmoid": "where(abs(z) < 3, 1, 0) / 6",
    "relu6": "where(abs(z - 3) < 3, 1, 0)",
}
"""f'(z) of a unit with pre-activation z and value a; identity's is no arithmetic."""

LOSS_DERIVATIVES = {
    ("squared_error", "none"): "y - t",
    ("binary_cross_entropy", "none"): "(1 - t) / (1 - y) - t / y",
    ("binary_cross_entropy", "shift"): "(1 - t) / (1 - y + eps) - t / (y + eps)",
    ("binary_cross_entropy", "floor"): (
        "where(1 - y > eps, (1 - t) / (1 - y), 0) - where(y > eps, t / y, 0)"
    ),
    ("binary_cross_entropy", "log_floor"): (
        "where(log(1 - y) > -100, (1 - t) / (1 - y), 0) - where(log(y) > -100, t / y, 0)"
    ),
    ("binary_cross_entropy", "clamp"): "where(abs(y - 0.5) < 0.5 - eps, (1 - t) / (1 - y) - t / y, 0)",
    ("categorical_cross_entropy", "none"): "-t / y",
    ("categorical_cross_entropy", "shift"): "-t / (y + eps)",
    ("categorical_cross_entropy", "floor"): "where(y > eps, -t / y, 0)",
    ("categorical_cross_entropy", "log_floor"): "where(log(y) > -100, -t / y, 0)",
    ("categorical_cross_entropy", "clamp"): "where(abs(y - 0.5) < 0.5 - eps, -t / y, 0)",
    ("binary_cross_entropy_from_logits", "none"): "1 / (1 + exp(-y)) - t",
    ("categorical_cross_entropy_from_logits", "none"): "exp(y) / total(units, exp(y)) * total(units, t) - t",
}
"""∂(sum of terms)/∂y, by loss and by the clip that is differentiated."""


@dataclass(frozen=True)
class Written:
    """What decides which lines a pass has.

    Attributes:
        loss, clip: by name; empty, a loss of the user's own.
        hidden: whether there is a hidden layer; penalty: whether the loss has one.
    """

    activation: Activation
    output: Output
    loss: str
    clip: str
    y_minus_t: bool
    hidden: bool
    penalty: bool

    @classmethod
    def before(cls, s: Setting) -> Written:
        """That of a case before it is computed."""
        hidden, penalty = len(s.widths) > 2, s.l2 > 0
        return cls(s.activation, s.output, s.loss, s.clip, s.y_minus_t, hidden, penalty)

    @classmethod
    def of(cls, problem: Problem, rule: BackwardRule, layers: int) -> Written:
        """That of a pass."""
        loss, own = problem.loss, LOSSES.get(problem.loss.name)
        differentiated = loss.uses_clip and rule.clip_backward is ClipBackward.CONSISTENT
        return cls(
            problem.activation,
            problem.output,
            loss.name if own and own() == loss else "",
            problem.clip.name if differentiated else no_clip.name,
            rule.delta.name == y_minus_t.name,
            hidden=layers > 1,
            penalty=problem.l2 > 0,
        )


@dataclass(frozen=True)
class Line:
    """One line of arithmetic.

    Attributes:
        name: of what it computes.
        operation: whose result it gives, or a part of it.
        text: its right-hand side; empty where the pass has no such line.
        values: the arrays and numbers that it may be about.
        result: (its value, the operation's correct result, here) to the operation's result.
        true: how the names of causes begin that are true of an edit of it.
        locations: how the locations begin that are right where a cause is located and not named.
        alike: arrays that a slip may confuse; operands: what alone is edited, where others have a line of
            their own.
    """

    name: str
    operation: Operation
    text: Callable[[Written], str]
    values: Callable[[Here], Values]
    result: Callable[[Array, Array, Here], Array]
    true: tuple[str, ...]
    locations: tuple[str, ...]
    alike: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()

    def edits(self, written: Written) -> tuple[str, ...]:
        """Every text that is one edit away from the line's; none where the pass has no such line."""
        text = self.text(written)
        return edits_of(text, NAMES, self.alike, self.operands) if text else ()


# --- texts ------------------------------------------------------------------------------------------


def _derivative(function: Output) -> str:
    """An activation's derivative; empty unless it is the package's own."""
    own = ACTIVATIONS.get(function.name)
    if own is None or not isinstance(function, Activation):
        return ""
    same = _unbound(own().derivative) is _unbound(function.derivative)
    return DERIVATIVES.get(function.name, "") if same else ""


def _unbound(function: Callable[..., Array]) -> Callable[..., Array]:
    return function.func if isinstance(function, partial) else function


def _parameters(function: Output) -> Mapping[str, float]:
    derivative = getattr(function, "derivative", None)
    return derivative.keywords if isinstance(derivative, partial) else {}


def _loss_derivative_text(w: Written) -> str:
    return "" if w.y_minus_t else LOSS_DERIVATIVES.get((w.loss, w.clip), "")


def _output_derivative_text(w: Written) -> str:
    return "" if w.y_minus_t else re.sub(r"\ba\b", "y", _derivative(w.output))


def _output_delta_text(w: Written) -> str:
    if w.y_minus_t:
        return "y - t"
    if isinstance(w.output, Softmax):
        return "y * (g - total(units, g * y))"
    return "g" if w.output.name == "identity" else "g * d"


def _where_hidden(text: str) -> Callable[[Written], str]:
    return lambda w: text if w.hidden else ""


# --- the values of a line's names -------------------------------------------------------------------


def _at_output(here: Here) -> Values:
    problem, forward = here.problem, here.forward
    y, t = forward.outputs, problem.targets
    clip = problem.clip if here.rule.clip_backward is ClipBackward.CONSISTENT else no_clip()
    found: Values = {"y": y, "t": t, "z": here.z, "eps": problem.eps}
    found["g"] = problem.loss.derivative(y, t, clip, problem.eps)
    if isinstance(problem.output, Activation):
        found["d"] = problem.output.derivative_at(here.z, here.rule.relu_at_zero)
    return {**found, **_parameters(problem.output)}


def _at_reduction(here: Here) -> Values:
    delta = here.rule.delta.at_output(here.problem, here.forward, here.rule)
    return {**_at_output(here), "delta": delta, "scale": delta.dtype.type(here.problem.scale)}


def _at_parameters(here: Here) -> Values:
    found: Values = {"delta": here.delta, "z": here.z, "a": here.inputs[..., :-1]}
    if here.layer:
        found["z_below"] = here.forward.pre_activations[here.layer - 1]
    return found


def _at_penalty(here: Here) -> Values:
    w = here.weights[here.layer]
    return {"w": w[..., :-1], "l2": w.dtype.type(here.problem.l2)}


def _at_arriving(here: Here) -> Values:
    above = here.layer + 1
    return {
        "delta": here.delta_above, "w": here.weights[above][..., :-1],
        "z": here.forward.pre_activations[above], "a": here.forward.inputs[above][..., :-1],
    }  # fmt: skip


def _at_hidden(here: Here) -> Values:
    above = _at_arriving(here)
    activation = here.problem.activation
    return {
        "arriving": above["delta"] @ above["w"], "a": above["a"], "z": here.z,
        "derivative": activation.derivative_at(here.z, here.rule.relu_at_zero), **_parameters(activation),
    }  # fmt: skip


# --- from a line's value to the operation's result --------------------------------------------------


def _as_it_is(found: Array, right: Array, _here: Here) -> Array:
    return np.broadcast_to(found, right.shape)


def _off_kinks(found: Array, right: Array, here: Here) -> Array:
    """The value, but on a kink the correct result: what a rule does there is its convention, not a slip."""
    last = here.layer == len(here.weights) - 1
    function = here.problem.output if last else here.problem.activation
    if isinstance(function, Activation) and function.kinks:
        found = np.where(function.at_kink(here.z), right, found)
    return np.broadcast_to(found, right.shape)


def _delta(found: Array, right: Array, here: Here) -> Array:
    """A delta has the shape of its pre-activations: one that would have to be repeated is an error there."""
    if found.shape[-2:] != right.shape[-2:]:
        raise ValueError(f"a delta of shape {found.shape}")
    return _off_kinks(found, right, here)


def _with_loss_derivative(found: Array, right: Array, here: Here) -> Array:
    given, output = _at_output(here), here.problem.output
    if found.shape[-2:] != right.shape[-2:]:
        raise ValueError(f"a derivative of shape {found.shape}")
    if isinstance(output, Softmax):
        return output.pullback(given["y"], found)
    return here.rule.through(output, here.z, found, given["d"])


def _with_output_derivative(found: Array, _right: Array, here: Here) -> Array:
    given, output = _at_output(here), here.problem.output
    assert isinstance(output, Activation)
    return here.rule.through(output, here.z, given["g"], _off_kinks(found, given["d"], here))


def _weights(found: Array, right: Array, _here: Here) -> Array:
    changed = right.copy()
    changed[..., :-1] = found
    return changed


def _biases(found: Array, right: Array, _here: Here) -> Array:
    """A sum over samples or over units, as one row."""
    changed = right.copy()
    changed[..., -1] = found.reshape(*found.shape[:-2], -1)
    return changed


# --- the pass ---------------------------------------------------------------------------------------

_OUTPUT = ("output delta",)
_HIDDEN = ("hidden delta",)

LINES = (
    Line("loss derivative", Operation.OUTPUT_DELTA, _loss_derivative_text, _at_output,
         _with_loss_derivative, _OUTPUT, _OUTPUT, alike=("y", "t", "z")),
    Line("output derivative", Operation.OUTPUT_DELTA, _output_derivative_text, _at_output,
         _with_output_derivative, _OUTPUT, _OUTPUT, alike=("y", "t", "z", "g")),
    Line("output delta", Operation.OUTPUT_DELTA, _output_delta_text, _at_output, _delta, _OUTPUT, _OUTPUT,
         alike=("y", "t", "z", "g", "d")),
    Line("reduction", Operation.REDUCTION, lambda _w: "delta * scale", _at_reduction, _delta,
         _OUTPUT, _OUTPUT, alike=("y", "t", "z", "g", "delta")),
    Line("weight gradient", Operation.PARAMETER_GRADIENT, lambda _w: "delta.mT @ a", _at_parameters,
         _weights, ("weight gradient",), ("weight gradient",), alike=("delta", "z", "a", "z_below")),
    Line("bias gradient", Operation.PARAMETER_GRADIENT, lambda _w: "total(samples, delta)", _at_parameters,
         _biases, ("bias gradient", "penalty: on the biases"), ("bias gradient",), alike=("delta", "z")),
    Line("penalty", Operation.PENALTY, lambda w: "l2 * w" if w.penalty else "", _at_penalty, _weights,
         ("penalty",), ("weight gradient", "bias gradient", "penalty")),
    Line("carried weights", Operation.ARRIVING_GRADIENT, _where_hidden("delta @ w"), _at_arriving,
         _as_it_is, ("carried weights", "arriving gradient", "hidden delta:"), _HIDDEN, operands=("w",)),
    Line("arriving gradient", Operation.ARRIVING_GRADIENT, _where_hidden("delta @ w"), _at_arriving,
         _as_it_is, ("arriving gradient", "hidden delta:"), _HIDDEN, alike=("delta", "z", "a"),
         operands=("delta",)),
    Line("hidden derivative", Operation.HIDDEN_DERIVATIVE,
         lambda w: _derivative(w.activation) if w.hidden else "", _at_hidden, _off_kinks,
         ("derivative", "hidden delta:"), _HIDDEN, alike=("arriving", "a", "z")),
    Line("hidden delta", Operation.HIDDEN_DELTA, _where_hidden("arriving * derivative"), _at_hidden, _delta,
         ("hidden delta", "derivative", "arriving gradient"), _HIDDEN,
         alike=("arriving", "derivative", "a", "z")),
)  # fmt: skip
"""In the order of the pass; each has the names of what stands before it."""
