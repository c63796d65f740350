"""Both passes of a function of arrays in low precision, and the same in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import unit_roundoff
from backproof.targets.calling import called
from backproof.targets.container import leaves_of, mapped
from backproof.targets.formats import Format, holds_floats, in_double
from backproof.targets.source import UserFunction, alike, defined_at
from backproof.targets.vjp import output_and_residuals

Formats = Sequence[Format | None]
"""Those of the leaves of a container; None of a leaf that is no array of floats."""

Kernel = tuple[UserFunction, UserFunction | None]
"""A forward pass and its backward pass; None where the inputs' library makes that."""


class Passes:
    """Both passes of a kernel as functions over arrays in double precision.

    Attributes:
        inputs: in double precision.
        formats: of the leaves of the inputs, as the user has them.
        upstream: of the leaves of the outputs, which the cotangent has as well.
        reference: the forward pass in double precision.
        backward: (cotangent, *inputs) → the gradients as they are returned, by a pass in its own formats.
        in_double: the same by the same pass in double precision; raises where that does not take it.
    """

    def __init__(
        self,
        forward: UserFunction,
        backward: UserFunction | None,
        inputs: tuple[Any, ...],
        reference: UserFunction | None,
        *,
        residuals: bool,
        wide: Kernel | None = None,
    ) -> None:
        """
        Args:
            wide: forward and backward pass to call in double precision, if these differ.
        """
        self.forward, self.residuals = forward, residuals
        self.inputs, self.formats = mapped(in_double, inputs), formats_of(inputs)
        self.upstream = formats_of(called(forward, self._outputs_of, forward, inputs))
        self.reference = alike(forward)(partial(self._in_double, reference or forward))
        marked = alike(backward or forward)
        self.backward = marked(partial(self._gradients, backward))
        self.in_double = marked(partial(self._gradients_in_double, wide or (forward, backward)))

    def _outputs_of(self, function: UserFunction, inputs: Sequence[Any]) -> Any:
        """What a forward pass returns beside residuals."""
        if self.residuals and function is self.forward:
            return output_and_residuals(function, inputs)[0]
        return function(*inputs)

    def _in_double(self, function: UserFunction, *inputs: Any) -> Any:
        doubles = doubles_of(self.formats)
        with with_doubles_of(doubles):
            found = self._outputs_of(function, made_of(inputs, doubles))
            for each in formats_of(found):
                if each is not None and each.unit_roundoff > unit_roundoff(np.float64):
                    raise not_double(function, f"returns {each.name} for inputs in float64")
            return mapped(in_double, found)

    def _gradients(self, backward: UserFunction | None, cotangent: Any, *inputs: Any) -> Any:
        native, upstream = made_of(inputs, self.formats), made_of(cotangent, self.upstream)
        found = self._pulled((self.forward, backward), native, upstream)
        if backward is None:
            return found
        for given, now, what in ((inputs, native, "an argument"), (cotangent, upstream, "its cotangent")):
            if not _same(given, now):
                raise FunctionError(f"{defined_at(backward)}: changes {what}; copy it first")
        return found

    def _gradients_in_double(self, kernel: Kernel, cotangent: Any, *inputs: Any) -> Any:
        doubles, upstream = doubles_of(self.formats), doubles_of(self.upstream)
        with with_doubles_of(doubles):
            found = self._pulled(kernel, made_of(inputs, doubles), made_of(cotangent, upstream))
            units = [each.unit_roundoff for each in formats_of(found) if each is not None]
            if max(units, default=0.0) > unit_roundoff(np.float64):
                raise FunctionError(f"{defined_at(kernel[1] or kernel[0])}: rounds to low precision")
            return mapped(in_double, found)

    def _pulled(self, kernel: Kernel, inputs: Any, cotangent: Any) -> Any:
        """The gradients that a backward pass makes, in the formats that are given."""
        forward, backward = kernel
        if backward is None:
            return _pulled_by_library(forward, inputs, cotangent)
        if self.residuals:
            return backward(output_and_residuals(forward, inputs)[1], cotangent)
        return backward(cotangent, *inputs)


def formats_of(found: Any) -> list[Format | None]:
    """The formats of the leaves of a container."""
    return [Format.of(part) if holds_floats(part) else None for part in leaves_of(found)]


def doubles_of(formats: Formats) -> list[Format | None]:
    """Double precision in the library of each."""
    return [each and each.double for each in formats]


def made_of(values: Any, formats: Formats) -> Any:
    """Arrays in double precision as those of some formats."""
    of_each = iter(formats)

    def one(part: Any) -> Any:
        found = next(of_each)
        return part if found is None else found.made_of(part)

    return mapped(one, values)


def _same(given: Any, now: Any) -> bool:
    """Whether arrays still hold the numbers, in double precision, that they were made of."""
    pairs = zip(leaves_of(given), leaves_of(now), strict=True)
    return all(np.array_equal(a, in_double(b), equal_nan=True) for a, b in pairs if holds_floats(b))


def with_doubles_of(formats: Formats) -> AbstractContextManager[None]:
    """Where arrays of JAX have 64 bits, if any are JAX's."""
    if not any(each is not None and each.by == "jax" for each in formats):
        return nullcontext()
    from backproof.targets.jax import doubles

    return doubles()


def _pulled_by_library(forward: UserFunction, inputs: Any, cotangent: Any) -> Any:
    """The gradients that the inputs' library makes."""
    if any(each is not None and each.by == "torch" for each in formats_of(inputs)):
        from backproof.targets.torch import pulled_by_torch

        return pulled_by_torch(forward, inputs, cotangent)
    from backproof.targets.jax import pulled_by_jax

    return pulled_by_jax(forward, inputs, cotangent)


def not_double(function: UserFunction, what: str) -> FunctionError:
    """The error of a function that does not compute in double precision."""
    advice = "give reference=, the same function in float64"
    return FunctionError(f"{defined_at(function)}: {what}; {advice}")
