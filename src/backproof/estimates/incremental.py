"""The numeric gradient of a problem, with a budget and a status for every parameter.

It depends on the problem alone and is computed once, however many backward rules are held
against it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.error_bounds import (
    LayerAccount,
    account,
    budgets_of,
    carried,
    steps_of,
    unsure_of,
    within_reach,
)
from backproof.estimates.moves import Moves, totals_of_units
from backproof.estimates.perturbed import Index, PerturbedLoss, wide
from backproof.estimates.stencils import CENTRAL, COMPLEX, COMPLEX_STEP, COMPLEX_TYPES, FIVE_POINT, Scheme
from backproof.estimates.steps import best_step, realised
from backproof.network.arrays import Array, Weights, keep_memory, unit_roundoff
from backproof.network.problem import Forward, Problem

ONE_SIDED_SLACK = 8.0
"""A one-sided slope's error in units of the budget: its weights 4, 3 and 1 amplify round-off eightfold."""

COMPLEX_ROUNDINGS = 8.0
"""Units of round-off, a layer, that the terms of a complex step and of a backward pass may differ by."""

BEND_SLACK = 1.5
"""The change of curvature at a kink is measured with an error of the next order in h; this covers it."""


@dataclass(frozen=True)
class NumericLayer:
    """The numeric gradient of one layer's parameters; arrays (units, inputs + 1).

    Attributes:
        gradient: by differences; NaN where the parameter was not selected.
        budget: the largest |analytic − numeric| that truncation and round-off explain.
        truncation: truncation's part of it.
        step: what a weight was moved by, or could have been without meeting a kink; 0 where it cannot change
            the loss at these inputs.
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
    forward: Forward | None = None,
    *,
    step: float | None = None,
    scheme: Scheme = FIVE_POINT,
    selected: list[NDArray[np.bool_]] | None = None,
) -> Numeric:
    """Differences of `problem` (no batch axes) over every selected parameter.

    Args:
        forward: the forward pass at these weights, where it is known.
        step: one step for all parameters; by default each has its own, as long as the precision
            wants and short enough to stay on this side of every kink. The complex step has no use for it;
            with one, differences are central rather than five-point.
        scheme: which evaluations make a derivative.
        selected: per layer, shape of the weights; by default every parameter.
    """
    keep_memory()
    if step is not None and scheme is FIVE_POINT:
        scheme = CENTRAL
    forward = forward or problem.forward(weights)
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
            layers.append(_difference_layer(loss, layer, w, steps, scheme, chosen, measured))
    return Numeric(layers, finite=True)


def _difference_layer(
    loss: PerturbedLoss,
    layer: int,
    w: Array,
    steps: Array,
    scheme: Scheme,
    selected: NDArray[np.bool_],
    measured: LayerAccount,
) -> NumericLayer:
    kind, inputs, scale = wide(w.dtype), loss.forward.inputs[layer], loss.problem.scale
    gradient = np.where(selected, 0, np.nan).astype(kind)
    low, high = np.full(w.shape, np.nan, kind), np.full(w.shape, np.nan, kind)
    crossed, touched = np.zeros(w.shape, bool), np.zeros(w.shape, bool)
    clear, done = within_reach(measured, inputs, steps), np.zeros(w.shape, bool)
    budgets = budgets_of(measured, inputs, steps, len(loss.weights), scale, scheme)
    if scheme is FIVE_POINT:
        scheme = CENTRAL  # of the parameters that it is not for
        if not clear.all():
            others = budgets_of(measured, inputs, steps, len(loss.weights), scale, scheme)
            budgets = np.where(clear, budgets[0], others[0]), np.where(clear, budgets[1], others[1])
        done = selected & (steps > 0) & clear
        gradient[done] = carried(measured, inputs)[done] * scale
    found = NumericLayer(gradient, *budgets, steps, selected, crossed, touched, low, high, measured)
    todo = selected & (steps > 0) & ~done
    if scheme is COMPLEX:
        _imaginary(loss, layer, found, todo)
    elif todo.any():
        clear &= todo
        units = np.flatnonzero(2 * clear.sum(axis=1) >= inputs.any(axis=0).sum())
        if len(units):
            slope = _of_units(loss, layer, units, w, steps, scheme)
            done = clear & np.isin(np.arange(len(w)), units)[:, None]
            gradient[done] = slope[done]
            todo &= ~done
        _of_parameters(loss, layer, found, w, scheme, todo, clear)
    if scheme is not COMPLEX:
        # Where a step comes near a kink and stays on its side, the slope may already be another one.
        near_kinks = unsure_of(measured, inputs) * scale
        found.budget[...] += np.where(crossed | touched, 0, near_kinks)
    if loss.problem.l2:
        penalty, rounding = _penalty_slope(loss.problem, w, steps, scheme)
        gradient += penalty
        found.budget[...] += rounding
        low += penalty - rounding
        high += penalty + rounding
    return found


def _of_units(loss: PerturbedLoss, layer: int, units: Index, w: Array, steps: Array, scheme: Scheme) -> Array:
    """The slopes of all parameters of some units, steps that pass no kink; 0 elsewhere."""
    slope = np.zeros(w.shape, wide(w.dtype))
    for upper, lower, weight in scheme.pairs:
        near, far = _span(w, steps, upper, lower)
        total = totals_of_units(loss, layer, units, near, far)
        slope += weight * total / (near.astype(slope.dtype) - far.astype(slope.dtype))
    return np.asarray(slope * loss.problem.scale)


def _of_parameters(
    loss: PerturbedLoss,
    layer: int,
    found: NumericLayer,
    w: Array,
    scheme: Scheme,
    todo: NDArray[np.bool_],
    clear: NDArray[np.bool_],
) -> None:
    """Slopes of single parameters, written into `found`; those that are not `clear` with their kinks."""
    scale, kind = loss.problem.scale, found.gradient.dtype
    inputs = loss.forward.inputs[layer]
    moves = Moves(inputs)
    up, down = realised(w, found.step)
    spans = [(*_span(w, found.step, upper, lower), weight) for upper, lower, weight in scheme.pairs]
    for mask, doubtful in ((todo & clear, False), (todo & ~clear, True)):
        units, columns = np.nonzero(mask)
        for cut in moves.blocks(columns, 2 * loss.width(layer)):
            j, p = units[cut], columns[cut]
            sample, owner, starts = moves.of(p)
            unit, a = j[owner], inputs[sample, p[owner]]
            slope, differ = np.zeros(len(j), kind), np.zeros(len(j), bool)
            for near, far, weight in spans:
                ends = np.stack([near[j, p][owner] * a, far[j, p][owner] * a], axis=1)
                moved = loss.moved(layer, sample, unit, ends, sides=doubtful)
                total = np.add.reduceat(moved.difference(0, 1), starts)
                slope += weight * total / (near[j, p].astype(kind) - far[j, p].astype(kind))
                if doubtful:
                    differ = np.logical_or.reduceat(moved.sides_differ(), starts)
            found.gradient[j, p] = slope * scale
            if not differ.any():
                continue
            kinked = differ[owner]
            steps = np.stack([up[j, p], -down[j, p]], axis=1)[owner[kinked]]
            j, p = j[differ], p[differ]
            starts = np.concatenate(
                ([0], np.cumsum(np.bincount(owner[kinked], minlength=len(differ))[differ]))
            )[:-1]
            slopes, bends, on_kink, passed = _one_sided(
                loss, layer, sample[kinked], unit[kinked], a[kinked], steps, starts
            )
            found.touched[j, p], found.crossed[j, p] = on_kink, passed
            slack = ONE_SIDED_SLACK * found.budget[j, p]
            found.low[j, p] = slopes.min(axis=0) * scale - slack
            found.high[j, p] = slopes.max(axis=0) * scale + slack
            found.budget[j, p] += np.where(on_kink, BEND_SLACK * bends * scale, 0)


def _imaginary(loss: PerturbedLoss, layer: int, found: NumericLayer, todo: NDArray[np.bool_]) -> None:
    """Slopes by complex steps, written into `found`."""
    inputs, kind, scale = loss.forward.inputs[layer], found.gradient.dtype, loss.problem.scale
    # Where outputs saturate, the probes of the account see nothing; imaginary parts still are exact to the
    # rounding of their factors, and exp(−z) is off by z·u.
    largest = max(float(np.abs(z).max(initial=0)) for z in loss.forward.pre_activations)
    relative = COMPLEX_ROUNDINGS * (len(loss.weights) + largest) * unit_roundoff(inputs.dtype)
    ways = np.array([1j, -1j]).astype(COMPLEX_TYPES[inputs.dtype.type])
    moves, evaluated = Moves(inputs), loss.on_complex_numbers()
    units, columns = np.nonzero(todo)
    for cut in moves.blocks(columns, 2 * loss.width(layer)):
        j, p = units[cut], columns[cut]
        sample, owner, starts = moves.of(p)
        unit, a = j[owner], inputs[sample, p[owner]]
        imagined = evaluated.moved(
            layer, sample, unit, a[:, None] * ways * ways.real.dtype.type(COMPLEX_STEP)
        )
        parts = imagined.terms.imag.sum(axis=2, dtype=kind) / (COMPLEX_STEP * ways.imag) * scale
        parts = imagined.of_all(parts)
        sides = np.add.reduceat(parts, starts, axis=0).T
        budget = found.budget[j, p] + relative * np.add.reduceat(np.abs(parts[:, 1]), starts)
        rest = loss.base_terms(layer, sample[imagined.rows], unit[imagined.rows])
        strays = ~np.isclose(imagined.terms[:, 1].real, rest, rtol=1e-6, atol=1e-6).all(axis=1)
        # log(0 + ih) is another number than log(0): no derivative can be read off there.
        budget[np.logical_or.reduceat(imagined.of_all(strays), starts)] = np.inf
        # Complex numbers are compared by their imaginary parts where the real ones are equal, so at a
        # kink +ih takes the slope to the right and −ih the one to the left.
        on_kink = np.logical_or.reduceat(imagined.on_kinks(1), starts)
        found.gradient[j, p], found.budget[j, p], found.touched[j, p] = sides.mean(axis=0), budget, on_kink
        found.low[j, p] = np.where(on_kink, sides.min(axis=0) - budget, np.nan)
        found.high[j, p] = np.where(on_kink, sides.max(axis=0) + budget, np.nan)


def _span(theta: Array, steps: Array, upper: float, lower: float) -> tuple[Array, Array]:
    """The ends of a difference as θ's precision has them, as distances from θ."""
    ends = []
    for side in (upper, lower):
        up, down = realised(theta, abs(side) * steps)
        ends.append(up if side >= 0 else -down)
    return ends[0], ends[1]


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


