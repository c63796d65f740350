"""Differences of a function of which nothing is known but its values, one coordinate at a time.

The noise of f is measured at θ, the step of each tensor is found on a few of its parameters, and every
parameter is moved once up and once down. Where the analytic gradient is not what comes out, a sequence of
shorter steps distinguishes truncation, kinks and rounding from a gradient that is incorrect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from backproof.estimates.noise import noise_of, sizes_of
from backproof.estimates.record import EntryStatus, Estimate
from backproof.estimates.step_sequence import RATIO, Entry, StepSequence
from backproof.estimates.steps import best_step, wide
from backproof.network.arrays import Array
from backproof.targets.function import Function
from backproof.targets.layout import Index

NOISE_SAFETY = 4.0
"""From the standard deviation that is measured to the largest error that is allowed."""


EXPONENTS = np.arange(5, -7, -1)
"""The sequence from which a tensor's step is chosen, as powers of RATIO times the precision's best step."""

SAMPLED = 3
"""Parameters of each tensor on which the step is chosen."""

ROUGH = 0.9
"""The quantile of a tensor's bends taken for what kinks do to its derivatives."""

SMALL = 2000
"""Up to so many parameters every doubtful one is looked at twice; of more, one in eighty and a few."""

SMALLER = 64.0
"""A parameter so many times smaller than is typical of its tensor gets a step sequence of its own, if the
tensor's leaves its derivative vague or meets a kink."""

BENT, SHORT = 12, 16.0
"""Where kinks bend more derivatives than there is room to look at, one parameter in so many is measured once
more, with a step so many times shorter."""

SHORTER = 5
"""Steps in the sequence of a doubtful parameter."""

MARGIN = 4.0
"""Among kinks, what exceeds its bound by up to this factor may be the work of several of them."""

Central = tuple[Array, Array]
"""f(θ + h) and f(θ − h) for single parameters."""

Task = tuple[Function, Index, Array]
Mapper = Callable[[Callable[..., Central], Iterable[Task]], Iterable[Central]]


def move(function: Function, indices: Index, steps: Array) -> Central:
    """f(θ + h) and f(θ − h) for single parameters; arrays (indices)."""
    kind = wide(function.dtype)
    up, down = np.empty(len(indices), kind), np.empty(len(indices), kind)
    function.reset()
    start = function.start
    h = steps.astype(start.dtype)
    ends = zip(indices.tolist(), start[indices] + h, start[indices] - h, strict=True)
    with np.errstate(all="ignore"):
        for k, (i, above, below) in enumerate(ends):
            up[k] = function.value_with(i, above)
            down[k] = function.value_with(i, below)
    return up, down


def spans(function: Function, indices: Index, steps: Array) -> tuple[Array, Array]:
    """The steps up and down that θ's precision really makes."""
    kind, theta = wide(function.dtype), function.start[indices]
    h = steps.astype(theta.dtype)
    return (theta + h).astype(kind) - theta.astype(kind), theta.astype(kind) - (theta - h).astype(kind)


class CoordinateDifferencer:
    """Takes the differences of one function at its starting point, one parameter at a time."""

    def __init__(
        self, function: Function, value: float | np.longdouble, generator: np.random.Generator
    ) -> None:
        self.function, self.kind = function, wide(function.dtype)
        self.value = self.kind(value)
        self.sizes = sizes_of(function)
        self.generator = generator
        signs = generator.choice([-1.0, 1.0], function.layout.size)
        parts = (_only(signs, tensor.block) for tensor in function.layout.tensors if tensor.size)
        self.noise = NOISE_SAFETY * max(noise_of(function, signs), *(noise_of(function, p) for p in parts))

    def central(self, indices: Index, steps: Array, ends: Central) -> tuple[Array, Array, Array]:
        """Central derivative, and the derivatives to the right and to the left; arrays (indices)."""
        up, down = spans(self.function, indices, steps)
        above, below = ends
        return (above - below) / (up + down), (above - self.value) / up, (self.value - below) / down

    def at(self, indices: Index, steps: Array) -> tuple[Array, Array, Array]:
        """The same, evaluated for it."""
        return self.central(indices, steps, move(self.function, indices, steps))

    def step_of(self, block: slice) -> tuple[float, float]:
        """A tensor's step, relative to its parameters' sizes, and the truncation that goes with it."""
        where = np.arange(block.start, block.stop)
        chosen = np.sort(self.generator.choice(where, min(SAMPLED, len(where)), replace=False))
        steps = best_step(self.function.dtype) * RATIO**EXPONENTS
        derivatives = np.array([self.at(chosen, step * self.sizes[chosen])[0] for step in steps])
        change = np.abs(np.diff(derivatives, axis=0))  # of each step to the next
        rounding = self.noise / np.multiply.outer(steps[1:], self.sizes[chosen])
        error = np.median(change + rounding, axis=1)
        error[~np.isfinite(error)] = np.inf
        best = int(np.argmin(error))
        return float(steps[best + 1]), float(np.where(np.isfinite(change[best]), change[best], 0).max())

    def by_steps(self, index: int, longest: float, first: tuple[float, float, float] | None = None) -> Entry:
        """What shorter and shorter steps find of one parameter.

        `first` are the derivatives at the longest step, where they are known: central, right and left.
        """
        where = np.array([index])
        steps = longest / RATIO ** np.arange(SHORTER)
        rows = [self.at(where, h) for h in (steps[1:, None] if first else steps[:, None])]
        columns = zip(*([first] if first else []), *[[part[0] for part in row] for row in rows], strict=True)
        central, right, left = (np.array(column) for column in columns)
        sequence = StepSequence(steps, central, right, left, self.noise / steps)
        entry = sequence.smooth_entry()
        return sequence.entry_on_kink(entry.status) or entry


