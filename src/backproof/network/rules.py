"""Backward rules: a forward pass to a gradient, by every convention that people argue about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from backproof.network.activations import Activation, Softmax
from backproof.network.arrays import Array, Weights, transpose
from backproof.network.clipping import NONE as NO_CLIP
from backproof.network.faults import NO_FAULT, Fault, Here
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
    z = forward.pre_activations[-1]
    return rule.through(problem.output, z, slope, problem.output.derivative(z, rule.relu_at_zero))


def _canonical(problem: Problem, forward: Forward, _rule: BackwardRule) -> Array:
    """y − t whatever the pair: right only where the loss matches the output activation."""
    return np.asarray(forward.outputs - problem.targets)


EXACT = Delta("exact", "f'(z) ∂L/∂y", _exact)
Y_MINUS_T = Delta("y_minus_t", "y - t", _canonical, uses_kinks=False, uses_clip=False)
DELTAS: dict[str, Delta] = {d.name: d for d in (EXACT, Y_MINUS_T)}


@dataclass(frozen=True)
class Backward:
    """What a backward pass leaves behind, a list entry a layer.

    Attributes:
        deltas: ∂f/∂z of each layer as the rule has it, (..., N, units out).
        gradients: ∂f/∂weights, shaped like the weights.
    """

    deltas: list[Array]
    gradients: list[Array]


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

    def __post_init__(self) -> None:
        for name, value in self.fault.conventions:
            object.__setattr__(self, name, value)

    @property
    def faultless(self) -> BackwardRule:
        """The same conventions, the chain rule everywhere, and nothing planted."""
        return replace(self, delta=EXACT, kink="multiply", clip_backward="consistent", fault=NO_FAULT)

    @property
    def is_exact(self) -> bool:
        """Whether it is its own `faultless`: the same numbers to the last bit."""
        return (self.delta, self.kink, self.fault) == (EXACT, "multiply", NO_FAULT) and (
            self.clip_backward == "consistent"
        )

    def gradient(self, problem: Problem, forward: Forward, weights: Weights) -> list[Array]:
        """∂f/∂weights by this rule, an array a layer, shaped like `weights`.

        Non-finite values are passed on, not reported.
        """
        return self.backward(problem, forward, weights).gradients

    def backward(self, problem: Problem, forward: Forward, weights: Weights) -> Backward:
        """The whole backward pass by this rule, its deltas kept."""
        with np.errstate(all="ignore"):
            fault, last = self.fault, len(weights) - 1
            passed = Backward([], [])  # the last layer first, until the end
            here = Here(problem, forward, weights, last, ())
            delta = fault.at_output(self.delta.at_output(problem, forward, self), here)
            delta = delta * delta.dtype.type(problem.scale)
            for layer in range(last, -1, -1):
                here = Here(problem, forward, weights, layer, tuple(passed.deltas))
                passed.deltas.append(delta)
                gradient = fault.of_weights(transpose(delta) @ forward.inputs[layer], delta, here)
                if problem.l2:
                    gradient = gradient + fault.of_penalty(_penalty_slope(problem, weights[layer]), here)
                passed.gradients.append(gradient)
                if layer:
                    w = fault.weights_used(weights[layer], gradient, here)
                    incoming = fault.arriving(delta @ w[..., :-1], here)
                    z = forward.pre_activations[layer - 1]
                    slope = problem.activation.derivative(z, self.relu_at_zero)
                    below = Here(problem, forward, weights, layer - 1, tuple(passed.deltas))
                    delta = self.through(problem.activation, z, incoming, fault.slope(slope, below))
            return Backward(passed.deltas[::-1], passed.gradients[::-1])

    def through(self, activation: Activation, z: Array, incoming: Array, slope: Array) -> Array:
        """Carry a gradient back through an activation, from its value to its pre-activation."""
        delta = incoming * slope
        if self.kink == "assign" and activation.kinks:
            delta = np.where(activation.at_kink(z), np.asarray(self.relu_at_zero, z.dtype), delta)
        return np.asarray(delta)


def _penalty_slope(problem: Problem, w: Array) -> Array:
    slope = w.dtype.type(problem.l2) * w
    slope[..., -1] = 0
    return np.asarray(slope)
