"""The functions and constants that an expression may name, on arrays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from backproof.network.activations import sigmoid, softplus, tanh
from backproof.network.arrays import Array, magnitude


def _where(condition: Array, x: Array, y: Array) -> Array:
    return np.asarray(np.where(condition, x, y))


def _maximum(x: Array, y: Array) -> Array:
    """The larger one; of complex numbers by their real parts, the first where these are equal."""
    if np.iscomplexobj(x) or np.iscomplexobj(y):
        return np.asarray(np.where(np.real(x) < np.real(y), y, x))
    return np.asarray(np.maximum(x, y))


def _of_array(function: Callable[[Array], Array]) -> Callable[[Array | float], Array]:
    """The same for a constant too, which a program holds as a number of Python's."""
    return lambda x: function(np.asarray(x))


NUMERIC: dict[str, Callable[..., Array]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt,
    "sin": np.sin, "cos": np.cos, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "arctan": np.arctan,
    "sigmoid": _of_array(sigmoid.value), "softplus": _of_array(softplus.value),
    "sech2": _of_array(tanh.derivative), "abs": _of_array(magnitude),
    "maximum": _maximum, "minimum": lambda x, y: -_maximum(-x, -y), "sign": np.sign,
    "step": lambda x: np.heaviside(x, 0.5),
    "where": _where,
}  # fmt: skip
"""The functions of an expression, and of derivatives."""

ARGUMENTS = {"where": 3, "maximum": 2, "minimum": 2}
"""How many arguments a function takes; one, where it isn't among these."""

NAMES = tuple(sorted({*NUMERIC} - {"sech2", "step"}))
"""Those that a user may name."""

CONSTANTS = {"pi": math.pi, "e": math.e}
