"""The gradient of weights and biases: whether it departs from its delta's, and what it is instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from backproof.network.arrays import Array
from backproof.verdicts.backward_pass import BackwardPass
from backproof.verdicts.fit import Candidate, Error, Known, Term, first_fit
from backproof.verdicts.implied import Implied
from backproof.verdicts.sample_factors import sample_factors
from backproof.verdicts.shape import shape_of
from backproof.verdicts.structures import (
    NOT_IDENTIFIED,
    Found,
    common_structures,
    constants,
    full_name,
    in_lower_precision,
)
from backproof.verdicts.variants import Variant, candidates_of, others, variants

PARTS = {"weight": np.s_[:, :-1], "bias": np.s_[:, -1:]}
"""Weights and biases in an array shaped like a layer's."""


def parameter_gradients(at: BackwardPass, layer: int) -> Iterator[Found]:
    """How a layer's gradient departs from what its own delta makes: as a whole, or in weights or biases."""
    gradient, delta, inputs = at.backward.gradients[layer], at.deltas[layer], at.forward.inputs[layer]
    penalty = _penalty(at, layer)
    right = delta.T @ inputs + penalty
    size = np.abs(delta).T @ np.abs(inputs) + np.abs(penalty)
    tolerance = (8 + 2 * np.sqrt(len(delta))) * at.u * size + np.finfo(delta.dtype).tiny
    tolerance = at.amplified * (tolerance + at.inferred * size.max(initial=0))
    error = Error(gradient, right, tolerance, np.ones(gradient.shape, bool))
    departs = error.departs
    if not departs.any():
        return
    residual = np.where(departs, gradient - right, 0)
    wrong = [name for name, cut in PARTS.items() if departs[cut].any()]
    if len(wrong) == len(PARTS):
        whole = in_lower_precision(error) or first_fit(error, _of_both(at, layer, error))
        if whole:
            yield Found(full_name("weight gradient", whole.name), whole.detail, residual, share=whole.share)
            return
    for name in wrong:
        cut = PARTS[name]
        only = np.zeros_like(residual)
        only[cut] = residual[cut]
        part = error.part(cut)
        candidates = (_of_weights if name == "weight" else _of_biases)(at, layer, part)
        known = in_lower_precision(part) or first_fit(part, candidates)
        known = known or Known(NOT_IDENTIFIED, shape_of(residual[cut], part.tolerance, ("unit", "input")))
        yield Found(full_name(f"{name} gradient", known.name), known.detail, only, share=known.share)


def _penalty(at: BackwardPass, layer: int) -> Array:
    """The derivative of the penalty, shaped like the layer's weights."""
    w = at.weights[layer]
    penalty = np.array(w * w.dtype.type(at.problem.l2))
    penalty[:, -1] = 0
    return penalty


def _of_both(at: BackwardPass, layer: int, error: Error) -> Iterator[Candidate | Term]:
    """Structures of a layer's weights and biases alike."""
    l2, w, inputs = at.problem.l2, at.weights[layer], at.forward.inputs[layer]
    penalty = _penalty(at, layer)
    yield from _scaled(at, error, penalty)
    yield Term("penalty: another weight", w, lambda share: _weight(l2, share) + ", and of the biases")
    yield from _other_deltas(at, layer, inputs, penalty)
    yield from sample_factors(error, at.deltas[layer], inputs, penalty)
    yield from common_structures(error, ("units", "inputs"))
    yield from _of_whole("weight gradient", error, penalty)


def _scaled(at: BackwardPass, error: Error, penalty: Array) -> Iterator[Candidate]:
    """Multiples of the whole gradient, and of what it is without the penalty."""
    yield from constants(error, error.right, *at.forward.outputs.shape)
    if penalty.any():
        loss_part = error.right - penalty
        without = replace(error, found=error.found - penalty)
        for multiple in constants(without, loss_part, *at.forward.outputs.shape):
            yield replace(multiple, values=multiple.all_values + penalty)


def _other_deltas(at: BackwardPass, layer: int, inputs: Array, penalty: Array) -> Iterator[Candidate]:
    """The gradient with another delta in place of the layer's."""
    delta = at.deltas[layer]
    for other, theirs in enumerate(at.deltas):
        if other != layer and theirs.shape == delta.shape:
            detail = f"of layer {other + 1}"
            yield Candidate("another layer's delta", detail, theirs.T @ inputs + penalty)
    known = dict(at.known_arrays)
    if layer < at.last:
        known["the delta without f'(z)"] = at.deltas[layer + 1] @ at.weights[layer + 1][:, :-1]
        low, high = at.derivatives[layer]
        known["the delta with f'(z) twice"] = delta * (low + high) / 2
        known["f'(z)"] = (low + high) / 2
    changed = (*variants(delta, "samples", "units"), *others(known, delta.shape))
    for candidate in candidates_of("delta", "delta", changed, lambda x: x.T @ inputs + penalty):
        yield _of_operand(candidate, "delta")


