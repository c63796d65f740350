"""Whether a gradient at a point on several kinks is a subgradient: together, not entry by entry.

g belongs to Clarke's subdifferential if and only if g·v ≤ f°(v) for all v, where f° is the largest limit of
derivatives along v at points that approach this one. Intervals of single entries are necessary, and not
enough: for max(x, y) at x = y, (1, 1) lies within them, and along (1, 1) the derivative is 1 and g·v is 2.

Where f is convex in the entries that touch kinks, f° is the one-sided derivative at the point itself, and one
direction decides; where −f is, likewise with the signs turned. Elsewhere points around the kinks are tried,
and what exceeds all of them is left undetermined.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np

from backproof.estimates.one_sided import Directions, Kinked
from backproof.estimates.record import Estimate
from backproof.network.arrays import Array
from backproof.targets.layout import Index
from backproof.verdicts.comparison import Comparison

WORST = 6
"""Directions at fault, and entries outside their intervals, that are looked at."""

NEARBY = 6
"""Points on the side of the kinks on which the gradient may be that of f."""

ROUNDS = 16
"""How often the hull of gradients near the kinks is made to grow."""

CLOSE = 1e-3
"""A gradient that is so near to the hull, relative to its own length or the hull's, is in it."""

VANISHES = 1e-7
"""An entry whose derivatives change the loss by less than this share of the most is moved as it is."""

SHORTEST = 1e-4
"""The smallest share of its step that an entry is moved by."""

HEAVY = 1e3
"""The weight of Σ λ = 1 beside the pieces in the least squares for a mixture."""


ROUNDINGS = 8.0
"""Units of round-off by which a product of the gradient and a direction may be off, relative to its terms."""


class Standing(IntEnum):
    """What directions say of a gradient on kinks; what is decided against it counts most."""

    SUBGRADIENT = auto()
    UNDECIDED = auto()
    NONE = auto()


@dataclass(frozen=True)
class Joint:
    """What directions through several kinks say of a gradient, and the one that says most.

    Attributes:
        derivative, product: f's derivative along that direction, and g·v.
        words: the direction; of a subgradient, how it was decided.
    """

    standing: Standing
    derivative: float = 0.0
    product: float = 0.0
    words: str = ""

    def __str__(self) -> str:
        return f"{self.words} the derivative is {self.derivative:.6g}, and the gradient's {self.product:.6g}"


def joint_standing(comparison: Comparison, kinked: Kinked) -> Joint:
    """Hold a gradient against what the loss does around the kinks that its entries touch.

    Args:
        comparison: its touched entries are those of `kinked`.
    """
    touched = np.flatnonzero(comparison.estimate.touched)
    g = comparison.analytic[touched].astype(float) * kinked.steps
    slack = comparison.estimate.round_off[touched].astype(float) * kinked.steps
    slack += ROUNDINGS * np.finfo(float).eps * np.abs(g)
    curvature = kinked.measured.curvature
    every = _with_own(kinked, comparison, touched)
    off = _beyond(every, g, slack, curvature)
    if not (curvature and len(off)):
        hull = _Hull(kinked, g, _side_of(g, kinked, comparison, touched))
        if hull.holds():
            return Joint(
                Standing.SUBGRADIENT, words="together a mixture of the loss's derivatives around the kinks"
            )
        every = every.with_more(hull.ways, [kinked.derivative(v) for v in hull.ways])
        off = _beyond(every, g, slack, curvature)
        if not len(off):
            return Joint(Standing.SUBGRADIENT, words="together, as far as directions tell")
        if not curvature:
            return _described(hull.standing(slack), every, len(every.vs) - 1, g, comparison, touched, kinked)
    return _described(Standing.NONE, every, int(off[0]), g, comparison, touched, kinked)


def balanced_steps(estimate: Estimate) -> Array:
    """Steps of the entries that touch a kink, with which all of them change the loss by about as much, (n).

    Only then do random points lie on either side of each kink. No step is made longer, since other kinks may
    lie beyond it, nor so short that it is lost in rounding.
    """
    touched = np.flatnonzero(estimate.touched)
    steps = estimate.step[touched].astype(float)
    effect = np.maximum(np.abs(estimate.low), np.abs(estimate.high))[touched].astype(float) * steps
    effect[~np.isfinite(effect)] = 0
    # What vanishes beside the others says nothing of its unit.
    effect[effect < VANISHES * effect.max(initial=0)] = 0
    known = effect[effect > 0]
    if not len(known):
        return steps
    return np.asarray(steps * np.clip(known.min() / np.where(effect > 0, effect, known.min()), SHORTEST, 1))


