"""Small functions at points on several kinks, whose Clarke subdifferential is known exactly.

Of a piecewise linear function it is the hull of the gradients of its pieces, of a norm the ball of the dual
norm (Clarke, Optimization and Nonsmooth Analysis, 1983, 2.3.12 and 2.5.1). Every function takes an array
(..., n), so that many points are evaluated at once, and its kinks meet at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np
from scipy.optimize import linprog

POINTS = 4000
"""Random points at which the pieces of a piecewise linear function are looked for."""


NEAR = 1e-3
"""How far from the point they are."""


@dataclass(frozen=True)
class Hull:
    """The hull of points, (points, n)."""

    points: np.ndarray

    def gap(self, g):
        """How far g is from it, by the largest entry; 0 inside."""
        k, n = self.points.shape
        # Minimise t with |Σ λ p − g| ≤ t, λ ≥ 0, Σ λ = 1.
        upper = np.block([[self.points.T, -np.ones((n, 1))], [-self.points.T, -np.ones((n, 1))]])
        weights = np.r_[np.ones(k), 0][None]
        return linprog(np.r_[np.zeros(k), 1], upper, np.r_[g, -g], weights, [1], method="highs").x[-1]

    def farthest(self, v):
        """A point with the largest product with v."""
        return self.points[np.argmax(self.points @ v)]

    def member(self, draw):
        """A corner, a mixture of a few, or one of all."""
        k = len(self.points)
        few = draw.choice(k, min(k, int(draw.integers(1, 4))), replace=False)
        chosen = few if draw.random() < 0.6 else np.arange(k)
        return draw.dirichlet(np.ones(len(chosen))) @ self.points[chosen]

    def box(self):
        """The least and the largest of each entry."""
        return self.points.min(axis=0), self.points.max(axis=0)


@dataclass(frozen=True)
class Ball:
    """The vectors of n entries of at most unit length."""

    n: int

    def gap(self, g):
        return max(0.0, float(np.linalg.norm(g)) - 1)

    def farthest(self, v):
        return v / np.linalg.norm(v)

    def member(self, draw):
        v = draw.standard_normal(self.n)
        return v / np.linalg.norm(v) * draw.choice([0, 0.3, 0.9, 0.98, 1])

    def box(self):
        return -np.ones(self.n), np.ones(self.n)


@dataclass(frozen=True)
class Block:
    """A function of a few entries, (..., n) to (...), and its subdifferential at 0."""

    name: str
    n: int
    f: Callable
    subdifferential: Hull | Ball


def piecewise(name, n, f, draw):
    """A function that is piecewise linear near 0; its pieces are found at random points."""
    points = draw.standard_normal((POINTS, n))
    points *= NEAR * np.exp(
        draw.standard_normal((POINTS, n))
    )  # entries of other sizes: narrow pieces as well
    step = 1e-5 * NEAR
    ends = points[:, None] + step * np.array([1, -1])[:, None, None, None] * np.eye(n)
    slopes = (f(ends[0]) - f(ends[1])) / (2 * step)
    # Not across a kink.
    inside = np.abs(f(ends).sum(axis=0) - 2 * f(points)[:, None]).max(axis=1) < 1e-6 * step
    return Block(name, n, f, Hull(np.unique(np.round(slopes[inside], 9), axis=0)))


def largest(draw, n):
    a = np.round(draw.standard_normal((draw.integers(2, 7), n)), 3)
    return Block("max of linear", n, lambda x: (x @ a.T).max(axis=-1), Hull(a))


def smallest(draw, n):
    a = np.round(draw.standard_normal((draw.integers(2, 7), n)), 3)
    return Block("min of linear", n, lambda x: (x @ a.T).min(axis=-1), Hull(a))


def tie(_draw, n):
    return Block("max", n, lambda x: x.max(axis=-1), Hull(np.eye(n)))


def low_tie(_draw, n):
    return Block("min", n, lambda x: x.min(axis=-1), Hull(np.eye(n)))


def magnitude(_draw, n):
    return Block("max norm", n, lambda x: np.abs(x).max(axis=-1), Hull(np.vstack([np.eye(n), -np.eye(n)])))


def sort(draw, n):
    n = min(n, 5)
    c = np.round(draw.standard_normal(n), 2)
    hull = Hull(np.array(list(permutations(c))))
    return Block("weighted sort", n, lambda x: np.sort(x, axis=-1) @ c, hull)


def signed(draw, n):
    c = draw.choice([-1.0, 1.0], n) * np.round(draw.uniform(0.3, 2, n), 2)
    hull = Hull(np.array(list(product([-1.0, 1.0], repeat=n))) * c)
    return Block("signed absolute values", n, lambda x: np.abs(x) @ c, hull)


def norm(_draw, n):
    return Block("norm", n, lambda x: np.linalg.norm(x, axis=-1), Ball(n))


def negative_norm(_draw, n):
    return Block("negative norm", n, lambda x: -np.linalg.norm(x, axis=-1), Ball(n))


def spread(_draw, n):
    hull = Hull(np.array([np.eye(n)[i] - np.eye(n)[j] for i, j in permutations(range(n), 2)]))
    return Block("max - min", n, lambda x: np.ptp(x, axis=-1), hull)


def top(draw, n):
    k = int(draw.integers(1, n))
    hull = Hull(np.array([np.isin(np.arange(n), chosen) * 1.0 for chosen in combinations(range(n), k)]))
    return Block("top k", n, lambda x: np.sort(x, axis=-1)[..., n - k :].sum(axis=-1), hull)


def differences(_draw, n):
    n = min(n, 5)
    b = np.array([np.eye(n)[i] - np.eye(n)[j] for i, j in combinations(range(n), 2)])
    hull = Hull(np.array([np.sign(b @ p) @ b for p in permutations(range(n))]))
    return Block("pairwise differences", n, lambda x: np.abs(x @ b.T).sum(axis=-1), hull)


def median(draw, n):
    return piecewise("median", n, lambda x: np.median(x, axis=-1), draw)


def convex_minus_convex(draw, n):
    a, b = (np.round(draw.standard_normal((draw.integers(2, 4), n)), 2) for _ in range(2))
    return piecewise("max - max", n, lambda x: (x @ a.T).max(axis=-1) - (x @ b.T).max(axis=-1), draw)


def absolute_difference(draw, n):
    a, b = np.round(draw.standard_normal((2, n)), 2)
    return piecewise("|x| - |y|", n, lambda x: np.abs(x @ a) - np.abs(x @ b), draw)


def pooled(draw, n):
    c = draw.choice([-1.0, 1.0], n) * np.round(draw.uniform(0.5, 2, n), 2)

    def f(x):
        windows = np.stack([x, np.roll(x, 1, axis=-1)], axis=-1)
        return windows.max(axis=-1) @ c

    return piecewise("max pooling", n, f, draw)


def nearest(draw, n):
    """The least of two sums of distances, as in a matching of points."""
    a, b = (np.round(draw.standard_normal((2, n)), 2) for _ in range(2))
    return piecewise(
        "min of sums", n, lambda x: np.minimum(np.abs(x @ a.T).sum(-1), np.abs(x @ b.T).sum(-1)), draw
    )


def hinges(draw, n):
    """A hinge loss of margins that are all 1 at the point."""
    a = np.round(draw.standard_normal((draw.integers(2, 4), n)), 2)
    return piecewise("hinge", n, lambda x: np.maximum(0, x @ a.T).sum(axis=-1), draw)


def clipped(draw, n):
    """Residuals at the edge where they are clipped, with a sign each."""
    a = np.round(draw.standard_normal((draw.integers(2, 4), n)), 2)
    c = draw.choice([-1.0, 1.0], len(a))
    return piecewise("clipped", n, lambda x: np.minimum(0.5, np.maximum(0, x @ a.T)) @ c, draw)


def units(draw, n):
    """Rectified units whose weights are 0, in a chain with weights of either sign."""
    units_, samples = int(draw.integers(1, 3)), int(draw.integers(1, 4))
    inputs = max(1, n // units_)
    x_, v = draw.integers(-4, 5, (samples, inputs)) / 4 + 0.125, np.round(draw.standard_normal(units_), 2)
    upstream = np.round(draw.standard_normal(samples), 2)

    def f(w):
        z = np.einsum("si,...ui->...su", x_, w.reshape(*w.shape[:-1], units_, inputs))
        return np.einsum("...su,u,s->...", np.maximum(z, 0), v, upstream)

    return piecewise("units at 0", units_ * inputs, f, draw)


def order_statistic(draw, n):
    """The k-th largest entry: every single one alone may be it nearby."""
    k = int(draw.integers(0, n))
    return Block("order statistic", n, lambda x: np.sort(x, axis=-1)[..., k], Hull(np.eye(n)))


def _groups(draw, n):
    """The entries in groups, and the linear functions in every group."""
    a = np.eye(n) if draw.random() < 0.5 else np.round(draw.standard_normal((n, n)), 2)
    return a, np.array_split(draw.permutation(n), int(draw.integers(2, max(3, n // 2 + 1))))


def max_of_minima(draw, n):
    a, groups = _groups(draw, n)

    def f(x):
        return np.max([(x @ a[g].T).min(axis=-1) for g in groups], axis=0)

    return piecewise("max of minima", n, f, draw)


def min_of_maxima(draw, n):
    a, groups = _groups(draw, n)

    def f(x):
        return np.min([(x @ a[g].T).max(axis=-1) for g in groups], axis=0)

    return piecewise("min of maxima", n, f, draw)


def trimmed(draw, n):
    """The mean of all but the largest and the smallest entry."""
    n = max(n, 3)
    return piecewise("trimmed mean", n, lambda x: np.sort(x, axis=-1)[..., 1:-1].mean(axis=-1), draw)


MAKERS = (
    largest, smallest, tie, low_tie, magnitude, sort, signed, norm, negative_norm, spread, top, differences,
    median, convex_minus_convex, absolute_difference, pooled, nearest, hinges, clipped, units,
    order_statistic, max_of_minima, min_of_maxima, trimmed,
)  # fmt: skip
