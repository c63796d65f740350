"""Which kinks a parameter touches or crosses, and how far it may move before it does: by accounting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from backproof.estimates.perturbed import Moved, PerturbedLoss
from backproof.network.arrays import Array, Weights
from backproof.network.problem import Forward, Problem

GROWTH = 4.0
"""Distances are tried in such multiples, then bisected."""

FARTHEST = 1.0
"""Kinks further from a pre-activation than this are not looked for."""

BISECTIONS = 20


@dataclass(frozen=True)
class KinkEvent:
    """Something on the way that lies on a kink, or passes one between θ − h and θ + h.

    Attributes:
        kind: "touched" or "crossed".
        what: "unit" of a layer, "clip" or "loss" at the output.
        layer, unit, sample: where; the layer is counted from 1.
        at: the kink. value: what lies there at θ; of a loss, that by which it switches, as y − t in |y − t|.
    """

    kind: str
    what: str
    layer: int
    unit: int
    sample: int
    at: float
    value: float

    def __str__(self) -> str:
        verb = "lies on" if self.kind == "touched" else "crosses"
        named = {"clip": "p of output", "loss": "switch of the loss at output"}
        whose = named.get(self.what, f"layer {self.layer}, unit")
        return f"sample {self.sample}, {whose} {self.unit}: {self.value:.6g} {verb} the kink at {self.at:g}"


def kink_events(
    problem: Problem, weights: Weights, layer: int, unit: int, column: int, step: float
) -> list[KinkEvent]:
    """Every kink that one parameter touches at θ or crosses between θ − step and θ + step."""
    passes = []
    for h in (-step, 0.0, step):
        moved = [w.copy() for w in weights]
        moved[layer][unit, column] += h
        passes.append(list(kink_arguments(problem, problem.forward(moved))))
    events = []
    for below, rest, above in zip(*passes, strict=True):
        what, depth, at, value = rest
        low, middle, high = (np.sign(side[3] - at) for side in (below, rest, above))
        moves = (below[3] != value) | (above[3] != value)
        for kind, mask in (
            ("touched", (middle == 0) & moves),
            ("crossed", (middle != 0) & (low != high)),
        ):
            for sample, k in np.argwhere(mask):
                location = (depth, int(k), int(sample), at, float(value[sample, k]))
                events.append(KinkEvent(kind, what, *location))
    return events


def kink_arguments(problem: Problem, forward: Forward) -> Iterator[tuple[str, int, float, Array]]:
    """Every array that meets a kink: what it is, its layer, the kink, and the values."""
    last = len(forward.pre_activations)
    for depth, z in enumerate(forward.pre_activations, 1):
        for kink in (problem.output if depth == last else problem.activation).kinks:
            yield "unit", depth, kink.at, z
    if problem.loss.uses_clip:
        for edge in problem.clip.edges(np.asarray(problem.eps)):
            yield "clip", last, float(edge), forward.outputs
            yield "clip", last, float(1 - edge), forward.outputs
    for part in problem.loss.kinks(forward.outputs, problem.targets):
        yield "loss", last, 0.0, part


def kink_distances(problem: Problem, weights: Weights) -> list[Array]:
    """How far each pre-activation may move, either way, before something meets a kink; (N, units) a layer.

    0 where one is touched, infinite where none is within 1. Found by evaluation: distances grow by
    fourfold steps until a side changes, then the last of them is bisected.
    """
    loss = PerturbedLoss(problem, weights, problem.forward(weights))
    with np.errstate(all="ignore"):
        return [_distances(loss, layer) for layer in range(len(weights))]


def _distances(loss: PerturbedLoss, layer: int) -> Array:
    z = loss.forward.pre_activations[layer]
    samples, units = (index.ravel() for index in np.indices(z.shape))

    def around(distance: Array) -> Moved:
        ends = distance[:, None] * np.array([1, 0, -1])
        return loss.moved(layer, samples, units, ends.astype(z.dtype))

    smallest = 2 * loss.problem.unit_roundoff
    low, high = np.zeros(z.size), np.full(z.size, np.inf)
    distance = smallest
    while distance <= FARTHEST:
        met = around(np.full(z.size, distance)).sides_differ() & np.isinf(high)
        high[met] = distance
        low[np.isinf(high)] = distance
        distance *= GROWTH
    near = np.isfinite(high)
    for _ in range(BISECTIONS if near.any() else 0):
        middle = np.where(near, (low + high) / 2, 0)
        met = around(middle).sides_differ()
        high = np.where(near & met, middle, high)
        low = np.where(near & ~met, middle, low)
    touched = around(np.full(z.size, smallest)).on_kinks(1)
    return np.where(touched & near & (high <= 2 * smallest), 0, high).reshape(z.shape)


def safe_steps(distances: Array, inputs: Array) -> Array:
    """The largest step of each parameter of a layer that meets no kink, (units, inputs + 1)."""
    size = np.abs(inputs).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = distances[:, :, None] / size[:, None, :]
    each[np.broadcast_to(size[:, None, :] == 0, each.shape)] = np.inf
    return np.asarray(each.min(axis=0, initial=np.inf))
