"""Random functions with right and wrong gradients, as users write them, put to `backproof.check`.

    python tests/held_out/functions.py --seed 0 --count 200 [--kinds likelihood units …]

Every function has a right gradient and a wrong one: an entry of it with another sign, or scaled, swapped or
dropped. A right gradient must never be called wrong. A wrong one must be found if its error, relative to the
entry's own size, is larger than the resolution that the result states.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import backproof
from backproof.estimates.record import EntryStatus

Array = Any
Loss = Callable[[Array], float]
Gradient = Callable[[Array], Array]
Draw = np.random.Generator
Kinds = Mapping[str, Callable[[Draw], "Case"]]


@dataclass(frozen=True)
class Case:
    """A function of a flat vector, its gradient, and where they are checked.

    Attributes:
        exact: whether a check in float64 should resolve the gradient.
    """

    kind: str
    f: Loss
    df: Gradient
    at: Array
    exact: bool = True


def likelihood(draw: Draw) -> Case:
    """A linear model's log-likelihood: coefficients and a small variance in one vector."""
    n, k = int(draw.integers(5, 60)), int(draw.integers(1, 9))
    x, beta = draw.normal(size=(n, k)), draw.normal(size=k)
    variance = 10.0 ** draw.uniform(-8, 2)
    y = x @ beta + np.sqrt(variance) * draw.normal(size=n)
    off = draw.choice([0.0, 0.3]) * np.sqrt(variance) * draw.normal(size=k)

    def f(w: Array) -> float:
        r = y - x @ w[:-1]
        return float(n / 2 * np.log(2 * np.pi * w[-1]) + r @ r / (2 * w[-1]))

    def df(w: Array) -> Array:
        r = y - x @ w[:-1]
        return np.append(-x.T @ r / w[-1], n / (2 * w[-1]) - r @ r / (2 * w[-1] ** 2))

    return Case("likelihood", f, df, np.append(beta + off, variance * draw.uniform(0.5, 2)))


def regression(draw: Draw) -> Case:
    """Logistic or Poisson regression whose columns have very different units."""
    n, k = int(draw.integers(10, 80)), int(draw.integers(2, 9))
    units = 10.0 ** draw.integers(-6, 7, k)
    x, beta = draw.normal(size=(n, k)) * units, draw.normal(size=k) * 0.3 / units
    if draw.random() < 0.3:
        beta[draw.integers(0, k)] = 0.0
    poisson = draw.random() < 0.5
    y = draw.poisson(1.0, n) if poisson else draw.integers(0, 2, n)

    def f(w: Array) -> float:
        z = x @ w
        return float(np.sum(np.exp(z) - y * z)) if poisson else float(np.sum(np.logaddexp(0, z) - y * z))

    def df(w: Array) -> Array:
        z = x @ w
        return x.T @ ((np.exp(z) if poisson else 1 / (1 + np.exp(-z))) - y)

    return Case("regression", f, df, beta)


def units(draw: Draw) -> Case:
    """A smooth function, each of whose entries is measured in a unit of its own, from 1e-12 to 1e12."""
    k = int(draw.integers(2, 12))
    unit = 10.0 ** draw.uniform(-12, 12, k)
    m = draw.normal(size=(k, k)) / np.sqrt(k)
    at = draw.normal(size=k)
    if draw.random() < 0.3:
        at[draw.integers(0, k)] = 0.0

    def f(w: Array) -> float:
        return float(np.sum(np.tanh(m @ (w / unit)) + 0.1 * (w / unit) ** 2))

    def df(w: Array) -> Array:
        v = w / unit
        return (m.T @ (1 - np.tanh(m @ v) ** 2) + 0.2 * v) / unit

    return Case("units", f, df, at * unit)


def offset(draw: Draw) -> Case:
    """A small function of the parameters beside a large constant."""
    k = int(draw.integers(1, 30))
    constant, slope = 10.0 ** draw.uniform(0, 9), 10.0 ** draw.uniform(-4, 1)
    curved = draw.random() < 0.5

    def f(w: Array) -> float:
        return float(constant + slope * np.sum(np.sin(w) if curved else w))

    def df(w: Array) -> Array:
        return slope * (np.cos(w) if curved else np.ones_like(w))

    return Case("offset", f, df, draw.normal(size=k))


def single(draw: Draw) -> Case:
    """float32 somewhere inside."""
    k, n = int(draw.integers(2, 101)), int(draw.integers(1, 30))
    a, t = draw.normal(size=(n, k)), draw.normal(size=n)
    a4 = a.astype("f4")
    linear = draw.random() < 0.4

    def f(w: Array) -> float:
        z = a4 @ w.astype("f4")
        return float(z.sum()) if linear else float(np.mean((np.tanh(z) - t.astype("f4")) ** 2))

    def df(w: Array) -> Array:
        if linear:
            return a.sum(0)
        y = np.tanh(a @ w)
        return 2 / n * a.T @ ((y - t) * (1 - y * y))

    return Case("single", f, df, draw.normal(size=k), exact=False)