def _one_sided(
    loss: PerturbedLoss, layer: int, sample: Index, unit: Index, a: Array, steps: Array, starts: Index
) -> tuple[Array, Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """What f does on either side of θ, whether θ itself is on a kink, and whether another is passed.

    Slopes to the right and to the left, (2, parameters): (4f(h/2) − 3f(0) − f(h)) / h, error O(h²),
    formed term by term. And the bend: where the curvature jumps by J as well, a central difference
    is off the average slope by h·J/4, with f'' ≈ 4 (f(h) − 2f(h/2) + f(0)) / h² on either side.
    `steps` is (moves, 2): the steps up and down of the parameter that each move belongs to.
    """
    slopes, arcs = [], []
    on_kink, passed = np.zeros(len(a), bool), np.zeros(len(a), bool)
    for h in steps.T:
        span = h[starts].astype(wide(h.dtype))
        moved = loss.moved(layer, sample, unit, np.stack([np.zeros_like(a), h / 2 * a, h * a], axis=1))
        half, whole = moved.difference(1, 0), moved.difference(2, 0)
        slopes.append(np.add.reduceat(4 * half - whole, starts) / span)
        arcs.append(np.add.reduceat(whole - 2 * half, starts))
        for side in moved.sides:
            at_rest, at_end = side[:, 0], side[:, 2]
            on_kink |= moved.of_all(((at_rest == 0) & (at_end != 0)).any(axis=1))
            passed |= moved.of_all(((at_rest != 0) & (at_end != at_rest)).any(axis=1))
    bends = np.abs((arcs[0] - arcs[1]) / span)
    flags = (np.logical_or.reduceat(flag, starts) for flag in (on_kink, passed))
    return np.stack(slopes), bends, *flags
