"""The numeric gradient of a problem, with a budget and a status for every parameter.

It depends on the problem alone and is computed once, however many backward rules are held
against it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backproof.differences.accounting import (
    PROBES_AT_ONCE,
    LayerAccount,
    account,
    budgets_of,
    steps_of,
    unsure_of,
)
from backproof.differences.perturbed import Index, PerturbedLoss, difference, sides_differ, wide
from backproof.differences.steps import realised
from backproof.network.arrays import Array, Weights
from backproof.network.problem import Problem

ONE_SIDED_SLACK = 8.0
"""A one-sided slope's error in units of the budget: its weights 4, 3 and 1 amplify round-off eightfold."""

BEND_SLACK = 1.5
"""The change of curvature at a kink is measured with an error of the next order in h; this covers it."""


@dataclass(frozen=True)
class NumericLayer:
    """Central differences over the parameters of one layer; arrays (units, inputs + 1).

    Attributes:
        gradient: the central difference; NaN where the parameter was not selected.
        budget: the largest |analytic − numeric| that truncation and round-off explain.
        step: the step used; 0 where the parameter cannot change the loss at these inputs.
        selected: whether the parameter is part of the check.
        crossed: some pre-activation or probability passed a kink between θ − h and θ + h.
        touched: some lies exactly on a kink at θ, and the parameter moves it.
        low, high: bounds from the one-sided slopes, their error included; NaN unless touched.
    """

    gradient: Array
    budget: Array
    step: Array
    selected: NDArray[np.bool_]
    crossed: NDArray[np.bool_]
    touched: NDArray[np.bool_]
    low: Array
    high: Array
    account: LayerAccount


@dataclass(frozen=True)
class Numeric:
    """The numeric gradient of a problem, a record a layer; empty where f itself is not finite."""

    layers: list[NumericLayer]
    finite: bool


def numeric_gradient(
    problem: Problem,
    weights: Weights,
    *,
    step: float | None = None,
    selected: list[NDArray[np.bool_]] | None = None,
) -> Numeric:
    """Central differences of `problem` (no batch axes) over every selected parameter.

    Args:
        step: one step for all parameters; by default each has its own, as long as the precision
            wants and short enough to stay on this side of every kink.
        selected: per layer, shape of the weights; by default every parameter.
    """
    forward = problem.forward(weights)
    if not np.isfinite(forward.loss):
        return Numeric([], finite=False)
    with np.errstate(all="ignore"):
        loss = PerturbedLoss(problem, weights, forward)
        accounts = account(loss, step)
        layers = []
        for layer, (w, measured) in enumerate(zip(weights, accounts, strict=True)):
            inputs = forward.inputs[layer]
            steps = steps_of(measured, inputs, step)
            chosen = np.ones(w.shape, bool) if selected is None else selected[layer]
            budget = budgets_of(measured, inputs, steps, len(weights), problem.scale)
            layers.append(_difference_layer(loss, layer, w, steps, budget, chosen, measured))
    return Numeric(layers, finite=True)