def quantised(draw: Draw) -> Case:
    """A loss that is printed with few digits, or parameters that are rounded before use."""
    k = int(draw.integers(1, 20))
    quantum = 10.0 ** draw.integers(-9, -4)
    cut = draw.choice(np.array(["round", "floor", "trunc"]))
    rounded = {"round": np.round, "floor": np.floor, "trunc": np.trunc}[str(cut)]
    inside = draw.random() < 0.5
    b = draw.normal(size=k)

    def smooth(w: Array) -> float:
        return float(np.sum(np.sin(w) * b) + 3)

    def f(w: Array) -> float:
        if inside:
            return smooth(rounded(w / quantum) * quantum)
        return float(rounded(smooth(w) / quantum) * quantum)

    def df(w: Array) -> Array:
        return np.cos(w) * b

    return Case("quantised", f, df, draw.normal(size=k), exact=False)


def domain(draw: Draw) -> Case:
    """Square roots, logarithms and Cholesky factors at points near the edge of where they exist."""
    which = draw.integers(0, 3)
    if which == 0:
        k = int(draw.integers(1, 8))
        at = 10.0 ** draw.uniform(-14, 1, k)
        return Case("domain", lambda w: float(np.sqrt(w).sum()), lambda w: 0.5 / np.sqrt(w), at)
    if which == 1:
        k = int(draw.integers(1, 8))
        y = draw.integers(0, 2, k)
        p = np.clip(10.0 ** draw.uniform(-12, 0, k), 0, 1 - 1e-6)
        return Case(
            "domain",
            lambda w: float(-(y * np.log(w) + (1 - y) * np.log1p(-w)).sum()),
            lambda w: -(y / w) + (1 - y) / (1 - w),
            p,
        )
    d = int(draw.integers(2, 4))
    root = np.tril(draw.normal(size=(d, d)))
    root[np.diag_indices(d)] = 10.0 ** draw.uniform(-3, 0, d)
    s = np.cov(draw.normal(size=(d, 20)))

    def matrix(w: Array) -> Array:
        return w.reshape(d, d)

    def f(w: Array) -> float:
        c = np.linalg.cholesky((matrix(w) + matrix(w).T) / 2)
        return float(2 * np.log(np.diag(c)).sum() + np.sum(s * matrix(w)))

    def df(w: Array) -> Array:
        inverse = np.linalg.inv((matrix(w) + matrix(w).T) / 2)
        return (inverse + s).ravel()

    return Case("domain", f, df, (root @ root.T).ravel())


def jumps(draw: Draw) -> Case:
    """A leaf in which the loss jumps, beside others; the others have to be judged all the same."""
    k = int(draw.integers(1, 8))

    def f(w: Array) -> float:
        return float(np.sum(w[1:] ** 2)) if w[0] == 1 else 0.0

    return Case("jumps", f, lambda w: np.append(0.0, 2 * w[1:]), np.append(1.0, draw.normal(size=k)), False)


def classic(draw: Draw) -> Case:
    """Rosenbrock's function and sums of squares, far from the minimum and close to it."""
    k = int(draw.integers(2, 12))
    near = 10.0 ** draw.uniform(-7, 1)
    at = 1 + near * draw.normal(size=k)

    def f(w: Array) -> float:
        return float(np.sum(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2))

    def df(w: Array) -> Array:
        g = np.zeros_like(w)
        r = w[1:] - w[:-1] ** 2
        g[1:] += 200 * r
        g[:-1] += -400 * w[:-1] * r - 2 * (1 - w[:-1])
        return g

    return Case("classic", f, df, at)


def network(draw: Draw) -> Case:
    """A small network, its weights in one vector, biases zero or not."""
    n, i, h = int(draw.integers(1, 20)), int(draw.integers(1, 8)), int(draw.integers(1, 12))
    x, t = draw.normal(size=(n, i)) * 10.0 ** draw.integers(-3, 3), draw.normal(size=n)
    scale = 10.0 ** draw.uniform(-3, 0.5)
    b = np.zeros(h) if draw.random() < 0.5 else draw.normal(size=h) * scale
    relu = draw.random() < 0.4

    def parts(w: Array) -> tuple[Array, Array, Array]:
        return w[: i * h].reshape(i, h), w[i * h : i * h + h], w[i * h + h :]

    def f(w: Array) -> float:
        w1, b1, w2 = parts(w)
        z = x @ w1 + b1
        a = np.maximum(z, 0) if relu else np.tanh(z)
        return float(np.mean((a @ w2 - t) ** 2))

    def df(w: Array) -> Array:
        w1, b1, w2 = parts(w)
        z = x @ w1 + b1
        a = np.maximum(z, 0) if relu else np.tanh(z)
        d = 2 * (a @ w2 - t) / n
        dz = np.outer(d, w2) * ((z > 0) if relu else 1 - a * a)
        return np.concatenate([(x.T @ dz).ravel(), dz.sum(0), a.T @ d])

    w = np.concatenate([scale * draw.normal(size=i * h), b, scale * draw.normal(size=h)])
    return Case("network", f, df, w)


