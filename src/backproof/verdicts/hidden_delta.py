"""The delta of a hidden layer: whether it departs from the chain rule, and what it is instead."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Array
from backproof.verdicts.backward_pass import BackwardPass
from backproof.verdicts.structures import (
    Candidate,
    Found,
    common_structure,
    constants,
    departing,
    first_fit,
    full_name,
    kind_of_factor,
)

DERIVATIVE_ERROR = 1e-11
"""Relative error allowed to a derivative that is a difference of values in extended precision."""


def hidden_delta(at: BackwardPass, layer: int) -> Found | None:
    """How the delta of a hidden layer departs from what the chain rule makes of the one above; None if not.

    On a kink everything between the one-sided derivatives is right.
    """
    delta, above, w = at.deltas[layer], at.deltas[layer + 1], at.weights[layer + 1][:, :-1]
    low, high = at.derivatives[layer]
    incoming, size = above @ w, np.abs(above) @ np.abs(w)
    steep = np.maximum(np.abs(low), np.abs(high))
    tolerance = (8 + 2 * np.sqrt(len(w))) * at.u * size * steep + np.finfo(delta.dtype).tiny
    tolerance = tolerance + (DERIVATIVE_ERROR + at.inferred) * np.maximum(steep, 1) * size
    tolerance = tolerance + at.inferred * np.abs(delta).max(initial=0)
    ends = np.stack([incoming * low, incoming * high])
    right = np.clip(delta, ends.min(axis=0), ends.max(axis=0))  # NaN where delta is
    right = np.where(np.isfinite(right), right, incoming * (low + high) / 2)
    departs, kinked = departing(delta, right, tolerance), low != high
    if not departs.any():
        return None
    residual = np.where(departs, delta - right, 0)
    if not (departs & ~kinked).any():
        return Found("derivative: at a kink", f"{departs.sum()} entries, where z is on one", residual)
    known = first_fit(delta, right, tolerance, ~kinked, _candidates(at, layer, incoming, right))
    known = known or common_structure(delta, right, tolerance, departs)
    if known is None:
        sure = ~kinked & (np.abs(incoming) > 1e-6 * size) & np.isfinite(delta)
        z, factor = at.forward.pre_activations[layer][sure], delta[sure] / incoming[sure]
        known = kind_of_factor(z, factor, incoming[sure], low[sure])
    return Found(full_name("derivative", known[0]), known[1], residual)


def _candidates(at: BackwardPass, layer: int, incoming: Array, right: Array) -> Iterator[Candidate]:
    delta = at.deltas[layer]
    activation, z = at.problem.activation, at.forward.pre_activations[layer]
    above, w = at.deltas[layer + 1], at.weights[layer + 1][:, :-1]
    low, high = at.derivatives[layer]
    derivative = (low + high) / 2
    yield from constants(delta, right, *at.forward.outputs.shape)
    yield Candidate("missing", "without f'(z)", incoming)
    yield Candidate("squared", "f'(z)² in place of f'(z)", incoming * derivative**2)
    at_value = at.derivative_of(activation, "f(z)", layer, activation.value(z))
    yield Candidate("of the value", "f'(f(z)) in place of f'(z)", incoming * at_value)
    yield Candidate(
        "of -z", "f'(−z) in place of f'(z)", incoming * at.derivative_of(activation, "-z", layer, -z)
    )
    for other, (left, far) in enumerate(at.derivatives):
        if other != layer and left.shape == derivative.shape:
            yield Candidate("another layer's", f"of layer {other + 1}", incoming * (left + far) / 2)
    for other_activation in ACTIVATIONS.records():
        values = incoming * at.derivative_of(other_activation, "z", layer, z)
        yield Candidate("another activation's", other_activation.name, values)
    gradient = at.backward.gradients[layer + 1][:, :-1]
    change = (above @ gradient) * derivative
    lack = delta - right
    share = (lack * change).sum() / (change * change).sum()
    yield Candidate("carried weights: updated", f"W {share:+.3g} · its gradient", right + share * change)
    if w.shape[0] == w.shape[1]:
        yield Candidate("carried weights: transposed", "", (above @ w.T) * derivative)
    for other, weights in enumerate(at.weights):
        if other != layer + 1 and weights[:, :-1].shape == w.shape:
            values = (above @ weights[:, :-1]) * derivative
            yield Candidate("carried weights: another layer's", f"of layer {other + 1}", values)
