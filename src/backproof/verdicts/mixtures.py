"""Whether a gradient is a mixture of the gradients that a function has near its kinks.

Limits of such gradients span Clarke's subdifferential (Optimization and Nonsmooth Analysis, 1983, 2.5.1), so
a mixture of them belongs to it. The search is Frank and Wolfe's with all corners kept: what the nearest
mixture lacks is a direction, and a gradient is looked for that reaches farther along it. Where f is convex it
lies along that direction, where concave against it; elsewhere entry by entry, and at random.
"""

from __future__ import annotations

import numpy as np

from backproof.estimates.near_kinks import CLOSE, NearKinks
from backproof.estimates.one_sided import Directions, Kinked
from backproof.network.arrays import Array

NEARBY = 6
"""Points on the side of the kinks on which the gradient may be that of f."""

ROUNDS = 24
"""How often the hull of gradients near the kinks is made to grow."""

MANY = 500
"""Random points in a row at which the loss is as known gradients say, before these are taken for all."""

FARTHER = 0.05
"""The share of what is lacking by which a point must reach farther to count."""

OUTSIDE, FAR = 0.25, 4.0
"""How far outside, in what the known gradients differ by, is too far for one that was missed: where the known
ones are taken for all, and where more may be found."""

HEAVY = 1e3
"""The weight of Σ λ = 1 beside the pieces in the least squares for a mixture."""


class Mixtures:
    """The hull of gradients of f near the kinks, which grows towards a gradient until it holds it.

    Attributes:
        near: gradients near the kinks.
        ways: directions from the hull to the gradient, along which it may exceed f's derivative.
    """

    def __init__(self, kinked: Kinked, g: Array, toward: Array, turned: Array) -> None:
        """`toward` is the side on which f's derivatives are g's, `turned` −1 where an entry bends f down."""
        self.near, self.g, self.turned, self.ways = NearKinks(kinked), g, turned, list[Array]()
        draw = np.random.default_rng(kinked.seed)
        for factors in np.exp(draw.standard_normal((NEARBY, len(g))) * np.arange(NEARBY)[:, None] / 2):
            self.near.add(toward * factors)

    @property
    def lacking(self) -> Array:
        """The direction from the nearest mixture to the gradient; after `holds` said no."""
        return self.ways[-2]

    @property
    def reached(self) -> float:
        """The largest product of that direction with gradients near the kinks."""
        return self._farthest(self.lacking)

    def holds(self) -> bool:
        """Whether the gradient is a mixture; as long as a point along what is lacking reaches farther."""
        for _ in range(ROUNDS):
            left = self._left()
            if (np.abs(left) <= CLOSE * self._sizes).all():
                return True
            v = left / self._ranges**2
            v /= np.linalg.norm(v)
            self.ways += [v, -v]
            before = self._farthest(v)
            if not any(self._beyond(before, self.near.add(way)) for way in (v * self.turned, v, -v)):
                return False
        return False

    def found_with_more(self, measured: Directions) -> bool | None:
        """Whether the gradient is a mixture, from many more points; None if they leave it open.

        Args:
            measured: derivatives along directions, each of which is a product with some gradient near the
                point; where it is none with those that are known, one is missing.
        """
        for k in self.near.unexplained(measured):
            self.near.add(measured.vs[k])
        if self.holds():
            return True
        in_vain = 0
        while in_vain < MANY and self.near.room > 0:
            before, found = self.reached, self.near.between(self.lacking)
            if found is None:
                more, found = self.near.at_random(self.lacking, MANY - in_vain)
                in_vain += more
            in_vain = in_vain if found is None else 0
            if self._beyond(before, found) and self.holds():
                return True
        certain = in_vain >= MANY and self.near.complete and not len(self.near.unexplained(measured))
        return False if self._outside(certain=certain) else None

    def _outside(self, *, certain: bool) -> bool:
        """Whether a gradient that was missed would have to lie too far from all that are known.

        Args:
            certain: whether the known ones are taken for all.
        """
        if not len(self.near.gradients):
            return False
        ranges = np.ptp(self.near.gradients, axis=0)
        met = ranges > self.near.error  # an entry that never varies was moved beyond the kinks of others
        v = np.where(met, self.lacking, 0)
        along = self.near.gradients @ v
        share = OUTSIDE if certain and met.all() else FAR
        if v.any() and float(self.g @ v) - along.max() > share * float(np.ptp(along)):
            return True
        # Single entries are seen over all of their range by any points; combinations of many seldom are.
        low, high = self.near.gradients.min(axis=0), self.near.gradients.max(axis=0)
        beyond = np.maximum(self.g - high, low - self.g)
        return bool((met & (beyond > FAR * ranges)).any())

    def _farthest(self, v: Array) -> float:
        return float((self.near.gradients @ v).max(initial=-np.inf))

    def _beyond(self, before: float, found: Array | None) -> bool:
        """Whether a gradient near the kinks reaches farther along what was lacking than all before it."""
        v = self.lacking
        return found is not None and bool(found @ v > before + FARTHER * (self.g @ v - before))

    @property
    def _sizes(self) -> Array:
        """The largest derivative of each entry, so that entries of all units count alike, (n).

        At least so much that errors of the gradients near the kinks are close to nothing.
        """
        sizes = np.maximum(self.near.error / CLOSE, np.abs(self.g))
        return np.where(sizes > 0, sizes, 1.0)

    @property
    def _ranges(self) -> Array:
        """What the known gradients and this one differ by, (n); a linear term in f changes none of it."""
        every = np.vstack([self.near.gradients, self.g])
        ranges = np.maximum(np.ptp(every, axis=0), CLOSE * self._sizes)
        return np.where(np.isfinite(ranges), ranges, self._sizes)

    def _left(self) -> Array:
        """What the mixture nearest to the gradient lacks of it: min ‖Σ λ piece − g‖, λ ≥ 0, Σ λ = 1."""
        from scipy.optimize import nnls  # slow to import, and seldom needed

        pieces = self.near.gradients
        if not len(pieces):
            return self.g
        rows = np.vstack([(pieces - self.g).T / self._ranges[:, None], np.full(len(pieces), HEAVY)])
        if not np.isfinite(rows).all():
            return self.g
        try:
            shares, _ = nnls(rows, np.append(np.zeros(len(self.g)), HEAVY))
        except RuntimeError:  # so ill-conditioned that it goes round in circles
            return self.g
        return np.asarray(self.g - shares @ pieces / shares.sum())