KINDS = {
    make.__name__: make
    for make in (
        likelihood, regression, units, offset, single, quantised, domain, jumps, classic, network
    )
}  # fmt: skip


def spoilt(case: Case, draw: Draw) -> tuple[Gradient, int, float]:
    """A wrong gradient, the entry that is most wrong, and its error relative to the entry's own size."""
    right = case.df(case.at)
    usable = np.flatnonzero(right != 0)
    if not len(usable):
        return (lambda w: case.df(w) + 1), 0, 1.0
    at = int(draw.choice(usable))
    how = draw.integers(0, 4)
    change = np.zeros_like(right)
    if how == 0:
        change[at] = -2 * right[at]
    elif how == 1:
        change[at] = 10.0 ** draw.uniform(-2, 0.5) * draw.choice([-1, 1]) * right[at]
    elif how == 2:
        change[at] = -right[at]
    else:
        change = 10.0 ** draw.uniform(-2, 0.5) * right
    size = np.maximum(np.abs(right + change), np.abs(right))
    relative = np.where(size > 0, np.abs(change) / np.where(size > 0, size, 1), 0)
    worst = int(np.argmax(relative))
    return (lambda w: case.df(w) + change), worst, float(relative[worst])


def judged(case: Case, draw: Draw) -> list[tuple[str, Any]]:
    """What the right gradient and a wrong one are called, and what went wrong with it: nothing, hopefully."""
    seed = int(draw.integers(0, 2**31))
    found = backproof.check(case.f, case.at, df=case.df, seed=seed)
    rows = []
    word = str(found.verdict)
    rows.append(("right " + ("ACCUSED" if word == "incorrect gradient" else word), found))
    wrong, worst, error = spoilt(case, draw)
    found = backproof.check(case.f, case.at, df=wrong, seed=seed)
    word = str(found.verdict)
    if word in ("agrees", "valid subgradient"):
        seen = found.judgement.seen
        stated = max(float(seen.own_relative[worst]), found.judgement.resolution)
        if seen.estimate.has(EntryStatus.FLAT)[worst]:
            # No step moves the loss, beside whose last digits the entry is nothing: so is its error.
            change = abs(wrong(case.at)[worst] - case.df(case.at)[worst])
            error = float(change / seen.scale[worst])
        word = f"AGREED (error {error:.1e}, stated {stated:.1e})" if error > stated else "agrees, as stated"
    rows.append(("wrong " + word, found))
    return rows


def main(words: list[str], kinds: Kinds, about: str) -> int:
    """Run; 1 if there were false verdicts."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100, help="functions of each kind")
    parser.add_argument("--kinds", nargs="*", default=list(kinds), choices=list(kinds))
    given = parser.parse_args(words)
    false = 0
    with np.errstate(all="ignore"):
        for name in given.kinds:
            spent: dict[str, list[float]] = {}
            for k in range(given.count):
                case, outcomes = run(name, given.seed, k, kinds)
                for outcome, found in outcomes:
                    short = outcome.split(" (")[0]
                    spent.setdefault(short, []).append(found.target.evaluations / len(case.at))
                    if is_false(outcome):
                        false += 1
                        print(f"{name} seed {given.seed} case {k}: {outcome}")
            print(name)
            for outcome, each in sorted(spent.items()):
                print(f"  {outcome:32} {len(each):5}   {np.mean(each):.1f} evaluations a parameter")
    print(f"{false} false verdicts")
    return int(false > 0)


def run(kind: str, seed: int, k: int, kinds: Kinds = KINDS) -> tuple[Case, list[tuple[str, Any]]]:
    """One function of a kind, and what its gradients are called."""
    draw = np.random.default_rng([seed, k, list(kinds).index(kind)])
    case = kinds[kind](draw)
    return case, judged(case, draw)


def is_false(outcome: str) -> bool:
    """Whether a right gradient is called wrong, or a wrong one right beyond what was said."""
    return "ACCUSED" in outcome or "AGREED" in outcome


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], KINDS, __doc__ or ""))
