"""A first look at several functions of the same parameters, at many points at once: whom does it settle?

The components of a vector function share their evaluations, and many points at a time cost little more than
one. So all functions are moved by the same steps, and what the first difference settles (see `coordinate`)
needs nothing else: the derivative stands clear of the noise, is the same on both sides and is the analytic
one, or the function does not change at all and the gradient says so. A few entries in doubt get steps of
their own. A function of which that does not settle everything is measured on its own, as if there had been no
first look: its values are not used again, since those at many points at once may be rounded in another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from backproof.estimates.coordinate import AIM, CLEAR, COARSE, EVEN, NATURAL, RESIDUE, asked_error
from backproof.estimates.differencer import FARTHER, SHORTEST_WAY, spans
from backproof.estimates.joint_kinks import add_up_at_once
from backproof.estimates.noise import (
    PLACES,
    SPACING,
    USUAL,
    Line,
    first_noise,
    near_places,
    noise_along,
    rounding_of_rows,
)
from backproof.estimates.record import EntryStatus, Estimate, Mask
from backproof.estimates.refinement import LEAP, LEAPS, SHORTER, Refinement, Sides
from backproof.estimates.sizes import sizes_of
from backproof.estimates.stairs import OWN
from backproof.estimates.step_sequence import RATIO
from backproof.estimates.steps import best_step
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.function import Function
from backproof.targets.layout import Index, Layout

DOUBTFUL, MOST_DOUBTFUL = 16, 96
"""Entries of one function, and of all, for which steps of their own are looked for."""

FARTHER_AWAY = (2.0**10, 2.0**16, *(LEAP ** np.arange(1, LEAPS + 1)).tolist())
"""How far away, in first steps, it is looked for a change of what does not change nearby."""

HIDDEN = 16.0
"""Noises that a derivative hides in which is not seen."""

NOISY = 1e4
"""The noise of a value, in units of round-off of it, from which on a function is looked at on its own."""


@dataclass(frozen=True)
class Seen:
    """What a first look finds of one function, none of whose entries needs another.

    Attributes:
        noise: the largest error of a value as each parameter moves, (parameters).
    """

    estimate: Estimate
    noise: Array


def first_look(
    function: Function, analytic: Array, *, resolution: float, seed: int, generator: np.random.Generator
) -> Sequence[Seen | None]:
    """What is settled of each of a function's rows; nothing where many points at once are not to be had.

    Args:
        analytic: the gradient under test of every row, (rows, parameters).
        resolution: the relative error that must not go unseen.
        seed: of the directions along which entries are moved together.
    """
    rows = [row for row, _ in function.rows]
    nothing = [None] * len(rows)
    if function.dtype != np.float64 or analytic.dtype != np.float64 or not np.isfinite(analytic).all():
        return nothing
    look = _Look(function, rows, analytic, resolution, generator)
    if not look.evaluate():
        return nothing
    settled = look.settled()
    if settled.any():
        settled[settled] = look.add_up(np.flatnonzero(settled), seed)
    return [look.seen(k) if settled[k] else None for k in range(len(rows))]


@dataclass
class _Look:
    """Arrays are (rows, parameters) unless stated otherwise.

    Attributes:
        steps: by which each parameter is moved, the same for all rows; (parameters).
        rest: of every row, its value at the point; (rows).
    """

    function: Function
    rows: Sequence[Function]
    analytic: Array
    resolution: float
    generator: np.random.Generator
    ok: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.start, self.layout = self.rows[0].start, self.rows[0].layout
        self.ok, self.u = np.ones(len(self.rows), bool), unit_roundoff(self.start.dtype)
        # What an entry of 0 may be moved by, by a row's own value, matters to its unit alone.
        common = sizes_of(self.rows[0], np.inf, np.zeros_like(self.start))
        self.steps = best_step(self.start.dtype) * common
        self.ways = self.generator.choice([-1.0, 1.0], len(self.start)) * common
        self.ways *= self.generator.uniform(SHORTEST_WAY, 1, len(self.start))

    def evaluate(self) -> bool:
        """The values of all rows at the point, along a line through each tensor and at the first steps.

        Whether there are any.
        """
        tensors = [t for t in self.layout.tensors if t.size]
        lines = np.concatenate([self._line(t.block, PLACES * self._far) for t in tensors])
        moves = np.diag(self.steps)
        found = self.function.values_at(
            np.concatenate([self.start[None], lines, self.start + moves, self.start - moves])
        )
        if found is None:
            return False
        cuts = np.cumsum([1, len(lines), len(moves)])
        self.rest, values, self.above, self.below = (part.T for part in np.split(found, cuts))
        self.rest = self.rest[:, 0]
        self.sizes = sizes_of(self.rows[0], self.rest[:, None], self.analytic)
        terms = np.array([row.terms for row in self.rows])
        effects = np.abs(self.analytic * self.sizes).max(axis=1)
        self.scale = np.maximum(np.maximum(np.abs(self.rest), effects), terms)
        self.noise = np.empty_like(self.analytic)
        for k, tensor in enumerate(tensors):
            table = values[:, len(PLACES) * k : len(PLACES) * (k + 1)]
            noise = self._noise(table, tensor.block)
            self.noise[:, tensor.block] = np.maximum(noise, self.u * terms)[:, None]
        return True

    @property
    def _far(self) -> float:
        return best_step(self.start.dtype) / FARTHER

    def _line(self, block: slice, distances: Array) -> Array:
        """Points along a line through a tensor; (distances, parameters)."""
        points = np.tile(self.start, (len(distances), 1))
        points[:, block] += np.multiply.outer(distances, self.ways[block])
        return points

    def _noise(self, table: Array, block: slice) -> Array:
        """The noise of every row as a tensor moves; rows that do not vary, though it moves far, have none.

        Args:
            table: of every row, its values at PLACES; (rows, places).
        """
        noise, clear = first_noise(table)
        constant = (table == self.rest[:, None]).all(axis=1)
        if constant.any():
            far = self.function.values_at(self._line(block, near_places(self.start.dtype)))
            assert far is not None
            constant &= (self.rest[:, None] == far.T).all(axis=1)
            noise[constant] = self.u * np.abs(self.rest[constant])
        for k in np.flatnonzero(~(clear | constant) & self.ok):
            found = noise_along(self._line_of(int(k), block), self._far)
            noise[k] = np.nan if found is None else found
        self.ok &= noise <= USUAL * self.u * self.scale
        return noise

    def _line_of(self, k: int, block: slice) -> Line:
        """The same line for one row."""

        def value(distance: float) -> float:
            found = self.function.values_at(self._line(block, np.array([distance])))
            assert found is not None
            return float(found[0, k])

        return Line(value, 1.0, self.start.dtype)

    @cached_property
    def _round_off(self) -> Array:
        """By how much rounding may move the gradients: what it does when W moves by its last digits."""
        largest, theta = np.zeros_like(self.analytic), self.start
        for _ in range(2):
            beside = theta + 2 * self.u * theta * self.generator.choice([-1, 1], len(theta))
            moved = np.abs(self.function.gradients_near(beside) - self.analytic)
            largest = np.fmax(largest, np.where(np.isfinite(moved), moved, 0))
        allowed = 4 * largest + rounding_of_rows(self.rows, self.analytic, self.sizes, self.u)
        known = [np.broadcast_to(row.gradient_error(), self.start.shape) for row in self.rows]
        return np.asarray(allowed + np.array(known))

    def settled(self) -> Mask:
        """The rows none of whose entries needs another look than this one; (rows)."""
        above, below, rest = self.above, self.below, self.rest[:, None]
        self.value, right, left = self._derivatives(
            np.arange(len(self.start)), self.steps, above, below, rest
        )
        grown = np.fmax(np.abs(right), np.abs(left))
        self.error = self.noise / self.steps + 4 * self.u * np.where(np.isfinite(grown), grown, 0)
        size, bend = np.maximum(np.abs(self.value), np.abs(self.analytic)), np.abs(right - left) / 2
        curved = np.maximum(2 * bend - self.error, 0)
        truncation = np.where(size > 0, curved / 6 * (curved / size), 0)
        natural = NATURAL * (self.steps / self.sizes) ** 2 * np.abs(self.value)
        self.truncation, self.kink = np.maximum(truncation, natural), np.zeros_like(self.value)
        self.step = np.tile(self.steps, (len(self.rows), 1))
        agrees = np.abs(self.analytic - self.value) <= self.error + self._round_off + natural
        asked = CLEAR * asked_error(self.resolution, self.u)
        # Against the entry's own size alone: what is small beside its tensor is looked at on its own.
        clear = (self.error <= asked * size) & (2 * bend <= np.maximum(asked * size, 4 * self.error))
        self.flat = (right == 0) & (left == 0)
        still = self.flat & (self.analytic == 0)
        bent = ~(bend <= EVEN * grown) | (self.steps >= OWN / 2 * self.sizes)
        stairs = (self.error * self.steps > COARSE * self.scale[:, None]) & bent & (self.analytic != 0)
        stairs |= self.flat & (np.abs(self.analytic * self.sizes) * OWN > USUAL * self.u * np.abs(rest))
        noisy = np.median(self.noise, axis=1) > NOISY * 2 * self.u * np.abs(self.rest)
        doubtful = ~(agrees & (clear | still))
        settled = self.ok & ~stairs.any(axis=1) & (np.count_nonzero(doubtful, axis=1) <= DOUBTFUL)
        settled &= ~(noisy & (self.rest != 0)) & (self.noise >= 0).all(axis=1)
        settled &= self._stay(still & settled[:, None])
        allowed = 2 * (self.error + self._round_off) + natural + 2 * bend
        return self._refined(settled, doubtful, (right, left), allowed)

    def _derivatives(
        self, at: Index, steps: Array, above: Array, below: Array, rest: Array
    ) -> tuple[Array, Array, Array]:
        """Central derivatives, and those to the right and to the left, of values at the ends of steps."""
        up, down = spans(self.rows[0], at, steps)
        return (above - below) / (up + down), (above - rest) / up, (rest - below) / down

    def _stay(self, still: Mask) -> Mask:
        """Whether what does not change nearby is no change that rounding hides; (rows).

        Where a row changes farther away, that must be far more than a derivative would which rounding hides
        at the longest step over which it does not change at all.
        """
        moved = np.flatnonzero(still.any(axis=0))
        if not len(moved):
            return np.ones(len(self.rows), bool)
        changes = self._changes(moved, self.steps[moved] * np.array(FARTHER_AWAY)[:, None])
        constant, fine, last = still[:, moved], np.ones((len(self.rows), len(moved)), bool), 1.0
        for times, change in zip(FARTHER_AWAY, changes, strict=True):
            leaves = constant & (change != 0)
            hidden = change <= HIDDEN * self.noise[:, moved] * times / last
            fine &= ~(leaves & (hidden | (last < FARTHER_AWAY[0])))
            constant &= ~leaves
            last = times
        return np.asarray(fine.all(axis=1))

    def _changes(self, moved: Index, steps: Array) -> Array:
        """By how much rows change at most over steps of some entries to either side; (steps, rows, moved)."""
        points = np.tile(self.start, (2, *steps.shape, 1))
        ends = np.stack([self.start[moved] + steps, self.start[moved] - steps])
        points[:, :, np.arange(len(moved)), moved] = ends
        values = self.function.values_at(points.reshape(-1, len(self.start)))
        assert values is not None
        changes = np.abs(values - self.rest).reshape(*points.shape[:3], len(self.rows)).max(axis=0)
        return np.swapaxes(changes, 1, 2)

    def _refined(self, settled: Mask, doubtful: Mask, sides: tuple[Array, Array], allowed: Array) -> Mask:
        """The rows that are still settled once steps of their own were found for doubtful entries; (rows).

        Args:
            sides: the first derivatives to the right and to the left.
            allowed: by how much the derivative may differ from the first.
        """
        pairs = np.argwhere(doubtful & settled[:, None])
        if len(pairs) > MOST_DOUBTFUL:
            return np.asarray(settled & ~doubtful.any(axis=1))
        columns = np.unique(pairs[:, 1])
        known = self._shorter(columns) if len(columns) else {}
        settled = settled.copy()
        for k, j in pairs.tolist():
            first = (self.value[k, j], sides[0][k, j], sides[1][k, j])
            if settled[k]:
                settled[k] = self._look_closer(k, j, first, known, float(allowed[k, j]))
        return settled

    def _shorter(self, columns: Index) -> dict[tuple[int, float], Array]:
        """Derivatives of all rows at steps shorter than the first, (3, rows); by entry and step."""
        steps = self.steps[columns] / RATIO ** np.arange(1, SHORTER)[:, None]
        pairs = [(int(j), float(h)) for row in steps for j, h in zip(columns, row, strict=True)]
        return dict(zip(pairs, self._measured(pairs), strict=True))

    def _measured(self, pairs: Sequence[tuple[int, float]]) -> list[Array]:
        """Derivatives of all rows, (3, rows), with respect to entries at steps."""
        at, steps = np.array([j for j, _ in pairs]), np.array([h for _, h in pairs])
        points = np.tile(self.start, (2, len(pairs), 1))
        points[:, np.arange(len(pairs)), at] = self.start[at] + steps, self.start[at] - steps
        values = self.function.values_at(points.reshape(-1, len(self.start)))
        assert values is not None
        above, below = (part.T for part in np.split(values, 2))
        found = self._derivatives(at, steps, above, below, self.rest[:, None])
        return list(np.moveaxis(np.array(found), 2, 0))

    def _look_closer(
        self, k: int, j: int, first: Sides, known: dict[tuple[int, float], Array], allowed: float
    ) -> bool:
        """Steps of its own for one entry; whether they settle it."""

        def measure(h: float) -> Sides:
            found = known.get((j, h))
            found = self._measured([(j, h)])[0] if found is None else found
            return float(found[0, k]), float(found[1, k]), float(found[2, k])

        theta, size = abs(float(self.start[j])), float(self.sizes[k, j])
        asked, noise, step = (
            asked_error(self.resolution, self.u),
            float(self.noise[k, j]),
            float(self.steps[j]),
        )
        entry = Refinement(
            measure, noise, self.u, float(self.analytic[k, j]), float(self._round_off[k, j]), AIM * asked,
            self._floor(k, j), step, SPACING * self.u * (theta or size), {step: first},
        ).entry()  # fmt: skip
        self.value[k, j], self.step[k, j], self.kink[k, j] = entry.value, entry.step, entry.kink
        self.truncation[k, j], self.error[k, j] = entry.truncation, entry.noise
        self.flat[k, j] = bool(entry.status & EntryStatus.FLAT)
        gap = abs(self.analytic[k, j] - entry.value)
        lost = abs(self.analytic[k, j]) * size * OWN <= USUAL * self.u * abs(self.rest[k])
        return bool(
            not entry.status & ~EntryStatus.FLAT
            and (lost or entry.value != 0)
            and gap <= entry.error + self._round_off[k, j]
            and abs(first[0] - entry.value) <= allowed + entry.error
            and entry.step <= size
            and entry.noise * entry.step <= COARSE * self.scale[k]
        )

    def _floor(self, k: int, j: int) -> float:
        """What is typical of an entry's tensor in a row, in the entry's unit, by either gradient."""
        block = next(t.block for t in self.layout.tensors if t.block.start <= j < t.block.stop)
        seen = np.where(np.abs(self.value[k]) > self.error[k], self.value[k], 0)
        effects = [np.abs(g[block] * self.sizes[k][block]) for g in (seen, self.analytic[k])]
        typical = [float(np.median(e[e > 0])) for e in effects if (e > 0).any()]
        return min(typical, default=0.0) / float(self.sizes[k, j])

    def add_up(self, chosen: Array, seed: int) -> Mask:
        """Whether rows change along random directions as the sum of their entries says; (chosen)."""
        return add_up_at_once([self.seen(k).estimate for k in chosen], self.function, chosen, self.rest, seed)

    def seen(self, k: int) -> Seen:
        """What is found of one row."""
        n, round_off = len(self.start), self._round_off[k]
        still = np.abs(self.value[k]) <= self.truncation[k] + self.error[k] + self.kink[k]
        residue = RESIDUE * self.u * self.scale[k] / self.sizes[k]
        round_off = np.where(still, np.maximum(round_off, residue), round_off)
        status = np.where(self.flat[k], EntryStatus.FLAT, EntryStatus.SMOOTH).astype(np.uint8)
        layout: Layout = self.layout
        estimate = Estimate(
            layout, np.arange(n), self.value[k], self.truncation[k], self.error[k], round_off, self.kink[k],
            self.step[k], self.sizes[k], np.full(n, np.nan), np.full(n, np.nan), status,
        )  # fmt: skip
        return Seen(estimate, self.noise[k])
