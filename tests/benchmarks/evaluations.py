"""How often the loss of ten parameters is evaluated for a verdict on its gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rounds import heading
from scipy.optimize import rosen, rosen_der
from scipy.special import expit

import backproof

Array = NDArray[np.float64]

MOST = 60
"""Evaluations that are asked for, of a loss in double precision."""

SIZE, ZERO = 10, 1e-9
"""Parameters, and up to where an entry of a gradient is 0 but for rounding."""


@dataclass(frozen=True)
class Subject:
    """A loss, its gradient and a point."""

    f: Callable[[Array], float]
    df: Callable[[Array], Array]
    at: Array


def network(act: Callable[[Array], Array], derivative: Callable[[Array], Array]) -> Subject:
    """Two inputs, three hidden units and a bias at the output, with squared error."""
    draw = np.random.default_rng(5)
    at, x, t = draw.normal(size=SIZE), draw.normal(size=(20, 2)), draw.normal(size=20)

    def parts(w: Array) -> tuple[Array, Array, Array]:
        z = x @ w[:6].reshape(2, 3)
        a = act(z)
        return z, a, a @ w[6:9] + w[9] - t

    def f(w: Array) -> float:
        return float((parts(w)[2] ** 2).mean())

    def df(w: Array) -> Array:
        z, a, off = parts(w)
        d = off / 10
        return np.concatenate([(x.T @ (np.outer(d, w[6:9]) * derivative(z))).ravel(), a.T @ d, [d.sum()]])

    return Subject(f, df, at)


def subjects() -> dict[str, Subject]:
    """Losses as they are minimised, smooth and with kinks, of high and low precision."""
    draw = np.random.default_rng(0)
    x, y, at = draw.normal(size=(30, SIZE)), draw.integers(0, 2, 30), draw.normal(size=SIZE)
    single, fitted = x.astype("f4"), x @ at

    def logistic(w: Array) -> float:
        return float(np.sum(np.logaddexp(0, x @ w) - y * (x @ w)))

    def in_single(w: Array) -> float:
        z = single @ w.astype("f4")
        return float(np.sum(np.logaddexp(np.float32(0), z) - y.astype("f4") * z))

    def slope(w: Array) -> Array:
        return np.asarray(x.T @ (expit(x @ w) - y))

    return {
        "Rosenbrock": Subject(rosen, rosen_der, at),
        "logistic": Subject(logistic, slope, at),
        "tanh network": network(np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        "ReLU network": network(lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
        "f = 0, not least": Subject(
            lambda w: float(np.tanh(x @ w).sum()), lambda w: x.T @ (1 - np.tanh(x @ w) ** 2), np.zeros(SIZE)
        ),
        "squares, f = 0": Subject(
            lambda w: float(np.sum((x @ w - fitted) ** 2)), lambda w: 2 * x.T @ (x @ w - fitted), at
        ),
        "a fit's minimum": Subject(
            lambda w: float(np.sum((x @ w - y) ** 2)),
            lambda w: 2 * x.T @ (x @ w - y),
            np.linalg.lstsq(x, y, rcond=None)[0],
        ),
        "logistic, float32": Subject(in_single, slope, at),
    }


def one_wrong(g: Array) -> Array:
    """An entry 1 % off, and wrong also where it is 0."""
    return g + np.where(np.arange(SIZE) == 3, 0.01 * g + (np.abs(g) < ZERO), 0)


def all_wrong(g: Array) -> Array:
    """Every entry with the wrong sign, and wrong also where it is 0."""
    return -g + (np.abs(g) < ZERO)


GRADIENTS: dict[str, Callable[[Array], Array]] = {
    "right": lambda g: g, "one entry wrong": one_wrong, "all wrong": all_wrong,
}  # fmt: skip


def checked(subject: Subject, change: Callable[[Array], Array]) -> backproof.Check:
    """What is said of a changed gradient."""
    with np.errstate(all="ignore"):
        return backproof.check(subject.f, subject.at, df=lambda w: change(subject.df(w)))


def main(_rounds: int) -> None:
    heading(f"Evaluations for {SIZE} parameters (asked: at most {MOST} in double precision)")
    print(f"{'':18}" + "".join(f"{name:>28}" for name in GRADIENTS))
    for name, subject in subjects().items():
        cells = [checked(subject, change) for change in GRADIENTS.values()]
        print(f"{name:18}" + "".join(f"{c.target.evaluations:5} {c.verdict:>22}" for c in cells))
