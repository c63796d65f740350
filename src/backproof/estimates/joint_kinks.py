"""Entries on kinks that no difference of a single entry shows, or that none was looked at closely for.

Moving one of three equal numbers leaves their median as it is, and a central difference at a kink may be the
very number that the gradient holds. A function with a derivative changes along any direction by the sum of
what it does along the entries, and its gradient nearby is almost that at the point. Where either fails at two
distances alike, there is a kink.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backproof.estimates.kink_steps import balanced_steps, lengthened_steps, noise_of_values
from backproof.estimates.one_sided import TINY, Kinked, Value
from backproof.estimates.record import EntryStatus, Estimate, Mask
from backproof.network.arrays import Array
from backproof.targets.layout import Index

MOST = 500
"""Up to so many entries all are looked at; of more, only those that are known to touch a kink."""

DIRECTIONS = 2
"""Directions along which the sum of the entries' derivatives is compared with what the loss does."""

IN_VAIN = 12
"""Points around the kinks at which no other entry's derivative differs, before the search ends."""

UNSEEN = 4
"""So many times as many where no single entry shows a kink."""

DIFFERS = 1e-3
"""The share of a derivative by which another is a different one."""

SMALLER = 2.0**-16
"""The smallest share of its step by which an entry of unknown unit is moved."""

CLOSER = 4.0
"""From one distance to the next."""


def with_joint_kinks(estimate: Estimate, value: Value, theta: Array, seed: int = 0) -> Estimate:
    """The estimate, with the entries marked that touch a kink together with others.

    Args:
        value: the function, of the flat parameters.
        theta: the point, (parameters).
    """
    every = np.arange(len(estimate.index))
    movable = (estimate.step > 0) & np.isfinite(estimate.value) & ~estimate.has(EntryStatus.ONE_SIDED)
    if len(every) > MOST or not movable.all():
        return estimate
    steps = balanced_steps(estimate, theta, every, lengthened_steps(estimate, value, theta, every))
    kinked = Kinked(value, theta, estimate.index, steps, seed)
    search = _Search(estimate, kinked)
    if not estimate.touched.any() and search.adds_up():
        return estimate
    found = search.varying()
    kinked = replace(kinked, steps=kinked.steps * search.reach)
    return _marked(estimate, kinked, np.flatnonzero(found & ~estimate.touched)) if found.any() else estimate


class _Search:
    """Compares what a function does near a point with the derivatives of its entries at the point."""

    def __init__(self, estimate: Estimate, kinked: Kinked) -> None:
        self.kinked, self.draw = kinked, np.random.default_rng(kinked.seed)
        self.known = estimate.value.astype(float) * kinked.steps
        self.bound = (estimate.bound - estimate.round_off).astype(float) * kinked.steps
        self.noise = noise_of_values(estimate)
        self.touched = estimate.touched
        self.silent = (np.abs(self.known) <= self.noise) & ~self.touched
        self.reach = np.ones(len(self.known))

    def adds_up(self) -> bool:
        """Whether the function changes along random directions as the sum of its entries says."""
        for v in self.draw.standard_normal((DIRECTIONS, len(self.known))):
            (far, bent), (near, still_bent) = (self._along(v, 1 / size) for size in (1.0, CLOSER))
            slack = CLOSER * self.noise + DIFFERS * float(np.abs(self.known * v).max())
            gap = abs(near - self.known @ v) - self.bound @ np.abs(v) - abs(near - far)
            if gap > slack or still_bent > bent / 2 + slack:
                return False
        return True

    def _along(self, v: Array, size: float) -> tuple[float, float]:
        """The derivative along v, from a move of this size, and half the distance of those to either side."""
        above, below = self.kinked.at(size * v), self.kinked.at(-size * v)
        return (above - below) / (2 * size), abs(above + below - 2 * self.kinked.rest) / (2 * size)

    def varying(self) -> Mask:
        """Entries that touch a kink: the known ones, and those whose derivative is another near the point.

        The unit of an entry that changes nothing alone is drawn; `reach` is how far it was moved.
        """
        found, vain = self.touched.copy(), 0
        limit = IN_VAIN if found.any() else UNSEEN * IN_VAIN
        while vain < limit and not found.all():
            units = np.where(self.silent, SMALLER ** self.draw.random(len(found)), 1)
            way, rest = units * self.draw.standard_normal(len(found)), np.flatnonzero(~found)
            far = self._differs(way, rest)
            rest, far = rest[far != 0], far[far != 0]
            stays = np.abs(self._differs(way / CLOSER, rest) - far) < np.abs(far) / 2
            found[rest[stays]] = True
            self.reach[rest[stays]] = units[rest[stays]]
            vain = 0 if stays.any() else vain + 1
        return found

    def _differs(self, way: Array, entries: Index) -> Array:
        """By how much the derivatives of entries differ at a point nearby; 0 where that is within errors."""
        size = TINY * float(np.abs(way).max())
        middle = self.kinked.at(way)
        slope = self.kinked.differences(way, middle, entries, size)[0] / (2 * size)
        known, slack = self.known[entries], self.bound[entries] + self.noise / size
        gap = slope - known
        slack += DIFFERS * np.maximum(np.abs(slope), np.abs(known))
        return np.where(np.abs(gap) > slack, gap, 0.0)


def _marked(estimate: Estimate, kinked: Kinked, more: Index) -> Estimate:
    """The estimate with more entries marked as touching a kink, and their derivatives to either side."""
    low, high, step = estimate.low.copy(), estimate.high.copy(), estimate.step.copy()
    status = estimate.status.copy()
    for k in more:
        e = np.zeros(len(estimate.index))
        e[k] = 1.0
        (right, off), (left, also_off) = kinked.derivative(e), kinked.derivative(-e)
        slack = max(off, also_off)
        low[k], high[k] = np.array([min(right, -left) - slack, max(right, -left) + slack]) / kinked.steps[k]
        step[k] = kinked.steps[k]
    status[more] |= np.uint8(EntryStatus.TOUCHED)
    return replace(estimate, low=low, high=high, step=step, status=status)
