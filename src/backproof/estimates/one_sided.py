"""One-sided derivatives along directions through a point that lies on kinks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.layout import Index

SHRINK = 4.0
"""From one distance to the next shorter one."""

LENGTHS = 4
"""Distances at which a one-sided derivative is taken; the last two that agree best are used."""

ROUNDINGS = 8.0
"""Units of round-off, relative to f, that a value is taken to be off by."""

SINGLE = 12
"""Entries that are moved alone, and pairs that are moved together and against each other."""

RANDOM = 8
"""Random directions of either kind, of signs and of normal numbers."""

AROUND = 12
"""Points around the kinks of either kind, at which the gradient of f is taken."""

BLURS = 5
"""Points at which the gradient is taken once more, nearer, to see what curvature makes of it."""

TINY = 2.0**-6
"""The step of differences there, relative to the way from the kinks."""

HIDDEN = 1e-3
"""The share of a slope by which rounding may change that over shorter steps."""

ASIDE = 2.0**-5
"""By how much a way from the kinks is disturbed."""

STRAIGHT = 2.0**-10
"""Between three points that are TINY apart f may bend by this share of its slope without a second look."""

UNKNOWN = 1e-4
"""An entry whose derivative varies by less than this share of the most has no kink of a known size."""

ALIKE = 4.0
"""Up to so many times the least, jumps are of about one size."""

MINOR = 64.0
"""An entry that changes f by less than one in so many of what another does is taken to change it by that."""

Value = Callable[[Array], float | np.longdouble]


WORTHWHILE = 30_000
"""Entries times parameters from which following the entries' moves takes less than evaluating f anew."""

AT_ONCE = 1 << 18
"""Parameters of all points that are evaluated at once."""

MOST_PIECES = 2_000
"""Gradients near a point that are kept."""


