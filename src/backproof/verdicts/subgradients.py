"""Whether a gradient at a point on several kinks is a subgradient: together, not entry by entry.

g belongs to Clarke's subdifferential if and only if g·v ≤ f°(v) for all v, where f° is the largest limit of
derivatives along v at points that approach this one. Intervals of single entries are necessary, and not
enough: for max(x, y) at x = y, (1, 1) lies within them, and along (1, 1) the derivative is 1 and g·v is 2.

A mixture of gradients near the kinks is a subgradient. Where f is convex in the entries that touch kinks, f°
is the one-sided derivative at the point itself, and one direction decides; where −f is, likewise with the
signs turned. Elsewhere many points around the kinks are tried, and whether they were enough is asked of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cached_property

import numpy as np

from backproof.estimates.near_kinks import CLOSE
from backproof.estimates.one_sided import Directions, Kinked
from backproof.network.arrays import Array
from backproof.targets.layout import Index
from backproof.verdicts.comparison import Comparison
from backproof.verdicts.mixtures import Mixtures

WORST = 6
"""Directions at fault, and entries outside their intervals, that are looked at."""

ROUNDINGS = 8.0
"""Units of round-off by which a product of the gradient and a direction may be off, relative to its terms."""

SIMPLER = 0.5
"""A direction that is easily said is shown even if the gradient is off by this share of the most only."""


class Standing(IntEnum):
    """What directions say of a gradient on kinks; what is decided against it counts most."""

    SUBGRADIENT = auto()
    UNDECIDED = auto()
    NONE = auto()


@dataclass(frozen=True)
class Joint:
    """What several kinks together say of a gradient, and the direction that says most.

    Attributes:
        derivative, product: f's derivative along that direction, and g·v.
        words: the direction; of a subgradient, how it was decided.
        resolution: the smallest relative error of a touched entry that would have been seen, unless it led to
            another subgradient.
        nearby: whether the derivative is the largest at points near the kinks, and not that at the point.
    """

    standing: Standing
    derivative: float = 0.0
    product: float = 0.0
    words: str = ""
    nearby: int = 0
    resolution: float = 0.0

    def __str__(self) -> str:
        known = f"is at most {self.derivative:.6g} at {self.nearby} points around the kinks"
        known = known if self.nearby else f"is {self.derivative:.6g}"
        return f"{self.words} the derivative {known}, and the gradient's {self.product:.6g}"


def joint_standing(comparison: Comparison, kinked: Kinked, *, at_once: bool = False) -> Joint | None:
    """Hold a gradient against what the loss does around the kinks that its entries touch.

    Args:
        comparison: its touched entries are those of `kinked`.
        at_once: leave it open, with None, where many points would have to be tried.
    """
    return _OnKinks(comparison, kinked.balanced).standing(at_once=at_once)


@dataclass(frozen=True)
class _OnKinks:
    """A gradient at a point on kinks."""

    comparison: Comparison
    kinked: Kinked

    @cached_property
    def touched(self) -> Index:
        """The entries that touch a kink, among those of the comparison, (n)."""
        return np.flatnonzero(self.comparison.estimate.touched)

    @cached_property
    def g(self) -> Array:
        """The gradient in steps of the entries, (n)."""
        return self.comparison.analytic[self.touched].astype(float) * self.kinked.steps

    def standing(self, *, at_once: bool) -> Joint | None:
        """Is it a mixture? If not, what do convexity, or else directions and many points say?"""
        mixtures = Mixtures(self.kinked, self.g, *self._sides())
        if mixtures.holds():
            return _mixture()
        every = self._with_more(self._own_directions() + mixtures.ways)
        curvature = every.curvature(mixtures.near.gradients, mixtures.near.error)
        off = self._beyond(every, curvature) if curvature else np.zeros(0, int)
        if curvature and not len(off):
            shape = "convex" if curvature > 0 else "concave"
            words = f"together, the loss being {shape} there, and none of {len(every.vs)} directions at fault"
            return Joint(Standing.SUBGRADIENT, words=words)
        if at_once:
            return None
        known, near = mixtures.found_with_more(self.kinked.measured), mixtures.near
        if known:
            return _mixture()
        # That f looks convex accuses a gradient only if it still does at many more points.
        if curvature and every.curvature(near.gradients, near.error) == curvature:
            v, derivative = every.vs[off[0]], float(every.derivatives[off[0]])
            if not near.rises_faster(v, derivative, curvature):
                return self._described(Standing.NONE, v, derivative)
        return self._where_neither(mixtures, certain=known is not None)

    def _where_neither(self, mixtures: Mixtures, *, certain: bool) -> Joint:
        """Where f is neither convex nor concave, and no mixture is found: what directions say."""
        every = self._with_more(self._own_directions() + mixtures.ways)
        if not len(self._beyond(every, 1)) or not len(self._beyond(every, -1)):
            words = f"together, as far as {len(every.vs)} directions tell; the loss is not convex there"
            return Joint(Standing.SUBGRADIENT, words=words)
        v = mixtures.lacking
        standing = Standing.NONE if certain else Standing.UNDECIDED
        return self._described(standing, v, mixtures.reached, len(mixtures.near.places))

    def _with_more(self, vs: list[Array]) -> Directions:
        more = np.reshape(vs, (-1, len(self.g)))
        return self.kinked.measured.with_more(self.kinked.along(more))

    def _own_directions(self) -> list[Array]:
        """Those in which this gradient is off most.

        They are that from the middle of the intervals to the gradient, and single entries outside theirs.
        """
        estimate = self.comparison.estimate
        middle = np.nan_to_num((estimate.low + estimate.high)[self.touched] / 2)
        v = (self.comparison.analytic[self.touched] - middle).astype(float) * self.kinked.steps
        outside = np.flatnonzero(self.comparison.wrong[self.touched])
        outside = outside[np.argsort(-np.abs(v[outside]), kind="stable")][:WORST]
        vs = [*np.eye(len(v))[outside]]
        size = float(np.linalg.norm(v))
        if 0 < size < np.inf:
            vs.append(v / size)
        return [sign * v for v in vs for sign in (1, -1)]

    def _beyond(self, every: Directions, curvature: int) -> Index:
        """The directions along which g·v exceeds the derivative of f, those that say most first."""
        slack = self.comparison.estimate.round_off[self.touched].astype(float) * self.kinked.steps
        slack += ROUNDINGS * np.finfo(float).eps * np.abs(self.g)
        # Of a concave f the inequality is that of −f.
        excess = curvature * (every.vs @ self.g - every.derivatives)
        off = np.flatnonzero(excess > every.errors + np.abs(every.vs) @ slack)
        hard = np.array([_words_of(v, [""] * len(v)) is None for v in every.vs[off]], bool)
        return off[np.argsort(-excess[off] * np.where(hard, SIMPLER, 1), kind="stable")]

    def _sides(self) -> tuple[Array, Array]:
        """Two signs for each entry.

        To which side of its kinks its one-sided derivative is the gradient's; and −1 where f is concave as it
        moves alone.
        """
        right, left = self.kinked.to_the_right, self.kinked.to_the_left
        side = np.where(np.abs(self.g - right) <= np.abs(self.g - left), 1.0, -1.0)
        return side, np.where(right < left, -1.0, 1.0)

    def _described(self, standing: Standing, v: Array, derivative: float, nearby: int = 0) -> Joint:
        """The direction in words; both derivatives for a move of its largest entry by 1."""
        estimate, moved = self.comparison.estimate, v * self.kinked.steps
        largest = float(np.abs(moved).max()) or 1.0  # numbers near the end of the precision may underflow
        names = [estimate.layout.location(int(estimate.index[i])) for i in self.touched]
        words = _words_of(v, names) or (
            f"a direction through {np.count_nonzero(v)} entries that touch a kink"
        )
        return Joint(standing, derivative / largest, float(v @ self.g) / largest, f"along {words}", nearby)


def _mixture() -> Joint:
    words = "together a mixture of the loss's derivatives around the kinks"
    return Joint(Standing.SUBGRADIENT, words=words, resolution=CLOSE)


def _words_of(v: Array, names: list[str]) -> str | None:
    """A direction of one or two entries or of all alike; None of any other."""
    used = np.flatnonzero(v)
    if 0 < len(used) <= 2 and (np.abs(v[used]) == np.abs(v[used[0]])).all():
        signs = ["−" if v[i] < 0 else "+" for i in used]
        words = " ".join(f"{s} {names[i]}" for s, i in zip(signs, used, strict=True))
        return words.removeprefix("+ ")
    if (v == v[0]).all():
        return f"{'−' if v[0] < 0 else ''}1 in all {len(v)} entries that touch a kink"
    return None