def _only(direction: Array, block: slice) -> Array:
    part = np.zeros_like(direction)
    part[block] = direction[block]
    return part


class _Measurement:
    """The estimate of the selected parameters while it is refined; its arrays are written in place."""

    def __init__(self, differencer: CoordinateDifferencer, analytic: Array, selected: Index) -> None:
        self.differencer, self.function, self.selected = differencer, differencer.function, selected
        self.analytic = analytic[selected].astype(differencer.kind)
        self.owned = [np.flatnonzero(t.owns(selected)) for t in self.function.layout.tensors]

    def first_pass(self, round_off: Array, blocks: Mapper | None) -> None:
        """Two evaluations of every parameter, with its tensor's step."""
        differencer, function, selected = self.differencer, self.function, self.selected
        size = function.layout.size
        relative, truncation = np.empty(size, differencer.kind), np.empty(size, differencer.kind)
        for tensor, mine in zip(function.layout.tensors, self.owned, strict=True):
            if len(mine):
                relative[tensor.block], truncation[tensor.block] = differencer.step_of(tensor.block)
        pieces = np.array_split(selected, min(len(selected), max(1, len(selected) // 256)))
        tasks = [(function, piece, relative[piece] * differencer.sizes[piece]) for piece in pieces]
        ends = list(blocks(move, tasks)) if blocks else [move(*task) for task in tasks]
        function.reset()
        both = np.concatenate([e[0] for e in ends]), np.concatenate([e[1] for e in ends])
        steps = relative[selected] * differencer.sizes[selected]
        value, self.right, self.left = differencer.central(selected, steps, both)
        nothing = np.full(len(selected), np.nan, differencer.kind)
        status = np.where((self.right == 0) & (self.left == 0), EntryStatus.FLAT, EntryStatus.SMOOTH).astype(
            np.uint8
        )
        self.found = Estimate(
            function.layout, selected, value, truncation[selected], differencer.noise / steps,
            round_off[selected], np.zeros_like(value), steps,
            differencer.sizes[selected], nothing, nothing.copy(), status,
        )  # fmt: skip
        self.first = value.copy()
        self.first_gap = np.abs(self.analytic - value)
        self.first_bound = self.bound()
        # A kink within the step bends the derivative by half the distance of the one-sided ones.
        self.bend = np.abs(self.right - self.left) / 2

    def bound(self) -> Array:
        """The present bounds; those of the estimate are computed once, when it is complete."""
        f = self.found
        return np.asarray(f.truncation + f.noise + f.round_off + f.kink)

    def second_look(self, room: int) -> None:
        """A sequence of steps for as many doubtful parameters as there is room for."""
        gap, bound = self.first_gap, self.first_bound
        doubtful = np.flatnonzero(~(gap <= bound))
        bent = doubtful[gap[doubtful] <= (bound + 2 * self.bend)[doubtful]]
        if len(bent) > room:
            looked = bent[:: max(1, len(bent) * BENT // len(self.selected))]
            self._shorten(looked)
            off = np.abs(self.analytic - self.found.value)[looked]
            doubtful = np.setdiff1d(doubtful, looked[off <= self.bound()[looked]])
        order = self._in_turns(doubtful)
        for k in order[:room]:
            self._write(k, self._by_steps(k))
        self._leave_open(np.array(order[:room], int), np.array(order[room:], int))

    def _by_steps(self, k: int) -> Entry:
        """What steps find of one entry, with its tensor's first step or one that suits its own size."""
        differencer, index, step = self.differencer, int(self.selected[k]), float(self.found.step[k])
        entry = differencer.by_steps(index, step, (self.first[k], self.right[k], self.left[k]))
        own, size = float(np.abs(self.function.start[index])), differencer.sizes[index]
        if 0 < own < size / SMALLER and entry.vague:
            # The step that suits its tensor may be far too long for a parameter that is so much smaller.
            alone = differencer.by_steps(index, float(step / size) * own)
            entry = min(entry, alone, key=lambda one: one.error / (abs(one.value) or 1.0))
        return entry

    def _write(self, k: int, entry: Entry) -> None:
        f = self.found
        f.value[k], f.step[k], f.status[k] = entry.value, entry.step, int(entry.status)
        f.truncation[k], f.noise[k], f.kink[k] = entry.truncation, entry.noise, entry.kink
        f.low[k], f.high[k] = entry.low, entry.high

    def _shorten(self, at: Index) -> None:
        """Measure some entries again with a much shorter step; kept where that agrees."""
        f, differencer = self.found, self.differencer
        steps = f.step[at] / SHORT
        value, _, _ = differencer.at(self.selected[at], steps)
        noise = differencer.noise / steps
        agrees = np.abs(self.analytic[at] - value) <= self.bound()[at] - f.noise[at] + noise
        kept = at[agrees]
        f.value[kept], f.noise[kept], f.step[kept] = value[agrees], noise[agrees], steps[agrees]
        f.status[kept] |= np.uint8(EntryStatus.AVOIDED)

    def _in_turns(self, doubtful: Index) -> list[int]:
        """Doubtful entries in turns of their tensors, the largest gaps of each first."""
        queues = []
        for members in self.owned:
            mine = np.intersect1d(doubtful, members, assume_unique=True)
            gap = np.nan_to_num(self.first_gap[mine], nan=np.inf)
            queues.append(mine[np.argsort(-gap, kind="stable")].tolist())
        turns = max(map(len, queues), default=0)
        return [queue[k] for k in range(turns) for queue in queues if k < len(queue)]

    def _leave_open(self, sure: Index, left_over: Index) -> None:
        """Of the entries that were not looked at, only what no kink explains is known to be wrong.

        And that only where a sequence of steps finds the same of their tensor. The bends of several kinks may
        cancel in an entry; then those of the tensor's other entries tell.
        """
        f = self.found
        off = sure[~(np.abs(self.analytic - f.value)[sure] <= self.bound()[sure])]
        off = off[(f.status[off] & np.uint8(EntryStatus.TOUCHED)) == 0]
        left_open = np.zeros(len(self.selected), bool)
        left_open[left_over] = True
        for members in self.owned:
            mine = np.intersect1d(left_over, members, assume_unique=True)
            if len(mine) and np.isin(off, members).any():
                typical = np.quantile(self.bend[members].astype(float), ROUGH)
                limit = self.first_bound[mine] + 4 * np.maximum(self.bend[mine], typical)
                left_open[mine] = self.first_gap[mine] <= limit
        f.status[left_open] |= np.uint8(EntryStatus.OPEN)

    def allow_for_several_kinks(self) -> None:
        """Among kinks, an entry a little beyond its bound is not resolved.

        It straddles one where kinks are the larger part of its bound.
        """
        f = self.found
        if not (f.status & np.uint8(EntryStatus.TOUCHED | EntryStatus.AVOIDED)).any():
            return
        gap, bound = np.abs(self.analytic - f.value), self.bound()
        inside = (self.analytic >= f.low) & (self.analytic <= f.high)
        left_open = (gap > bound) & (gap <= MARGIN * bound) & ~inside
        f.status[left_open] |= np.uint8(EntryStatus.OPEN)
        f.status[left_open & (f.kink > bound - f.kink)] |= np.uint8(EntryStatus.CROSSED)


def estimate_coordinates(
    differencer: CoordinateDifferencer,
    analytic: Array,
    round_off: Array,
    selected: Index,
    *,
    blocks: Mapper | None = None,
    room: int | None = None,
) -> Estimate:
    """The derivative of every selected parameter: two evaluations each, and more where there is doubt.

    Args:
        analytic: the gradient under test, of all parameters; it decides only where to look twice.
        round_off: by how much its own rounding may move it.
        blocks: evaluates blocks of parameters elsewhere, as `map` does; by default here.
        room: parameters that are looked at twice.
    """
    few = len(selected) if len(selected) <= SMALL else 24 + len(selected) // 80
    measurement = _Measurement(differencer, analytic, selected)
    measurement.first_pass(round_off, blocks)
    measurement.second_look(few if room is None else room)
    measurement.allow_for_several_kinks()
    return measurement.found
