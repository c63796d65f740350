"""A delta from an expression: of y, t, z, and of the chain rule's factors d = f'(z) and g = ∂L/∂y."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backproof.network.arrays import Array
from backproof.network.deltas.delta import Delta
from backproof.network.formula import Evaluated, Formula
from backproof.network.outputs import Softmax
from backproof.network.problem import Forward, Problem

if TYPE_CHECKING:
    from backproof.network.rules import BackwardRule

VARIABLES = ("y", "t", "z", "d", "g")


def delta_of(name: str, value: Formula) -> Delta:
    """The delta of an expression in these variables."""
    uses_d, uses_g = "d" in value.used, "g" in value.used
    at_output = AtOutput(value.value(), uses_d, uses_g)
    return Delta(name, value.text, at_output, uses_kinks=uses_d, uses_clip=uses_g, elementwise=uses_d)


@dataclass(frozen=True)
class AtOutput:
    """The expression at a network's output; what it does not use is not computed."""

    value: Evaluated
    uses_d: bool
    uses_g: bool

    def __call__(self, problem: Problem, forward: Forward, rule: BackwardRule) -> Array:
        y, t, z = forward.outputs, problem.targets, forward.pre_activations[-1]
        d = g = np.zeros_like(y)
        if self.uses_d:
            assert not isinstance(problem.output, Softmax), "refused where a case is made"
            d = problem.output.derivative_at(z, rule.relu_at_zero)
        if self.uses_g:
            g = rule.loss_derivative(problem, forward)
        return self.value(y, t, z, d, g)
