"""Losses in PyTorch and JAX as functions over NumPy arrays, with the gradient that their library makes.

Both libraries are optional: they are imported where somebody's function needs them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from backproof.targets.function import Function, FunctionError

EXTRAS = {"torch": "PyTorch", "jax": "JAX"}
"""The extras of the package by the name of the library they install."""


def library(name: str) -> Any:
    """Import PyTorch or JAX.

    Raises:
        FunctionError: naming the extra to install.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise FunctionError(
            f"{EXTRAS[name]} is needed and not there: pip install 'backproof[{name}]'"
        ) from error


def made_with(f: Any, w: Any) -> str | None:
    """The library whose arrays or modules these are: "torch", "jax" or None."""
    parts = list(w.values()) if isinstance(w, Mapping) else w if isinstance(w, list | tuple) else [w]
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    if torch and (isinstance(f, torch.nn.Module) or any(isinstance(p, torch.Tensor) for p in parts)):
        return "torch"
    if jax and any(isinstance(p, jax.Array) for p in parts):
        return "jax"
    return None


def torch_function(f: Any, w: Any, args: Sequence[Any]) -> Function:
    """f(W, *args) → a tensor of one element, or a module with such an output; `.backward()` is the gradient.

    A module's W are its parameters, by name; `w` is then None, or the values to check it at.
    """
    torch = library("torch")
    given = tuple(torch.as_tensor(a) if isinstance(a, np.ndarray) else a for a in args)
    loss: Callable[..., Any] = f
    if isinstance(f, torch.nn.Module):
        own = {name: p for name, p in f.named_parameters() if p.requires_grad}
        if w is None:
            w = own

        def of_module(values: dict[str, Any], *more: Any) -> Any:
            return torch.func.functional_call(f, values, more)

        of_module.__backproof_source__ = type(f).forward  # type: ignore[attr-defined]
        loss = of_module
    arrays = _converted(w, lambda p: p.detach().cpu().numpy().copy() if isinstance(p, torch.Tensor) else p)

    def value(values: Any, *more: Any) -> Any:
        with torch.no_grad():
            return _plain(loss(_converted(values, torch.tensor), *more))

    def gradient(values: Any, *more: Any) -> Any:
        leaves = _converted(values, lambda a: torch.tensor(a, requires_grad=True))
        found = loss(leaves, *more)
        if not isinstance(found, torch.Tensor) or not found.requires_grad:
            return _converted(values, np.zeros_like)  # W has no part in it
        found.backward()

        def of(leaf: Any) -> Any:
            return np.zeros(tuple(leaf.shape)) if leaf.grad is None else leaf.grad.detach().cpu().numpy()

        return _converted(leaves, of)

    for made in (value, gradient):
        made.__backproof_source__ = loss  # type: ignore[attr-defined]
    return Function(arrays, given, f=value, df=gradient)


def torch_module(make: Callable[..., Any], seed: int, precision: str, **given: Any) -> Any:
    """A module whose weights are drawn from a seed, in a precision."""
    torch = library("torch")
    dtype = getattr(torch, precision, None)
    if dtype is None:
        raise FunctionError(f"precision: PyTorch has no {precision}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make(**given).to(dtype)


def jax_function(f: Callable[..., Any], w: Any, args: Sequence[Any]) -> Function:
    """f(W, *args) → a scalar; the gradient is what `jax.grad` makes, a `custom_vjp` inside it included.

    Evaluated with 64-bit numbers wherever W has them.
    """
    jax = library("jax")
    slope = jax.grad(f)
    doubles = jax.enable_x64 if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64

    def value(values: Any, *more: Any) -> Any:
        with doubles(True):
            return _plain(f(_converted(values, jax.numpy.asarray), *more))

    def gradient(values: Any, *more: Any) -> Any:
        with doubles(True):
            return _converted(slope(_converted(values, jax.numpy.asarray), *more), np.asarray)

    for made in (value, gradient):
        made.__backproof_source__ = f  # type: ignore[attr-defined]
    return Function(_converted(w, np.asarray), args, f=value, df=gradient)


def _plain(found: Any) -> Any:
    """A library's scalar as NumPy's, its precision kept."""
    if isinstance(found, float | int) or not hasattr(found, "shape"):
        return found
    return np.asarray(found.detach().cpu() if hasattr(found, "detach") else found)


def _converted(w: Any, convert: Callable[[Any], Any]) -> Any:
    """W's own container, with its arrays converted."""
    if isinstance(w, Mapping):
        return {key: convert(part) for key, part in w.items()}
    if isinstance(w, list | tuple):
        return type(w)([convert(part) for part in w])
    return convert(w)
