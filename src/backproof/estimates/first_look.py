"""A first look at several functions of the same parameters, at many points at once: whom does it settle?

The components of a vector function share their evaluations, and many points at a time cost little more than
one. So all functions are moved by the same steps, and what the first difference settles (see `coordinate`)
needs nothing else: the derivative stands clear of the noise, is the same on both sides and is the analytic
one, or the function does not change at all and the gradient says so. A function of which any entry is in
doubt is measured on its own, as if there had been no first look: its values are not used again, since those
at many points at once may be rounded in another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from backproof.estimates.coordinate import CLEAR, COARSE, EVEN, NATURAL, RESIDUE, asked_error
from backproof.estimates.differencer import FARTHER, SHORTEST_WAY, spans
from backproof.estimates.joint_kinks import add_up_at_once
from backproof.estimates.noise import PLACES, USUAL, first_noise, near_places, rounding_of_rows
from backproof.estimates.record import EntryStatus, Estimate, Mask
from backproof.estimates.refinement import LEAP, LEAPS
from backproof.estimates.sizes import sizes_of
from backproof.estimates.stairs import OWN
from backproof.estimates.steps import best_step
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.function import Function
from backproof.targets.layout import Layout

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
        self.ok &= (clear | constant) & (noise <= USUAL * self.u * self.scale)
        return noise

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
        """The rows none of whose entries needs a second look; (rows)."""
        up, down = spans(self.rows[0], np.arange(len(self.start)), self.steps)
        above, below, rest = self.above, self.below, self.rest[:, None]
        self.value = (above - below) / (up + down)
        right, left = (above - rest) / up, (rest - below) / down
        grown = np.fmax(np.abs(right), np.abs(left))
        self.error = self.noise / self.steps + 4 * self.u * np.where(np.isfinite(grown), grown, 0)
        size, bend = np.maximum(np.abs(self.value), np.abs(self.analytic)), np.abs(right - left) / 2
        curved = np.maximum(2 * bend - self.error, 0)
        truncation = np.where(size > 0, curved / 6 * (curved / size), 0)
        natural = NATURAL * (self.steps / self.sizes) ** 2 * np.abs(self.value)
        self.truncation = np.maximum(truncation, natural)
        agrees = np.abs(self.analytic - self.value) <= self.error + self._round_off + natural
        asked = CLEAR * asked_error(self.resolution, self.u)
        # Against the entry's own size alone: what is small beside its tensor is looked at on its own.
        clear = (self.error <= asked * size) & (2 * bend <= np.maximum(asked * size, 4 * self.error))
        self.flat = (right == 0) & (left == 0)
        still = self.flat & (self.analytic == 0)
        bent = ~(bend <= EVEN * grown) | (self.steps >= OWN / 2 * self.sizes)
        stairs = (self.error * self.steps > COARSE * self.scale[:, None]) & bent & (self.analytic != 0)
        noisy = np.median(self.noise, axis=1) > NOISY * 2 * self.u * np.abs(self.rest)
        settled = self.ok & (agrees & (clear | still) & ~stairs).all(axis=1)
        settled &= ~(noisy & (self.rest != 0)) & (self.noise >= 0).all(axis=1)
        return np.asarray(settled & self._stay(still & settled[:, None]))

    def _stay(self, still: Mask) -> Mask:
        """Whether what does not change nearby does not change farther away either; (rows)."""
        moved = np.flatnonzero(still.any(axis=0))
        if not len(moved):
            return np.ones(len(self.rows), bool)
        far = self.steps[moved] * LEAP ** np.arange(1, LEAPS + 1)[:, None]
        points = np.tile(self.start, (2, *far.shape, 1))
        ends = np.stack([self.start[moved] + far, self.start[moved] - far])
        points[:, :, np.arange(len(moved)), moved] = ends
        values = self.function.values_at(points.reshape(-1, len(self.start)))
        assert values is not None
        same = (values == self.rest).reshape(-1, len(moved), len(self.rows)).all(axis=0)
        return np.asarray((same.T | ~still[:, moved]).all(axis=1))

    def add_up(self, chosen: Array, seed: int) -> Mask:
        """Whether rows change along random directions as the sum of their entries says; (chosen)."""
        return add_up_at_once([self.seen(k).estimate for k in chosen], self.function, chosen, self.rest, seed)

    def seen(self, k: int) -> Seen:
        """What is found of one row."""
        n, round_off = len(self.start), self._round_off[k]
        still = np.abs(self.value[k]) <= self.truncation[k] + self.error[k]
        residue = RESIDUE * self.u * self.scale[k] / self.sizes[k]
        round_off = np.where(still, np.maximum(round_off, residue), round_off)
        status = np.where(self.flat[k], EntryStatus.FLAT, EntryStatus.SMOOTH).astype(np.uint8)
        layout: Layout = self.layout
        estimate = Estimate(
            layout, np.arange(n), self.value[k], self.truncation[k], self.error[k], round_off, np.zeros(n),
            self.steps, self.sizes[k], np.full(n, np.nan), np.full(n, np.nan), status,
        )  # fmt: skip
        return Seen(estimate, self.noise[k])
