"""Entries on kinks that no difference of a single entry shows, or that none was looked at closely for.

Moving one of three equal numbers leaves their median as it is, and a central difference at a kink may be the
very number that the gradient holds. A function with a derivative changes along any direction by the sum of
what it does along the entries, and its gradient nearby is almost that at the point. Where either fails at two
distances alike, there is a kink.

Near the point such a function is, to first order, linear in each of a number of cones. Their gradients are
looked for: a random move whose value none of those that are known explains leads to another. What is asked of
them is how they differ, which a linear term in the function leaves as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from backproof.estimates.kink_steps import balanced, balanced_steps, lengthened_steps, noise_of_values
from backproof.estimates.one_sided import ROUNDINGS, TINY, Kinked, Value
from backproof.estimates.record import EntryStatus, Estimate, Mask
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.function import Function
from backproof.targets.layout import Index

MOST = 500
"""Up to so many entries all are looked at; of more, those that are known to touch a kink or seem wrong."""

OFF_ALREADY, USUAL, MANY = 2, 4, 32
"""Directions along which the sum of the entries' derivatives is compared with what the loss does: where
entries are off already, where they are not, and closely. What four in five directions do not show is missed
by 32 in one of a thousand cases."""

IN_VAIN = 192
"""Points around the kinks that known gradients explain, before the search for others ends."""

CLOSELY = 4
"""So many times as many where no single entry shows a kink, and where it is looked closely."""

ROOM = 24_000
"""Evaluations that are spent on gradients around the kinks at most."""

DIFFERS = 1e-3
"""The share of a derivative by which another is a different one."""

SMALLER, LITTLE = 2.0**-24, 2.0**-8
"""The smallest shares of their steps by which entries are moved: of unknown unit, and of a doubtful one."""

CLOSER = 4.0
"""From one distance to the next."""

OFF = EntryStatus.ONE_SIDED | EntryStatus.JUMPS
"""Entries that are not moved with others."""


def with_joint_kinks(
    estimate: Estimate, value: Value, theta: Array, suspects: Mask, seed: int = 0, *, closely: bool = False
) -> Estimate:
    """The estimate, with the entries marked that touch a kink together with others.

    The interval of such an entry holds its derivatives at points around the kinks as well.

    Args:
        value: the function, of the flat parameters.
        theta: the point, (parameters).
        suspects: entries whose derivatives are not those of the gradient under test, (entries).
        closely: look along many more directions and at many more points.
    """
    movable = (estimate.step > 0) & np.isfinite(estimate.value) & ~estimate.has(OFF)
    if np.count_nonzero(movable) > MOST:
        movable &= estimate.touched | suspects
    chosen = np.flatnonzero(movable)
    if not 0 < len(chosen) <= MOST:
        return estimate
    part = estimate.at(estimate.index[chosen])
    steps = balanced_steps(estimate, theta, chosen, lengthened_steps(estimate, value, theta, chosen))
    kinked = Kinked(value, theta, part.index, steps, seed)
    search = _Search(part, kinked, closely=closely)
    directions = MANY if closely else OFF_ALREADY if suspects.any() else USUAL
    if not part.touched.any() and search.adds_up(directions):
        return estimate
    search.explore()
    found = search.found
    if not found.any():
        return estimate
    kinked = replace(kinked, steps=kinked.steps * search.reach)
    return _marked(estimate, kinked, chosen, found, search.around / kinked.steps)


def add_up_at_once(
    estimates: Sequence[Estimate], function: Function, chosen: Index, rest: Array, seed: int
) -> Mask:
    """Whether rows of a function change along random directions as the sum of their entries says.

    As `_Search.adds_up` of each, where no entry is known to touch a kink; (chosen).

    Args:
        estimates: of the chosen rows; all have all entries.
        rest: of every row, its value at the point.
    """
    theta, n = function.rows[0][0].start, len(estimates[0].index)
    if n > MOST:
        return np.ones(len(chosen), bool)
    value, bound, longest, unit = (
        np.array([getattr(e, name) for e in estimates]) for name in ("value", "bound", "step", "unit")
    )
    bound -= np.array([e.round_off for e in estimates])
    noise = np.array([[noise_of_values(e)] for e in estimates])
    steps = balanced(np.abs(value) * longest, noise, theta, longest)
    noise = np.maximum(noise[:, 0], ROUNDINGS * unit_roundoff(theta.dtype) * np.abs(rest[chosen]))
    alike = np.where(np.isfinite(unit / steps), unit / steps, 1.0)
    alike /= alike.max(axis=1, keepdims=True)
    ways = np.random.default_rng(seed).standard_normal((USUAL, n)) * np.ones((len(chosen), 1, 1))
    ways[:, 1::2] *= alike[:, None]
    moves = ways * steps[:, None] / CLOSER
    points = np.stack([theta + moves, theta - moves], axis=2)  # (chosen, directions, sides, n)
    values = function.values_at(points.reshape(-1, n))
    assert values is not None
    own = np.repeat(np.arange(len(chosen)), 2 * USUAL)
    above, below = np.moveaxis(values[np.arange(len(own)), chosen[own]].reshape(-1, USUAL, 2), 2, 0)
    known, middle = value * steps, rest[chosen, None]
    near, bent = (above - below) * CLOSER / 2, np.abs(above + below - 2 * middle) * CLOSER / 2
    slack = CLOSER * noise[:, None] + DIFFERS * np.abs(known[:, None] * ways).max(axis=2)
    gap = np.abs(near - np.einsum("kn,kdn->kd", known, ways))
    gap -= np.einsum("kn,kdn->kd", bound * steps, np.abs(ways))
    return np.asarray(((gap <= slack) & (bent <= slack)).all(axis=1))


class _Search:
    """Compares what a function does near a point with the derivatives of its entries at the point.

    Attributes:
        found: which entries touch a kink, (n).
        around: gradients near the point, (gradients, n), for moves by `reach` steps.
    """

    def __init__(self, estimate: Estimate, kinked: Kinked, *, closely: bool) -> None:
        self.closely = closely
        self.kinked, self.draw = kinked, np.random.default_rng(kinked.seed)
        self.known = estimate.value.astype(float) * kinked.steps
        self.bound = (estimate.bound - estimate.round_off).astype(float) * kinked.steps
        self.noise = max(noise_of_values(estimate), kinked.rounding_near(0) / 2)
        self.found = estimate.touched.copy()
        self.silent = (np.abs(self.known) <= self.noise) & ~self.found
        # Entries that are counted in one unit: what a tie of them, or a sum, moves is in no relation to what
        # the function does along each of them.
        alike = (estimate.unit / kinked.steps).astype(float)
        self.alike = np.where(np.isfinite(alike), alike / alike.max(), 1.0)
        self.seen = self.found.copy()
        self.pieces = [self.known]
        self.room = ROOM

    @property
    def reach(self) -> Array:
        """By how much entries should be moved, in their steps, for kinks to change the function alike, (n).

        Of those whose own kink is seen the step is known.
        """
        jumps = np.ptp(self.pieces, axis=0)
        known = self.found & (jumps > 0)
        alike = jumps[known].min(initial=np.inf) / np.where(known, jumps, 1)
        return np.where(known & ~self.seen, np.minimum(alike, 1), 1)

    @property
    def around(self) -> Array:
        """The gradients that were found, for moves by `reach` steps."""
        return np.array(self.pieces[1:]).reshape(-1, len(self.known)) * self.reach

    def adds_up(self, directions: int) -> bool:
        """Whether the function changes along random directions as the sum of its entries says.

        In turns the entries are moved by their steps, and as if all were counted in one unit.
        """
        ways = self.draw.standard_normal((directions, len(self.known)))
        ways[1::2] *= self.alike
        for v in ways:
            slack = CLOSER * self.noise + DIFFERS * float(np.abs(self.known * v).max())
            near, bent = self._along(v, 1 / CLOSER)
            gap = abs(near - self.known @ v) - self.bound @ np.abs(v)
            if gap <= slack and bent <= slack:
                continue
            far, bent_far = self._along(v, 1.0)
            if gap - abs(near - far) > slack or bent > bent_far / 2 + slack:
                return False
        return True

    def _along(self, v: Array, size: float) -> tuple[float, float]:
        """The derivative along v, from a move of this size, and half the distance of those to either side."""
        above, below = self.kinked.at(size * v), self.kinked.at(-size * v)
        return (above - below) / (2 * size), abs(above + below - 2 * self.kinked.rest) / (2 * size)

    def explore(self) -> None:
        """Look for gradients near the point until random moves lead to no other, and mark what varies."""
        vain, turn = 0, 0
        while not self._complete() and self.room > 0:
            if vain >= IN_VAIN * (CLOSELY if self.closely or not self.found.any() else 1):
                return
            units = self._units(turn)
            turn += 1
            way = units * self.draw.standard_normal(len(units))
            gradient = self._gradient(way, units) if self._is_new(way) else None
            if gradient is None:
                vain += 1
                continue
            vain = 0
            self.pieces.append(gradient)
            self._mark(gradient, units)

    def _complete(self) -> bool:
        """Whether all entries touch a kink, and each is known from more than one gradient."""
        return bool(self.found.all() and len(self.pieces) > len(self.found))

    def _units(self, turn: int) -> Array:
        """By how much entries are moved in a turn, in their steps.

        As their kinks are known to change the function alike, or as they are counted in one unit, or as they
        are all moved alike; what is not known of an entry is drawn.
        """
        if turn % 3 == 1:
            return self.alike
        drawn = np.where(self.silent, SMALLER, LITTLE) ** self.draw.random(len(self.known))
        if turn % 3 == 2:
            return np.asarray(np.where(self.silent, drawn, 1.0))
        jumps = np.ptp(self.pieces, axis=0)
        known = self.found & (jumps > 0)
        return np.asarray(
            np.where(known, jumps[known].min(initial=np.inf) / np.where(known, jumps, 1), drawn)
        )

    def _is_new(self, way: Array) -> bool:
        """Whether no known gradient explains the function's value there, nor a quarter of the way there."""
        self.room -= 2
        terms = np.array(self.pieces) * way
        slack = CLOSER * self.noise + self.bound @ np.abs(way) + DIFFERS * np.abs(terms).max(axis=1)
        gaps = self.kinked.at(way) - self.kinked.rest - terms.sum(axis=1)
        if (np.abs(gaps) <= slack).any():
            return False
        nearest = int(np.argmin(np.abs(gaps)))
        closer = CLOSER * (self.kinked.at(way / CLOSER) - self.kinked.rest) - self.pieces[nearest] @ way
        return bool(abs(closer - gaps[nearest]) < abs(gaps[nearest]) / 2)

    def _gradient(self, way: Array, units: Array) -> Array | None:
        """The gradient there; None where another kink is too near."""
        self.room -= 2 * len(way)
        middle, sides = self.kinked.at(way), np.zeros((2, len(way)))
        for k, size in enumerate(TINY * units):
            move = np.zeros(len(way))
            move[k] = size
            sides[:, k] = self.kinked.at(way + move), self.kinked.at(way - move)
        slopes = (sides[0] - sides[1]) / (2 * TINY * units)
        bent = np.abs(sides.sum(axis=0) - 2 * middle) / (2 * TINY * units)
        straight = DIFFERS * np.maximum(np.abs(slopes), np.abs(self.known)) + self._blur(units)
        return slopes if (bent <= straight).all() else None

    def _blur(self, units: Array) -> Array:
        """By how much noise moves such a gradient."""
        return np.asarray(CLOSER * self.noise / (TINY * units))

    def _mark(self, gradient: Array, units: Array) -> None:
        """Mark the entries whose derivative is not that at the point."""
        slack = DIFFERS * np.maximum(np.abs(gradient), np.abs(self.known)) + self.bound + self._blur(units)
        new = (np.abs(gradient - self.known) > slack) & ~self.found
        self.found |= new


def _marked(estimate: Estimate, kinked: Kinked, chosen: Index, found: Mask, around: Array) -> Estimate:
    """The estimate with more entries marked as touching a kink, and their derivatives to either side.

    Args:
        chosen: the entries of `kinked` among those of the estimate, (n).
        found: which of them touch a kink, (n).
        around: gradients near the kinks, (gradients, n).
    """
    low, high, step = estimate.low.copy(), estimate.high.copy(), estimate.step.copy()
    status = estimate.status.copy()
    for k in np.flatnonzero(found):
        i = chosen[k]
        if not status[i] & np.uint8(EntryStatus.TOUCHED):
            e = np.zeros(len(chosen))
            e[k] = 1.0
            (right, left), errors = kinked.derivatives(np.stack([e, -e]))
            slack = errors.max()
            low[i], high[i] = (
                np.array([min(right, -left) - slack, max(right, -left) + slack]) / kinked.steps[k]
            )
            step[i] = kinked.steps[k]
            status[i] |= np.uint8(EntryStatus.TOUCHED)
        low[i] = min(low[i], around[:, k].min(initial=np.inf))
        high[i] = max(high[i], around[:, k].max(initial=-np.inf))
    return replace(estimate, low=low, high=high, step=step, status=status)
