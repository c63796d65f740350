"""The chain rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.network.deltas.delta import Delta
from backproof.network.outputs import Softmax
from backproof.network.problem import Forward, Problem

if TYPE_CHECKING:
    from backproof.network.rules import BackwardRule


@choice
def exact() -> Delta:
    """the chain rule, for any pair of output and loss"""
    return Delta("exact", "f'(z) ∂L/∂y", at_output)


def at_output(problem: Problem, forward: Forward, rule: BackwardRule) -> Array:
    """f'(z) ∂L/∂y, or softmax's pullback of ∂L/∂y; shape (..., N, m)."""
    arriving = rule.loss_derivative(problem, forward)
    if isinstance(problem.output, Softmax):
        return problem.output.pullback(forward.outputs, arriving)
    z = forward.pre_activations[-1]
    return rule.through(problem.output, z, arriving, problem.output.derivative_at(z, rule.relu_at_zero))