def _beyond(every: Directions, g: Array, slack: Array, curvature: int) -> Index:
    """The directions along which g·v exceeds the derivative of f, the farthest first."""
    # Of a concave f the inequality is that of −f.
    excess = (curvature or 1) * (every.vs @ g - every.derivatives) - every.errors - np.abs(every.vs) @ slack
    off = np.flatnonzero(excess > 0)
    return off[np.argsort(-excess[off], kind="stable")]


class _Hull:
    """The hull of gradients of f near the kinks, which grows towards a gradient until it holds it.

    Attributes:
        ways: directions from the hull to the gradient, along which it may exceed f's derivative.
    """

    def __init__(self, kinked: Kinked, g: Array, toward: Array) -> None:
        self.kinked, self.g, self.draw = kinked, g, np.random.default_rng(kinked.seed)
        self.pieces, self.ways = kinked.pieces, list[Array]()
        for factors in np.exp(self.draw.standard_normal((NEARBY, len(g))) * np.arange(NEARBY)[:, None] / 2):
            self._add(toward * factors)

    def _add(self, toward: Array) -> None:
        found = self.kinked.piece(toward, self.draw)
        if found is not None:
            self.pieces = np.concatenate([self.pieces, found[None]])

    def holds(self) -> bool:
        """Whether the gradient is a mixture of gradients of f near the kinks."""
        for _ in range(ROUNDS):
            left = self._left()
            if np.abs(left).max() <= CLOSE:
                return True
            v = left / self._sizes
            self.ways += [-v / np.linalg.norm(v), v / np.linalg.norm(v)]
            self._add(v)
            self._add(-v)
        return False

    @property
    def _sizes(self) -> Array:
        """The largest derivative of each entry, so that entries of all units count alike, (n)."""
        sizes = np.maximum(np.abs(self.pieces).max(axis=0, initial=0), np.abs(self.g))
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

    def standing(self, slack: Array) -> Standing:
        """What derivatives near the kinks say along the last way; where all are the same, that decides."""
        v = self.ways[-1]
        along, limit = self.pieces @ v, np.abs(v) @ slack + CLOSE * np.abs(self.pieces).max(initial=0)
        return Standing.NONE if len(along) and np.ptp(along) <= limit else Standing.UNDECIDED


def _with_own(kinked: Kinked, comparison: Comparison, touched: Index) -> Directions:
    """The directions, and those in which this gradient is off most.

    They are that from the middle of the intervals to the gradient, and single entries outside theirs.
    """
    estimate = comparison.estimate
    middle = (estimate.low + estimate.high)[touched] / 2
    v = (comparison.analytic[touched] - middle).astype(float) * kinked.steps
    outside = np.flatnonzero(comparison.wrong[touched])
    outside = outside[np.argsort(-np.abs(v[outside]), kind="stable")][:WORST]
    vs = [*np.eye(len(v))[outside]]
    size = float(np.linalg.norm(v))
    if 0 < size < np.inf:
        vs.append(v / size)
    both = [sign * v for v in vs for sign in (1, -1)]
    return kinked.measured.with_more(both, [kinked.derivative(v) for v in both])


def _side_of(g: Array, kinked: Kinked, comparison: Comparison, touched: Index) -> Array:
    """To which side of its kinks each entry must go for its one-sided derivative to be the gradient's."""
    estimate = comparison.estimate
    both = (estimate.low + estimate.high)[touched].astype(float) * kinked.steps
    right = kinked.to_the_right
    return np.where(np.abs(g - right) <= np.abs(g - (both - right)), 1.0, -1.0)


def _described(
    standing: Standing, every: Directions, k: int, g: Array, comparison: Comparison, touched: Index,
    kinked: Kinked,
) -> Joint:  # fmt: skip
    """The direction in words; both derivatives for a move of its largest entry by 1."""
    v, estimate = every.vs[k], comparison.estimate
    moved = v * kinked.steps
    largest = float(np.abs(moved).max())
    used = np.flatnonzero(v)
    if len(used) <= 2:
        names = [estimate.layout.location(int(estimate.index[touched[i]])) for i in used]
        signs = ["−" if v[i] < 0 else "+" for i in used]
        words = " ".join(f"{s} {n}" for s, n in zip(signs, names, strict=True)).removeprefix("+ ")
        words = f"along {words}"
    elif (v == v[0]).all():
        words = f"along {'−' if v[0] < 0 else ''}1 in all {len(v)} entries that touch a kink"
    else:
        words = f"along a direction through {len(used)} entries that touch a kink"
    return Joint(standing, float(every.derivatives[k]) / largest, float(v @ g) / largest, words)
