"""Quantities that a wrong gradient of a function may hold: of its parameters, and of arrays it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from inspect import getclosurevars
from typing import Any

import numpy as np

from backproof.network.arrays import Array
from backproof.targets.source import UserFunction

MOST_ENTRIES = 1 << 18
"""Larger arrays are not multiplied by one another."""

MOST_ARRAYS = 6
"""So many of the arrays that a function is given are looked at."""

ORDERS: dict[str, Callable[[Array], Array]] = {
    "{}": lambda v: v,
    "reversed {}": lambda v: v[::-1],
    "{} shifted by 1": lambda v: np.roll(v, 1, axis=0),
    "{} shifted by -1": lambda v: np.roll(v, -1, axis=0),
    "|{}|": np.abs,
    "the first of {}": lambda v: np.broadcast_to(v[:1], v.shape),
}
"""What may be made of a vector that X is multiplied by."""

LINKS: dict[str, Callable[[Array], Array]] = {
    "{}": lambda z: z,
    "σ({})": lambda z: 1 / (1 + np.exp(-z)),
    "tanh({})": np.tanh,
    "exp({})": np.exp,
    "exp(-{})": lambda z: np.exp(-z),
    "softmax({})": lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
    "{}²": np.square,
    "sign({})": np.sign,
    "max({}, 0)": lambda z: np.maximum(z, 0),
}
"""Functions of X θ that are looked for."""


def arrays_of(
    loss: UserFunction, derivative: UserFunction, args: Sequence[Any], analytic: Array
) -> dict[str, Array]:
    """The arrays of real numbers that both functions are given, or hold, by name.

    An array of the derivative's alone that is the gradient says nothing of what that was made of.
    """
    found: dict[str, Any] = {f"argument {i}": x for i, x in enumerate(args, 2)}
    found |= _held(loss)
    for name, x in _held(derivative).items():
        array = isinstance(x, np.ndarray) and x.ndim > 0
        if not (name not in found and array and np.array_equal(x.ravel(), analytic)):
            found[name] = x
    kept = {k: x for k, x in found.items() if isinstance(x, np.ndarray) and x.dtype.kind in "fiub"}
    real = {k: x.astype(float) for k, x in kept.items() if 0 < x.size <= MOST_ENTRIES and x.ndim <= 2}
    return dict(list(real.items())[:MOST_ARRAYS])


def _held(function: UserFunction) -> dict[str, Any]:
    """What a function was given beforehand, or holds in its closure, by name."""
    found: dict[str, Any] = {}
    while isinstance(function, partial):
        found |= {f"argument {i}": x for i, x in enumerate(function.args, 1)} | dict(function.keywords)
        function = function.func
    try:
        return found | dict(getclosurevars(function).nonlocals)
    except TypeError:
        return found  # a function without a closure, as one that was compiled


def of_parameters(theta: Array) -> dict[str, Array]:
    """Functions of the parameters that penalties are made of, and a constant."""
    sign = np.sign(theta)
    told = {} if len(sign) and (sign == sign[0]).all() else {"the parameter's sign": sign}  # else it is one
    return {
        "the parameter": theta,
        **told,
        "one": np.ones_like(theta),
        "the parameter squared": theta * theta,
        "the parameter's size": np.abs(theta),
        "the parameter cubed": theta**3,
        "one over the parameter": 1 / theta,
        "exp of the parameter": np.exp(theta),
    }


def of_data(
    data: Mapping[str, Array], theta: Array, shape: tuple[int, ...], parameters: Mapping[str, Array]
) -> Iterator[tuple[str, Array]]:
    """Arrays of a shape that are made of the data and of all parameters, flat.

    These are the arrays, their sums over rows, their products, and Xᵀ times a vector or a function of X θ.
    Where a vector θ has one entry more than X has columns, the first or last one is taken for an intercept.
    """
    for name, x in {**data, **parameters}.items():
        if x.shape == shape:
            yield name, x.ravel()
        elif x.ndim == 2 and shape == x.shape[1:]:
            yield f"the sum over {name}", x.sum(axis=0)
            yield f"the first row of {name}", x[0]
    for name, x in data.items():
        for design in _designs(x, shape):
            yield from _moments(name, design, data, theta.reshape(shape))
    if len(shape) == 2:
        yield from _products({**data, **parameters}, parameters, shape)


def _products(
    arrays: Mapping[str, Array], parameters: Mapping[str, Array], shape: tuple[int, ...]
) -> Iterator[tuple[str, Array]]:
    """Products of two matrices of a shape, one of them a parameter; and of θ with another's Gram matrix."""
    matrices = {name: x for name, x in arrays.items() if x.ndim == 2}
    sides = {**matrices, **{f"{name}ᵀ": x.T for name, x in matrices.items()}}
    for left, a in sides.items():
        for right, b in sides.items():
            mine = left.rstrip("ᵀ") in parameters or right.rstrip("ᵀ") in parameters
            if mine and a.shape[1] == len(b) and (len(a), b.shape[1]) == shape:
                yield f"{left} {right}", (a @ b).ravel()
    for name, x in parameters.items():
        for other, y in parameters.items():
            if x.ndim == y.ndim == 2 and x.shape == shape and y.shape[1] == shape[1] and name != other:
                yield f"{name} {other}ᵀ {other}", (x @ (y.T @ y)).ravel()


def _designs(x: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """The matrix, with a column of ones or of zeros where the parameters have one entry more."""
    if x.ndim != 2 or len(shape) not in (1, 2):
        return
    if shape[0] == x.shape[1]:
        yield x
    elif len(shape) == 1 and shape[0] == x.shape[1] + 1:
        for fill in (np.ones((len(x), 1)), np.zeros((len(x), 1))):
            yield np.hstack([x, fill])
            yield np.hstack([fill, x])


def _moments(name: str, x: Array, data: Mapping[str, Array], theta: Array) -> Iterator[tuple[str, Array]]:
    """Xᵀ v for the vectors v that are at hand, and for these in another order."""
    z = x @ theta.astype(float)
    vectors = {link.format("Xθ"): function(z) for link, function in LINKS.items()}
    vectors["1"] = np.ones_like(z)
    for other, y in data.items():
        fits = y.shape == z.shape and y.shape != x.shape
        if fits or (y.ndim == 1 < z.ndim and len(y) == len(z)):
            y = y if fits else np.broadcast_to(y[:, None], z.shape)
            vectors |= {other: y, f"{other} · Xθ": y * z}
    for words, v in vectors.items():
        for order, change in ORDERS.items():
            yield f"Xᵀ {order.format(words)}, X = {name}", (x.T @ change(v)).ravel()
