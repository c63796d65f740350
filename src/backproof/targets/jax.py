"""Losses in JAX as functions over NumPy arrays, with the gradient that `jax.grad` makes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from backproof.targets.adapters import library
from backproof.targets.container import ArrayTree, mapped
from backproof.targets.function import Function
from backproof.targets.source import UserFunction, shown_as


def jax_function(f: UserFunction, w: ArrayTree, args: Sequence[Any]) -> Function:
    """f(W, *args) → a scalar; a `custom_vjp` inside it is part of what is checked.

    Evaluated with 64-bit numbers wherever W has them.

    Raises:
        FunctionError: if JAX is not installed, or W is no container of floating arrays.
    """
    jax: Any = library("jax")
    derivative = jax.grad(f)
    doubles = jax.enable_x64 if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64

    def in_jax(part: Any) -> Any:
        return jax.numpy.asarray(part) if isinstance(part, np.ndarray) else part

    def plain(part: Any) -> Any:
        return np.asarray(part) if isinstance(part, jax.Array) else part

    @shown_as(f)
    def value(values: ArrayTree, *more: Any) -> Any:
        with doubles(True):
            return np.asarray(f(mapped(in_jax, values), *more))

    @shown_as(f)
    def gradient(values: ArrayTree, *more: Any) -> Any:
        with doubles(True):
            return mapped(_conjugate, derivative(mapped(in_jax, values), *more))

    return Function(mapped(plain, w), args, f=value, df=gradient)


def _conjugate(gradient: Any) -> Any:
    """JAX's gradient of a real loss with respect to x + iy is ∂L/∂x − i ∂L/∂y; elsewhere it is +."""
    return np.conj(np.asarray(gradient))
