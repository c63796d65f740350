"""The record of a fault, what it is given, and the decorators that make one of the mistake itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any

from backproof.choices import Choice, summary_of
from backproof.network.activations import Activation
from backproof.network.arrays import Array, Precision, Weights
from backproof.network.losses import Reduction
from backproof.network.number_formats import NetworkPrecision
from backproof.network.outputs import Output

if TYPE_CHECKING:
    from backproof.network.problem import Forward, Problem
    from backproof.network.rules import BackwardRule


class Operation(Enum):
    """What a fault can replace in a backward pass, in the order in which it is computed."""

    OUTPUT_DELTA = auto()
    """∂(sum of terms)/∂z of the last layer, before the reduction's factor."""
    REDUCTION = auto()
    """The same, multiplied by that factor."""
    PARAMETER_GRADIENT = auto()
    """A layer's gradient, without the penalty's."""
    PENALTY = auto()
    """The penalty's part of it."""
    CARRIED_WEIGHTS = auto()
    """The weights that carry a layer's delta down."""
    ARRIVING_GRADIENT = auto()
    """The gradient that arrives at a hidden layer's values."""
    HIDDEN_DERIVATIVE = auto()
    """A hidden activation's derivative."""
    HIDDEN_DELTA = auto()
    """∂f/∂z of a hidden layer: the product of the last two."""


@dataclass(frozen=True)
class Here:
    """Where in the backward pass a fault acts.

    Attributes:
        rule: the backward rule that has the fault, for its conventions.
        layer: counted from 0.
        deltas, gradients: those found so far, the last layer's first.
    """

    problem: Problem
    forward: Forward
    weights: Weights
    rule: BackwardRule
    layer: int
    deltas: Sequence[Array]
    gradients: Sequence[Array]

    @property
    def z(self) -> Array:
        """The layer's pre-activations, (..., N, units out)."""
        return self.forward.pre_activations[self.layer]

    @property
    def inputs(self) -> Array:
        """What enters the layer, (..., N, units in + 1)."""
        return self.forward.inputs[self.layer]

    @property
    def delta(self) -> Array:
        """The layer's delta, once it is found."""
        return self.deltas[len(self.weights) - 1 - self.layer]

    @property
    def delta_above(self) -> Array | None:
        """The next layer's delta; None for the last layer."""
        depth = len(self.weights) - 1 - self.layer
        return self.deltas[depth - 1] if depth else None

    @property
    def gradient(self) -> Array:
        """The layer's gradient, once it is found."""
        return self.gradients[len(self.weights) - 1 - self.layer]


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
    output: Output
    loss: str
    clip: str
    reduction: Reduction
    l2: float
    precision: NetworkPrecision | Precision
    y_minus_t: bool


Change = Callable[[Array, Here], Array]
Conventions = Callable[[], Mapping[str, str]]
Condition = Callable[[Setting], bool]


def _unchanged(right: Array, _here: Here) -> Array:
    return right


def always(_setting: Setting) -> bool:
    """The fault matters everywhere."""
    return True


@dataclass(frozen=True)
class Fault:
    """A mistake; what it does not replace is done correctly.

    Attributes:
        cause: what a check should name first; empty where nothing is wrong.
        operation: the one that is replaced; None for none.
        change: (the correct result of the operation, here) to the incorrect one.
        conventions: settings of the backward rule that the mistake amounts to.
        matters: whether it can change anything in a setting.
    """

    name: str
    formula: str
    cause: str = ""
    operation: Operation | None = None
    change: Change = _unchanged
    conventions: tuple[tuple[str, str], ...] = ()
    matters: Condition = always

    def at(self, operation: Operation, right: Array, here: Here) -> Array:
        """The result of an operation whose correct result is `right`."""
        return self.change(right, here) if operation is self.operation else right

    def named_by(self, cause: str) -> bool:
        """Whether a cause's name is right for the mistake."""
        return cause == self.cause


def planted(
    operation: Operation, *, cause: str, matters: Condition = always
) -> Callable[[Change], Choice[[], Fault]]:
    """Make a fault of a function that replaces the result of an operation."""
    return lambda change: _fault(change, cause=cause, operation=operation, change=change, matters=matters)


at_output_delta = partial(planted, Operation.OUTPUT_DELTA)
at_parameter_gradient = partial(planted, Operation.PARAMETER_GRADIENT)
at_penalty = partial(planted, Operation.PENALTY)
at_carried_weights = partial(planted, Operation.CARRIED_WEIGHTS)
at_arriving_gradient = partial(planted, Operation.ARRIVING_GRADIENT)
at_hidden_derivative = partial(planted, Operation.HIDDEN_DERIVATIVE)


def convention(*, cause: str, matters: Condition) -> Callable[[Conventions], Choice[[], Fault]]:
    """Make a fault of a function that returns settings of the backward rule."""
    return lambda settings: _fault(
        settings, cause=cause, conventions=tuple(settings().items()), matters=matters
    )


def _fault(mistake: Callable[..., object], **fields: Any) -> Choice[[], Fault]:
    """The choice that is named and described as the mistake is."""
    return Choice(lambda: Fault(mistake.__name__, summary_of(mistake), **fields), described_by=mistake)
