"""What is measured of a network while it trains, beside its loss and accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backproof.network.arrays import Array
from backproof.network.problem import Forward, Problem
from backproof.network.rules import Backward


def kink_hits(problem: Problem, forward: Forward) -> Array:
    """How many pre-activations of each hidden layer lie exactly on a kink; (hidden layers, cells)."""
    return np.array([_counted(problem.activation.at_kink(z)) for z in forward.pre_activations[:-1]])


def _counted(touched: Array) -> Array:
    """How many are true of each cell, (cells); mostly none."""
    return np.asarray(touched.sum(axis=(-2, -1))) if touched.any() else np.zeros(touched.shape[:-2], int)


WINDOW = 0.25
"""Standard deviations of a unit's pre-activations within which their density at zero is taken."""


def expected_kink_hits(problem: Problem, forward: Forward, weights: Sequence[Array]) -> Array:
    """How many pre-activations of each hidden layer are expected to be exactly zero; (hidden layers, cells).

    Of a unit the number of samples, times the density of its pre-activations at zero, times the spacing of
    what they can be there; see `Arithmetic.spacing_at_zero`. Hits that the data or biases of zero build in
    are no matter of rounding and are not in it. The number itself is Poisson's.
    """
    found = []
    for z, w in zip(forward.pre_activations[:-1], weights, strict=False):
        bias, width = w[..., -1], WINDOW * z.std(axis=-2, keepdims=True, dtype=np.float64)
        near = (np.abs(z) < width).sum(axis=-2)
        per_unit = problem.arithmetic.spacing_at_zero(bias) / (2 * width[..., 0, :])
        expected = np.where(near > 0, near * per_unit.astype(np.float64), 0)
        found.append(expected.sum(axis=-1))
    return np.array(found)


def saturated_outputs(problem: Problem, forward: Forward) -> Array:
    """The share of outputs exactly at an end of their activation's range, (cells); NaN where it has none."""
    y, ends = forward.outputs, (problem.output.range.low, problem.output.range.high)
    finite = [end for end in ends if np.isfinite(end)]
    if not finite or not y.size:
        return np.full(y.shape[:-2], np.nan)
    return np.asarray(np.any([y == end for end in finite], axis=0).mean(axis=(-2, -1)))


def gradient_norm(gradients: Sequence[Array], factor: float) -> Array:
    """‖gradient‖₂ over all layers, times a factor; (cells)."""
    squares = [(np.asarray(g, np.float64) ** 2).sum(axis=(-2, -1)) for g in gradients]
    return np.asarray(np.sqrt(np.sum(squares, axis=0)) * abs(factor))


def cosine(used: Sequence[Array], exact: Sequence[Array]) -> Array:
    """The cosine between two gradients over all layers, one value per cell; NaN where either vanishes."""
    flat = []
    for side in (used, exact):
        joined = np.concatenate([g.reshape(len(g), -1).astype(np.float64) for g in side], axis=1)
        flat.append(joined / np.abs(joined).max(axis=1, keepdims=True))
    a, b = flat
    return np.asarray((a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1)))


def cosine_per_sample(forward: Forward, used: Backward, exact: Backward) -> Array:
    """The mean over samples of the cosine between the two gradients of that sample's loss alone; (cells).

    A sample's gradient of a layer is the outer product of its delta and what enters the layer, so that
    products of two such gradients are products of deltas times |inputs|². What a rule gets wrong in the
    outer product itself is not seen. Samples of which either gradient vanishes do not count; NaN without any.
    """
    entering = [(a.astype(np.float64) ** 2).sum(axis=-1) for a in forward.inputs]

    def product(a: Backward, b: Backward) -> Array:
        layers = zip(a.deltas, b.deltas, entering, strict=True)
        parts = [(x.astype(np.float64) * y).sum(axis=-1) * size for x, y, size in layers]
        return np.asarray(np.sum(parts, axis=0))

    found = product(used, exact) / np.sqrt(product(used, used) * product(exact, exact))
    known = np.isfinite(found)
    count = known.sum(axis=-1)
    total = np.where(known, found, 0).sum(axis=-1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
