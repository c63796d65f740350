"""At points on several kinks members of Clarke's subdifferential pass, coincidences of single entries do not.

The functions are piecewise linear at the point, so the subdifferential is the hull of the gradients of their
pieces (Clarke, 1983, 2.5.1), which a linear programme decides. It knows nothing of how backproof does.
"""

from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np
import pytest
from scipy.optimize import linprog

import backproof
from backproof.estimates import one_sided
from backproof.verdicts import AGREEING, Verdict


@dataclass
class Kinked:
    """A function at a point on kinks; `pieces` are the gradients near it, (pieces, n)."""

    name: str
    f: object
    at: np.ndarray
    pieces: np.ndarray

    def distance(self, g):
        """How far g is from the hull of the pieces, by the largest entry."""
        k, n = self.pieces.shape
        # Minimise t with |Σ λ pieces − g| ≤ t, λ ≥ 0, Σ λ = 1.
        upper = np.block([[self.pieces.T, -np.ones((n, 1))], [-self.pieces.T, -np.ones((n, 1))]])
        found = linprog(
            np.r_[np.zeros(k), 1], upper, np.r_[g, -g], np.r_[np.ones(k), 0][None], [1], method="highs"
        )
        return found.x[-1]


def largest(draw, n):
    a = draw.standard_normal((draw.integers(2, 5), n))
    return Kinked("max of linear", lambda x: float((a @ x).max()), np.zeros(n), a)


def smallest(draw, n):
    a = draw.standard_normal((draw.integers(2, 5), n))
    return Kinked("min of linear", lambda x: float((a @ x).min()), np.zeros(n), a)


def tie(draw, n):
    return Kinked("tie", lambda x: float(x.max()), np.full(n, draw.normal()), np.eye(n))


def sort(draw, n):
    n = min(n, 4)
    c = draw.standard_normal(n)
    pieces = np.array(list(permutations(c)))
    return Kinked("weighted sort", lambda x: float(np.sort(x) @ c), np.full(n, draw.normal()), pieces)


def differences(_draw, n):
    n = min(n, 5)
    pairs = list(combinations(range(n), 2))
    b = np.array([np.eye(n)[i] - np.eye(n)[j] for i, j in pairs])
    orders = [np.sign(b @ p) @ b for p in permutations(range(n))]
    return Kinked("pairwise differences", lambda x: float(np.abs(b @ x).sum()), np.ones(n), np.array(orders))


def signed(draw, n):
    """Convex in some entries and concave in others."""
    n = min(n, 5)
    c = draw.choice([-1.0, 1.0], n) * draw.uniform(0.3, 2, n)
    pieces = np.array(list(product([-1.0, 1.0], repeat=n))) * c
    return Kinked("signed absolute values", lambda x: float(c @ np.abs(x)), np.zeros(n), pieces)


MAKERS = (largest, smallest, tie, sort, differences, signed)


def mixed(kinked, draw):
    """The same with a smooth part, another linear basis, and entries of other units."""
    n = len(kinked.at)
    slope, bend = draw.standard_normal((2, n))
    unit = 10.0 ** draw.integers(-3, 4, n) if draw.random() < 0.5 else np.ones(n)
    f, at = kinked.f, kinked.at

    def value(w):
        x = w * unit
        return f(x) + slope @ x + 0.5 * bend @ (x - at) ** 2

    return Kinked(kinked.name, value, at / unit, (kinked.pieces + slope) * unit), unit


def inside(kinked, draw):
    """A random member of the subdifferential, now and then one of its corners."""
    k = len(kinked.pieces)
    share = np.eye(k)[draw.integers(k)] if draw.random() < 0.3 else draw.dirichlet(np.full(k, 0.5))
    return share @ kinked.pieces


