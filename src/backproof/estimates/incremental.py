"""The numerical gradient of a problem, with an error bound and a status for every parameter.

It depends on the problem alone and is computed once, however many backward rules are compared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.complex_step import by_complex_steps, imagined
from backproof.estimates.error_bounds import ErrorBounds, error_bounds
from backproof.estimates.measured_layer import MeasuredLayer
from backproof.estimates.moves import Moves, totals_of_units
from backproof.estimates.parameter_bounds import carried, parts_of, steps_of, unsure_of, within_reach
from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.record import EntryStatus, Estimate, Mask
from backproof.estimates.stencils import Scheme
from backproof.estimates.steps import realised, wide
from backproof.network.arrays import Array, Weights, keep_memory
from backproof.network.problem import Forward, Problem
from backproof.targets.layout import Index, flattened, of_network

ONE_SIDED_SLACK = 8.0
"""A one-sided derivative's error in bounds: its weights 4, 3 and 1 amplify round-off eightfold."""


BEND_SLACK = 1.5
"""The change of curvature at a kink is measured with an error of the next order in h; this covers it."""

PENALTY_ROUNDINGS = 8.0
"""Units of round-off of l2, of l2·w, of what is added to it, and of the difference it is compared with."""


@dataclass(frozen=True)
class NetworkEstimate(Estimate):
    """The estimate of a network's parameters, layer by layer, each row-major with the bias last.

    Attributes:
        bounds: of each layer, what was measured for every pre-activation.
    """

    bounds: tuple[ErrorBounds, ...]


@dataclass(frozen=True)
class ProblemAt:
    """A problem (no batch axes) where its numerical gradient is wanted.

    Attributes:
        forward: the forward pass at these weights.
        selected: which weights, per layer; None for every one.
    """

    problem: Problem
    weights: Weights
    forward: Forward
    selected: Sequence[Mask] | None = None


def numerical_gradient(
    problem: Problem,
    weights: Weights,
    forward: Forward | None = None,
    *,
    step: float | None = None,
    scheme: Scheme = Scheme.FIVE_POINT,
    selected: Sequence[Mask] | None = None,
) -> NetworkEstimate | None:
    """Differences of `problem` (no batch axes) over every selected parameter; None where f is not finite.

    Args:
        forward: the forward pass at these weights, where it is known.
        step: one step for all parameters; by default each has its own, as long as the precision
            wants and short enough to stay on this side of every kink. The complex step has no use for it;
            with one, differences are central rather than five-point.
        scheme: which evaluations make a derivative.
        selected: per layer, shape of the weights; by default every parameter.
    """
    point = ProblemAt(problem, weights, forward or problem.forward(weights), selected)
    return numerical_gradients([point], step=step, scheme=scheme)[0]


def numerical_gradients(
    points: Sequence[ProblemAt], *, step: float | None = None, scheme: Scheme = Scheme.FIVE_POINT
) -> list[NetworkEstimate | None]:
    """`numerical_gradient` of each point, with the same bits; small ones of one shape are probed at once."""
    keep_memory()
    if step is not None and scheme is Scheme.FIVE_POINT:
        scheme = Scheme.CENTRAL
    finite = [k for k, point in enumerate(points) if np.isfinite(point.forward.loss)]
    found: list[NetworkEstimate | None] = [None] * len(points)
    with np.errstate(all="ignore"):
        losses = [PerturbedLoss(points[k].problem, points[k].weights, points[k].forward) for k in finite]
        for k, loss, bounds in zip(finite, losses, error_bounds(losses, step), strict=True):
            found[k] = _estimate(loss, bounds, step, scheme, points[k].selected)
    return found


def _estimate(
    loss: PerturbedLoss,
    bounds: list[ErrorBounds],
    step: float | None,
    scheme: Scheme,
    selected: Sequence[Mask] | None,
) -> NetworkEstimate:
    """The estimate of a loss whose pre-activations were probed."""
    problem, weights, forward = loss.problem, loss.weights, loss.forward
    chosen = [np.ones(w.shape, bool) for w in weights] if selected is None else selected
    imaginary = imagined(loss) if scheme is Scheme.COMPLEX else []
    layers = []
    for number, measured in enumerate(bounds):
        factor = scheme.best_step(problem.unit_roundoff)
        steps = steps_of(measured, forward.inputs[number], step, problem, factor)
        clear = within_reach(measured, forward.inputs[number], steps)
        layer = _empty_layer(loss, number, measured, steps, scheme, clear)
        todo = chosen[number] & (steps > 0)
        if imaginary:
            by_complex_steps(layer, imaginary[number], todo)
        else:
            _difference_layer(layer, scheme, todo, clear)
        if problem.l2:
            _add_penalty(layer)
        layers.append(layer)
    return _joined(layers, chosen, weights)


