"""The lines of a backward pass, what an edit of one leads to, and which names are true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from backproof.network.activations import Activation
from backproof.network.arithmetic import unrounded
from backproof.network.arrays import Array
from backproof.network.faults import written as by_hand
from backproof.network.faults.edits import Vocabulary, edits_of
from backproof.network.faults.fault import Here, Operation
from backproof.network.faults.written import Written
from backproof.network.outputs import Output, Softmax

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


# --- the values of a line's names -------------------------------------------------------------------


def _at_output(here: Here) -> Values:
    problem, forward = here.problem, here.forward
    y, t = forward.outputs, problem.targets
    found: Values = {"y": y, "t": t, "z": here.z, "eps": problem.eps}
    found["g"] = here.rule.loss_derivative(problem, forward)
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


def _parameters(function: Output) -> Mapping[str, float]:
    derivative = unrounded(function.derivative) if isinstance(function, Activation) else None
    return derivative.keywords if isinstance(derivative, partial) else {}


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


def _where_hidden(text: str) -> Callable[[Written], str]:
    return lambda w: text if w.hidden else ""


# --- the pass ---------------------------------------------------------------------------------------

_OUTPUT = ("output delta",)
_HIDDEN = ("hidden delta",)

LINES = (
    Line("loss derivative", Operation.OUTPUT_DELTA, by_hand.loss_derivative, _at_output,
         _with_loss_derivative, _OUTPUT, _OUTPUT, alike=("y", "t", "z")),
    Line("output derivative", Operation.OUTPUT_DELTA, by_hand.output_derivative, _at_output,
         _with_output_derivative, _OUTPUT, _OUTPUT, alike=("y", "t", "z", "g")),
    Line("output delta", Operation.OUTPUT_DELTA, by_hand.output_delta, _at_output, _delta, _OUTPUT, _OUTPUT,
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
         by_hand.hidden_derivative, _at_hidden, _off_kinks,
         ("derivative", "hidden delta:"), _HIDDEN, alike=("arriving", "a", "z")),
    Line("hidden delta", Operation.HIDDEN_DELTA, _where_hidden("arriving * derivative"), _at_hidden, _delta,
         ("hidden delta", "derivative", "arriving gradient"), _HIDDEN,
         alike=("arriving", "derivative", "a", "z")),
)  # fmt: skip
"""In the order of the pass; each has the names of what stands before it."""