def outside(kinked, unit, draw):
    """A gradient whose entries lie within the intervals of the pieces, and which is no mixture of them."""
    low, high = kinked.pieces.min(axis=0), kinked.pieces.max(axis=0)
    for _ in range(200):
        g = draw.uniform(low, high)
        if draw.random() < 0.3:
            g = np.where(draw.random(len(g)) < 0.5, low, high)
        scaled = Kinked(kinked.name, None, None, kinked.pieces / unit)
        if scaled.distance(g / unit) > 0.05:
            return g
    return None


def verdict_on(kinked, g):
    return backproof.check(kinked.f, kinked.at, df=lambda _w: g.copy())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_a_subgradient_passes_and_a_coincidence_of_entries_does_not(maker, seed):
    draw = np.random.default_rng([seed, MAKERS.index(maker)])
    kinked, unit = mixed(maker(draw, int(draw.integers(2, 6))), draw)
    member = inside(kinked, draw)
    found = verdict_on(kinked, member)
    assert found.verdict in AGREEING, (kinked.name, found)
    wrong = outside(kinked, unit, draw)
    if wrong is None:  # the intervals and the subdifferential are one: of signed absolute values, always
        assert maker is signed or len(kinked.at) == 2
        return
    found = verdict_on(kinked, wrong)
    assert found.verdict not in AGREEING, (kinked.name, wrong, found)
    if maker in (largest, smallest, tie, differences):  # convex or concave, so that it is decided
        assert found.verdict is Verdict.INCORRECT_GRADIENT


@pytest.mark.parametrize("factor", [0.5, 0.99, 1.01, 2.0])
def test_the_norm_at_zero_has_the_ball_for_its_subdifferential(factor):
    g = np.array([0.48, -0.6, 0.64]) * factor  # of length 1 times the factor
    found = backproof.check(lambda w: float(np.linalg.norm(w)), np.zeros(3), df=lambda _w: g.copy())
    assert (found.verdict in AGREEING) == (factor <= 1), found
    if factor == 1.01:  # within the interval of every entry
        assert "no subgradient: along" in found.causes[0]


def test_the_direction_that_decides_is_said():
    found = backproof.check(lambda w: float(w.max()), np.ones(2), df=lambda _w: np.ones(2))
    assert found.causes[0] == ("no subgradient: along W[0] + W[1] the derivative is 1, and the gradient's 2")


TIES = {
    "median": (np.median, 3),
    "second of five": (lambda w: np.sort(w)[1], 5),
    "max of minima": (lambda w: max(min(w[0], w[1]), w[2]), 3),
    "min of maxima": (lambda w: min(max(w[0], w[1]), max(w[2], w[3])), 4),
}
"""Functions of equal entries of which any one alone may be what they are nearby: the pieces are the axes."""


@pytest.mark.parametrize("size", [0.0, 0.1, 1.0, 10.0, 30.0])
@pytest.mark.parametrize("name", TIES)
def test_a_linear_term_changes_no_verdict(name, size):
    """Neither convex nor concave: moving one entry alone tells nothing of what it does beside others."""
    f, n = TIES[name]
    draw = np.random.default_rng([sorted(TIES).index(name), int(10 * size)])
    a = size * draw.standard_normal(n)

    def verdict(g):
        return backproof.check(lambda w: f(w) + a @ w, np.ones(n), df=lambda _w: a + g).verdict

    shares = draw.dirichlet(np.ones(n))
    for right in (np.eye(n)[draw.integers(n)], np.full(n, 1 / n), shares):
        assert verdict(right) is Verdict.VALID_SUBGRADIENT
    for wrong in (np.zeros(n), 2 * shares, 3 * np.eye(n)[0], np.eye(n)[0] + np.eye(n)[1], -np.eye(n)[0]):
        assert verdict(wrong) is Verdict.INCORRECT_GRADIENT


