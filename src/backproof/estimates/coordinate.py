"""Differences of a function of which nothing is known but its values.

The noise of f is measured at θ, the step of each tensor is found on a few of its parameters, and every
parameter is moved once up and once down. Where the analytic gradient is not what comes out, a ladder of
shorter steps tells truncation, kinks and rounding from a gradient that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.perturbed import Index, wide
from backproof.estimates.steps import best_step
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.function import Function

POINTS = 9
"""Values of f from which its noise is read."""

NOISE_SPACING = 8.0
"""The distance between them, in units of round-off of the parameters' size."""

COARSER = 16.0
"""By how much they are moved apart while f does not change at all."""

NOISE_SAFETY = 4.0
"""From the standard deviation that is measured to the largest error that is allowed."""

RATIO = 4.0
"""From one rung of a ladder of steps to the next shorter one."""

RUNGS = np.arange(5, -7, -1)
"""The ladder on which a tensor's step is found, as powers of RATIO beside the precision's best step."""

SAMPLED = 3
"""Parameters of each tensor that the step is found on."""

ROUGH = 0.9
"""The quantile of a tensor's bends that stands for what kinks do to its slopes."""

SMALL = 2000
"""Up to so many parameters every doubtful one is looked at twice; of more, one in eighty and a few."""

SMALLER, VAGUE = 64.0, 1e-3
"""A parameter so many times smaller than is typical of its tensor has a ladder of its own, if the tensor's
leaves its derivative less certain than the other, relatively, or sees a kink."""

BENT, SHORT = 12, 16.0
"""Where kinks bend more slopes than there is room to look at, one parameter in so many is measured once more,
with a step so many times shorter."""

SHORTER = 5
"""Rungs by which the steps of a doubtful parameter are shortened."""

Central = tuple[Array, Array]
Mapper = Callable[[Callable[..., Central], Iterable[tuple[Any, ...]]], Iterable[Central]]


@dataclass(frozen=True)
class Measured:
    """What evaluations say of selected parameters; arrays (selected).

    Attributes:
        index: which parameters, as places in the vector.
        numeric, budget: the derivative, and by how much it may be off.
        truncation: truncation's part of that.
        step: the step that it was measured with.
        touched: the one-sided slopes stay apart however short the step is: θ lies on a kink.
        crossed: a kink lies within the first step, and shorter steps avoid it.
        open: beyond its budget, and there was no room to find out why.
        flat: f does not change at all.
        low, high: bounds from the one-sided slopes, their error included; NaN unless touched.
    """

    index: Index
    numeric: Array
    budget: Array
    truncation: Array
    step: Array
    touched: NDArray[np.bool_]
    crossed: NDArray[np.bool_]
    open: NDArray[np.bool_]
    flat: NDArray[np.bool_]
    low: Array
    high: Array


