"""Backward rules: a forward pass to a gradient, by every convention that people argue about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from backproof.network.activations import Activation, Softmax
from backproof.network.arrays import Array, Weights, transpose
from backproof.network.clipping import NONE as NO_CLIP
from backproof.network.faults import NO_FAULT, Fault
from backproof.network.problem import Forward, Problem

KINK_MODES = ("multiply", "assign")
CLIP_MODES = ("consistent", "ignored")


@dataclass(frozen=True)
class Delta:
    """How the error at the output's pre-activation is found.

    Attributes:
        at_output: (problem, forward, rule) to ∂(sum of terms)/∂z of the last layer, (..., N, m).
        uses_kinks: whether it asks for the output activation's derivative.
        uses_clip: whether it asks for the clip's.
    """

    name: str
    formula: str
    at_output: Callable[[Problem, Forward, BackwardRule], Array]
    uses_kinks: bool = True
    uses_clip: bool = True


def _exact(problem: Problem, forward: Forward, rule: BackwardRule) -> Array:
    """The chain rule for any pair of output and loss."""
    clip = problem.clip if rule.clip_backward == "consistent" else NO_CLIP
    slope = problem.loss.slope(forward.outputs, problem.targets, clip, problem.eps)
    if isinstance(problem.output, Softmax):
        return problem.output.pullback(forward.outputs, slope)
    return rule.through(problem.output, forward.pre_activations[-1], slope, len(forward.inputs) - 1)


def _canonical(problem: Problem, forward: Forward, _rule: BackwardRule) -> Array:
    """y − t whatever the pair: right only where the loss matches the output activation."""
    return np.asarray(forward.outputs - problem.targets)


EXACT = Delta("exact", "f'(z) ∂L/∂y", _exact)
CANONICAL = Delta("canonical", "y - t", _canonical, uses_kinks=False, uses_clip=False)
DELTAS: dict[str, Delta] = {d.name: d for d in (EXACT, CANONICAL)}


@dataclass(frozen=True)
class BackwardRule:
    """Everything that defines the gradient under test.

    Attributes:
        relu_at_zero: the derivative at a kink, as a weight from the left to the right slope;
            a number or an array (..., 1, 1).
        kink: "multiply" applies the chain rule there; "assign" puts that number in the place of
            the incoming gradient, as hand-written code sometimes does.
        clip_backward: "consistent" differentiates the clip as computed; "ignored" pretends that
            there is none.
    """

    delta: Delta = EXACT
    relu_at_zero: Array | float = 0.0
    kink: str = "multiply"
    clip_backward: str = "consistent"
    fault: Fault = field(default=NO_FAULT)

    def gradient(self, problem: Problem, forward: Forward, weights: Weights) -> list[Array]:
        """∂f/∂weights by this rule, an array a layer, shaped like `weights`.

        Non-finite values are passed on, not reported.
        """
        with np.errstate(all="ignore"):
            last = len(weights) - 1
            delta = self.fault.at_output(self.delta.at_output(problem, forward, self), problem, forward)
            delta = delta * delta.dtype.type(problem.scale)
            gradients: list[Array] = []
            for layer in range(last, -1, -1):
                gradient = transpose(delta) @ forward.inputs[layer]
                gradients.append(self.fault.of_weights(gradient, delta, layer, problem, forward))
                if layer:
                    w = self.fault.weights_used(weights[layer], gradients[-1])
                    incoming = delta @ w[..., :-1]
                    delta = self.through(
                        problem.activation, forward.pre_activations[layer - 1], incoming, layer - 1
                    )
            return gradients[::-1]

    def through(self, activation: Activation, z: Array, incoming: Array, layer: int) -> Array:
        """Carry a gradient back through an activation, from its value to its pre-activation."""
        slope = self.fault.slope(activation, z, activation.derivative(z, self.relu_at_zero), layer)
        delta = incoming * slope
        if self.kink == "assign" and activation.kinks:
            delta = np.where(activation.at_kink(z), np.asarray(self.relu_at_zero, z.dtype), delta)
        return np.asarray(delta)
