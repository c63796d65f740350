"""A backward pass under test, with what the right one would make of each of its own deltas."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from backproof.network.activations import Activation
from backproof.network.arrays import Array
from backproof.network.rules import Backward
from backproof.targets.layout import flattened
from backproof.verdicts.local_derivatives import middle_derivative, one_sided_derivatives
from backproof.verdicts.view import View

INFERRED_ERROR = 1e-9
"""What is added to every tolerance where deltas are inferred from gradients, which amplifies rounding."""


PARTS_APART = 4.0
"""By how much more the errors of two passes that are taken apart may be: each is rounded by itself."""


class BackwardPass:
    """A backward pass beside the operations of the right one.

    `amplified` is what its errors were multiplied by before it came here.
    """

    def __init__(self, backward: Backward, view: View, amplified: float = 1.0) -> None:
        self.backward, self.view, self.amplified = backward, view, amplified
        self.problem, self.forward, self.weights = view.problem, view.forward, view.weights
        self.last = len(self.weights) - 1
        self.u = view.problem.unit_roundoff
        z_hidden = view.forward.pre_activations[:-1]
        self.derivatives = [self._sides(layer, z) for layer, z in enumerate(z_hidden)]
        assert view.estimate is not None
        self.estimate, self.output_bounds = view.estimate, view.estimate.bounds[-1]
        self.guessed: set[int] = set()  # layers whose delta their gradient does not determine
        self.deltas = backward.deltas or self._inferred()
        self.inferred = 0.0 if backward.deltas else INFERRED_ERROR

    def _sides(self, layer: int, z: Array) -> tuple[Array, Array]:
        sides = self.view.once(layer, lambda: np.stack(one_sided_derivatives(self.problem.activation, z)))
        return sides[0], sides[1]

    @cached_property
    def known_arrays(self) -> dict[str, Array]:
        """Outputs, targets, pre-activations and inputs of all layers, by what they are."""
        y, t = self.forward.outputs, self.problem.targets
        known = {"y": y, "t": t, "y - t": y - t}
        for layer, z in enumerate(self.forward.pre_activations, 1):
            known[f"z of layer {layer}"] = z
        for layer, inputs in enumerate(self.forward.inputs, 1):
            known[f"the inputs of layer {layer}"] = inputs[:, :-1]
        return known

    def known_above(self, layer: int) -> dict[str, Array]:
        """The same, and the deltas above a layer; its own and those that follow from it explain nothing."""
        above = {f"the delta of layer {k + 1}": self.deltas[k] for k in range(layer + 1, len(self.deltas))}
        return {**above, **self.known_arrays}

    def entries(self, moved: list[Array]) -> Array:
        """Arrays shaped like the weights, as the entries of the estimate."""
        return self.estimate.selected(flattened(moved))

    def _inferred(self) -> list[Array]:
        """The deltas that a gradient of unknown making must have come from.

        A layer's gradient is δᵀ·inputs, so its weights give δ where the samples' inputs are linearly
        independent. Where they are not, or no δ gives these weights, δ is taken to be what the chain rule
        makes of the δ above, and the weights' gradient itself is what departs.
        """
        deltas: list[Array] = []
        right = (self.output_bounds.derivative * self.problem.scale).astype(self.forward.outputs.dtype)
        for layer in range(self.last, -1, -1):
            w, inputs = self.weights[layer][:, :-1], self.forward.inputs[layer][:, :-1]
            gradient = self.backward.gradients[layer][:, :-1]
            found = _solved(inputs, gradient - self.problem.l2 * w)
            if found is None and self.problem.l2:  # the penalty may have been left out
                found = _solved(inputs, gradient)
            if found is None:
                self.guessed.add(layer)
            deltas.append(right if found is None else found)
            if layer:
                low, high = self.derivatives[layer - 1]
                right = (deltas[-1] @ w) * ((low + high) / 2)
        return deltas[::-1]

    def carried_down(self, layer: int, residual: Array) -> list[Array]:
        """What an error of a delta adds to the gradients at and below its layer, all else being right."""
        moved = [np.zeros_like(g) for g in self.backward.gradients]
        for at in range(layer, -1, -1):
            moved[at] = residual.T @ self.forward.inputs[at]
            if at:
                low, high = self.derivatives[at - 1]
                residual = (residual @ self.weights[at][:, :-1]) * ((low + high) / 2)
        return moved

    def unmixed(self, share: float, top: int) -> BackwardPass:
        """What is mixed into the right backward pass by a share, from the delta of layer `top` down.

        Backpropagation is linear in its deltas, so that the right and the wrong one can be taken apart.
        """
        deltas = [*self.deltas]
        gradients = [*self.backward.gradients]
        right = (self.output_bounds.derivative * self.problem.scale).astype(self.forward.outputs.dtype)
        for layer in range(self.last, -1, -1):
            if layer < self.last:
                low, high = self.derivatives[layer]
                above = right if layer < top else self.deltas[layer + 1]
                right = (above @ self.weights[layer + 1][:, :-1]) * ((low + high) / 2)
            if layer > top:
                right = self.deltas[layer]
            penalty = self.problem.l2 * self.weights[layer]
            penalty[:, -1] = 0
            gradient = right.T @ self.forward.inputs[layer] + penalty
            deltas[layer] = right + (self.deltas[layer] - right) / share
            gradients[layer] = gradient + (gradients[layer] - gradient) / share
        return BackwardPass(Backward(deltas, gradients), self.view, PARTS_APART * self.amplified / share)

    def derivative_of(self, activation: Activation, of: str, layer: int, z: Array) -> Array:
        """An activation's derivative at a function of a layer's pre-activations, computed once per view."""
        return self.view.once((activation, of, layer), lambda: middle_derivative(activation, z))


def _solved(inputs: Array, gradient: Array) -> Array | None:
    """The δ for which δᵀ·inputs is this gradient; None where there is none, or more than one."""
    a, g = inputs.T.astype(float), gradient.T.astype(float)
    delta, _, rank, _ = np.linalg.lstsq(a, g, rcond=1e-10)
    if rank < len(inputs) or np.abs(a @ delta - g).max(initial=0) > 1e-8 * np.abs(g).max(initial=0):
        return None
    return np.asarray(delta.astype(inputs.dtype))
