"""Functions that a single step or a single noise does not suit, with right and wrong gradients.

    python tests/held_out/harsh_functions.py --seed 0 --count 200 [--kinds mixed frequency …]

Scales that differ by many powers of ten within a vector, periods, poles and peaks far shorter than the
parameters, staircases, saturated losses; each in random units of the parameters and of the loss. A right
gradient must never be called wrong, a wrong one must not agree beyond the resolution that is stated.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from functions import Array, Case, Draw, main

Curve = tuple[Callable[[Array], Array], Callable[[Array], Array]]
"""A function of one entry and its derivative."""


def _power(draw: Draw, low: float, high: float) -> float:
    return float(10.0 ** draw.uniform(low, high))


def _sum(kind: str, curves: list[Curve], at: list[float], draw: Draw) -> Case:
    """The sum of functions of one entry each, the loss and all parameters in random units."""
    unit, scale = _power(draw, -12, 12), _power(draw, -12, 12)

    def f(w: Array) -> float:
        return float(scale * sum(g(x) for (g, _), x in zip(curves, w / unit, strict=True)))

    def df(w: Array) -> Array:
        return np.array([scale / unit * d(x) for (_, d), x in zip(curves, w / unit, strict=True)])

    return Case(kind, f, df, np.array(at) * unit, exact=False)


def _common(draw: Draw, count: int) -> tuple[list[Curve], list[float]]:
    """Entries of about unit size in which nothing is odd."""
    known: list[Curve] = [
        (lambda x: x * x, lambda x: 2 * x),
        (np.sin, np.cos),
        (lambda x: np.tanh(x) + x, lambda x: 2 - np.tanh(x) ** 2),
        (np.exp, np.exp),
    ]
    return [known[int(i)] for i in draw.integers(0, len(known), count)], draw.normal(size=count).tolist()


def _beside(kind: str, curve: Curve, at: float, draw: Draw) -> Case:
    """One odd entry at a random position among common ones."""
    curves, points = _common(draw, int(draw.integers(0, 6)))
    where = int(draw.integers(0, len(curves) + 1))
    curves.insert(where, curve)
    points.insert(where, at)
    return _sum(kind, curves, points, draw)


def mixed(draw: Draw) -> Case:
    """Terms whose natural unit is the entry, whose sizes are from 1e-12 to 1e12."""
    count = int(draw.integers(2, 7))
    known: list[Curve] = [
        (lambda x: x * np.log(x), lambda x: np.log(x) + 1),
        (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
        (np.log, lambda x: 1 / x),
        (lambda x: x * x, lambda x: 2 * x),
        (lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2),
        (np.abs, np.sign),
    ]
    some = draw.choice(len(known), int(draw.integers(1, 4)))
    curves = [known[int(draw.choice(some))] for _ in range(count)]
    span = draw.uniform(1, 12)
    return _sum("mixed", curves, [_power(draw, -span, span) for _ in range(count)], draw)


def frequency(draw: Draw) -> Case:
    """A sine of any period, at any distance from the origin at which its phase is known."""
    k, b = _power(draw, -8, 8), draw.uniform(0, 6)
    x = _power(draw, -4, min(8.0, 10 - np.log10(k)))
    size = _power(draw, -3, 3)
    curve = (lambda x: size * np.sin(k * x + b), lambda x: size * k * np.cos(k * x + b))
    return _beside("frequency", curve, x, draw)


def pole(draw: Draw) -> Case:
    """A point near a pole or the end of a domain."""
    c, near = draw.uniform(-3, 3), _power(draw, -9, -1) * draw.choice([-1, 1])
    known: list[Curve] = [
        (lambda x: 1 / (x - c), lambda x: -1 / (x - c) ** 2),
        (lambda x: np.log(np.abs(x - c)), lambda x: 1 / (x - c)),
        (lambda x: np.tan(x - c + np.pi / 2), lambda x: 1 / np.cos(x - c + np.pi / 2) ** 2),
        (lambda x: np.sqrt((x - c) * np.sign(near)), lambda x: 0.5 / (x - c) * np.sqrt(np.abs(x - c))),
    ]
    return _beside("pole", known[int(draw.integers(0, len(known)))], c + near, draw)


def peak(draw: Draw) -> Case:
    """A point on a peak or an edge far narrower than the parameter, beside a common slope."""
    c, s, high = draw.uniform(-3, 3), _power(draw, -8, 0), _power(draw, -2, 2)
    slope = draw.choice([0.0, 1.0])
    known: list[Curve] = [
        (lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
        (lambda x: np.exp(-x * x), lambda x: -2 * x * np.exp(-x * x)),
        (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
        (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    ]
    g, d = known[int(draw.integers(0, len(known)))]
    curve = (lambda x: high * g((x - c) / s) + slope * x, lambda x: high / s * d((x - c) / s) + slope)
    return _beside("peak", curve, c + draw.uniform(-2, 2) * s, draw)


def staircase(draw: Draw) -> Case:
    """An entry that is rounded to multiples of a quantum: its derivative is 0, off the stairs' edges.

    A third of the quantum at least is between the point and the edge.
    """
    q, g = _power(draw, -5, 1), _power(draw, -2, 2)
    x = q * (np.round(draw.normal() / q) + draw.uniform(-0.2, 0.2))
    curve = (lambda x: g * q * np.round(x / q), lambda x: 0.0 * x)
    return _beside("staircase", curve, float(x), draw)


def remainder(draw: Draw) -> Case:
    """Remainders of divisions by the entries: linear between jumps, of which small entries have many."""
    count = int(draw.integers(2, 30))
    w, c = draw.normal(size=count), draw.normal(size=count)
    b = w * (np.round(_power(draw, 0, 3) * draw.normal(size=count)) + draw.uniform(0.2, 0.8, count))
    jumps = np.floor(b / w)

    def f(w: Array) -> float:
        return float(c @ np.mod(b, w))

    return Case("remainder", f, lambda _w: -c * jumps, w, exact=False)


def saturated(draw: Draw) -> Case:
    """Binary cross entropy of probabilities near 1, computed as users do, from few samples."""
    n, k = int(draw.integers(2, 12)), int(draw.integers(1, 6))
    x, w = draw.normal(size=(n, k)), draw.normal(size=k) * _power(draw, 0, 1)
    z = x @ w
    t = np.where(draw.random(n) < 0.7, z > 0, z < 0) * 1.0
    t[np.abs(z) > 30] = (z[np.abs(z) > 30] > 0) * 1.0

    def f(w: Array) -> float:
        p = 1 / (1 + np.exp(-(x @ w)))
        return float(-np.mean(np.where(t == 1, np.log(p), np.log(1 - p))))

    def df(w: Array) -> Array:
        return x.T @ (1 / (1 + np.exp(-(x @ w))) - t) / n

    return Case("saturated", f, df, w, exact=False)


KINDS = {make.__name__: make for make in (mixed, frequency, pole, peak, staircase, remainder, saturated)}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], KINDS, __doc__ or ""))
