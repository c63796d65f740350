"""The problem: weights to loss. It keeps the forward pass and knows nothing of gradients."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from backproof.network.activations import Activation
from backproof.network.arithmetic import (
    NATIVE,
    Arithmetic,
    exact_activation,
    exact_loss,
    exact_output,
    rounded_activation,
    rounded_loss,
    rounded_output,
)
from backproof.network.arrays import Array, Weights, sum_over_terms, with_ones
from backproof.network.clips import Clip, Eps
from backproof.network.losses import Loss, Reduction
from backproof.network.outputs import Output


@dataclass(frozen=True)
class Forward:
    """What a forward pass leaves behind, one list entry per layer.

    Attributes:
        inputs: what enters each layer, with the constant 1 of the bias, (..., N, units in + 1).
        pre_activations: z of each layer, (..., N, units out).
        outputs: y, the last layer's values, (..., N, m).
        terms: the terms of the loss before reduction, (..., N, m).
        loss: (...), reduced.
    """

    inputs: list[Array]
    pre_activations: list[Array]
    outputs: Array
    terms: Array
    loss: Array


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything that defines the loss f, for one problem or for a batch of them.

    Attributes:
        inputs: (..., N, features).
        targets: (..., N, m).
        activation: of every hidden layer.
        output: of the last layer.
        eps: the clip's, a number or an array (..., 1, 1).
        l2: weight of the penalty ½·l2·Σ w² over all weights but the biases; it is added after the reduction.

        arithmetic: how results are rounded. With a format, inputs, targets and weights must be numbers of it,
            and the functions here are those given with their results rounded to it.

    The arrays' type is that of `inputs`; weights must have the same.
    """

    inputs: Array
    targets: Array
    activation: Activation
    output: Output
    loss: Loss
    clip: Clip
    eps: Eps = 0.0
    reduction: Reduction = Reduction.SUM
    l2: float = 0.0
    arithmetic: Arithmetic = NATIVE

    def __post_init__(self) -> None:
        object.__setattr__(self, "reduction", Reduction(self.reduction))
        # In the problem's own precision: an eps below its smallest number is zero there, as in real code.
        eps = self.arithmetic.rounded(np.asarray(self.eps, self.inputs.dtype))
        object.__setattr__(self, "eps", eps)
        to = self.arithmetic.format
        if to is not None:
            object.__setattr__(self, "activation", rounded_activation(self.activation, to))
            object.__setattr__(self, "output", rounded_output(self.output, to))
            object.__setattr__(self, "loss", rounded_loss(self.loss, to))

    @property
    def exact(self) -> Problem:
        """The same without rounding to a format: its numbers are those of the arrays' own arithmetic."""
        if self.arithmetic.format is None:
            return self
        return replace(
            self,
            activation=exact_activation(self.activation),
            output=exact_output(self.output),
            loss=exact_loss(self.loss),
            arithmetic=replace(self.arithmetic, format=None),
        )

    @property
    def unit_roundoff(self) -> float:
        """The largest relative error of one rounding."""
        return self.arithmetic.unit_roundoff(self.inputs.dtype)

    @property
    def precision(self) -> str:
        """The name of the format in which it computes."""
        to = self.arithmetic.format
        return str(self.inputs.dtype) if to is None else to.name

    @property
    def scale(self) -> float:
        """What the sum of all terms is multiplied by."""
        return self.reduction.scale(*self.targets.shape[-2:])

    def forward(self, weights: Weights, inputs_with_ones: Array | None = None) -> Forward:
        """Run the network. Floating-point exceptions are results here, so they are not reported.

        Args:
            inputs_with_ones: what enters the first layer, where that was put together before.
        """
        with np.errstate(all="ignore"):
            entering, pre_activations = self.through_hidden(weights, inputs_with_ones)
            z = self.arithmetic.pre_activation(entering[-1], weights[-1])
            pre_activations.append(z)
            a = self.output.value(z)
            terms = self.loss.terms(a, self.targets, self.clip, self.eps)
            total = sum_over_terms(terms) * terms.dtype.type(self.scale)
            if self.l2:
                total = total + sum((sum_over_terms(self.penalty(w)) for w in weights), start=0)
            return Forward(entering, pre_activations, a, terms, np.asarray(total))

    def through_hidden(
        self, weights: Weights, inputs_with_ones: Array | None = None
    ) -> tuple[list[Array], list[Array]]:
        """What enters each layer, and the pre-activations of the hidden ones; shapes as in `Forward`."""
        first = with_ones(self.inputs) if inputs_with_ones is None else inputs_with_ones
        entering, pre_activations = [first], []
        with np.errstate(all="ignore"):
            for w in weights[:-1]:
                z = self.arithmetic.pre_activation(entering[-1], w)
                pre_activations.append(z)
                entering.append(with_ones(self.activation.value(z)))
        return entering, pre_activations

    def penalty(self, w: Array) -> Array:
        """The penalty's terms of one layer, ½·l2·w² and 0 for biases; shaped like `w`."""
        terms = w.dtype.type(self.l2 / 2) * w * w
        terms[..., -1] = 0
        return np.asarray(terms)

    def accuracy(self, outputs: Array, labels: Array | None) -> Array:
        """Share of samples whose predicted class is the label's, (...); NaN without samples or labels.

        The class is the one of the largest output; of a single output, whether it is above the threshold.
        """
        if labels is None or outputs.shape[-2] == 0:
            return np.full(outputs.shape[:-2], np.nan)
        if outputs.shape[-1] == 1:
            right = (outputs[..., 0] > self.loss.threshold) == labels
        else:
            right = outputs.argmax(axis=-1) == labels
        finite = np.isfinite(outputs)
        return np.asarray((right if finite.all() else right & finite.all(axis=-1)).mean(axis=-1))


def labels_of(targets: Array) -> Array | None:
    """The class of each sample, (..., N); None where targets are numbers rather than classes."""
    if not (((targets == 0) | (targets == 1)).all()):
        return None
    if targets.shape[-1] == 1:
        return np.asarray(targets[..., 0] == 1)
    return targets.argmax(axis=-1) if (targets.sum(axis=-1) == 1).all() else None
