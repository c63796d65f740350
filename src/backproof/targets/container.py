"""What W is: one array, or a list, a tuple or a dictionary of arrays, as one vector and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backproof.network.arrays import Array, DType, Precision
from backproof.targets.layout import Layout, in_sequence

ArrayTree = Any
"""W, or a gradient in W's container: one array, or a list, a tuple or a dictionary of arrays."""


class FunctionError(Exception):
    """A function from outside does what no loss or gradient does; the message is one line that says where."""


@dataclass(frozen=True)
class Container:
    """What W is: one array, or a list, a tuple or a dictionary of arrays, laid out in one vector.

    Attributes:
        kind: "array", "list", "tuple" or "dict".
        layout: names each array as one would write it in Python: `W`, `W[0]`, `W['bias']`.
        keys: of a dictionary; empty otherwise.
    """

    kind: Literal["array", "list", "tuple", "dict"]
    layout: Layout
    dtype: DType
    keys: tuple[Any, ...] = ()

    def filled(self, flat: Array) -> Any:
        """Views of a vector, in W's own container."""
        arrays = [tensor.of(flat) for tensor in self.layout.tensors]
        match self.kind:
            case "array":
                return arrays[0]
            case "dict":
                return dict(zip(self.keys, arrays, strict=True))
            case "tuple":
                return tuple(arrays)
            case "list":
                return arrays

    def parts(self, found: Any, label: str) -> list[Any]:
        """The arrays of something that should be a container like W, in W's order.

        Raises:
            FunctionError: if it is another container, or lacks an array; it begins with `label`.
        """
        if self.kind == "array":
            return [found]
        if self.kind == "dict":
            if not isinstance(found, Mapping) or set(found) != set(self.keys):
                what = (
                    f"the keys {sorted(map(str, found))}" if isinstance(found, Mapping) else what_it_is(found)
                )
                keys = sorted(map(str, self.keys))
                raise FunctionError(f"{label}: the gradient must have W's keys {keys}; not {what}")
            return [found[key] for key in self.keys]
        count = len(self.layout.tensors)
        if not isinstance(found, list | tuple) or len(found) != count:
            what = f"{len(found)}" if isinstance(found, list | tuple) else what_it_is(found)
            raise FunctionError(f"{label}: the gradient must be {count} arrays, as W is; not {what}")
        return list(found)


def container_of(w: ArrayTree, name: str = "W") -> tuple[Container, Array]:
    """What W is, and its arrays as one vector.

    Raises:
        FunctionError: unless W is one array, a list, a tuple or a dictionary of arrays of one floating type.
    """
    kind, names, keys, parts = _taken_apart(w, name)
    arrays = [_floats(part, label) for part, label in zip(parts, names, strict=True)]
    dtypes = {a.dtype for a in arrays}
    if len(dtypes) > 1:
        given = ", ".join(f"{label} {a.dtype}" for label, a in zip(names, arrays, strict=True))
        raise FunctionError(f"{name}: its arrays must be of one precision; not {given}")
    if not sum(a.size for a in arrays):
        raise FunctionError(f"{name}: holds no parameter")
    container = Container(kind, in_sequence(names, [a.shape for a in arrays]), dtypes.pop(), keys)
    return container, np.concatenate([a.ravel() for a in arrays])


def _taken_apart(
    w: ArrayTree, name: str
) -> tuple[Literal["array", "list", "tuple", "dict"], list[str], tuple[Any, ...], list[Any]]:
    """The kind of a container, the names of its arrays, its keys and the arrays."""
    if isinstance(w, Mapping):
        return "dict", [f"{name}[{key!r}]" for key in w], tuple(w), list(w.values())
    if isinstance(w, list | tuple):
        names = [f"{name}[{i}]" for i in range(len(w))]
        return ("list" if isinstance(w, list) else "tuple"), names, (), list(w)
    return "array", [name], (), [w]


def array_of(part: Any, label: str) -> Array:
    """What a user gave for an array.

    Raises:
        FunctionError: if its rows are of different lengths.
    """
    try:
        return np.asarray(part)
    except ValueError as error:
        raise FunctionError(f"{label}: must be an array; its rows are of different lengths") from error


def _floats(part: Any, label: str) -> Array:
    array = array_of(part, label)
    if array.dtype == object or array.dtype.kind in "USOc":
        raise FunctionError(f"{label}: must be an array of real numbers; not {what_is_wrong(part, label)}")
    if array.dtype.kind in "iub":
        raise FunctionError(
            f"{label}: holds whole numbers ({array.dtype}), which have no derivative; use floats"
        )
    if Precision.of(array.dtype) is None:
        raise FunctionError(f"{label}: must be of {', '.join(Precision)}; not {array.dtype}")
    return array


def what_it_is(found: Any) -> str:
    if found is None:
        return "nothing (None)"
    shape = getattr(found, "shape", None)
    return type(found).__name__ + (f" of shape {tuple(shape)}" if shape is not None else "")


def what_is_wrong(part: Any, label: str) -> str:
    """What something is that is no array of real numbers: its first entry that is none, or its type."""
    array = np.asarray(part)
    if array.dtype == object and array.ndim:
        for entry in np.ndindex(array.shape):
            kind = np.asarray(array[entry]).dtype.kind
            if kind not in "fiub" or np.ndim(array[entry]):
                return f"{what_it_is(array[entry])} at {label}[{','.join(map(str, entry))}]"
    if array.dtype.kind == "c" and array.ndim:
        return f"{array.dtype}"
    return what_it_is(part)