@dataclass(frozen=True)
class Kinked:
    """A function near a point on kinks, as a function of the entries that touch them.

    Attributes:
        value: of the flat parameters.
        start: the point, (parameters).
        entries: the positions of those that touch a kink, (n).
        steps: by how much each may be moved so that f's kinks at the point are seen and no others, (n).
        seed: of random directions and points.
        noise: the largest error of a value that was measured, where it is more than rounding.
        values: of many flat parameters at once, (points, parameters), with the bits that they have alone;
            None where f takes one point at a time.
        changes: of flat parameters, entries and steps: f there, and its changes as each entry alone moves up
            and down by its step, (entries) each; where that takes less than evaluating f anew.
    """

    value: Value
    start: Array
    entries: Index
    steps: Array
    seed: int = 0
    noise: float = 0.0
    values: Callable[[Array], Array] | None = None
    changes: Callable[[Array, Index, Array], tuple[float, Array, Array]] | None = None

    @cached_property
    def rest(self) -> float:
        """f at the point."""
        return float(self.value(self.start))

    def at(self, moves: Array) -> float:
        """f with the entries moved by multiples of their steps, (n)."""
        return float(self.value(self._moved(moves)))

    def at_each(self, moves: Array) -> Array:
        """f with the entries moved by each of many multiples of their steps, (points, n); (points)."""
        if self.values is None:
            return np.array([self.at(each) for each in moves])
        together = max(1, AT_ONCE // len(self.start))
        some = [self._moved(moves[k : k + together]) for k in range(0, max(len(moves), 1), together)]
        return np.concatenate([self.values(theta) for theta in some])

    def _moved(self, moves: Array) -> Array:
        """The flat parameters with the entries moved, (..., n) to (..., parameters)."""
        theta = np.broadcast_to(self.start, (*moves.shape[:-1], len(self.start))).copy()
        theta[..., self.entries] += (moves * self.steps).astype(theta.dtype)
        return theta

    def derivatives(self, vs: Array) -> tuple[Array, Array]:
        """Limits of (f(x + s v) − f(x)) / s for s ↓ 0 at the point x, and their errors; (directions) each.

        Of many directions v, (directions, n), by (4 D(s/4) − D(s)) / 3 at several s, each error the change to
        the one before and rounding.
        """
        lengths = 1 / SHRINK ** np.arange(LENGTHS)
        values = self.at_each((vs[:, None] * lengths[:, None]).reshape(-1, vs.shape[1]))
        secants = (values.reshape(-1, LENGTHS) - self.rest) / lengths
        found = (SHRINK * secants[:, 1:] - secants[:, :-1]) / (SHRINK - 1)
        noise = self._rounding(self.rest, np.abs(secants).max(axis=1))[:, None] / lengths[1:]
        changes = np.full(found.shape, np.inf)
        changes[:, 1:] = np.abs(np.diff(found))
        error = np.abs(np.diff(secants)) / SHRINK + changes + noise
        error[~np.isfinite(error)] = np.inf
        best = np.arange(len(vs)), np.argmin(error, axis=1)
        return found[best], error[best]

    @cached_property
    def _coarseness(self) -> float:
        """The largest of the entries, in their steps."""
        return float((np.abs(self.start[self.entries]) / self.steps).max(initial=0))

    @cached_property
    def measured(self) -> Directions:
        """The derivatives along a set of directions that does not depend on any gradient."""
        return self.along(self._directions())

    def along(self, vs: Array) -> Directions:
        """The derivatives along these directions."""
        return Directions(vs, *self.derivatives(vs))

    def _directions(self) -> Array:
        """All entries together; single ones, sums and differences of pairs; random ones; all negatives."""
        n, draw = len(self.entries), np.random.default_rng(self.seed)
        chosen = np.sort(draw.choice(n, min(n, SINGLE), replace=False))
        pairs = list(combinations(chosen.tolist(), 2))
        if len(pairs) > SINGLE:
            pairs = [pairs[k] for k in np.sort(draw.choice(len(pairs), SINGLE, replace=False))]
        rows = [np.ones(n), *np.eye(n)[chosen]]
        for i, j in pairs:
            for sign in (1.0, -1.0):
                v = np.zeros(n)
                v[i], v[j] = 1.0, sign
                rows.append(v)
        rows.extend(draw.choice([-1.0, 1.0], (RANDOM, n)))
        rows.extend(draw.standard_normal((RANDOM, n)))
        # Many entries together move f by more than each alone.
        vs = np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)
        return np.concatenate([vs, -vs])

    @cached_property
    def to_the_right(self) -> Array:
        """The derivative of f as each entry alone grows by multiples of its step, (n)."""
        return self.derivatives(np.eye(len(self.entries)))[0]

    @cached_property
    def to_the_left(self) -> Array:
        """The same as it falls, in the direction in which it grows, (n)."""
        return -self.derivatives(-np.eye(len(self.entries)))[0]

    @cached_property
    def around(self) -> tuple[Array, Array]:
        """Random points around the kinks and the gradients of f there; both (points, n)."""
        n, draw = len(self.entries), np.random.default_rng(self.seed)
        points = [*draw.standard_normal((AROUND, n)), *draw.choice([-1.0, 1.0], (AROUND, n))]
        ways = [aside(p, draw) for p in points]
        found = [(way, g) for way in ways if (g := self.piece(way)) is not None]
        return np.array([w for w, _ in found]).reshape(-1, n), np.array([g for _, g in found]).reshape(-1, n)

    @cached_property
    def balanced(self) -> Kinked:
        """The same with shorter steps of entries whose derivatives jump by more than those of others.

        Then random points lie on either side of every kink.
        """
        _, gradients = self.around
        jumps = np.ptp(gradients, axis=0) if len(gradients) else np.zeros(len(self.entries))
        known = jumps > max(UNKNOWN * jumps.max(initial=0), self.rounding_near(0) / TINY / UNKNOWN)
        least = jumps[known].min(initial=np.inf)
        factor = np.where(known, least / np.where(known, jumps, 1), 1.0)
        return replace(self, steps=self.steps * factor) if factor.min(initial=1) < 1 / ALIKE else self

    @cached_property
    def blur(self) -> Array:
        """By how much curvature changes the gradients near the kinks on the way from the point, (n)."""
        changes = [np.zeros(len(self.entries))]
        for way, far in zip(*(part[:BLURS] for part in self.around), strict=True):
            near = self.piece(way, 1 / SHRINK)
            changes += [] if near is None else [np.abs(far - near) * SHRINK / (SHRINK - 1)]
        return np.asarray(np.median(changes[1:] or changes, axis=0))

    def piece(self, way: Array, reach: float = 1.0, tiny: float = TINY) -> Array | None:
        """The gradient of f a little way from the point, (n), in steps; None if another kink is too near.

        By differences of `tiny` steps; None also where rounding hides what those show. Each is found once:
        several gradients that are held against f, as those of the rules of a network, ask for half of them
        again.
        """
        key = (way.tobytes(), reach, tiny)
        if key not in self._pieces:
            if len(self._pieces) >= MOST_PIECES:
                self._pieces.clear()
            self._pieces[key] = self._piece(way, reach, tiny)
        return self._pieces[key]

    @cached_property
    def _pieces(self) -> dict[tuple[bytes, float, float], Array | None]:
        return {}

    def _piece(self, way: Array, reach: float, tiny: float) -> Array | None:
        way, size, every = reach * way, reach * tiny, np.arange(len(way))
        middle, slope, bend = self.differences(way, every, size)
        if not np.isfinite(bend).all():
            return None
        rounding = self._rounding(middle, np.abs(slope).max() / (2 * size))
        if tiny < TINY and rounding > HIDDEN * np.abs(slope).max():
            return None
        changes = np.maximum(np.abs(slope), np.abs(slope).max() / MINOR)
        straight = rounding + STRAIGHT * changes
        crooked = every[bend > straight]
        if len(crooked):
            # At a quarter of the distance there is no kink any more; or it is curvature, of which a sixteenth
            # is left and the slope as it was.
            _, finer, closer = self.differences(way, crooked, size / 4)
            smooth = closer <= rounding + bend[crooked] / 8
            smooth &= np.abs(4 * finer - slope[crooked]) <= 4 * rounding + bend[crooked] / 4
            if not (smooth | (closer <= straight[crooked] / 4)).all():
                return None
            slope[crooked] = 4 * finer
        return slope / (2 * size)

    def differences(self, way: Array, entries: Index, size: float) -> tuple[float, Array, Array]:
        """f at a point, and first and second differences about it, (entries), of moves by `size` steps."""
        if self.changes is not None and len(entries) * len(self.start) >= WORTHWHILE:
            steps = size * self.steps[entries]
            value, up, down = self.changes(self._moved(way), self.entries[entries], steps)
            return value, up - down, np.abs(up + down)
        moves = np.zeros((len(entries), len(way)))
        moves[np.arange(len(entries)), entries] = size
        middle, *sides = self.at_each(np.concatenate([way[None], way + moves, way - moves]))
        above, below = np.reshape(sides, (2, -1))
        return float(middle), above - below, np.abs(above + below - 2 * middle)

    def rounding_near(self, change: float) -> float:
        """By how much such a change of f near the point may be off."""
        return 2 * float(self._rounding(self.rest, abs(change)))

    def _rounding(self, base: float, slope: Array | float) -> Array:
        """By how much a value near the point may be off: f's rounding, and that of the entries."""
        size = max(abs(base), abs(self.rest)) + (1 + self._coarseness) * slope
        return np.asarray(np.fmax(self.noise, ROUNDINGS * unit_roundoff(self.start.dtype) * size))


