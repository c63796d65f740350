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
from backproof.differences.perturbed import Index, Moved, PerturbedLoss, difference, sides_differ, wide
from backproof.differences.schemes import CENTRAL, COMPLEX, COMPLEX_STEP, Scheme
from backproof.differences.steps import best_step, realised
from backproof.network.arrays import Array, Weights, unit_roundoff
from backproof.network.problem import Problem

ONE_SIDED_SLACK = 8.0
"""A one-sided slope's error in units of the budget: its weights 4, 3 and 1 amplify round-off eightfold."""

COMPLEX_ROUNDINGS = 8.0
"""Units of round-off, a layer, that the terms of a complex step and of a backward pass may differ by."""

BEND_SLACK = 1.5
"""The change of curvature at a kink is measured with an error of the next order in h; this covers it."""


@dataclass(frozen=True)
class NumericLayer:
    """Central differences over the parameters of one layer; arrays (units, inputs + 1).

    Attributes:
        gradient: the central difference; NaN where the parameter was not selected.
        budget: the largest |analytic − numeric| that truncation and round-off explain.
        truncation: truncation's part of it.
        step: the step used; 0 where the parameter cannot change the loss at these inputs.
        selected: whether the parameter is part of the check.
        crossed: some pre-activation or probability passed a kink between θ − h and θ + h.
        touched: some lies exactly on a kink at θ, and the parameter moves it.
        low, high: bounds from the one-sided slopes, their error included; NaN unless touched.
    """

    gradient: Array
    budget: Array
    truncation: Array
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
    scheme: Scheme = CENTRAL,
    selected: list[NDArray[np.bool_]] | None = None,
) -> Numeric:
    """Differences of `problem` (no batch axes) over every selected parameter.

    Args:
        step: one step for all parameters; by default each has its own, as long as the precision
            wants and short enough to stay on this side of every kink. The complex step has no use for it.
        scheme: which evaluations make a derivative.
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
            steps = steps_of(measured, inputs, step, scheme.best_step(w.dtype))
            chosen = np.ones(w.shape, bool) if selected is None else selected[layer]
            budgets = budgets_of(measured, inputs, steps, len(weights), problem.scale, scheme)
            layers.append(_difference_layer(loss, layer, w, steps, scheme, budgets, chosen, measured))
    return Numeric(layers, finite=True)


def _difference_layer(
    loss: PerturbedLoss,
    layer: int,
    w: Array,
    steps: Array,
    scheme: Scheme,
    budgets: tuple[Array, Array],
    selected: NDArray[np.bool_],
    measured: LayerAccount,
) -> NumericLayer:
    kind, scale = wide(w.dtype), loss.problem.scale
    budget, truncation = budgets
    up, down = realised(w, steps)
    gradient = np.where(selected, 0, np.nan).astype(kind)
    crossed, touched = np.zeros(w.shape, bool), np.zeros(w.shape, bool)
    low, high = np.full(w.shape, np.nan, kind), np.full(w.shape, np.nan, kind)
    moves = Moves(loss.forward.inputs[layer])
    evaluated = loss.on_complex_numbers() if scheme is COMPLEX else loss
    # Where outputs saturate, the probes of the account see nothing; imaginary parts still are exact to the
    # rounding of their factors, and exp(−z) is off by z·u.
    largest = max(float(np.abs(z).max(initial=0)) for z in loss.forward.pre_activations)
    relative = COMPLEX_ROUNDINGS * (len(loss.weights) + largest) * unit_roundoff(w.dtype)
    units, inputs = np.nonzero(selected & (steps > 0))
    for cut in moves.blocks(inputs, loss.width(layer)):
        j, p = units[cut], inputs[cut]
        sample, owner, starts = moves.of(p)
        unit, a = j[owner], loss.forward.inputs[layer][sample, p[owner]]
        if scheme is COMPLEX:
            sides = []
            for way in (1j, -1j):
                imagined = evaluated.moved(layer, sample, unit, a * evaluated.hidden_type(way) * COMPLEX_STEP)
                parts = imagined.terms.imag.sum(axis=1, dtype=kind) / (COMPLEX_STEP * way.imag) * scale
                sides.append(np.add.reduceat(parts, starts))
            budget[j, p] += relative * np.add.reduceat(np.abs(parts), starts)
            gradient[j, p] = (sides[0] + sides[1]) / 2
            rest = loss.base_terms(layer, sample, unit)
            strays = ~np.isclose(imagined.terms.real, rest, rtol=1e-6, atol=1e-6).all(axis=1)
            # log(0 + ih) is another number than log(0): no derivative can be read off there.
            lost = np.logical_or.reduceat(strays, starts)
            budget[j[lost], p[lost]] = np.inf
            on_kink = np.logical_or.reduceat(_at_rest_on_kink(imagined), starts)
            # Complex numbers are compared by their imaginary parts where the real ones are equal, so at a
            # kink +ih takes the slope to the right and −ih the one to the left.
            touched[j, p] = on_kink
            low[j, p] = np.where(on_kink, np.minimum(*sides) - budget[j, p], np.nan)
            high[j, p] = np.where(on_kink, np.maximum(*sides) + budget[j, p], np.nan)
            continue
        slope = np.zeros(len(j), kind)
        for upper, lower, weight in scheme.pairs:
            near, far = _span(w[j, p], steps[j, p], upper, lower)
            ends = [loss.moved(layer, sample, unit, d[owner] * a) for d in (near, far)]
            total = np.add.reduceat(difference(ends[0].terms, ends[1].terms), starts)
            slope += weight * total / (near.astype(kind) - far.astype(kind))
        gradient[j, p] = slope * scale
        differ = np.logical_or.reduceat(sides_differ(*ends), starts)
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
            low[j, p] = slopes.min(axis=0) * scale - slack
            high[j, p] = slopes.max(axis=0) * scale + slack
            budget[j, p] += np.where(on_kink, BEND_SLACK * bends * scale, 0)
    # Where a step comes near a kink and stays on its side, the slope may already be another one.
    near_kinks = unsure_of(measured, loss.forward.inputs[layer]) * scale
    if scheme is not COMPLEX:
        budget = np.where(crossed | touched, budget, budget + near_kinks)
    if loss.problem.l2:
        penalty, rounding = _penalty_slope(loss.problem, w, steps, scheme)
        gradient, budget = gradient + penalty, budget + rounding
        low, high = low + penalty - rounding, high + penalty + rounding
    return NumericLayer(gradient, budget, truncation, steps, selected, crossed, touched, low, high, measured)


def _span(theta: Array, steps: Array, upper: float, lower: float) -> tuple[Array, Array]:
    """The ends of a difference as θ's precision has them, as distances from θ."""
    ends = []
    for side in (upper, lower):
        up, down = realised(theta, abs(side) * steps)
        ends.append(up if side >= 0 else -down)
    return ends[0], ends[1]


