"""Functions in JAX as functions over NumPy arrays, with the derivatives that JAX makes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import numpy as np

from backproof.network.arrays import Array
from backproof.targets.adapters import library
from backproof.targets.container import ArrayTree, Stack, leaves_of, mapped
from backproof.targets.function import Function, Together
from backproof.targets.leaves import Fixed
from backproof.targets.source import UserFunction, alike, shown_as


def jax_function(f: UserFunction, w: ArrayTree, args: Sequence[Any]) -> Function:
    """f(W, *args) → a scalar; a `custom_vjp` inside it is part of what is checked.

    Evaluated with 64-bit numbers wherever W has them.

    Raises:
        FunctionError: if JAX is not installed, or W is no container of floating arrays.
    """
    jax: Any = library("jax")
    derivative = jax.grad(f, allow_int=True)

    @shown_as(f)
    def value(values: ArrayTree, *more: Any) -> Any:
        with _doubles(jax):
            return np.asarray(f(_in_jax(jax, values), *more))

    @shown_as(f)
    def gradient(values: ArrayTree, *more: Any) -> Any:
        with _doubles(jax):
            return mapped(_conjugate, derivative(_in_jax(jax, values), *more))

    def together(stacks: Sequence[Stack | Fixed]) -> list[Any]:
        return _at_many(jax, lambda values: f(values, *args), w, stacks)

    return Function(_plain(jax, w), args, f=value, df=gradient, together=together)


def _at_many(jax: Any, f: UserFunction, structure: ArrayTree, stacks: Sequence[Stack | Fixed]) -> list[Array]:
    """A function at many points by `vmap`: stacks of the arrays in a structure to stacks of what it returns.

    It isn't compiled as a whole, which takes longer than to evaluate it a few times; so that its operations
    are compiled for few shapes, points are added until there are a power of two of them.
    """
    count = max(len(part.values) for part in stacks if isinstance(part, Stack))
    more = (1 << (count - 1).bit_length()) - count

    def padded(part: Stack | Fixed) -> Any:
        if isinstance(part, Fixed):
            return part.value
        return jax.numpy.asarray(np.concatenate([part.values, part.values[:1].repeat(more, axis=0)]))

    def at(*leaves: Any) -> Any:
        each = iter(leaves)
        return leaves_of(f(mapped(lambda _: next(each), structure)))

    with _doubles(jax):
        axes = tuple(0 if isinstance(part, Stack) else None for part in stacks)
        found = jax.vmap(at, axes)(*map(padded, stacks))
        return [np.asarray(y)[:count] for y in found]


def jax_passes(
    f: UserFunction, inputs: Sequence[Any]
) -> tuple[UserFunction, UserFunction, ArrayTree, Together]:
    """A function of arrays that returns arrays, its backward pass, and the inputs, all over NumPy's arrays;
    and the function at many points.

    Raises:
        FunctionError: if JAX is not installed.
    """
    jax: Any = library("jax")

    @alike(f)
    def forward(*arrays: Any) -> Any:
        with _doubles(jax):
            return _plain(jax, f(*_in_jax(jax, arrays)))

    @alike(f)
    def backward(cotangent: Any, *arrays: Any) -> Any:
        with _doubles(jax):
            _, pull = jax.vjp(f, *_in_jax(jax, arrays))
            upstream = _in_jax(jax, mapped(np.conj, cotangent))
            return mapped(_conjugate, pull(upstream))

    def together(stacks: Sequence[Stack | Fixed]) -> list[Array]:
        return _at_many(jax, lambda arrays: f(*arrays), tuple(inputs), stacks)

    return forward, backward, _plain(jax, tuple(inputs)), together


def jax_pushforward(f: UserFunction, *, linearized: bool = False) -> UserFunction:
    """(tangent, *arrays) → the tangent of the outputs, by JAX's forward mode or by its linearization.

    Raises:
        FunctionError: if JAX is not installed.
    """
    jax: Any = library("jax")

    @shown_as(f)
    def pushforward(tangent: Any, *arrays: Any) -> Any:
        with doubles():
            given = _in_jax(jax, arrays)
            moves = _in_jax(jax, (tangent,) if len(arrays) == 1 else tuple(tangent))
            if linearized:
                return _plain(jax, jax.linearize(f, *given)[1](*moves))
            return _plain(jax, jax.jvp(f, given, moves)[1])

    return pushforward


def pulled_by_jax(f: UserFunction, inputs: Any, cotangent: Any) -> Any:
    """The gradients of arrays of any precision, by JAX; None of what has none."""
    jax: Any = library("jax")
    _, pull = jax.vjp(f, *inputs)
    return mapped(lambda g: g if g.dtype.itemsize else None, pull(cotangent))


def doubles() -> AbstractContextManager[None]:
    """Within, JAX has numbers of 64 bits."""
    return _doubles(library("jax"))


def _doubles(jax: Any) -> AbstractContextManager[None]:
    """Within, JAX has numbers of 64 bits."""
    enable = jax.enable_x64 if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64
    found: AbstractContextManager[None] = enable(True)
    return found


def _in_jax(jax: Any, values: ArrayTree) -> ArrayTree:
    return mapped(lambda part: jax.numpy.asarray(part) if isinstance(part, np.ndarray) else part, values)


def _plain(jax: Any, values: ArrayTree) -> ArrayTree:
    return mapped(lambda part: np.asarray(part) if isinstance(part, jax.Array) else part, values)


def _conjugate(gradient: Any) -> Any:
    """JAX's gradient of a real loss with respect to x + iy is ∂L/∂x − i ∂L/∂y; elsewhere it is +.

    That of whole numbers, of a type without bits, is none.
    """
    array = np.asarray(gradient)
    return np.conj(array) if array.dtype.itemsize else None