def aside(toward: Array, draw: np.random.Generator) -> Array:
    """A way from the point of about unit length, disturbed so that it does not run along a kink, (n)."""
    return np.asarray(toward / (np.abs(toward).max() or 1.0) + ASIDE * draw.standard_normal(len(toward)))


@dataclass(frozen=True)
class Directions:
    """Derivatives along directions.

    Attributes:
        vs: in steps of the entries, (directions, n).
        derivatives, errors: (directions).
    """

    vs: Array
    derivatives: Array
    errors: Array

    def curvature(self, pieces: Array, error: Array) -> int:
        """1 if f looks convex at the point, −1 if concave, 0 if neither; 1 where it is smooth.

        Of a convex f the derivative along v is the largest product of v with gradients near the point, of a
        concave one the least; so none may be found beyond it.

        Args:
            pieces: gradients near the point, (pieces, n).
            error: by how much they may be off, (n).
        """
        products = pieces @ self.vs.T
        slack = self.errors + np.abs(self.vs) @ error
        if (products <= self.derivatives + slack).all():
            return 1
        return -1 if (products >= self.derivatives - slack).all() else 0

    def with_more(self, more: Directions) -> Directions:
        """These and others."""
        return Directions(
            np.concatenate([self.vs, more.vs]),
            np.concatenate([self.derivatives, more.derivatives]),
            np.concatenate([self.errors, more.errors]),
        )
