"""Functions over arrays of PyTorch or JAX as functions over NumPy's, which hold the same numbers.

For derivatives that a user wrote for such arrays; those that a library makes are in `torch` and `jax`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.targets.adapters import library, made_with
from backproof.targets.container import leaves_of, mapped
from backproof.targets.formats import is_foreign
from backproof.targets.source import UserFunction, alike, defined_at
from backproof.targets.torch_leaves import array_of_tensor


class Native:
    """The library that inputs are made with, and how their arrays become NumPy's and come back.

    Attributes:
        by: "torch", "jax" or None.
        inputs: as arrays of NumPy.
    """

    def __init__(self, function: UserFunction, inputs: Sequence[Any]) -> None:
        self.by = made_with(function, tuple(inputs))
        self._device = _device_of(inputs) if self.by == "torch" else None
        self.inputs: tuple[Any, ...] = self.plain(tuple(inputs))

    def over_arrays(self, function: UserFunction) -> UserFunction:
        """A user's function as one over NumPy's arrays, evaluated with 64 bits wherever they have them.

        Raises:
            FunctionError: when it is called, if it changes an argument.
        """
        if self.by is None:
            return function

        @alike(function)
        def called(*args: Any) -> Any:
            with self._doubles():
                given = mapped(self._native, tuple(args))
                found = function(*given)
                if not all(map(_same, leaves_of(tuple(args)), leaves_of(given))):
                    raise FunctionError(f"{defined_at(function)}: changes its argument; copy it first")
                return self.plain(found)

        return called

    def _doubles(self) -> AbstractContextManager[None]:
        if self.by == "torch":
            return nullcontext()
        from backproof.targets.jax import doubles

        return doubles()

    def _native(self, part: Any) -> Any:
        if not isinstance(part, np.ndarray | np.generic):
            return part
        if self.by == "torch":
            return library("torch").tensor(np.asarray(part), device=self._device)
        return library("jax").numpy.asarray(part)

    def plain(self, found: Any) -> Any:
        """A container with arrays of NumPy in place of the library's."""
        return found if self.by is None else mapped(self._array, found)

    def _array(self, part: Any) -> Any:
        if made_with(None, part) != self.by:
            return part
        if self.by == "jax":
            return np.asarray(part) if part.dtype.itemsize else None
        return part if is_foreign(part) else array_of_tensor(part)


def _device_of(inputs: Sequence[Any]) -> Any:
    """Where the first tensor lies."""
    parts = leaves_of(tuple(inputs))
    return next((part.device for part in parts if made_with(None, part) == "torch"), None)


def _same(array: Any, native: Any) -> bool:
    """Whether what was made of an array still holds its numbers."""
    if array is native:
        return True
    now = array_of_tensor(native) if made_with(None, native) == "torch" else native
    return np.array_equal(array, np.asarray(now), equal_nan=array.dtype.kind in "fc")