def _difference_layer(
    loss: PerturbedLoss,
    layer: int,
    w: Array,
    steps: Array,
    budget: Array,
    selected: NDArray[np.bool_],
    measured: LayerAccount,
) -> NumericLayer:
    kind = wide(w.dtype)
    up, down = realised(w, steps)
    gradient = np.where(selected, 0, np.nan).astype(kind)
    crossed, touched = np.zeros(w.shape, bool), np.zeros(w.shape, bool)
    low, high = np.full(w.shape, np.nan, kind), np.full(w.shape, np.nan, kind)
    moves = _Moves(loss.forward.inputs[layer])
    units, inputs = np.nonzero(selected & (steps > 0))
    for cut in moves.blocks(inputs, loss.width(layer)):
        j, p = units[cut], inputs[cut]
        sample, owner, starts = moves.of(p)
        unit, a = j[owner], loss.forward.inputs[layer][sample, p[owner]]
        above = loss.moved(layer, sample, unit, up[j, p][owner] * a)
        below = loss.moved(layer, sample, unit, -down[j, p][owner] * a)
        total = np.add.reduceat(difference(above.terms, below.terms), starts)
        h = up[j, p].astype(kind) + down[j, p].astype(kind)
        gradient[j, p] = total / h * loss.problem.scale
        if not above.sides:
            continue
        differ = np.logical_or.reduceat(sides_differ(above, below), starts)
        if differ.any():
            kinked = differ[owner]
            j, p = j[differ], p[differ]
            starts = np.concatenate(
                ([0], np.cumsum(np.bincount(owner[kinked], minlength=len(differ))[differ]))
            )[:-1]
            spans = np.stack([up[units[cut], inputs[cut]], -down[units[cut], inputs[cut]]])[:, owner[kinked]]
            slopes, bends, on_kink, passed = _one_sided(
                loss, layer, sample[kinked], unit[kinked], a[kinked], spans, starts
            )
            touched[j, p], crossed[j, p] = on_kink, passed
            slack = ONE_SIDED_SLACK * budget[j, p]
            low[j, p] = slopes.min(axis=0) * loss.problem.scale - slack
            high[j, p] = slopes.max(axis=0) * loss.problem.scale + slack
            budget[j, p] += np.where(on_kink, BEND_SLACK * bends * loss.problem.scale, 0)
    # Where a step comes near a kink and stays on its side, the slope may already be another one.
    near = unsure_of(measured, loss.forward.inputs[layer]) * loss.problem.scale
    budget = np.where(crossed | touched, budget, budget + near)
    return NumericLayer(gradient, budget, steps, selected, crossed, touched, low, high, measured)


class _Moves:
    """Which samples each input of a layer moves: those in which it is not zero."""

    def __init__(self, inputs: Array) -> None:
        by_input, self.samples = np.nonzero(inputs.T)
        self.first = np.searchsorted(by_input, np.arange(inputs.shape[1] + 1))

    def blocks(self, inputs: Index, width: int) -> list[slice]:
        """Cut a list of parameters (given by their input) into blocks that fit the cache."""
        cost = np.cumsum(np.diff(self.first)[inputs] * width)
        cuts, start = [], 0
        while start < len(inputs):
            spent = cost[start - 1] if start else 0
            end = max(int(np.searchsorted(cost, spent + PROBES_AT_ONCE, side="right")), start + 1)
            cuts.append(slice(start, end))
            start = end
        return cuts

    def of(self, inputs: Index) -> tuple[Index, Index, Index]:
        """The moves of a block: sample of each, index of its parameter, first move of each parameter."""
        counts = np.diff(self.first)[inputs]
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        owner = np.repeat(np.arange(len(inputs)), counts)
        within = np.arange(len(owner)) - starts[owner]
        return self.samples[self.first[inputs][owner] + within], owner, starts


def _one_sided(
    loss: PerturbedLoss, layer: int, sample: Index, unit: Index, a: Array, spans: Array, starts: Index
) -> tuple[Array, Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """What f does on either side of θ, whether θ itself is on a kink, and whether another is passed.

    Slopes to the right and to the left, (2, parameters): (4f(h/2) − 3f(0) − f(h)) / h, error O(h²),
    formed term by term. And the bend: where the curvature jumps by J as well, a central difference
    is off the average slope by h·J/4, with f'' ≈ 4 (f(h) − 2f(h/2) + f(0)) / h² on either side.
    `spans` is (2, moves): the steps up and down of the parameter that each move belongs to.
    """
    rest = loss.moved(layer, sample, unit, np.zeros_like(a))
    on_kink, passed = np.zeros(len(a), bool), np.zeros(len(a), bool)
    slopes, arcs = [], []
    for h in spans:
        near, far = loss.moved(layer, sample, unit, h / 2 * a), loss.moved(layer, sample, unit, h * a)
        half, whole = difference(near.terms, rest.terms), difference(far.terms, rest.terms)
        span = h[starts].astype(half.dtype)
        slopes.append(np.add.reduceat(4 * half - whole, starts) / span)
        arcs.append(np.add.reduceat(whole - 2 * half, starts))
        for at_rest, at_end in zip(rest.sides, far.sides, strict=True):
            on_kink |= ((at_rest == 0) & (at_end != 0)).any(axis=1)
            passed |= ((at_rest != 0) & (at_end != at_rest)).any(axis=1)
    bends = np.abs((arcs[0] - arcs[1]) / span)
    flags = (np.logical_or.reduceat(flag, starts) for flag in (on_kink, passed))
    return np.stack(slopes), bends, *flags
