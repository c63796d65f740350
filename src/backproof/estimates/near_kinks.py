"""The gradients that a function has near a point on kinks, found one by one.

Near such a point a function is, to first order, piecewise linear and homogeneous: it has a gradient in each
of a number of cones. Two cones that touch meet where their linear functions are equal; if the function is not
that there, another cone lies between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.one_sided import TINY, Directions, Kinked, aside
from backproof.network.arrays import Array
from backproof.targets.layout import Index

ROOM = 12_000
"""Evaluations that are spent on points near the kinks."""

CLOSE = 1e-3
"""The share of the largest derivative by which gradients near the kinks may be off."""

NEARBY, FARTHEST = 0.6, 0.3
"""The share of random points that are drawn near known ones, and of these near the one that reaches farthest
along what is lacking; all others lie near where two gradients meet."""

BESIDE = 2.0**-2
"""How near, to powers of 1 to 8."""

WIDTH = 12
"""Gradients between any two of which others are looked for."""

OFTEN = 3
"""At so many points each gradient must be met for none to be missing."""

CLOSER, CLOSEST = 2.0**4, TINY * 2.0**-8
"""From the steps of differences to shorter ones, and the shortest, where other kinks are near."""

PLACES, STEP = 200, 2.0**-8
"""Points at which it is asked whether f rises faster than at the point, and the step for that."""

TOGETHER = 32
"""Random points that are evaluated at once; what one of them leads to may make those after it void."""


class _Drawn(NamedTuple):
    """A random point, whether it lies near known gradients, and the generator's state after it."""

    way: Array
    nearby: bool
    state: Mapping[str, Any]


class NearKinks:
    """Gradients of f near its kinks.

    Attributes:
        places: where they are, (gradients, n), in steps of the entries.
        gradients: (gradients, n), for moves by a step.
        met: at how many points from anywhere f was as each of them says, (gradients).
        room: evaluations that are left.
        error: by how much the gradients may be off, (n).
    """

    def __init__(self, kinked: Kinked) -> None:
        self.kinked, self.draw = kinked, np.random.default_rng(kinked.seed)
        self.places, self.gradients = kinked.around
        self.met = np.ones(len(self.places), int)
        self.room, self._unmeasured = ROOM, list[Array]()
        self._tried = set[tuple[int, int]]()
        self.error = self._error()

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
                self.met = np.append(self.met, 1)
                self.error = self._error()
                return found
            tiny /= CLOSER
        return None

    def _error(self) -> Array:
        size = np.abs(self.gradients).max(axis=0, initial=0)
        return np.asarray(np.maximum(CLOSE * size, 2 * self.kinked.blur))

    @property
    def complete(self) -> bool:
        """Whether it is unlikely that there are others.

        The share of what was not met at random points is about that of what was met once (Good, The
        population frequencies of species and the estimation of population parameters, Biometrika 40, 1953).
        """
        alike = np.abs(self.gradients[:, None] - self.gradients) <= 2 * self.error
        often = bool((alike.all(axis=2) @ self.met >= OFTEN).all())
        return often and all(self._known(way).any() for way in self._unmeasured)

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
        left = min(PLACES, (self.room + 1) // 2)
        while left > 0:
            drawn = self._drawn(v, left)
            left -= len(drawn)
            ways = np.array([each.way for each in drawn])
            before, after = self.kinked.at_each(ways), self.kinked.at_each(ways + STEP * v)
            for each, at, further in zip(drawn, before, after, strict=True):
                self.room -= 2
                slack = allowed + self.kinked.rounding_near(at - self.kinked.rest) / STEP
                if curvature * ((further - at) / STEP - derivative) > slack:
                    self.draw.bit_generator.state = each.state
                    return True
        return False

    def at_random(self, v: Array, most: int) -> tuple[int, Array | None]:
        """A gradient at a random point where f is as none of them says.

        Args:
            v: points are drawn near the gradient that reaches farthest along it, too.
            most: how many points are looked at.

        Returns:
            At how many points there was none before, and the gradient; None where all were in vain.
        """
        vain = 0
        while vain < most and self.room > 0:
            drawn = self._drawn(v, min(most - vain, self.room))
            for each, value in zip(drawn, self.kinked.at_each(np.array([d.way for d in drawn])), strict=True):
                self.room -= 1
                known = self._explained(each.way, value - self.kinked.rest)
                if known.any():
                    self.met += known & (not each.nearby)
                    vain += 1
                    continue
                self.draw.bit_generator.state = each.state  # as if none had been drawn after it
                found = self._add(each.way, CLOSEST)
                if found is not None:
                    return vain, found
                self._unmeasured.append(each.way)
                vain += 1
                break
        return vain, None

    def _drawn(self, v: Array, most: int) -> list[_Drawn]:
        """Some random points, which are to be evaluated together."""
        drawn = []
        for _ in range(min(most, TOGETHER if self.kinked.values else 1)):
            nearby = self.draw.random() < NEARBY
            way = self._place_nearby(v) if nearby else self._place_anywhere()
            drawn.append(_Drawn(way, nearby, self.draw.bit_generator.state))
        return drawn

    def _known(self, way: Array) -> NDArray[np.bool_]:
        """Which gradients explain the value of f there, (gradients)."""
        return self._explained(way, self._change(way))

    def _explained(self, way: Array, value: float) -> NDArray[np.bool_]:
        """Which gradients explain that f there differs so much from f at the point, (gradients)."""
        return np.asarray(np.abs(self.gradients @ way - value) <= self._slack(way, value))

    def _place_anywhere(self) -> Array:
        """Entries of random signs and sizes, the largest of size 1."""
        signs, sizes = self.draw.standard_normal((2, self.gradients.shape[1]))
        way = signs * np.exp(sizes)
        return np.asarray(way / np.abs(way).max())

    def _place_nearby(self, v: Array) -> Array:
        """Near the place that reaches farthest along v, or near where two gradients meet.

        Where many kinks meet, some of the cones between them are thin.
        """
        noise, count = self.draw.standard_normal(len(v)), len(self.places)
        if count < 2:
            return self._place_anywhere()
        if self.draw.random() < FARTHEST:
            best = self.places[int(np.argmax(self.gradients @ v))]
            way = best / (np.abs(best).max() or 1.0) + noise / 2
        else:
            i, j = map(int, self.draw.choice(count, 2, replace=False))
            way = self._meeting(i, j) + BESIDE ** (1 + 7 * self.draw.random() ** 3) * noise
        return np.asarray(way / np.abs(way).max())

    def _change(self, way: Array) -> float:
        """By how much f there differs from f at the point."""
        self.room -= 1
        return self.kinked.at(way) - self.kinked.rest

    def _slack(self, way: Array, value: float) -> float:
        """By how much a product with `way` may be off from such a change of f."""
        return float(self.error @ np.abs(way)) + self.kinked.rounding_near(value)

    def between(self, v: Array) -> Array | None:
        """A gradient between two that reach far along v, where f is not as they say; None without one."""
        error = self.error
        for i, j in combinations(self._farthest(v, error), 2):
            if (i, j) in self._tried or self.room <= 0:
                continue
            self._tried.add((i, j))
            way = self._meeting(i, j)
            value = self._change(way)
            if abs(value - self.gradients[i] @ way) > self._slack(way, value):
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
