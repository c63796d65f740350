"""Functions over any pytree of JAX as functions over a list of arrays, and their derivatives as such."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.targets.adapters import library
from backproof.targets.jax import doubles, jax_passes, jax_pushforward
from backproof.targets.jvp import jvp
from backproof.targets.source import UserFunction, named_as, shown_as
from backproof.targets.vector import Rows
from backproof.targets.vjp import argument_names, vjp

Arrays = Sequence[Any]


@dataclass(frozen=True)
class Flat:
    """A function of arrays that returns a list of arrays, at a point; all of them hold floats.

    Attributes:
        call: (*arrays) → list of arrays.
        source: the user's function, for messages.
        names: of the arrays.
        point: where it is checked.
    """

    call: UserFunction
    source: UserFunction
    names: tuple[str, ...]
    point: tuple[Any, ...]

    def reverse(self, generator: np.random.Generator) -> Rows:
        """Its VJP, as JAX makes it."""
        forward, backward, arrays, together = jax_passes(shown_as(self.source)(self.call), self.point)
        shown = named_as(self.source, self.names)
        return vjp(shown(forward), shown(backward), arrays, together=together, generator=generator)

    def forward(self, generator: np.random.Generator, *, linearized: bool = False) -> Rows:
        """Its JVP, as JAX makes it; or by its linearization."""
        called = shown_as(self.source)(self.call)
        forward, _, arrays, _ = jax_passes(called, self.point)
        pushforward = jax_pushforward(called, linearized=linearized)
        shown = named_as(self.source, self.names)
        return jvp(shown(forward), shown(pushforward), arrays, generator=generator)

    def along_tangents(self, generator: np.random.Generator) -> Flat:
        """Its JVP as a function of the arrays and of as many tangents, which are drawn."""
        jax, count = library("jax"), len(self.point)

        def pushed(*given: Any) -> list[Any]:
            values, tangents = jax.jvp(self.call, given[:count], given[count:])
            return [*values, *tangents]

        names = tuple(f"tangent of {name}" for name in self.names)
        return self._with(pushed, names, [_drawn(x, generator) for x in self.point])

    def with_cotangents(self, generator: np.random.Generator) -> Flat:
        """Its VJP as a function of the arrays and of the outputs' cotangents, which are drawn."""
        jax, count = library("jax"), len(self.point)

        def pulled(*given: Any) -> list[Any]:
            return list(jax.vjp(self.call, *given[:count])[1](list(given[count:])))

        with doubles():
            outputs = self.call(*self.point)
        names = tuple(f"cotangent {k}" for k in range(len(outputs)))
        return self._with(pulled, names, [_drawn(y, generator) for y in outputs])

    def _with(self, call: UserFunction, names: tuple[str, ...], more: Sequence[Any]) -> Flat:
        return Flat(call, self.source, (*self.names, *names), (*self.point, *more))


def flat(function: UserFunction, args: Sequence[Any]) -> Flat:
    """A function of pytrees as one of the arrays of floats in them; all else is passed on as it is.

    Raises:
        FunctionError: if there are none.
    """
    jax = library("jax")
    paths, structure = jax.tree_util.tree_flatten_with_path(tuple(args))
    leaves = [leaf for _, leaf in paths]
    moving = [k for k, leaf in enumerate(leaves) if _is_float(leaf)]
    if not moving:
        raise FunctionError("args: hold no array of floats")
    called = argument_names(function, len(args))
    names = [called[path[0].idx] + jax.tree_util.keystr(path[1:]) for path, _ in paths]

    def call(*arrays: Any) -> list[Any]:
        given = list(leaves)
        for number, array in zip(moving, arrays, strict=True):
            given[number] = array
        found = jax.tree_util.tree_leaves(function(*jax.tree_util.tree_unflatten(structure, given)))
        return [y for y in found if _is_float(y)]

    point = tuple(_array(leaves[k]) for k in moving)
    return Flat(call, function, tuple(names[k] for k in moving), point)


Derivative = tuple[str, Callable[[np.random.Generator], Rows]]


def derivatives_of(
    function: Flat, order: int, modes: Sequence[str], generator: np.random.Generator, of: str = ""
) -> list[Derivative]:
    """What is checked of a function up to an order, each with its name; the lower orders come first."""
    found: list[Derivative] = []
    beyond: list[Derivative] = []
    for mode in modes:
        name = {"fwd": "JVP", "rev": "VJP", "lin": "LIN"}[mode] + of
        if mode == "rev":
            found.append((name, function.reverse))
        else:
            found.append((name, _forward(function, linearized=mode == "lin")))
        if order > 1:
            higher = function.with_cotangents if mode == "rev" else function.along_tangents
            beyond += derivatives_of(higher(generator), order - 1, modes, generator, f" of {name}")
    return found + beyond


def _forward(function: Flat, *, linearized: bool) -> Callable[[np.random.Generator], Rows]:
    return lambda generator: function.forward(generator, linearized=linearized)


def _is_float(leaf: Any) -> bool:
    jax = library("jax")
    if isinstance(leaf, bool | int):
        return False
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:
        return isinstance(leaf, float | complex)
    return bool(jax.numpy.issubdtype(dtype, jax.numpy.inexact))


def _array(leaf: Any) -> Any:
    """Numbers of Python as an array, in double precision."""
    jax = library("jax")
    with doubles():
        return jax.numpy.asarray(leaf)


def _drawn(like: Any, generator: np.random.Generator) -> Any:
    shape, jax = np.shape(like), library("jax")
    found = generator.choice([-1.0, 1.0], shape) * generator.uniform(0.5, 1, shape)
    if np.iscomplexobj(like):
        found = found + 1j * generator.uniform(0.5, 1, shape)
    with doubles():
        return jax.numpy.asarray(found, like.dtype)