def _at_rest_on_kink(moved: Moved) -> NDArray[np.bool_]:
    """Per move: whether something lies on a kink. An imaginary move leaves every real part where it is."""
    found = np.zeros(len(moved.terms), bool)
    for side in moved.sides:
        found |= (side == 0).any(axis=1)
    return found


def _penalty_slope(problem: Problem, w: Array, steps: Array, scheme: Scheme) -> tuple[Array, Array]:
    """The difference of the penalty, each weight's own term apart from all others; and its rounding."""
    kind = wide(w.dtype)
    theta = w.astype(kind)
    h = np.where(steps > 0, steps, best_step(w.dtype)).astype(kind)
    slope = np.zeros(w.shape, kind)
    if scheme is COMPLEX:  # a square's central difference is exact but for rounding
        scheme = CENTRAL
    for upper, lower, weight in scheme.pairs:
        ends = [problem.penalty(theta + side * h) for side in (upper, lower)]
        slope += weight * (ends[0] - ends[1]) / ((upper - lower) * h)
    u, size = unit_roundoff(w.dtype), np.abs(problem.penalty(theta))
    wide_u = unit_roundoff(np.dtype(kind))
    rounding = 4 * u * np.abs(slope) + scheme.noise * 4 * wide_u * size / h
    if scheme.order == 1:
        rounding += problem.l2 * h
    return slope, np.where(size > 0, rounding, 0)


class Moves:
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
