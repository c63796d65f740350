"""The built-in network as a target: its outputs, its precision, and where it leaves the finite numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from backproof.network.arrays import Array, FloatType, Weights
from backproof.network.problem import Forward, Problem
from backproof.network.rules import Backward


class Rule(Protocol):
    """Whatever makes a gradient of a forward pass."""

    def backward(self, problem: Problem, forward: Forward, weights: Weights) -> Backward:
        """The gradient, and the deltas on the way."""


@dataclass(frozen=True)
class Outputs:
    """Shares of the outputs that a loss on probabilities cannot take as they are."""

    outside_domain: float
    saturated: float
    clip_active: float


def look_at_outputs(problem: Problem, forward: Forward) -> Outputs:
    """Shares of outputs outside the loss's domain, at 0 or 1 exactly, and flattened by the clip."""
    y = forward.outputs
    if not y.size:
        return Outputs(0.0, 0.0, 0.0)
    outside = ~(problem.loss.domain.contains(y) | np.isnan(y))
    if not problem.loss.uses_clip:
        return Outputs(_share(outside), 0.0, 0.0)
    with np.errstate(all="ignore"):
        active = problem.clip.active(y, problem.eps)
    return Outputs(_share(outside), _share((y == 0) | (y == 1)), _share(active))


def _share(mask: Array) -> float:
    """The share that a mask, not empty, holds; every cell asks for three."""
    return int(np.count_nonzero(mask)) / mask.size


def in_precision(problem: Problem, weights: Weights, dtype: FloatType) -> tuple[Problem, list[Array]]:
    """The same problem at the same point, to be evaluated in another precision of NumPy's, with no rounding
    to a format.
    """
    wider = replace(problem.exact, inputs=problem.inputs.astype(dtype), targets=problem.targets.astype(dtype))
    return wider, [w.astype(dtype) for w in weights]


def first_in_forward(forward: Forward, weights: Weights = ()) -> str:
    """Where the forward pass first leaves the finite numbers, in words; empty if it does not."""
    last = len(forward.pre_activations) - 1
    steps: list[tuple[str, Array]] = [("input", forward.inputs[0])]
    for layer, z in enumerate(forward.pre_activations, 1):
        steps.append((f"pre-activation of layer {layer}", z))
        value = forward.outputs if layer - 1 == last else forward.inputs[layer]
        steps.append(("output" if layer - 1 == last else f"activation of layer {layer}", value))
    steps.append(("loss term", forward.terms))
    for name, array in steps:
        at = _first(array)
        if at:
            sample, unit = at
            which = "output" if name in ("output", "loss term") else "unit"
            of = f" (y = {float(forward.outputs[at]):.6g})" if name == "loss term" else ""
            of += _weight_at_fault(weights)
            return f"{name}, sample {sample}, {which} {unit} is {float(array[at]):g}{of}"
    return "" if np.isfinite(forward.loss) else _overflowing_sum(forward, weights)


def _weight_at_fault(weights: Weights) -> str:
    """The first weight that is not finite; empty if all are."""
    for layer, w in enumerate(weights, 1):
        at = _first(w)
        if at:
            return f" (W{layer}[{at[0]},{at[1]}] is {float(w[at]):g})"
    return ""


def _overflowing_sum(forward: Forward, weights: Weights) -> str:
    """Which of the terms or the weights are so large that their sum, or that of their squares, overflows."""
    with np.errstate(all="ignore"):
        if not weights or not np.isfinite(forward.terms.sum(dtype=forward.terms.dtype)):
            i, k = _largest(forward.terms)
            return f"the sum of the loss terms overflows; the largest is that of sample {i}, output {k}"
    layer = int(np.argmax([np.abs(w[:, :-1]).max(initial=0) for w in weights]))
    j, p = _largest(weights[layer][:, :-1])
    return f"the penalty overflows; the largest weight is W{layer + 1}[{j},{p}]"


def _largest(array: Array) -> tuple[int, int]:
    i, k = np.unravel_index(int(np.argmax(np.abs(array))), array.shape)
    return int(i), int(k)


def first_in_backward(backward: Backward) -> str:
    """The same for a backward pass, from the output down."""
    for name, array in _operations(backward):
        at = _first(array)
        if at:
            return f"{name}, entry [{at[0]}, {at[1]}] is {float(array[at]):g}"
    return ""


def _operations(backward: Backward) -> Iterator[tuple[str, Array]]:
    last = len(backward.deltas)
    for layer in range(last, 0, -1):
        yield f"delta of layer {layer}", backward.deltas[layer - 1]
        yield f"gradient of layer {layer}", backward.gradients[layer - 1]


def _first(array: Array) -> tuple[int, int] | None:
    wrong = np.argwhere(~np.isfinite(array))
    return (int(wrong[0][0]), int(wrong[0][1])) if len(wrong) else None
