"""Parameters that may not move freely: a function along the directions in which they may.

A gradient of a function on a sphere, a simplex or the symmetric matrices is right if its products with the
tangent directions are; what it says of other directions has no meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csc_array, eye_array

from backproof.errors import FunctionError
from backproof.network.arrays import Array, FloatType, root_mean_square
from backproof.targets.function import Function
from backproof.targets.layout import Layout, in_sequence

LARGEST = 2000
"""Parameters on a sphere, whose tangent directions are all dense."""


@dataclass(frozen=True)
class Tangent:
    """Directions that span a tangent space: columns (parameters, directions), and their names."""

    columns: csc_array
    names: tuple[str, ...]


@dataclass(frozen=True)
class NamedLayout(Layout):
    """A vector whose entries have names of their own."""

    names: tuple[str, ...] = ()

    def location(self, index: int) -> str:
        """The name of one entry."""
        return self.names[index]


class OnTangent(Function):
    """f(θ + T c) as a function of c, with the gradient Tᵀ df(θ + T c); T holds tangent directions."""

    def __init__(self, function: Function, tangent: Tangent) -> None:
        function.check_arguments()
        self.inner, self.tangent = function, tangent
        size = root_mean_square(np.abs(function.start.astype(float))) or 1.0
        self.columns = tangent.columns * size  # so that coefficients are counted in the size of θ

        def value(c: Array) -> Any:
            return function.value_near(self._moved(c))

        def gradient(c: Array) -> Array:
            return np.asarray(self.columns.T @ function.gradient(self._moved(c))).astype(c.dtype)

        start = np.zeros(len(tangent.names), function.dtype)
        super().__init__(start, f=value, df=gradient)
        self._names = NamedLayout(in_sequence(["tangent"], [start.shape]).tensors, tangent.names)

    def _moved(self, c: Array) -> Array:
        return np.asarray(self.inner.start + self.columns @ c).astype(self.inner.dtype)

    @property
    def layout(self) -> Layout:
        """The coefficients, by the names of their directions."""
        return self._names

    @property
    def loss(self) -> Any:
        """The user's function that returns the loss."""
        return self.inner.loss

    @property
    def derivative(self) -> Any:
        """The user's function that returns the gradient."""
        return self.inner.derivative

    def in_precision(self, dtype: FloatType) -> Function:
        """The same in another precision."""
        return OnTangent(self.inner.in_precision(dtype), self.tangent)


def along(function: Function, tangent: Any) -> Function:
    """A function along tangent directions.

    Args:
        tangent: "symmetric", "lower", "upper" (triangular), "simplex" or "sphere", for a W that is one array;
            or an array of directions, (parameters, directions).

    Raises:
        FunctionError: if it is none of these, or does not fit W.
    """
    if isinstance(tangent, str):
        if tangent not in SPACES:
            raise FunctionError(f"tangent: must be an array or one of {', '.join(SPACES)}; not {tangent!r}")
        if len(function.layout.tensors) != 1:
            raise FunctionError(f"tangent: {tangent} needs a W that is one array")
        return OnTangent(function, SPACES[tangent](function))
    columns = np.asarray(tangent, float)
    size = function.layout.size
    if columns.ndim != 2 or columns.shape[0] != size or not columns.shape[1]:
        raise FunctionError(f"tangent: must have shape ({size}, directions); not {columns.shape}")
    lengths = np.linalg.norm(columns, axis=0)
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise FunctionError(f"tangent: direction {int(np.argmin(lengths > 0))} is zero or not finite")
    names = tuple(f"direction {k}" for k in range(columns.shape[1]))
    return OnTangent(function, Tangent(csc_array(columns / lengths), names))


def _square(function: Function, name: str) -> tuple[str, int]:
    """The name and the number of rows of a square matrix."""
    tensor = function.layout.tensors[0]
    if len(tensor.shape) != 2 or tensor.shape[0] != tensor.shape[1]:
        raise FunctionError(f"tangent: {name} needs a square matrix; {tensor.name} has shape {tensor.shape}")
    return tensor.name, tensor.shape[0]


def _of_entries(rows: list[list[int]], size: int, names: list[str]) -> Tangent:
    """Directions that each move some entries together."""
    columns = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    values = np.ones(len(columns))
    return Tangent(csc_array((values, (np.concatenate(rows), columns)), (size, len(rows))), tuple(names))


def symmetric(function: Function) -> Tangent:
    """Symmetric matrices: an entry moves with its mirror image."""
    name, n = _square(function, "symmetric")
    pairs = [(i, j) for i in range(n) for j in range(i + 1)]
    rows = [[i * n + j, j * n + i] if i != j else [i * n + i] for i, j in pairs]
    names = [f"{name}[{i},{j}] = {name}[{j},{i}]" if i != j else f"{name}[{i},{i}]" for i, j in pairs]
    return _of_entries(rows, n * n, names)


def lower(function: Function) -> Tangent:
    """Lower triangular matrices: no entry above the diagonal moves."""
    return _triangle(function, "lower")


def upper(function: Function) -> Tangent:
    """Upper triangular matrices: no entry below the diagonal moves."""
    return _triangle(function, "upper")


def _triangle(function: Function, which: str) -> Tangent:
    name, n = _square(function, which)
    pairs = [(i, j) for i in range(n) for j in range(n) if (j <= i if which == "lower" else j >= i)]
    return _of_entries([[i * n + j] for i, j in pairs], n * n, [f"{name}[{i},{j}]" for i, j in pairs])


def simplex(function: Function) -> Tangent:
    """Numbers with a given sum: one grows by what its neighbour loses."""
    name, n = function.layout.tensors[0].name, function.layout.size
    if n < 2:
        raise FunctionError(f"tangent: a simplex has at least two entries; {name} has {n}")
    difference = eye_array(n, n - 1) - eye_array(n, n - 1, k=-1)
    at = function.layout.location
    return Tangent(csc_array(difference), tuple(f"{at(i)} − {at(i + 1)}" for i in range(n - 1)))


def sphere(function: Function) -> Tangent:
    """Vectors of a given length: all that is orthogonal to θ, by the other columns of its reflection."""
    theta = function.start.astype(float)
    if not theta.any() or not 2 <= len(theta) <= LARGEST:
        raise FunctionError(
            f"tangent: a sphere needs 2 to {LARGEST} parameters, not all 0; else pass an array of directions"
        )
    # Householder: the reflection that takes θ to an axis; its remaining columns are orthogonal to θ.
    mirror = theta / np.linalg.norm(theta)
    mirror[0] += np.copysign(1.0, mirror[0])
    reflection = np.eye(len(theta)) - 2 * np.outer(mirror, mirror) / (mirror @ mirror)
    names = tuple(f"tangent {k}" for k in range(len(theta) - 1))
    return Tangent(csc_array(reflection[:, 1:]), names)


SPACES: dict[str, Callable[[Function], Tangent]] = {
    make.__name__: make for make in (symmetric, lower, upper, simplex, sphere)
}