def _of_operand(candidate: Candidate, operand: str) -> Candidate:
    """The candidate named after the operation, its operand in the detail."""
    structure = candidate.name.partition(": ")[2]
    if not structure:
        return candidate
    detail = f"{structure}, {candidate.detail}" if candidate.detail else structure
    return replace(candidate, name=f"another {operand}", detail=detail)


def _of_whole(operation: str, error: Error, penalty: Array) -> Iterator[Candidate]:
    """The gradient itself changed, with the penalty or without it."""
    axes = "units", "inputs"
    for kept in (np.zeros_like(error.right), penalty) if penalty.any() else (penalty,):
        loss_part = error.right - kept

        def whole(x: Array, kept: Array = kept) -> Array:
            return np.asarray(x + kept)

        yield from candidates_of(operation, "it", variants(loss_part, *axes), whole)
        known = np.isfinite(error.found)
        yield from Implied(operation, error.found - kept, loss_part, known, whole, axes).candidates()


def _of_weights(at: BackwardPass, layer: int, error: Error) -> Iterator[Candidate | Term]:
    delta, inputs = at.deltas[layer], at.forward.inputs[layer][:, :-1]
    right, penalty, w = error.right, _penalty(at, layer)[:, :-1], at.weights[layer][:, :-1]
    yield from _penalties(at, layer, error, penalty, w)
    yield from _scaled(at, error, penalty)
    if right.shape[0] == right.shape[1]:
        yield Candidate("transposed", "", right.T)
        yield Candidate("transposed", "", (right - penalty).T + penalty)
    if layer:
        z = at.forward.pre_activations[layer - 1]
        yield Candidate("pre-activations as inputs", "z in place of f(z)", delta.T @ z + penalty)
    for other, theirs in enumerate(at.forward.inputs):
        if other != layer and theirs[:, :-1].shape == inputs.shape:
            values = delta.T @ theirs[:, :-1] + penalty
            yield Candidate("another layer's inputs", f"of layer {other + 1}", values)
    changed = (*variants(inputs, "samples", "inputs"), *others(at.known_arrays, inputs.shape))
    for candidate in candidates_of("inputs", "the inputs", changed, lambda x: delta.T @ x + penalty):
        yield _of_operand(candidate, "input")
    yield from _other_deltas(at, layer, inputs, penalty)
    yield from sample_factors(error, delta, inputs, penalty)
    yield from common_structures(error, ("units", "inputs"))
    yield from _of_whole("weight gradient", error, penalty)


def _penalties(
    at: BackwardPass, layer: int, error: Error, penalty: Array, w: Array
) -> Iterator[Candidate | Term]:
    """The penalty left out, of another weight, or of another function of the weights."""
    l2 = at.problem.l2
    if penalty.any():
        yield Candidate("penalty: missing", f"l2 = {l2:g}", error.right - penalty)
    yield Term("penalty: another weight", w, lambda share: _weight(l2, share))
    loss_part = error.right - penalty
    changed = [*variants(w, "units", "inputs")]
    for other, weights in enumerate(at.weights, 1):
        if other != layer + 1 and weights[:, :-1].shape == w.shape:
            changed.append(Variant("another array", f"the weights of layer {other}", weights[:, :-1]))
    if l2:
        yield from candidates_of("penalty", "W", changed, lambda x: loss_part + l2 * x)
    for x in changed:
        words = f"of W, {x.structure}{', ' if x.words else ''}{x.words}"
        yield Term("penalty: another function of W", x.values, partial(_times, words))
    yield Term("penalty: a constant", np.ones_like(w), lambda share: f"{share:.6g} added")


def _times(words: str, share: float) -> str:
    return f"{share:+.6g} {words}"


def _weight(l2: float, share: float) -> str:
    return f"{l2 + share:.6g} in place of {l2:g}"


def _of_biases(at: BackwardPass, layer: int, error: Error) -> Iterator[Candidate | Term]:
    delta, bias = at.deltas[layer], at.weights[layer][:, -1:]
    yield from constants(error, error.right, *at.forward.outputs.shape)
    l2 = at.problem.l2
    if l2:
        yield Candidate("penalty: on the biases", f"l2 = {l2:g}", error.right + l2 * bias)
    yield Term("penalty: on the biases", bias, lambda share: f"{share:.6g} · b")
    for sample in range(len(delta)):
        yield Candidate("of one sample", f"sample {sample}", delta[sample][:, None])
    if delta.shape[0] == delta.shape[1]:
        yield Candidate("summed over units", "in place of samples", delta.sum(axis=1, keepdims=True))
    for words, reduced in (("largest", delta.max(axis=0)), ("smallest", delta.min(axis=0))):
        yield Candidate("of one sample", f"the {words} of each unit", reduced[:, None])
    ones = np.ones((len(delta), 1), delta.dtype)
    yield from _other_deltas(at, layer, ones, np.zeros_like(bias))
    yield from common_structures(error, ("units", "inputs"))
    yield from _of_whole("bias gradient", error, np.zeros_like(bias))
