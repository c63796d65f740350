"""The formulas of a backward pass as one writes them by hand, by the components of a case.

A formula is text over the pass's arrays and NumPy's functions. No right gradient is computed from them;
they are there to be edited. Where none is written for a component (a user's own activation, a derivative that
is 1), the text is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from backproof.choices import Choices
from backproof.network.activations import ACTIVATIONS, Activation
from backproof.network.arithmetic import unrounded
from backproof.network.arrays import Array
from backproof.network.clips import CLIPS, Clip, ClipBackward
from backproof.network.clips.none import none as no_clip
from backproof.network.deltas.y_minus_t import y_minus_t
from backproof.network.faults.fault import Setting
from backproof.network.losses import LOSSES, Loss
from backproof.network.outputs import Output, Softmax

if TYPE_CHECKING:
    from backproof.network.problem import Problem
    from backproof.network.rules import BackwardRule

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
    "abs": "where(z > 0, 1, -1)",
}
"""f'(z) of a unit with pre-activation z and value a; identity's is no arithmetic."""

LOSS_DERIVATIVES = {
    ("squared_error", "none"): "y - t",
    ("hinge", "none"): "where(1 - (2 * t - 1) * y > 0, 1 - 2 * t, 0)",
    ("poisson", "none"): "1 - t / y",
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
        loss, clip: the name; empty for one of the user's own. The clip is the one that is differentiated.
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
        problem = problem.exact
        loss, consistent = problem.loss, rule.clip_backward is ClipBackward.CONSISTENT
        differentiated = problem.clip if loss.uses_clip and consistent else no_clip()
        return cls(
            problem.activation,
            problem.output,
            _name_of(loss, LOSSES),
            _name_of(differentiated, CLIPS),
            rule.delta.name == y_minus_t.name,
            hidden=layers > 1,
            penalty=problem.l2 > 0,
        )


def _name_of(record: Loss | Clip, choices: Choices[Loss] | Choices[Clip]) -> str:
    """A record's name if it is the package's own; a user's may have the same."""
    own = choices.get(record.name)
    return record.name if own and own() == record else ""


def _derivative(function: Output) -> str:
    """An activation's derivative; empty unless it is the package's own."""
    own = ACTIVATIONS.get(function.name)
    if own is None or not isinstance(function, Activation):
        return ""
    same = _unbound(own().derivative) is _unbound(function.derivative)
    return DERIVATIVES.get(function.name, "") if same else ""


def _unbound(function: Callable[..., Array]) -> Callable[..., Array]:
    function = unrounded(function)
    return function.func if isinstance(function, partial) else function


def hidden_derivative(w: Written) -> str:
    """f'(z) of the hidden layers, of their values a; empty without one."""
    return _derivative(w.activation) if w.hidden else ""


def loss_derivative(w: Written) -> str:
    """∂(sum of terms)/∂y; empty for the y − t shortcut, which has no such line."""
    return "" if w.y_minus_t else LOSS_DERIVATIVES.get((w.loss, w.clip), "")


def output_derivative(w: Written) -> str:
    """f'(z) of the last layer, of its values y."""
    return "" if w.y_minus_t else re.sub(r"\ba\b", "y", _derivative(w.output))


def output_delta(w: Written) -> str:
    """∂(sum of terms)/∂z of the last layer, of g = ∂(sum of terms)/∂y and d = f'(z)."""
    if w.y_minus_t:
        return "y - t"
    if isinstance(w.output, Softmax):
        return "y * (g - total(units, g * y))"
    return "g" if w.output.name == "identity" else "g * d"
