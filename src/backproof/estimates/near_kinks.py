"""The gradients that a function has near a point on kinks, found one by one.

Near such a point a function is, to first order, piecewise linear and homogeneous: it has a gradient in each
of a number of cones. Two cones that touch meet where their linear functions are equal; if the function is not
that there, another cone lies between them.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from backproof.estimates.one_sided import TINY, Directions, Kinked, aside
from backproof.network.arrays import Array
from backproof.targets.layout import Index

ROOM = 12_000
"""Evaluations that are spent on points near the kinks."""

CLOSE = 1e-3
"""The share of the largest derivative by which gradients near the kinks may be off."""

LOCAL = 0.2
"""The share of random points that are drawn near a given one."""

BETWEEN, BESIDE = 0.4, 2.0**-2
"""The share that are drawn near where two gradients meet, and how near."""

WIDTH = 12
"""Gradients between any two of which others are looked for."""

CLOSER, CLOSEST = 2.0**4, TINY * 2.0**-8
"""From the steps of differences to shorter ones, and the shortest, where other kinks are near."""

PLACES, STEP = 200, 2.0**-8
"""Points at which it is asked whether f rises faster than at the point, and the step for that."""


class NearKinks:
    """Gradients of f near its kinks.

    Attributes:
        places: where they are, (gradients, n), in steps of the entries.
        gradients: (gradients, n), for moves by a step.
        room: evaluations that are left.
        unmeasured: random points where f is as no known gradient says and has none that could be measured.
    """

    def __init__(self, kinked: Kinked) -> None:
        self.kinked, self.draw = kinked, np.random.default_rng(kinked.seed)
        self.places, self.gradients = kinked.around
        self.room, self.unmeasured = ROOM, 0
        self._tried = set[tuple[int, int]]()

    def add(self, toward: Array) -> Array | None:
        """One more gradient, about there; None if other kinks are too near."""
        return self._add(aside(toward, self.draw))

    def _add(self, way: Array, closest: float = TINY) -> Array | None:
        """One more gradient there, by steps as short as the closest."""
        tiny = TINY
        while tiny >= closest and self.room > 0:
            self.room -= 2 * len(way) + 1
            found = self.kinked.piece(way, tiny=tiny)
            if found is not None:
                self.gradients = np.vstack([self.gradients, found])
                self.places = np.vstack([self.places, way])
                return found
            tiny /= CLOSER
        return None

    @property
    def error(self) -> Array:
        """By how much the gradients may be off, (n)."""
        size = np.abs(self.gradients).max(axis=0, initial=0)
        return np.asarray(np.maximum(CLOSE * size, 2 * self.kinked.blur))

    def unexplained(self, measured: Directions) -> Index:
        """The directions along which f's derivative is the product with none of the gradients."""
        products = self.gradients @ measured.vs.T
        slack = measured.errors + np.abs(measured.vs) @ self.error
        return np.flatnonzero(~(np.abs(products - measured.derivatives) <= slack).any(axis=0))

    def rises_faster(self, v: Array, derivative: float, curvature: int) -> bool:
        """Whether f rises faster along v near the kinks than at the point, as no convex f does.

        D(y + v) ≤ D(y) + D(v) for the derivatives D of a convex f at the point. Of a concave f, with
        `curvature` −1, the inequality is that of −f.
        """
        allowed = float(self.error @ np.abs(v))
        for _ in range(PLACES):
            if self.room <= 0:
                break
            self.room -= 2
            way = self._random_place(v)
            way /= np.abs(way).max()
            before, after = self.kinked.at(way), self.kinked.at(way + STEP * v)
            slack = allowed + self.kinked.rounding_near(before - self.kinked.rest) / STEP
            if curvature * ((after - before) / STEP - derivative) > slack:
                return True
        return False

    def at_random(self, v: Array) -> Array | None:
        """A gradient at a random point where f is as none of them says; None where one does."""
        way = self._random_place(v)
        way /= np.abs(way).max()
        value, slack = self._value(way)
        known = np.abs(self.gradients @ way - value) <= slack
        if known.any():
            return None
        found = self._add(way, CLOSEST)
        self.unmeasured += found is None
        return found

    def _random_place(self, v: Array) -> Array:
        """Entries of random signs and sizes, or near the place that reaches farthest along v, or between two.

        Where many kinks meet, some of the cones between them are thin.
        """
        noise, kind = self.draw.standard_normal(len(v)), self.draw.random()
        if kind < LOCAL and len(self.places):
            best = self.places[int(np.argmax(self.gradients @ v))]
            return np.asarray(best / (np.abs(best).max() or 1.0) + noise / 2)
        if kind > 1 - BETWEEN and len(self.places) > 1:
            i, j = self.draw.choice(len(self.places), 2, replace=False)
            return self._meeting(int(i), int(j)) + BESIDE ** self.draw.uniform(1, 3) * noise
        return np.asarray(noise * np.exp(self.draw.standard_normal(len(noise))))

    def _value(self, way: Array) -> tuple[float, float]:
        """By how much f differs from that at the point, and by how much a product with `way` may be off."""
        self.room -= 1
        value = self.kinked.at(way) - self.kinked.rest
        return value, float(self.error @ np.abs(way)) + self.kinked.rounding_near(value)

    def between(self, v: Array) -> Array | None:
        """A gradient between two that reach far along v, where f is not as they say; None without one."""
        error = self.error
        for i, j in combinations(self._farthest(v, error), 2):
            if (i, j) in self._tried or self.room <= 0:
                continue
            self._tried.add((i, j))
            way = self._meeting(i, j)
            value, slack = self._value(way)
            if abs(value - self.gradients[i] @ way) > slack:
                found = self._add(way, CLOSEST)
                if found is not None and self._is_new(found, error):
                    return found
        return None

    def _farthest(self, v: Array, error: Array) -> list[int]:
        """Some different gradients, those that reach farthest along v first."""
        chosen = list[int]()
        for k in np.argsort(-(self.gradients @ v), kind="stable"):
            apart = np.abs(self.gradients[chosen] - self.gradients[k]) > 2 * error
            if apart.any(axis=1).all():
                chosen.append(int(k))
            if len(chosen) == WIDTH:
                break
        return sorted(chosen)

    def _is_new(self, found: Array, error: Array) -> bool:
        """Whether the last gradient is none of those before it."""
        return bool((np.abs(self.gradients[:-1] - found) > 2 * error).any(axis=1).all())

    def _meeting(self, i: int, j: int) -> Array:
        """Where the linear functions of two gradients are equal, on the way from one place to the other."""
        start, end = (self.places[k] / np.abs(self.places[k]).max() for k in (i, j))
        before, after = (float((self.gradients[i] - self.gradients[j]) @ way) for way in (start, end))
        share = before / (before - after) if before * after < 0 else 0.5
        way = start + share * (end - start)
        return np.asarray(way / (np.abs(way).max() or 1.0))
