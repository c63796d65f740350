"""Backward rules that are off by a known amount, for the random networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from random_networks import Configuration

from backproof.network.arrays import Array, Precision
from backproof.network.faults import FAULTS, Fault, Operation
from backproof.network.faults.fault import Setting
from backproof.network.problem import Forward, Problem
from backproof.network.rules import Backward, BackwardRule

SIZES = (-2.0, -1.0, 1.0, 0.1, -0.1, 1e-2, -1e-2)
"""By how much of itself something is off: signs, zeros, factors."""

NEAR = (0.8, 1.2, 2.5)
"""Sizes near the resolution, in resolutions."""


@dataclass(frozen=True)
class Scaled:
    """The right rule but for some entries of one layer's gradient, which are (1 + d) times too large."""

    right: BackwardRule
    layer: int
    entries: tuple[Array | slice, Array | slice]
    factor: float

    def backward(self, problem: Problem, forward: Forward, weights: list[Array]) -> Backward:
        """The right backward pass, with the mistake in it."""
        found = self.right.backward(problem, forward, weights)
        wrong = [g.copy() for g in found.gradients]
        at = wrong[self.layer]
        at[self.entries] *= at.dtype.type(self.factor)
        return Backward(found.deltas, wrong)


def wrong_rules(case: Configuration, count: int, resolution: float) -> Iterator[tuple[str, object]]:
    """Rules that are off: somewhere in a gradient or a delta, or as a planted fault is.

    Half of the sizes are fixed ones, the others lie about the resolution that is asked for, or about the one
    that was reported of the right rule.
    """
    rng = np.random.default_rng([81, case.seed])
    planted = [f for f in FAULTS.records() if f.operation is not None and f.matters(_setting(case))]
    for _ in range(count):
        d = float(rng.choice(SIZES))
        if rng.random() < 0.5:
            reported = resolution if 0 < resolution < 1 else 1e-3
            d = float(rng.choice([1e-3, reported]) * rng.choice(NEAR) * rng.choice([-1, 1]))
        layer = int(rng.integers(len(case.weights)))
        rows, columns = case.weights[layer].shape
        j, p = int(rng.integers(rows)), int(rng.integers(columns))
        kind = rng.integers(6)
        if kind < 4:
            name, entries = [
                (f"layer {layer + 1}", np.s_[:, :]),
                (f"unit {j} of layer {layer + 1}", np.s_[j : j + 1, :]),
                (f"input {p} of layer {layer + 1}", np.s_[:, p : p + 1]),
                (f"W{layer + 1}[{j}, {p}]", np.s_[j : j + 1, p : p + 1]),
            ][kind]
            yield f"{name} times {1 + d:.9g}", Scaled(case.rule, layer, entries, 1 + d)
        elif kind == 4 or not planted:
            yield f"delta of layer {layer + 1} times {1 + d:.9g}", _mutated_delta(case, layer, 1 + d)
        else:
            fault = planted[rng.integers(len(planted))]
            yield f"fault {fault.name}", replace(case.rule, fault=fault)


def _mutated_delta(case: Configuration, layer: int, factor: float) -> BackwardRule:
    last = len(case.weights) - 1
    operation = Operation.OUTPUT_DELTA if layer == last else Operation.HIDDEN_DERIVATIVE

    def change(right, here):
        return right * right.dtype.type(factor) if here.layer == layer else right

    return replace(case.rule, fault=Fault("mutated_delta", "", "", operation, change))


def _setting(case: Configuration) -> Setting:
    problem = case.problem.exact  # what is planted is told from functions, not from their rounding
    widths = (problem.inputs.shape[1], *(len(w) for w in case.weights))
    return Setting(
        widths, len(problem.inputs), problem.activation, problem.output, problem.loss.name, problem.clip.name,
        problem.reduction, problem.l2, Precision.of(problem.inputs.dtype), False,
    )  # fmt: skip