def test_ties_beside_entries_of_other_units_and_on_their_bounds():
    """Entries that are not moved with others do not keep the others from being looked at."""
    w = np.array([1.0, 1.0, 1.0, 0.0, 1e6])

    def verdict(g, **given):
        def f(w):
            return np.median(w[:3]) + (w[3] + 1) ** 2 + 1e-6 * w[4]

        return backproof.check(f, w, df=lambda _w: np.array([*g, 2, 1e-6]), **given).verdict

    bounds = (np.array([-np.inf] * 3 + [0, -np.inf]), None)
    assert verdict([0, 1, 0], bounds=bounds) is Verdict.VALID_SUBGRADIENT
    assert verdict([0, 1, 1], bounds=bounds) is Verdict.INCORRECT_GRADIENT


def test_a_tie_among_many_entries():
    """Of more than are looked at all, those on kinks and those that seem wrong are."""
    n = 700

    def verdict(g):
        def f(w):
            return max(min(w[0], w[1]), w[2]) + (w[3:] ** 2).sum()

        return backproof.check(f, np.ones(n), df=lambda w: np.append(g, 2 * w[3:])).verdict

    assert verdict([1, 0, 0]) is Verdict.VALID_SUBGRADIENT
    assert verdict([1.5, 0, 0]) is Verdict.INCORRECT_GRADIENT


@pytest.mark.parametrize("seed", range(6))
def test_a_side_of_the_kinks_that_no_entry_and_few_directions_meet(seed):
    """Linear along every entry, and along most directions; not where all entries grow about alike."""
    a = np.random.default_rng(seed).standard_normal(3)

    def verdict(g):
        whole = a + g

        def f(w):
            return a @ w + max(0.0, w.sum() - 2 * np.abs(w).max())

        return backproof.check(f, np.zeros(3), df=lambda _w: whole.copy()).verdict

    assert verdict(np.array([-0.1, 0.3, 0.7])) is Verdict.VALID_SUBGRADIENT  # of four gradients
    assert verdict(np.array([0.2, -0.1, 0.4])) is Verdict.VALID_SUBGRADIENT
    assert verdict(np.array([1.5, 1.0, 2.0])) is Verdict.INCORRECT_GRADIENT


def test_convexity_that_few_points_speak_for_is_asked_for_where_it_decides():
    """The lesser of two sums of distances is neither convex nor concave; most of its sides are of one sum."""
    a = np.array([[1.63, -1.97, -0.21], [0.25, -0.35, 0.3], [-0.72, -0.44, 1.53]])
    b = np.array([[-1.64, 7.04, -1.99], [0.4, 0.3, 0.2]])

    def f(w):
        return min(np.abs(a @ w).sum(), np.abs(b @ w).sum())

    def gradient(v):
        side = a if np.abs(a @ v).sum() < np.abs(b @ v).sum() else b
        return np.sign(side @ v) @ side

    for seed in range(10):
        ways = np.random.default_rng(seed).standard_normal((4, 3))
        g = np.mean([gradient(v) for v in ways], axis=0)
        found = backproof.check(f, np.zeros(3), df=lambda _w, g=g: g)
        assert found.verdict is Verdict.VALID_SUBGRADIENT, seed


def test_entries_that_only_together_are_no_subgradient_are_counted_as_such():
    found = backproof.check(lambda w: float(w.max()), np.ones(2), df=lambda _w: np.ones(2))
    assert found.judgement.tensors[0].verdict is Verdict.INCORRECT_GRADIENT
    assert (found.judgement.verdicts == Verdict.INCORRECT_GRADIENT.severity).all()


@pytest.mark.parametrize("curvature", [1, -1])
def test_kinks_around_which_no_gradient_can_be_measured(monkeypatch, curvature):
    """Directions alone then say what they can."""
    monkeypatch.setattr(one_sided.Kinked, "piece", lambda *_, **__: None)

    def verdict(g):
        return backproof.check(
            lambda w: abs(w[0]) + curvature * abs(w[1]), np.zeros(2), df=lambda _w: np.array(g)
        ).verdict

    assert verdict([0.5, 0.5]) is not Verdict.INCORRECT_GRADIENT
    assert verdict([3.0, 0.5]) in (Verdict.INCORRECT_GRADIENT, Verdict.UNDETERMINED)