def _joined(layers: list[MeasuredLayer], chosen: Sequence[Mask], weights: Weights) -> NetworkEstimate:
    """The selected entries of all layers, in flat order."""
    index = np.flatnonzero(flattened(chosen))

    def entries(name: str) -> Array:
        flat = flattened([getattr(layer, name) for layer in layers])
        return flat if len(index) == len(flat) else flat[index]

    names = ("value", "truncation", "noise", "round_off", "kink", "step", "unit", "low", "high", "status")
    arrays = {name: entries(name) for name in names}
    bounds = tuple(layer.bounds for layer in layers)
    return NetworkEstimate(layout=of_network(weights), index=index, bounds=bounds, **arrays)


def _difference_layer(layer: MeasuredLayer, scheme: Scheme, todo: Mask, clear: Mask) -> None:
    """Real differences of a layer; `clear` are the parameters whose steps meet no kink."""
    bounds, inputs = layer.bounds, layer.inputs
    if scheme is Scheme.FIVE_POINT:
        done = todo & clear
        layer.value[done] = carried(bounds, inputs)[done] * layer.scale
        todo = todo & ~done
    if todo.any():
        clear, todo = clear & todo, todo.copy()
        _by_units(layer, todo, clear)
        _by_parameters(layer, todo & clear, doubtful=False)
        _by_parameters(layer, todo & ~clear, doubtful=True)
    if bounds.unsure.any():
        # Where a step comes near a kink and stays on its side, the derivative may already be another one.
        near_kinks = unsure_of(bounds, inputs) * layer.scale
        at_kinks = (layer.status & np.uint8(EntryStatus.CROSSED | EntryStatus.TOUCHED)) != 0
        layer.kink[...] += np.where(at_kinks, 0, near_kinks)


def _add_penalty(layer: MeasuredLayer) -> None:
    """The derivative of the penalty, which is no part of the loss's differences."""
    penalty, rounding = _derivative_of_penalty(layer.loss.problem, layer.weights)
    layer.value[...] += penalty
    layer.round_off[...] += rounding
    layer.low[...] += penalty - rounding
    layer.high[...] += penalty + rounding


def _empty_layer(
    loss: PerturbedLoss, number: int, bounds: ErrorBounds, steps: Array, scheme: Scheme, clear: Mask
) -> MeasuredLayer:
    """A layer with its bounds and steps, and no value yet."""
    inputs, depth, problem = loss.forward.inputs[number], len(loss.weights), loss.problem
    parts, moved_by = parts_of(bounds, inputs, steps, depth, problem, scheme), scheme
    if scheme is Scheme.FIVE_POINT:
        moved_by = Scheme.CENTRAL  # the parameters whose steps meet a kink
        if not clear.all():
            parts = parts.where(clear, parts_of(bounds, inputs, steps, depth, problem, moved_by))
    kind: Any = wide(loss.weights[number].dtype)

    def full(number: float) -> Array:
        return np.full(steps.shape, number, kind)

    return MeasuredLayer(
        loss, number, bounds, moved_by, full(0), parts.truncation, parts.noise, parts.round_off,
        full(0), steps, np.broadcast_to(units_of(inputs, kind), steps.shape), full(np.nan), full(np.nan),
        np.zeros(steps.shape, np.uint8),
    )  # fmt: skip


def units_of(inputs: Array, kind: Any) -> Array:
    """By how much each weight moves for its pre-activations to move by up to 1; 1 where they never do."""
    largest = np.abs(inputs).max(axis=0, initial=0).astype(kind)
    return np.asarray(1 / np.where(largest > 0, largest, 1))


def _by_units(layer: MeasuredLayer, todo: Mask, clear: Mask) -> None:
    """Derivatives of all parameters of a unit at once, taken off `todo`, where most steps meet no kink."""
    units = np.flatnonzero(2 * clear.sum(axis=1) >= layer.inputs.any(axis=0).sum())
    if not len(units):
        return
    derivative = np.zeros(layer.weights.shape, layer.value.dtype)
    for upper, lower, weight in layer.scheme.pairs:
        near, far = _span(layer, upper, lower)
        total = totals_of_units(layer.loss, layer.number, units, near, far)
        derivative += weight * total / (near.astype(derivative.dtype) - far.astype(derivative.dtype))
    done = clear & np.isin(np.arange(len(layer.weights)), units)[:, None]
    layer.value[done] = derivative[done] * layer.scale
    todo &= ~done


def _by_parameters(layer: MeasuredLayer, mask: Mask, *, doubtful: bool) -> None:
    """Derivatives of single parameters; with their kinks where it is `doubtful` that there is none."""
    if not mask.any():
        return
    loss, kind = layer.loss, layer.value.dtype
    moves, pairs = Moves(layer.inputs), layer.scheme.pairs
    spans = [(*_span(layer, upper, lower), weight) for upper, lower, weight in pairs]
    units, columns = np.nonzero(mask)
    for cut in moves.blocks(columns, 2 * loss.width(layer.number)):
        j, p = units[cut], columns[cut]
        sample, owner, starts = moves.of(p)
        unit, a = j[owner], layer.inputs[sample, p[owner]]
        derivative, differ = np.zeros(len(j), kind), np.zeros(len(j), bool)
        for near, far, weight in spans:
            ends = np.stack([near[j, p][owner] * a, far[j, p][owner] * a], axis=1)
            moved = loss.moved(layer.number, sample, unit, ends, sides=doubtful)
            total = np.add.reduceat(moved.difference(0, 1), starts)
            derivative += weight * total / (near[j, p].astype(kind) - far[j, p].astype(kind))
            if doubtful:
                differ = np.logical_or.reduceat(moved.sides_differ(), starts)
        layer.value[j, p] = derivative * layer.scale
        if differ.any():
            kinked = differ[owner]
            counts = np.bincount(owner[kinked], minlength=len(differ))[differ]
            _at_kinks(layer, j[differ], p[differ], sample[kinked], counts)


