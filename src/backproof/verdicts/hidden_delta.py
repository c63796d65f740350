"""The delta of a hidden layer: whether it departs from the chain rule, and what it is instead."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backproof.network.activations import ACTIVATIONS
from backproof.network.arrays import Array
from backproof.verdicts.backward_pass import BackwardPass
from backproof.verdicts.fit import Candidate, Error, Term, first_fit
from backproof.verdicts.formulas import formulas
from backproof.verdicts.shape import shape_of
from backproof.verdicts.structures import (
    NOT_IDENTIFIED,
    Found,
    common_structures,
    constants,
    full_name,
    in_lower_precision,
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
    kinked = low != high
    error = Error(delta, right, tolerance, ~kinked)
    departs = error.departs
    if not departs.any():
        return None
    residual = np.where(departs, delta - right, 0)
    if not (departs & ~kinked).any():
        return Found("derivative: at a kink", f"{departs.sum()} entries, where z is on one", residual)
    known = in_lower_precision(error) or first_fit(error, _candidates(at, layer, incoming, error))
    if known is None:
        known = NOT_IDENTIFIED, shape_of(residual, tolerance, ("sample", "unit"))
    return Found(full_name("hidden delta", known[0]), known[1], residual)


def _candidates(at: BackwardPass, layer: int, incoming: Array, error: Error) -> Iterator[Candidate | Term]:
    activation, z = at.problem.activation, at.forward.pre_activations[layer]
    above, w = at.deltas[layer + 1], at.weights[layer + 1][:, :-1]
    low, high = at.derivatives[layer]
    derivative = (low + high) / 2
    yield from constants(error, error.right, *at.forward.outputs.shape)
    yield Candidate("derivative: missing", "without f'(z)", incoming)
    yield Candidate("derivative: squared", "f'(z)² in place of f'(z)", incoming * derivative**2)
    at_value = at.derivative_of(activation, "f(z)", layer, activation.value(z))
    yield Candidate("derivative: of the value", "f'(f(z)) in place of f'(z)", incoming * at_value)
    yield Candidate(
        "derivative: of -z",
        "f'(−z) in place of f'(z)",
        incoming * at.derivative_of(activation, "-z", layer, -z),
    )
    for other, (left, far) in enumerate(at.derivatives):
        if other != layer and left.shape == derivative.shape:
            yield Candidate(
                "derivative: another layer's", f"of layer {other + 1}", incoming * (left + far) / 2
            )
    for other_activation in ACTIVATIONS.records():
        values = incoming * at.derivative_of(other_activation, "z", layer, z)
        yield Candidate("derivative: another activation's", other_activation.name, values)
    gradient = at.backward.gradients[layer + 1][:, :-1]
    change = (above @ gradient) * derivative
    yield Term("carried weights: updated", change, lambda share: f"W {share:+.3g} · its gradient")
    if w.shape[0] == w.shape[1]:
        yield Candidate("carried weights: transposed", "", (above @ w.T) * derivative)
    cut = {"positive": np.maximum(incoming, 0), "negative": np.minimum(incoming, 0)}
    for sign, values in cut.items():
        detail = f"right only where it is {sign}, else 0"
        yield Candidate("derivative: depends on the gradient", detail, values * derivative)
    for other, weights in enumerate(at.weights):
        if other != layer + 1 and weights[:, :-1].shape == w.shape:
            values = (above @ weights[:, :-1]) * derivative
            yield Candidate("carried weights: another layer's", f"of layer {other + 1}", values)
    yield from common_structures(error)
    a = activation.value(z)
    quantities = {
        "1": np.ones_like(z), "z": z, "z²": z * z, "f(z)": a, "f(z)²": a * a, "f'(z)": derivative,
        "z f'(z)": z * derivative, "z f(z)": z * a,
    }  # fmt: skip
    yield from formulas(error, quantities, incoming, "derivative: another function of z")
