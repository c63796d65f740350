"""The first operation whose result is not finite: which one, in which layer, for which sample."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backproof.network.arrays import Array
from backproof.network.problem import Forward
from backproof.network.rules import Backward


def first_in_forward(forward: Forward) -> str:
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
            return f"{name}, sample {sample}, {which} {unit} is {float(array[at]):g}{of}"
    return "" if np.isfinite(forward.loss) else "the sum of the loss terms overflows"


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
