"""Whether a gradient is a mixture of the gradients that a function has near its kinks.

Limits of such gradients span Clarke's subdifferential (Optimization and Nonsmooth Analysis, 1983, 2.5.1), so
a mixture of them belongs to it. The search is Frank and Wolfe's with all corners kept: what the nearest
mixture lacks is a direction, and a gradient is looked for that reaches farther along it. Where f is convex it
lies along that direction, where concave against it; elsewhere entry by entry, and at random.
"""

from __future__ import annotations

import numpy as np

from backproof.estimates.one_sided import Directions, Kinked, aside
from backproof.network.arrays import Array
from backproof.targets.layout import Index

NEARBY = 6
"""Points on the side of the kinks on which the gradient may be that of f."""

ROUNDS = 24
"""How often the hull of gradients near the kinks is made to grow."""

MANY = 200
"""Random points that reach no farther towards the gradient, before it is said that none does."""

ROOM = 20_000
"""Evaluations that are spent on points around the kinks of one gradient."""

CLOSE = 1e-3
"""A gradient that is so near to the hull, relative to its own length or the hull's, is in it."""

FARTHER = 0.05
"""The share of what is lacking by which a point must reach farther to count."""

LOCAL = 0.2
"""The share of random points that are drawn near the one that reaches farthest."""

HEAVY = 1e3
"""The weight of Σ λ = 1 beside the pieces in the least squares for a mixture."""


class Mixtures:
    """The hull of gradients of f near the kinks, which grows towards a gradient until it holds it.

    Attributes:
        pieces: the gradients, (pieces, n), in steps of the entries.
        ways: directions from the hull to the gradient, along which it may exceed f's derivative.
    """

    def __init__(self, kinked: Kinked, g: Array, toward: Array, turned: Array) -> None:
        """`toward` is the side on which f's derivatives are g's, `turned` −1 where an entry bends f down."""
        self.kinked, self.g, self.turned = kinked, g, turned
        self.draw = np.random.default_rng(kinked.seed)
        self.places, self.pieces = kinked.around
        self.ways, self.room = list[Array](), ROOM // (2 * len(g) + 1)
        for factors in np.exp(self.draw.standard_normal((NEARBY, len(g))) * np.arange(NEARBY)[:, None] / 2):
            self._add(toward * factors)

    def _add(self, toward: Array) -> Array | None:
        """One more gradient near the kinks; None if other kinks are too near."""
        if not self.room:
            return None
        self.room -= 1
        way = aside(toward, self.draw)
        found = self.kinked.piece(way)
        if found is not None:
            self.pieces = np.vstack([self.pieces, found])
            self.places = np.vstack([self.places, way])
        return found

    @property
    def lacking(self) -> Array:
        """The direction from the nearest mixture to the gradient; after `holds` said no."""
        return self.ways[-2]

    def holds(self) -> bool:
        """Whether the gradient is a mixture; as long as a point along what is lacking reaches farther."""
        for _ in range(ROUNDS):
            left = self._left()
            if np.abs(left).max() <= CLOSE:
                return True
            v = left / self._sizes
            v /= np.linalg.norm(v)
            self.ways += [v, -v]
            if not any(self._reaches(toward, v) for toward in (v * self.turned, v, -v)):
                return False
        return False

    def _reaches(self, toward: Array, v: Array) -> bool:
        """Add a gradient near the kinks; does it reach farther along v than all others do?"""
        before = (self.pieces @ v).max(initial=-np.inf)
        found = self._add(toward)
        return found is not None and bool(found @ v > before + FARTHER * (self.g @ v - before))

    def found_with_more(self, measured: Directions) -> bool | None:
        """Whether the gradient is a mixture, from many more points; None if they leave it open.

        Args:
            measured: derivatives along directions, each of which is a product with some gradient near the
                point; where it is none with those that are known, one is missing.
        """
        for k in self._unexplained(measured):
            self._add(measured.vs[k])
        if self.holds():
            return True
        fruitless = 0
        while fruitless < MANY and self.room:
            if self._reaches(self._random_place(), self.lacking):
                fruitless = 0
                if self.holds():
                    return True
            else:
                fruitless += 1
        return False if fruitless >= MANY and not len(self._unexplained(measured)) else None

    def _unexplained(self, measured: Directions) -> Index:
        """The directions along which f's derivative is that of no gradient near the kinks."""
        products = self.pieces @ measured.vs.T
        slack = np.abs(measured.vs) @ self.error
        known = (np.abs(products - measured.derivatives) <= measured.errors + slack).any(axis=0)
        return np.flatnonzero(~known)

    def _random_place(self) -> Array:
        """Entries of random signs and sizes, now and then near the place that reaches farthest."""
        noise = self.draw.standard_normal(len(self.g))
        if self.draw.random() < LOCAL and len(self.places):
            best = self.places[int(np.argmax(self.pieces @ self.lacking))]
            return np.asarray(best / (np.abs(best).max() or 1.0) + noise / 2)
        # An entry at whose kinks the derivative jumps by more is moved by less.
        jumps = np.ptp(self.pieces, axis=0) if len(self.pieces) else np.zeros(len(noise))
        unit = np.where(jumps > CLOSE * jumps.max(), jumps, jumps.max() or 1.0)
        return np.asarray(noise * np.exp(self.draw.standard_normal(len(noise))) / unit)

    @property
    def error(self) -> Array:
        """By how much gradients near the kinks may be off, (n)."""
        return np.asarray(
            np.maximum(CLOSE * np.abs(self.pieces).max(axis=0, initial=0), 2 * self.kinked.blur)
        )

    @property
    def _sizes(self) -> Array:
        """The largest derivative of each entry, so that entries of all units count alike, (n).

        At least so much that errors of the gradients near the kinks are close to nothing.
        """
        sizes = np.maximum(self.error / CLOSE, np.abs(self.g))
        return np.where(sizes > 0, sizes, 1.0)

    def _left(self) -> Array:
        """What the mixture nearest to the gradient lacks of it: min ‖Σ λ piece − g‖, λ ≥ 0, Σ λ = 1."""
        from scipy.optimize import nnls  # slow to import, and seldom needed

        sizes = self._sizes
        if not len(self.pieces):
            return self.g / sizes
        rows = np.vstack([self.pieces.T / sizes[:, None], np.full(len(self.pieces), HEAVY)])
        shares, _ = nnls(rows, np.append(self.g / sizes, HEAVY))
        return np.asarray((self.g - shares @ self.pieces / shares.sum()) / sizes)