def noise_of(function: Function, direction: Array) -> float:
    """The standard deviation of f's rounding errors along a direction, from a table of differences.

    Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011): differences of order k of
    values so near to each other that a smooth f contributes nothing have variance ε² (2k)!/(k!)².
    """
    theta, u = function.start, unit_roundoff(function.dtype)
    kind, relative = wide(function.dtype), NOISE_SPACING * u
    along = sizes_of(function) * direction
    while True:
        spacing = (relative * along).astype(theta.dtype)
        table = np.array([function.at(theta + (k - POINTS // 2) * spacing) for k in range(POINTS)], kind)
        if not np.isfinite(table).all():
            return float("nan")
        # A function that is worked out in a lower precision within does not see so small a move.
        if np.ptp(table) > 0 or relative > u**0.25:
            break
        relative *= COARSER
    found = unit_roundoff(np.dtype(kind)) * float(np.abs(table).max())
    for order in range(1, 6):
        table = np.diff(table)
        if order >= 3:
            gamma = factorial(order) ** 2 / factorial(2 * order)
            found = max(found, float(np.sqrt(gamma * np.mean(table**2))))
    return found


def sizes_of(function: Function) -> Array:
    """What a step is relative to: a parameter's size, at least its tensor's, or 1 where that is nothing."""
    sizes = np.empty(function.layout.size, wide(function.dtype))
    for cut in function.layout.slices:
        part = np.abs(function.start[cut].astype(sizes.dtype))
        typical = np.sqrt(np.mean(part**2)) if part.size else 0.0
        sizes[cut] = np.maximum(part, typical if typical > 0 else 1.0)
    return sizes


def move(function: Function, indices: Index, steps: Array) -> Central:
    """f(θ + h) and f(θ − h) for single parameters; arrays (indices)."""
    kind = wide(function.dtype)
    up, down = np.empty(len(indices), kind), np.empty(len(indices), kind)
    function.rest()
    start = function.start
    h = steps.astype(start.dtype)
    ends = zip(indices.tolist(), start[indices] + h, start[indices] - h, strict=True)
    with np.errstate(all="ignore"):
        for k, (i, above, below) in enumerate(ends):
            up[k] = function.beside(i, above)
            down[k] = function.beside(i, below)
    return up, down


def spans(function: Function, indices: Index, steps: Array) -> tuple[Array, Array]:
    """The steps up and down that θ's precision really makes."""
    kind, theta = wide(function.dtype), function.start[indices]
    h = steps.astype(theta.dtype)
    return (theta + h).astype(kind) - theta.astype(kind), theta.astype(kind) - (theta - h).astype(kind)


class Prober:
    """Takes the differences of one function at its starting point."""

    def __init__(self, function: Function, value: Any, generator: np.random.Generator) -> None:
        self.function, self.kind = function, wide(function.dtype)
        self.value = self.kind(value)
        self.sizes = sizes_of(function)
        self.generator = generator
        signs = generator.choice([-1.0, 1.0], function.layout.size)
        self.noise = NOISE_SAFETY * max(
            noise_of(function, signs),
            *(
                noise_of(function, _only(signs, cut))
                for cut in function.layout.slices
                if cut.stop > cut.start
            ),
        )

    def central(self, indices: Index, steps: Array, ends: Central) -> tuple[Array, Array, Array]:
        """Central slope, and the slopes to the right and to the left; arrays (indices)."""
        up, down = spans(self.function, indices, steps)
        above, below = ends
        return (
            (above - below) / (up + down),
            (above - self.value) / up,
            (self.value - below) / down,
        )

    def step_of(self, cut: slice) -> tuple[float, float]:
        """A tensor's step, relative to its parameters' sizes, and the truncation that goes with it."""
        where = np.arange(cut.start, cut.stop)
        chosen = np.sort(self.generator.choice(where, min(SAMPLED, len(where)), replace=False))
        steps = best_step(self.function.dtype) * RATIO**RUNGS
        slopes = np.array([self._slopes(chosen, step)[0] for step in steps])
        change = np.abs(np.diff(slopes, axis=0))  # of each rung to the next
        rounding = self.noise / np.multiply.outer(steps[1:], self.sizes[chosen])
        error = np.median(change + rounding, axis=1)
        error[~np.isfinite(error)] = np.inf
        best = int(np.argmin(error))
        return float(steps[best + 1]), float(np.where(np.isfinite(change[best]), change[best], 0).max())

    def _slopes(self, indices: Index, step: float) -> tuple[Array, Array, Array]:
        h = step * self.sizes[indices]
        return self.central(indices, h, move(self.function, indices, h))

    def ladder_of(self, index: int, longest: float) -> dict[str, Any]:
        """The same from a step that was not taken yet."""
        where, h = np.array([index]), np.array([longest])
        slope, right, left = self.central(where, h, move(self.function, where, h))
        return self.ladder(index, longest, (slope[0], right[0], left[0]))

    def ladder(self, index: int, longest: float, slopes: tuple[Any, Any, Any]) -> dict[str, Any]:
        """What shorter and shorter steps say of one parameter: the fields of `Measured`.

        `slopes` are those of the longest step: central, right and left.
        """
        where = np.array([index])
        steps = longest / RATIO ** np.arange(SHORTER)
        rungs = [self.central(where, h, move(self.function, where, h)) for h in steps[1:, None]]
        slope, right, left = (
            np.array([first, *(rung[k][0] for rung in rungs)]) for k, first in enumerate(slopes)
        )
        rounding = self.noise / steps
        change = np.abs(np.diff(slope))
        apart = np.abs(right - left)
        bend = _bend(apart, steps)
        # Truncation falls from rung to rung. What a kink does stays, until the step no longer reaches it.
        kinked = bool((bend > 4 * rounding).any())
        error = np.full(len(steps), np.inf)
        error[1:] = change
        error[2:] = np.maximum(error[2:], change[:-1] / (1 if kinked else RATIO))
        error = np.maximum(error, bend) * (2 if kinked else 1) + rounding
        if kinked:
            error[1] = np.inf
        error[~np.isfinite(error)] = np.inf
        best = int(np.argmin(error))
        found = {
            "numeric": slope[best], "budget": error[best], "step": steps[best],
            "truncation": change[best - 1] if best else 0.0, "touched": False, "crossed": False,
            "flat": bool((right == 0).all() and (left == 0).all()), "low": np.nan, "high": np.nan,
        }  # fmt: skip
        # On a kink the one-sided slopes stay apart by its jump; where f is smooth they close up with h.
        clear = apart > 4 * rounding
        last = int(np.flatnonzero(clear)[-1]) if clear.any() else 0
        if last >= 2 and apart[last] > 0.8 * apart[last - 1] - 4 * rounding[last] > 0.4 * apart[last - 1]:
            steady = bool(apart[last - 1] > 0.7 * apart[last - 2] - 4 * rounding[last - 1])
            if steady:
                # Slopes of either side, their own curvature taken out: (4 D(h/4) − D(h)) / 3.
                sides = [(RATIO * side[last] - side[last - 1]) / (RATIO - 1) for side in (right, left)]
                slack = 4 * rounding[last] + max(abs(side[last] - side[last - 1]) for side in (right, left))
                found.update(
                    touched=True, numeric=slope[last], budget=slack, step=steps[last],
                    low=min(sides) - slack, high=max(sides) + slack,
                )  # fmt: skip
                return found
        # A kink within the first step: its slopes differ by more there than on the way down to the last.
        found["crossed"] = bool(apart[0] > 4 * rounding[0] and apart[best] * RATIO**best < 0.25 * apart[0])
        return found


def _bend(apart: Array, steps: Array) -> Array:
    """By how much kinks may bend central slopes: half the distance of the one-sided ones.

    What of that distance falls with the step is curvature, which a central difference does not see.
    """
    smooth = np.min(apart / steps)
    return np.asarray((apart - smooth * steps) / 2)


def _vague(told: dict[str, Any]) -> bool:
    certain = told["budget"] <= VAGUE * abs(told["numeric"])
    return bool(told["touched"] or told["crossed"] or not certain)


def _only(direction: Array, cut: slice) -> Array:
    part = np.zeros_like(direction)
    part[cut] = direction[cut]
    return part


def measure(
    prober: Prober,
    analytic: Array,
    jitter: Array,
    selected: Index,
    *,
    blocks: Mapper | None = None,
    most: int | None = None,
) -> Measured:
    """The derivative of every selected parameter: two evaluations each, and more where there is doubt.

    Args:
        analytic: the gradient under test, of all parameters; it decides only where to look twice.
        jitter: by how much it may be off by its own rounding.
        blocks: evaluates blocks of parameters elsewhere, as `map` does; by default here.
        most: parameters that are looked at twice.
    """
    function, kind = prober.function, prober.kind
    relative, truncation = np.empty(function.layout.size, kind), np.empty(function.layout.size, kind)
    for cut in function.layout.slices:
        if cut.stop > cut.start and np.isin(selected, np.arange(cut.start, cut.stop)).any():
            relative[cut], truncation[cut] = prober.step_of(cut)
    steps = relative[selected] * prober.sizes[selected]
    pieces = np.array_split(selected, min(len(selected), max(1, len(selected) // 256)))
    tasks = [(function, piece, relative[piece] * prober.sizes[piece]) for piece in pieces]
    ends = list(blocks(move, tasks)) if blocks else [move(*task) for task in tasks]
    function.rest()
    both: Central = (np.concatenate([e[0] for e in ends]), np.concatenate([e[1] for e in ends]))
    slope, right, left = prober.central(selected, steps, both)
    truncated = truncation[selected]
    budget = prober.noise / steps + truncated + jitter[selected]
    a = analytic[selected].astype(kind)
    gap = np.abs(a - slope)
    none, nothing = np.zeros(len(selected), bool), np.full(len(selected), np.nan, kind)
    found = Measured(
        selected, slope, budget, truncated, steps, none, none.copy(), none.copy(),
        (right == 0) & (left == 0), nothing, nothing.copy(),
    )  # fmt: skip
    doubtful = np.flatnonzero(~(gap <= budget))
    few = len(selected) if len(selected) <= SMALL else 24 + len(selected) // 80
    room = few if most is None else most
    # A kink within the step bends the slope by half the distance of the one-sided ones.
    bend = np.abs(right - left) / 2
    bent = doubtful[gap[doubtful] <= (budget + 2 * bend)[doubtful]]
    if len(bent) > room:
        looked = bent[:: max(1, len(bent) * BENT // len(selected))]
        _shorten(prober, found, a, looked)
        explained = looked[np.abs(a - found.numeric)[looked] <= found.budget[looked]]
        doubtful = np.setdiff1d(doubtful, explained)
    order = _spread_over(doubtful, gap, function.layout.slices, selected)
    for k in order[:room]:
        known = slope[k], right[k], left[k]
        told = prober.ladder(int(selected[k]), float(steps[k]), known)
        own = float(np.abs(function.start[selected[k]]))
        if 0 < own < prober.sizes[selected[k]] / SMALLER and _vague(told):
            # The step that suits its tensor may be far too long for a parameter that is so much smaller.
            shorter = float(steps[k] / prober.sizes[selected[k]]) * own
            alone = prober.ladder_of(int(selected[k]), shorter)
            told = min(told, alone, key=lambda one: one["budget"] / (abs(one["numeric"]) or 1.0))
        for name, value in told.items():
            getattr(found, name)[k] = value
        found.budget[k] += jitter[selected[k]]
    # Of the others only what no kink explains is known to be wrong, and only where a ladder says the same.
    left_over, sure = np.array(order[room:], int), np.array(order[:room], int)
    off = sure[~(np.abs(a - found.numeric)[sure] <= found.budget[sure]) & ~found.touched[sure]]
    found.open[left_over] = True
    for cut in function.layout.slices:
        mine = left_over[(selected[left_over] >= cut.start) & (selected[left_over] < cut.stop)]
        if ((selected[off] >= cut.start) & (selected[off] < cut.stop)).any():
            # The bends of several kinks may cancel; then those of the tensor's other parameters tell.
            here = (selected >= cut.start) & (selected < cut.stop)
            typical = np.quantile(bend[here].astype(float), ROUGH)
            found.open[mine] = gap[mine] <= budget[mine] + 4 * np.maximum(bend[mine], typical)
    return found


def _shorten(prober: Prober, found: Measured, a: Array, places: Index) -> None:
    """Measure some of the parameters again with a much shorter step; kept where that agrees."""
    steps = found.step[places] / SHORT
    indices = found.index[places]
    slope, _, _ = prober.central(indices, steps, move(prober.function, indices, steps))
    budget = found.budget[places] + prober.noise * (1 / steps - 1 / found.step[places])
    agrees = np.abs(a[places] - slope) <= budget
    there = places[agrees]
    found.numeric[there], found.budget[there], found.step[there] = (
        slope[agrees],
        budget[agrees],
        steps[agrees],
    )
    found.crossed[there] = True


def _spread_over(doubtful: Index, gap: Array, slices: list[slice], selected: Index) -> list[int]:
    """Doubtful parameters in turns of their tensors, the largest gaps of each first."""
    queues = []
    for cut in slices:
        mine = doubtful[(selected[doubtful] >= cut.start) & (selected[doubtful] < cut.stop)]
        queues.append(mine[np.argsort(-np.nan_to_num(gap[mine], nan=np.inf), kind="stable")].tolist())
    turns = max(map(len, queues), default=0)
    return [queue[k] for k in range(turns) for queue in queues if k < len(queue)]


def jitter_of(function: Function, analytic: Array, generator: np.random.Generator) -> Array:
    """By how much a gradient's own rounding may move it: what it does when W moves by its last digits."""
    u = unit_roundoff(function.dtype)
    theta, kind = function.start, wide(function.dtype)
    largest = np.zeros(len(theta), kind)
    for _ in range(2):
        beside = theta + (2 * u * theta * generator.choice([-1, 1], len(theta))).astype(theta.dtype)
        moved = np.abs(function.gradient(beside).astype(kind) - analytic.astype(kind))
        largest = np.fmax(largest, np.where(np.isfinite(moved), moved, 0))
    own = unit_roundoff(analytic.dtype) if analytic.dtype != theta.dtype else u
    typical = np.zeros(len(theta), kind)
    for cut in function.layout.slices:
        part = np.abs(analytic[cut]).astype(kind)
        typical[cut] = np.median(part[part > 0]) if (part > 0).any() else 0
    return np.asarray(4 * largest + 16 * max(u, own) * (np.abs(analytic).astype(kind) + typical))
