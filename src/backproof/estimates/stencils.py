"""Difference schemes: which evaluations make a derivative, and what each of them costs in accuracy."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np

from backproof.network.arrays import Array, DType, FloatType, unit_roundoff
from backproof.network.clips import Clip
from backproof.network.losses import Loss
from backproof.network.problem import Problem


class Scheme(StrEnum):
    """A derivative as Σ weight · (f(θ + high·h) − f(θ + low·h)) / ((high − low)·h).

    Attributes:
        pairs: (high, low, weight) of each difference; none where parameters are not moved that way.
        order: the power of h with which truncation falls.
    """

    formula: str
    pairs: tuple[tuple[float, float, float], ...]
    order: int

    # The defaults are never used; with them a type checker accepts the look-up Scheme("central").
    def __new__(
        cls, name: str, formula: str = "", pairs: tuple[tuple[float, float, float], ...] = (), order: int = 0
    ) -> Scheme:
        member = str.__new__(cls, name)
        member._value_ = name
        member.formula, member.pairs, member.order = formula, pairs, order
        return member

    # The default. How f reacts to a pre-activation z does not depend on which incoming weight moves it. So f
    # is evaluated around every z of every sample, and the derivative there carried to the weights by their
    # inputs a, of which z is a sum: all weights of a unit share four evaluations. Where a kink is near, and
    # with a step of the user's, the weights are moved themselves, by central differences.
    FIVE_POINT = "five_point", "Σ a · (8 (f(z+η) − f(z−η)) − f(z+2η) + f(z−2η)) / 12η", (), 4
    CENTRAL = "central", "(f(θ+h) − f(θ−h)) / 2h", ((1, -1, 1),), 2
    FORWARD = "forward", "(f(θ+h) − f(θ)) / h", ((1, 0, 1),), 1
    BACKWARD = "backward", "(f(θ) − f(θ−h)) / h", ((0, -1, 1),), 1
    RICHARDSON = "richardson", "(4 D(h/2) − D(h)) / 3", ((0.5, -0.5, 4 / 3), (1, -1, -1 / 3)), 4
    COMPLEX = "complex", "Im f(θ + ih) / h", (), 2

    @property
    def noise(self) -> float:
        """How the noise of one value is amplified, relative to noise/h of a central difference."""
        return sum(abs(weight) * 2 / (high - low) for high, low, weight in self.pairs)

    def best_step(self, u: float) -> float:
        """The step, relative to that of a central difference, at which truncation and round-off balance."""
        if self.order >= 2:
            return 1.0
        return float(2.0 ** np.round(np.log2(np.sqrt(u) / np.cbrt(u))))


COMPLEX_TYPES: dict[FloatType, type[np.complexfloating[Any, Any]]] = {
    np.float32: np.complex64,
    np.float64: np.complex128,
    np.longdouble: np.clongdouble,
}
"""The complex numbers of each precision; float16 has none."""

COMPLEX_STEPS: dict[FloatType, float] = {
    np.float32: 2.0**-60,
    np.float64: 2.0**-200,
    np.longdouble: 2.0**-1000,
}
"""Im f(θ + ih)/h errs by h²/6·f''' and subtracts nothing: the shorter h the better, until numbers underflow.

A logarithm bends within the distance of its pole, which a clip's eps may make very short.
"""


def takes_complex(function: Callable[[Array], Array], dtype: FloatType) -> bool:
    """Whether a function is defined on complex numbers of this precision and analytic there.

    Im f(z + ih)/h must be the derivative that a central difference finds. A function that takes
    absolute values, or casts to real numbers, is not that.
    """
    return _remembered(_takes_complex, function, np.dtype(dtype))


def loss_takes_complex(problem: Problem, dtype: FloatType) -> bool:
    """Whether the terms of a problem's loss (no batch axes) take complex outputs of this precision."""
    eps = np.asarray(problem.eps).item()
    return _remembered(_loss_takes_complex, problem.loss, problem.clip, eps, np.dtype(dtype))


def _remembered(asked: Callable[..., bool], *about: object) -> bool:
    """An answer, found once: every cell of a sweep asks, mostly about the same few functions.

    Functions of users need not be hashable. What memory did not suffice for is not remembered.
    """
    try:
        return _answer(asked, *about)
    except TypeError:
        return asked(*about)
    except MemoryError:
        return False


@lru_cache(maxsize=256)
def _answer(asked: Callable[..., bool], *about: object) -> bool:
    return asked(*about)


def _takes_complex(function: Callable[[Array], Array], dtype: DType) -> bool:
    kind = dtype.type
    if kind not in COMPLEX_TYPES:
        return False
    z = np.array([[0.15, 0.3, 0.45], [0.2, 0.55, 0.7]], kind)
    h = kind(np.cbrt(unit_roundoff(kind)))
    try:
        with np.errstate(all="ignore"):
            step = kind(COMPLEX_STEPS[kind])
            there = function(z + step * COMPLEX_TYPES[kind](1j))
            if not np.iscomplexobj(there) or np.finfo(there.dtype).eps > np.finfo(kind).eps:
                return False
            found = there.imag / step
            right = (function(z + h) - function(z - h)) / (2 * h)
    except MemoryError:
        raise
    except Exception:  # a user's function may raise anything when given complex numbers
        return False
    near = np.abs(found - right) <= 1e-2 * (1 + np.abs(right))
    return bool(near.all())


def _loss_takes_complex(loss: Loss, clip: Clip, eps: float, dtype: DType) -> bool:
    def terms(y: Array) -> Array:
        zero, one = np.zeros(y.shape, dtype), np.ones(y.shape, dtype)
        return np.asarray(sum(loss.terms(y, t, clip, np.asarray(eps, dtype)) for t in (zero, one)))

    return _takes_complex(terms, dtype)


def refuses_complex(problem: Problem) -> str:
    """Which of a problem's functions takes no complex numbers of its precision; empty if all do.

    A loss with kinks takes none: at a kink imaginary moves would be to neither side.
    """
    dtype = problem.inputs.dtype.type
    nothing = np.zeros((1, 1), dtype)
    if problem.loss.kinks(nothing, nothing):
        return "loss"
    for name, choice in (("activation", problem.activation), ("output", problem.output)):
        if not takes_complex(choice.value, dtype):
            return name
    return "" if loss_takes_complex(problem, dtype) else "loss"
