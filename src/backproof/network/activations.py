"""Activations: value, derivative and kinks of each, as small frozen records.

A derivative here is the mathematical one. At a kink, where there is none, the record says
what the slopes on both sides are; which number to use there is the backward rule's choice.

Shapes: every function maps an array to an array of the same shape and precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np

from backproof.network.arrays import REALS, Array, Interval, magnitude, over_units, positive_part


@dataclass(frozen=True)
class Kink:
    """A point where the slope jumps."""

    at: float
    left: float
    right: float


@dataclass(frozen=True)
class Activation:
    """An element-wise function of the pre-activation z.

    Attributes:
        value: z to the unit's value.
        slope: z to the derivative; at a kink its value is not used.
        kinks: where the slope jumps, in ascending order.
        range: where the values lie.
    """

    name: str
    formula: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    kinks: tuple[Kink, ...] = ()
    range: Interval = field(default=REALS)
    elementwise: ClassVar[bool] = True

    def derivative(self, z: Array, at_kink: Array | float) -> Array:
        """The derivative at z, with `at_kink` deciding what it is at a kink.

        `at_kink` weighs the right slope against the left one, so that for ReLU it is the
        derivative at zero itself: 0, 0.5 or 1. It may be an array that broadcasts against z.
        """
        d = self.slope(z)
        for kink in self.kinks:
            touched = z == kink.at
            if touched.any():
                chosen = kink.left + np.asarray(at_kink, z.dtype) * (kink.right - kink.left)
                d = np.where(touched, np.asarray(chosen, z.dtype), d)
        return d

    def at_kink(self, z: Array) -> Array:
        """True where z lies exactly on a kink."""
        touched = np.zeros(z.shape, bool)
        for kink in self.kinks:
            touched |= z == kink.at
        return touched


@dataclass(frozen=True)
class Softmax:
    """exp(z) / sum(exp(z)) over the last axis; an output only, since it couples the units."""

    name: str = "softmax"
    formula: str = "exp(z_k) / Σ exp(z_j)"
    range: Interval = field(default=Interval(0, 1))
    kinks: tuple[Kink, ...] = ()
    elementwise: ClassVar[bool] = False

    def value(self, z: Array) -> Array:
        """Shifted by the largest z, so that no exponential overflows."""
        if z.shape[-1] == 0:
            return z.copy()
        e = np.exp(z - over_units(np.maximum, z))
        return np.asarray(e / over_units(np.add, e))

    def pullback(self, y: Array, g: Array) -> Array:
        """The Jacobian diag(y) − y yᵀ applied to g = ∂L/∂y; shapes (..., m)."""
        return np.asarray(y * (g - over_units(np.add, g * y)))


Output = Activation | Softmax


def _finite(z: Array) -> Array:
    """Infinite z as the largest finite one: z·σ(z) and the like have limits there, not NaN."""
    big = np.finfo(z.dtype).max
    return np.asarray(np.clip(z, -big, big))


def sigmoid(z: Array) -> Array:
    """exp(z) / (1 + exp(z)), which is 1 / (1 + exp(−z)) and keeps all digits where σ is small.

    From where exp(z) would be lost beside 1 the quotient is 1 to the last bit, so z need not be followed
    until it overflows; but complex steps see the slope there, and need exp(−z).
    """
    if np.iscomplexobj(z):
        e = np.exp(-magnitude(z))
        return np.asarray(np.where(z.real >= 0, z.dtype.type(1), e) / (1 + e))
    e = np.exp(np.minimum(z, _saturated(z.dtype)))
    return np.asarray(e / (1 + e))


@cache
def _saturated(dtype: np.dtype[Any]) -> Any:
    """9, 18, 39 and 46: exp(−z) is less than an eighth of the distance from 1 to the next number."""
    return dtype.type(np.ceil(-np.log(np.finfo(dtype).eps)) + 2)


def _sigmoid_slope(z: Array) -> Array:
    # σ(z)·σ(−z) = e/(1+e)² with e = exp(−|z|): no cancellation where σ is close to 1.
    e = np.exp(-magnitude(z))
    return np.asarray(e / (1 + e) ** 2)


def _tanh_slope(z: Array) -> Array:
    # 1 − tanh² cancels once tanh is close to 1; 4e/(1+e)² with e = exp(−2|z|) is the same and does not.
    e = np.exp(-2 * magnitude(z))
    return np.asarray(4 * e / (1 + e) ** 2)


def softplus(z: Array) -> Array:
    """log(1 + exp(z)) without overflow."""
    return np.asarray(positive_part(z) + np.log1p(np.exp(-magnitude(z))))


def _silu(z: Array) -> Array:
    return _finite(z) * sigmoid(z)


def _silu_slope(z: Array) -> Array:
    return np.asarray(sigmoid(z) * (1 + _finite(z) * sigmoid(-z)))


PI = np.longdouble("3.14159265358979323846264338327950288")


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


def _gelu(z: Array) -> Array:
    return _finite(z) * _normal_cdf(z)


def _gelu_slope(z: Array) -> Array:
    big = _finite(z)
    with np.errstate(over="ignore"):
        density = np.exp(-big * big / 2) / np.sqrt(2 * PI).astype(z.dtype)
    return np.asarray(_normal_cdf(z) + big * density)


def _elu(z: Array, alpha: float) -> Array:
    return np.asarray(np.where(z > 0, z, z.dtype.type(alpha) * np.expm1(np.minimum(z, 0))))


def _elu_slope(z: Array, alpha: float) -> Array:
    return np.asarray(np.where(z > 0, z.dtype.type(1), z.dtype.type(alpha) * np.exp(np.minimum(z, 0))))


def _leaky(z: Array, slope: float) -> Array:
    return np.asarray(np.where(z > 0, z, z.dtype.type(slope) * z))


def _step(z: Array, at: float, left: float, right: float) -> Array:
    return np.asarray(np.where(z > at, z.dtype.type(right), z.dtype.type(left)))


def _relu(z: Array) -> Array:
    return np.asarray(np.maximum(z, 0))


def _relu_slope(z: Array) -> Array:
    return (z > 0).astype(z.dtype)


def _identity_slope(z: Array) -> Array:
    return np.ones_like(z)


def _clipped_slope(z: Array, low: float, high: float, run: float = 1) -> Array:
    """The slope 1/run between two kinks; divided in z's own precision, where 1/6 is not double's 1/6."""
    inside = (z > low) & (z <= high)  # the left slope at either kink
    return np.asarray(inside.astype(z.dtype) / z.dtype.type(run))


def _hard_tanh(z: Array) -> Array:
    return np.asarray(np.clip(z, -1, 1))


def _relu6(z: Array) -> Array:
    return np.asarray(np.clip(z, 0, 6))


def _hard_sigmoid(z: Array) -> Array:
    return np.asarray(np.clip(z + 3, 0, 6) / 6)


def _identity(z: Array) -> Array:
    return z.copy()


SIGMOID = Activation("sigmoid", "1 / (1 + exp(-z))", sigmoid, _sigmoid_slope, range=Interval(0, 1))
TANH = Activation("tanh", "tanh(z)", np.tanh, _tanh_slope, range=Interval(-1, 1))
RELU = Activation("relu", "max(z, 0)", _relu, _relu_slope, (Kink(0, 0, 1),), Interval(0, np.inf))
SOFTPLUS = Activation("softplus", "log(1 + exp(z))", softplus, sigmoid, range=Interval(0, np.inf))
SILU = Activation("silu", "z / (1 + exp(-z))", _silu, _silu_slope, range=Interval(-0.2785, np.inf))
GELU = Activation("gelu", "z Φ(z)", _gelu, _gelu_slope, range=Interval(-0.17, np.inf))
IDENTITY = Activation("identity", "z", _identity, _identity_slope)
HARD_TANH = Activation(
    "hard_tanh",
    "min(max(z, -1), 1)",
    _hard_tanh,
    partial(_clipped_slope, low=-1, high=1),
    (Kink(-1, 0, 1), Kink(1, 1, 0)),
    Interval(-1, 1),
)
HARD_SIGMOID = Activation(
    "hard_sigmoid",
    "min(max(z + 3, 0), 6) / 6",
    _hard_sigmoid,
    partial(_clipped_slope, low=-3, high=3, run=6),
    (Kink(-3, 0, 1 / 6), Kink(3, 1 / 6, 0)),
    Interval(0, 1),
)
RELU6 = Activation(
    "relu6",
    "min(max(z, 0), 6)",
    _relu6,
    partial(_clipped_slope, low=0, high=6),
    (Kink(0, 0, 1), Kink(6, 1, 0)),
    Interval(0, 6),
)
SOFTMAX = Softmax()


def leaky_relu(slope: float = 0.01) -> Activation:
    """z for z > 0, slope·z below; `slope` may be any finite number but 1."""
    if not np.isfinite(slope) or slope == 1:
        raise ValueError(f"slope must be a finite number other than 1; not {slope}")
    return Activation(
        "leaky_relu",
        f"z if z > 0 else {slope:g} z",
        partial(_leaky, slope=slope),
        partial(_step, at=0.0, left=slope, right=1.0),
        (Kink(0, slope, 1),),
        REALS if slope > 0 else Interval(0, np.inf),
    )


def elu(alpha: float = 1.0) -> Activation:
    """z for z > 0, alpha·(exp(z) − 1) below; smooth at zero only for alpha = 1."""
    if not np.isfinite(alpha) or alpha <= 0:
        raise ValueError(f"alpha must be a positive number; not {alpha}")
    return Activation(
        "elu",
        f"z if z > 0 else {alpha:g} (exp(z) - 1)",
        partial(_elu, alpha=alpha),
        partial(_elu_slope, alpha=alpha),
        () if alpha == 1 else (Kink(0, alpha, 1),),
        Interval(-alpha, np.inf),
    )


ACTIVATIONS: dict[str, Activation] = {
    a.name: a
    for a in (
        SIGMOID, TANH, RELU, leaky_relu(), SOFTPLUS, elu(), SILU, GELU,
        IDENTITY, HARD_TANH, HARD_SIGMOID, RELU6,
    )
}  # fmt: skip
OUTPUTS: dict[str, Output] = {**ACTIVATIONS, "softmax": SOFTMAX}
