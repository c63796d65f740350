"""The gradient of weights and biases: whether it departs from its delta's, and what it is instead."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

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
)

PARTS = {"weight": np.s_[:, :-1], "bias": np.s_[:, -1:]}
"""Weights and biases in an array shaped like a layer's."""


def parameter_gradients(at: BackwardPass, layer: int) -> Iterator[Found]:
    """How a layer's gradient departs from what its own delta makes: as a whole, or in weights or biases."""
    gradient, delta, inputs = at.backward.gradients[layer], at.deltas[layer], at.forward.inputs[layer]
    penalty = _penalty(at, layer)
    right = delta.T @ inputs + penalty
    size = np.abs(delta).T @ np.abs(inputs) + np.abs(penalty)
    tolerance = (8 + 2 * np.sqrt(len(delta))) * at.u * size + np.finfo(delta.dtype).tiny
    tolerance = tolerance + at.inferred * size.max(initial=0)
    departs = departing(gradient, right, tolerance)
    if not departs.any():
        return
    residual = np.where(departs, gradient - right, 0)
    wrong = [name for name, cut in PARTS.items() if departs[cut].any()]
    everywhere = np.ones(gradient.shape, bool)
    whole = first_fit(gradient, right, tolerance, everywhere, _of_both(at, layer, right))
    if len(wrong) == len(PARTS) and whole:
        yield Found(full_name("weight gradient", whole[0]), whole[1], residual)
        return
    for name in wrong:
        cut = PARTS[name]
        only = np.zeros_like(residual)
        only[cut] = residual[cut]
        candidates = (_of_weights if name == "weight" else _of_biases)(at, layer, right)
        known = first_fit(gradient[cut], right[cut], tolerance[cut], everywhere[cut], candidates)
        known = known or common_structure(gradient[cut], right[cut], tolerance[cut], departs[cut])
        if known is None:
            structure = "other inputs" if wrong == ["weight"] else "other"
            known = structure, f"{departs[cut].sum()} of {departs[cut].size}"
        yield Found(full_name(f"{name} gradient", known[0]), known[1], only)


def _penalty(at: BackwardPass, layer: int) -> Array:
    """The derivative of the penalty, shaped like the layer's weights."""
    w = at.weights[layer]
    penalty = np.array(w * w.dtype.type(at.problem.l2))
    penalty[:, -1] = 0
    return penalty


def _of_both(at: BackwardPass, layer: int, right: Array) -> Iterator[Candidate]:
    """Structures of a layer's weights and biases alike."""
    gradient, delta = at.backward.gradients[layer], at.deltas[layer]
    inputs = at.forward.inputs[layer]
    loss_part = delta.T @ inputs
    penalty = right - loss_part
    if at.problem.l2:
        for multiple in constants(gradient - (right - loss_part), loss_part, *at.forward.outputs.shape):
            yield Candidate(multiple.name, multiple.detail, multiple.values + penalty, multiple.factor)
    yield from constants(gradient, right, *at.forward.outputs.shape)
    for other, theirs in enumerate(at.deltas):
        if other != layer and theirs.shape == delta.shape:
            values = theirs.T @ inputs + penalty
            yield Candidate("another layer's delta", f"of layer {other + 1}", values)
    for sample in range(len(delta)):
        values = np.outer(delta[sample], inputs[sample]) + penalty
        yield Candidate("of one sample", f"sample {sample}", values)


def _of_weights(at: BackwardPass, layer: int, right: Array) -> Iterator[Candidate]:
    gradient, whole = at.backward.gradients[layer][:, :-1], _of_both(at, layer, right)
    delta, inputs = at.deltas[layer], at.forward.inputs[layer]
    right, penalty, w = right[:, :-1], _penalty(at, layer)[:, :-1], at.weights[layer][:, :-1]
    yield Candidate("zero", "", np.zeros_like(right))
    yield from constants(gradient, right, *at.forward.outputs.shape)
    loss_part = right - penalty
    if at.problem.l2:
        yield Candidate("penalty: missing", f"l2 = {at.problem.l2:g}", loss_part)
    yield from _other_penalty(at, gradient, loss_part, w)
    if right.shape[0] == right.shape[1]:
        yield Candidate("transposed", "", right.T)
        yield Candidate("transposed", "", loss_part.T + penalty)
    yield from (Candidate(c.name, c.detail, c.values[:, :-1]) for c in whole)
    if layer:
        z = at.forward.pre_activations[layer - 1]
        yield Candidate("pre-activations as inputs", "z in place of f(z)", delta.T @ z + penalty)
    for other, theirs in enumerate(at.forward.inputs):
        if other != layer and theirs.shape == inputs.shape:
            values = delta.T @ theirs[:, :-1] + penalty
            yield Candidate("another layer's inputs", f"of layer {other + 1}", values)


def _other_penalty(at: BackwardPass, gradient: Array, without: Array, w: Array) -> Iterator[Candidate]:
    """A multiple of the weights added, as far as there are enough of them to tell."""
    if w.size > 2:
        share = float(((gradient - without) * w).sum() / (w * w).sum())
        instead = f"{share:.3g} in place of {at.problem.l2:g}"
        yield Candidate("penalty: another weight", instead, without + share * w)


def _of_biases(at: BackwardPass, layer: int, right: Array) -> Iterator[Candidate]:
    gradient, delta = at.backward.gradients[layer][:, -1:], at.deltas[layer]
    whole = _of_both(at, layer, right)
    right, bias = right[:, -1:], at.weights[layer][:, -1:]
    yield Candidate("zero", "", np.zeros_like(right))
    yield from constants(gradient, right, *at.forward.outputs.shape)
    if at.problem.l2:
        too_much = right + at.problem.l2 * bias
        yield Candidate("penalty: on the biases", f"l2 = {at.problem.l2:g}", too_much)
    yield from _other_penalty(at, gradient, right, bias)
    for sample in range(len(delta)):
        yield Candidate("of one sample", f"sample {sample}", delta[sample][:, None])
    if delta.shape[0] == delta.shape[1]:
        yield Candidate("summed over units", "in place of samples", delta.sum(axis=1, keepdims=True))
    yield from (Candidate(c.name, c.detail, c.values[:, -1:]) for c in whole)
