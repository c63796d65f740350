"""Backward rules: a forward pass to a gradient, by every convention that people argue about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from backproof.network.activations import Activation, KinkRule
from backproof.network.arrays import Array, Weights, transpose
from backproof.network.clips import ClipBackward
from backproof.network.clips.none import none as no_clip
from backproof.network.deltas import Delta
from backproof.network.deltas.exact import exact
from backproof.network.faults import Fault, Here, Operation
from backproof.network.faults.none import none as no_fault
from backproof.network.problem import Forward, Problem


@dataclass(frozen=True)
class Backward:
    """What a backward pass leaves behind, one list entry per layer.

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
        relu_at_zero: the derivative at a kink, as a weight from the left derivative to the right one;
            a number or an array (..., 1, 1).
        fault: what is planted; its conventions replace those given here.
        loss_scale: what the gradient of the whole loss is multiplied by, where the backward pass begins.
    """

    delta: Delta = field(default_factory=exact)
    relu_at_zero: Array | float = 0.0
    kink: KinkRule = KinkRule.MULTIPLY
    clip_backward: ClipBackward = ClipBackward.CONSISTENT
    fault: Fault = field(default_factory=no_fault)
    loss_scale: float = 1.0

    def __post_init__(self) -> None:
        for name, value in self.fault.conventions:
            object.__setattr__(self, name, value)
        object.__setattr__(self, "kink", KinkRule(self.kink))
        object.__setattr__(self, "clip_backward", ClipBackward(self.clip_backward))

    @property
    def faultless(self) -> BackwardRule:
        """The chain rule everywhere, with the same derivative at a kink, loss scale, and nothing planted."""
        return BackwardRule(relu_at_zero=self.relu_at_zero, loss_scale=self.loss_scale)

    @property
    def is_exact(self) -> bool:
        """Whether it gives the numbers of `faultless`, bit for bit."""
        return replace(self, relu_at_zero=0.0, loss_scale=1.0) == BackwardRule()

    def gradient(self, problem: Problem, forward: Forward, weights: Weights) -> list[Array]:
        """∂f/∂weights by this rule, one array per layer, shaped like `weights`.

        Non-finite values are passed on, not reported.
        """
        return self.backward(problem, forward, weights).gradients

    def backward(self, problem: Problem, forward: Forward, weights: Weights) -> Backward:
        """The whole backward pass by this rule, its deltas kept."""
        with np.errstate(all="ignore"):
            fault, last = self.fault, len(weights) - 1
            passed = Backward([], [])  # the last layer first, until the end

            def here(layer: int) -> Here:
                return Here(problem, forward, weights, self, layer, passed.deltas, passed.gradients)

            rounded = problem.arithmetic.rounded
            right = rounded(self.delta.at_output(problem, forward, self))
            delta = rounded(fault.at(Operation.OUTPUT_DELTA, right, here(last)))
            right = rounded(delta * delta.dtype.type(problem.scale))
            delta = rounded(fault.at(Operation.REDUCTION, right, here(last)))
            if self.loss_scale != 1:
                wide = np.result_type(delta, np.float32).type  # float16 ends below 2¹⁶, a usual scale
                delta = rounded((delta * wide(self.loss_scale)).astype(delta.dtype))
            for layer in range(last, -1, -1):
                passed.deltas.append(delta)
                passed.gradients.append(self._gradient_of(here(layer)))
                if layer:
                    delta = self._delta_below(here(layer), here(layer - 1))
            return Backward(passed.deltas[::-1], passed.gradients[::-1])

    def _gradient_of(self, here: Here) -> Array:
        """The gradient of a layer whose delta is found."""
        rounded = here.problem.arithmetic.rounded
        right = rounded(transpose(here.delta) @ here.inputs)
        gradient = rounded(self.fault.at(Operation.PARAMETER_GRADIENT, right, here))
        if here.problem.l2:
            penalty = rounded(self._penalty_derivative(here.problem, here.weights[here.layer]))
            gradient = rounded(gradient + rounded(self.fault.at(Operation.PENALTY, penalty, here)))
        return gradient

    def _penalty_derivative(self, problem: Problem, w: Array) -> Array:
        derivative = w.dtype.type(problem.l2 * self.loss_scale) * w
        derivative[..., -1] = 0
        return np.asarray(derivative)

    def _delta_below(self, here: Here, below: Here) -> Array:
        """The delta of the layer below one whose delta and gradient are found."""
        activation, rounded = here.problem.activation, here.problem.arithmetic.rounded
        carrying = rounded(self.fault.at(Operation.CARRIED_WEIGHTS, here.weights[here.layer], here))
        right = rounded(here.delta @ carrying[..., :-1])
        arriving = rounded(self.fault.at(Operation.ARRIVING_GRADIENT, right, below))
        derivative = rounded(activation.derivative_at(below.z, self.relu_at_zero))
        derivative = rounded(self.fault.at(Operation.HIDDEN_DERIVATIVE, derivative, below))
        delta = rounded(self.through(activation, below.z, arriving, derivative))
        return rounded(self.fault.at(Operation.HIDDEN_DELTA, delta, below))

    def loss_derivative(self, problem: Problem, forward: Forward) -> Array:
        """∂L/∂y, the clip differentiated as this rule does."""
        clip = problem.clip if self.clip_backward is ClipBackward.CONSISTENT else no_clip()
        return problem.loss.derivative(forward.outputs, problem.targets, clip, problem.eps)

    def through(self, activation: Activation, z: Array, arriving: Array, derivative: Array) -> Array:
        """Carry a gradient back through an activation, from its value to its pre-activation."""
        delta = arriving * derivative
        if self.kink is KinkRule.ASSIGN and activation.kinks:
            delta = np.where(activation.at_kink(z), np.asarray(self.relu_at_zero, z.dtype), delta)
        return np.asarray(delta)
