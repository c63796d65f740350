"""The Gaussian error linear unit (Hendrycks & Gimpel 2016), in its exact form."""

from __future__ import annotations

import numpy as np

from backproof.choices import choice
from backproof.network.activations.activation import Activation
from backproof.network.arrays import Array, Interval, finite

PI = np.longdouble("3.14159265358979323846264338327950288")


@choice
def gelu() -> Activation:
    """z Φ(z)"""
    return Activation("gelu", "z Φ(z)", value, derivative, range=Interval(-0.17, np.inf))


def value(z: Array) -> Array:
    """z·Φ(z), Φ being the normal distribution function."""
    return finite(z) * _normal_cdf(z)


def derivative(z: Array) -> Array:
    """Φ(z) + z·φ(z), φ being the normal density."""
    big = finite(z)
    with np.errstate(over="ignore"):
        density = np.exp(-big * big / 2) / np.sqrt(2 * PI).astype(z.dtype)
    return np.asarray(_normal_cdf(z) + big * density)


def _normal_cdf(z: Array) -> Array:
    if z.dtype == np.longdouble:
        return _normal_cdf_longdouble(z)
    from scipy.special import ndtr  # a fifth of a second to import, which only GELU needs

    return np.asarray(ndtr(z).astype(z.dtype, copy=False))


def _normal_cdf_longdouble(z: Array) -> Array:
    """Φ in extended precision, which SciPy lacks, to a few units of *relative* round-off (twenty near −1).

    Near zero ½ + ½ erf(x), x = z/√2, with erf(x) = 2/√π·exp(−x²)·Σ 2ⁿx²ⁿ⁺¹/(2n+1)!! (Abramowitz &
    Stegun 7.1.6): all terms have one sign. In the tails erfc(x) = exp(−x²)/√π / (x + ½/(x + 1/(x +
    3/2/(x + …)))) (7.1.14), since 1 − erf would cancel there.
    """
    x = z / np.sqrt(np.longdouble(2))
    size, switch = np.abs(x), np.longdouble(0.8)
    inside = np.clip(x, -switch, switch)
    term, total = inside.copy(), inside.copy()
    for n in range(1, 40):
        term = term * (2 * inside * inside) / (2 * n + 1)
        total = total + term
    bell = _bell(z)
    near = np.longdouble(0.5) + bell * total / np.sqrt(PI)
    outside = np.maximum(size, switch)
    fraction = outside.copy()
    for n in range(400, 0, -1):
        fraction = outside + np.longdouble(n) / 2 / fraction
    tail = bell / fraction / (2 * np.sqrt(PI))
    return np.asarray(np.where(size <= switch, near, np.where(x < 0, tail, 1 - tail)))


def _bell(z: Array) -> Array:
    """exp(−z²/2); the square of the first 24 bits is exact, so that rounding of z² does not grow with it."""
    first = np.clip(z, -200, 200).astype(np.float32).astype(z.dtype)
    return np.asarray(np.exp(-first * first / 2) * np.exp(-(z - first) * (z + first) / 2))