def _at_kinks(layer: MeasuredLayer, j: Index, p: Index, sample: Index, counts: Index) -> None:
    """What one-sided differences find at parameters whose steps meet kinks.

    `sample` are those that each parameter moves, `counts` of them a parameter.
    """
    owner = np.repeat(np.arange(len(j)), counts)
    starts = np.concatenate(([0], np.cumsum(counts)))[:-1]
    unit, a = j[owner], layer.inputs[sample, p[owner]]
    up, down = realised(layer.weights[j, p], layer.step[j, p], layer.loss.rounded)
    steps = np.stack([up, -down], axis=1)[owner]
    sides, bends, on_kink, passed = _one_sided(layer.loss, layer.number, sample, unit, a, steps, starts)
    layer.mark(j, p, EntryStatus.TOUCHED, on_kink)
    layer.mark(j, p, EntryStatus.CROSSED, passed)
    slack = ONE_SIDED_SLACK * layer.bound_at(j, p)
    layer.low[j, p] = sides.min(axis=0) * layer.scale - slack
    layer.high[j, p] = sides.max(axis=0) * layer.scale + slack
    layer.kink[j, p] += np.where(on_kink, BEND_SLACK * bends * layer.scale, 0)


def _span(layer: MeasuredLayer, upper: float, lower: float) -> tuple[Array, Array]:
    """The ends of a difference as θ's precision has them, as distances from θ."""
    ends = []
    for side in (upper, lower):
        up, down = realised(layer.weights, abs(side) * layer.step, layer.loss.rounded)
        ends.append(up if side >= 0 else -down)
    return ends[0], ends[1]


def _derivative_of_penalty(problem: Problem, w: Array) -> tuple[Array, Array]:
    """The difference of the penalty, each weight's own term apart from all others; and its rounding.

    Its step is the weight itself, whatever the loss's is: (P(2w) − P(0)) / 2w, whose points no rounding
    moves. A step that is long beside w loses w, and one that is short loses P's change. A square's central
    difference is exact.
    """
    kind = wide(w.dtype)
    theta = w.astype(kind)
    h = np.where(theta != 0, theta, 1)
    derivative = (problem.penalty(theta + h) - problem.penalty(theta - h)) / (2 * h)
    lost = problem.arithmetic.smallest(w.dtype).astype(kind) * (1 + np.abs(theta))
    underflow = np.finfo(kind).smallest_subnormal / np.abs(h)
    rounding = PENALTY_ROUNDINGS * problem.unit_roundoff * np.abs(derivative) + lost + underflow
    return derivative, np.where(problem.penalty(np.ones_like(theta)) > 0, rounding, 0)


def _one_sided(
    loss: PerturbedLoss, layer: int, sample: Index, unit: Index, a: Array, steps: Array, starts: Index
) -> tuple[Array, Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """What f does on either side of θ, whether θ itself is on a kink, and whether another is passed.

    Derivatives to the right and to the left, (2, parameters): (4f(h/2) − 3f(0) − f(h)) / h, error O(h²),
    formed term by term. And the bend: where the curvature jumps by J as well, a central difference
    is off the average derivative by h·J/4, with f'' ≈ 4 (f(h) − 2f(h/2) + f(0)) / h² on either side.
    `steps` is (moves, 2): the steps up and down of the parameter that each move belongs to.
    """
    derivatives, arcs = [], []
    on_kink, passed = np.zeros(len(a), bool), np.zeros(len(a), bool)
    for h in steps.T:
        span = h[starts].astype(wide(h.dtype))
        moved = loss.moved(layer, sample, unit, np.stack([np.zeros_like(a), h / 2 * a, h * a], axis=1))
        half, whole = moved.difference(1, 0), moved.difference(2, 0)
        derivatives.append(np.add.reduceat(4 * half - whole, starts) / span)
        arcs.append(np.add.reduceat(whole - 2 * half, starts))
        for side in moved.sides:
            at_rest, at_end = side[:, 0], side[:, 2]
            on_kink |= moved.of_all(((at_rest == 0) & (at_end != 0)).any(axis=1))
            passed |= moved.of_all(((at_rest != 0) & (at_end != at_rest)).any(axis=1))
    bends = np.abs((arcs[0] - arcs[1]) / span)
    flags = (np.logical_or.reduceat(flag, starts) for flag in (on_kink, passed))
    return np.stack(derivatives), bends, *flags
