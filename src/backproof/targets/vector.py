"""A function of arrays that returns arrays, and a derivative of it, as scalar functions of one vector.

Every derivative of a vector function y = F(x) is a matrix A with one row for each cotangent c: the gradient
of c · F(x). For the basis of cotangents that is the Jacobian; for a few of them, the products of the
Jacobian with these (VJP). Σₖ cₖ · F(xₖ), as a function of as many copies of x as there are cotangents, has
the rows of A as its gradient at xₖ = x: that is the one function that is checked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array, FloatType
from backproof.targets.batched import Batched
from backproof.targets.calling import called
from backproof.targets.container import Container, container_of
from backproof.targets.function import Function, Together
from backproof.targets.layout import Index, Layout, Tensor
from backproof.targets.leaves import ComplexLeaf
from backproof.targets.source import UserFunction, defined_at

KEPT = 1 << 22
"""Numbers of earlier outputs that are kept: rows whose steps are alike share their evaluations."""

WHOLE = 2_500
"""Up to so many entries, the whole Jacobian is compared."""

DRAWN = 4
"""Random cotangents of larger ones."""


@dataclass(frozen=True)
class Cotangents:
    """What outputs are multiplied with, so that one number is left.

    Attributes:
        rows: (cotangents, outputs).
        names: of each product: of a basis, those of the outputs.
    """

    rows: Array
    names: tuple[str, ...]


class Forward:
    """F as a function from one vector to another; counts its evaluations, and keeps some.

    Attributes:
        function: the user's, for messages.
        call: takes the inputs in their container.
        name: of the outputs.
    """

    def __init__(
        self,
        function: UserFunction,
        inputs: Container,
        call: Callable[[Any], Any],
        name: str = "y",
        together: Together | None = None,
    ) -> None:
        """
        Args:
            together: F at many points by one call.
        """
        self.function, self.inputs, self.call, self.name = function, inputs, call, name
        self.together = together
        self.many = Batched(self.at, self._many if together else None)
        self.evaluations = 0
        self._known = OrderedDict[bytes, Array]()
        self._outputs: Container | None = None

    @property
    def outputs(self) -> Container:
        """What F returns, once it was evaluated."""
        assert self._outputs is not None, "not evaluated yet"
        return self._outputs

    def at(self, x: Array) -> Array:
        """F(x), flat.

        Raises:
            FunctionError: if F raises, or returns other shapes than before.
        """
        key = x.tobytes()
        if key not in self._known:
            self._known[key] = self._evaluated(x, key)
        self._known.move_to_end(key)
        flat = self._known[key]
        while len(self._known) * len(flat) > KEPT and len(self._known) > 1:
            self._known.popitem(last=False)
        return flat

    def _many(self, points: Array) -> Array:
        """F at many points by one call, (points, parameters) → (points, outputs)."""
        assert self.together is not None
        self.evaluations += len(points)
        found = self.together(self.inputs.stacked(points))
        return self.outputs.unstacked(found)

    def forget(self) -> None:
        """Evaluate again what was evaluated before."""
        self._known.clear()

    def _evaluated(self, x: Array, key: bytes) -> Array:
        self.evaluations += 1
        given = x.copy()
        returned = called(self.function, self.call, self.inputs.filled(given))
        if given.tobytes() != key:
            changed = self.inputs.layout.location(int(np.flatnonzero(given != x)[0]))
            raise FunctionError(
                f"{defined_at(self.function)}: changes its argument, at {changed}; copy it first"
            )
        found, flat = container_of(returned, self.name)
        if self._outputs is None:
            self._outputs = found
        elif found.layout != self._outputs.layout:
            raise FunctionError(f"{defined_at(self.function)}: returns other shapes at a point nearby")
        return flat


@dataclass(frozen=True)
class RowsTensor(Tensor):
    """The derivatives of some products with respect to one array, (products, entries)."""

    rows_named: tuple[str, ...] = ()
    inner: Tensor | None = None

    def entry(self, offset: int) -> str:
        """As in ∂y[0]/∂x[2]."""
        assert self.inner is not None
        row, column = divmod(offset, self.inner.size)
        return f"∂{self.rows_named[row]}/∂{self.inner.entry(column)}"


class Row(Function):
    """One product c · F(x) as a function of x."""

    def __init__(self, rows: Rows, number: int) -> None:
        self.rows_of, self.number = rows, number
        self.cotangent = rows.cotangents.rows[number]
        self.used = np.flatnonzero(self.cotangent)
        super().__init__(rows.x, f=self.product, df=self._derivative)

    def product(self, x: Array) -> Any:
        used, kind = self.used, self.rows_of.x.dtype.type
        return kind(self.cotangent[used] @ self.rows_of.forward.at(x)[used])

    def _derivative(self, x: Array) -> Array:
        return self.rows_of.row_at(self.rows_of, self.number, x)

    def size_of(self, gradient: Array) -> Array:
        """Of one part of a complex output, the absolute value of the derivative of both parts."""
        if len(self.used) != 1:
            return gradient
        part = int(self.used[0])
        for leaf in self.rows_of.forward.outputs.varying:
            block = leaf.tensor.block
            if isinstance(leaf, ComplexLeaf) and block.start <= part < block.stop:
                beside = block.start + ((part - block.start) ^ 1)
                others = np.flatnonzero(self.rows_of.cotangents.rows[:, beside])
                if len(others) == 1:
                    other = self.rows_of.row_at(self.rows_of, int(others[0]), self.rows_of.x)
                    return np.asarray(np.hypot(gradient, np.abs(other).astype(gradient.dtype)))
        return gradient

    @cached_property
    def terms(self) -> float:
        """Σ |cotangent · z| over complex outputs z: a part that is 0 is rounded in the size of both."""
        forward = self.rows_of.forward
        if not any(isinstance(leaf, ComplexLeaf) for leaf in forward.outputs.varying):
            return 0.0
        size = np.zeros(forward.outputs.layout.size)
        for leaf in forward.outputs.varying:
            if isinstance(leaf, ComplexLeaf):
                parts = leaf.tensor.of(forward.at(self.rows_of.x)).astype(float)
                both = np.broadcast_to(np.linalg.norm(parts, axis=-1, keepdims=True), parts.shape)
                size[leaf.tensor.block] = both.ravel()
        found = float(np.abs(self.cotangent) @ size)
        return found if np.isfinite(found) else 0.0

    @property
    def precision(self) -> str:
        """That of all products."""
        return self.rows_of.precision

    def gradient_error(self) -> Array | float:
        """That of this product."""
        return self.rows_of.row_error(self.number)

    @property
    def layout(self) -> Layout:
        """That of the inputs."""
        return self.rows_of.forward.inputs.layout

    @property
    def loss(self) -> UserFunction:
        """The user's function."""
        return self.rows_of.forward.function

    @property
    def derivative(self) -> UserFunction:
        """The user's derivative."""
        return self.rows_of.derived


RowAt = Callable[["Rows", int, Array], Array]

RowsAt = Callable[["Rows", Array], Array]


class Rows(Function):
    """Σₖ cₖ · F(xₖ) as a function of all xₖ, each of which starts at x."""

    def __init__(
        self,
        forward: Forward,
        x: Array,
        cotangents: Cotangents,
        row_at: RowAt,
        derived: UserFunction,
        rows_at: RowsAt | None = None,
    ) -> None:
        """
        Args:
            row_at: (this, k, x) → the analytic gradient of cₖ · F at x, flat.
            derived: the user's derivative, for messages.
            rows_at: (this, x) → the same for all k, where that takes less time than each alone.
        """
        self.forward, self.x, self.cotangents = forward, x, cotangents
        self.row_at, self.derived, self.rows_at = row_at, derived, rows_at
        self._rows = [Row(self, k) for k in range(len(cotangents.names))]
        super().__init__(self._joined([x] * len(self._rows)), f=self._sum, df=self._matrix)

    @property
    def rows(self) -> Sequence[tuple[Function, Index]]:
        """The products, each a function of its own copy of x."""
        return tuple(zip(self._rows, self._positions, strict=True))

    def row_error(self, number: int) -> Array | float:  # noqa: ARG002  # in low precision they differ
        """`gradient_error` of one product."""
        return 0.0

    def gradient_error(self) -> Array | float:
        """That of every product."""
        size = len(self.x)
        return self._joined([self.row_error(k) + np.zeros(size) for k in range(len(self._rows))])

    @property
    def evaluations(self) -> int:
        """How often F was evaluated."""
        return self.forward.evaluations

    @cached_property
    def _layout(self) -> Layout:
        names, tensors, start = self.cotangents.names, list[Tensor](), 0
        for inner in self.forward.inputs.layout.tensors:
            shape = (len(names), inner.size)
            block = slice(start, start + shape[0] * shape[1])
            tensors.append(
                RowsTensor(f"∂{self.forward.name}/∂{inner.name}", shape, block, rows_named=names, inner=inner)
            )
            start = block.stop
        return Layout(tuple(tensors))

    @cached_property
    def _positions(self) -> Index:
        """Where the copy of x that belongs to each product lies; (products, parameters)."""
        inner = zip(self._layout.tensors, self.forward.inputs.layout.tensors, strict=True)
        return np.hstack([
            np.arange(block.block.start, block.block.stop).reshape(len(self._rows), part.size)
            for block, part in inner
        ])  # fmt: skip

    def _joined(self, parts: Sequence[Array]) -> Array:
        """One vector of something for every product, each in the order of x."""
        flat = np.empty(self._layout.size, parts[0].dtype)
        flat[self._positions] = parts
        return flat

    @property
    def layout(self) -> Layout:
        """One array of derivatives for each array of the inputs."""
        return self._layout

    @property
    def loss(self) -> UserFunction:
        """The user's function."""
        return self.forward.function

    @property
    def derivative(self) -> UserFunction:
        """The user's derivative."""
        return self.derived

    def check_arguments(self) -> None:
        """What they do that no such functions do was seen, or is seen in the first gradient."""

    def value(self, theta: Array) -> float | np.longdouble:
        """Evaluated anew, so that functions which are not deterministic are found."""
        self.forward.forget()
        return super().value(theta)

    def _sum(self, theta: Array) -> Any:
        return sum(row.product(x) for row, x in zip(self._rows, theta[self._positions], strict=True))

    def _matrix(self, theta: Array) -> Array:
        points = theta[self._positions]
        if (points == points[0]).all():
            return self._joined(list(self._all_at(points[0])))
        return self._joined([self.row_at(self, k, x) for k, x in enumerate(points)])

    def _all_at(self, x: Array) -> Array:
        """The gradients of all products at one point, (products, parameters)."""
        if self.rows_at is not None:
            return self.rows_at(self, x)
        return np.array([self.row_at(self, k, x) for k in range(len(self._rows))])

    def values_at(self, points: Array) -> Array | None:
        """The products at many points of x."""
        found, rows = self.forward.many(points), self.cotangents.rows
        if np.isfinite(found).all():
            return np.asarray(found @ rows.T)
        return np.stack([found[:, row.used] @ row.cotangent[row.used] for row in self._rows], axis=1)

    def gradients_near(self, theta: Array) -> Array:
        """The gradients of all products at one point of x, NaN where the derivative raises."""
        try:
            return self._all_at(theta)
        except FunctionError:
            return np.full((len(self._rows), len(theta)), np.nan)

    def in_precision(self, dtype: FloatType) -> Function:
        """The same in another precision, evaluated there by the same functions."""
        mine = self.forward
        other = Forward(mine.function, mine.inputs, mine.call, mine.name, mine.together)
        other.at(self.x.astype(dtype))
        x = self.x.astype(dtype)
        return Rows(other, x, self.cotangents, self.row_at, self.derived, self.rows_at)


def basis(outputs: Container) -> Cotangents:
    """Every output alone."""
    size = outputs.layout.size
    return Cotangents(np.eye(size), tuple(map(outputs.layout.location, range(size))))


def drawn(name: str, values: Array, number: int, generator: np.random.Generator) -> Cotangents:
    """Random products, in which every output takes part alike whatever its size."""
    size = np.abs(values.astype(float))
    usual = float(np.median(size[size > 0])) if size.any() else 1.0
    size = np.where(size > 0, size, usual)
    signs = generator.choice([-1.0, 1.0], (number, len(values)))
    rows = signs * generator.uniform(0.5, 1, signs.shape) / np.exp2(np.round(np.log2(size)))
    return Cotangents(rows, tuple(f"(draw {k} · {name})" for k in range(number)))


def chosen_cotangents(
    forward: Forward, values: Array, parameters: int, given: Any, generator: np.random.Generator
) -> Cotangents:
    """Those that were given, or else every output alone, or some that are drawn.

    Raises:
        FunctionError: if one that was given is not like the outputs.
    """
    outputs = forward.outputs
    if given is None and (parameters * len(values) <= WHOLE or len(values) <= DRAWN):
        return basis(outputs)
    if given is None:
        return drawn(outputs.name, values, DRAWN, generator)
    rows = []
    for number, cotangent in enumerate(given):
        label = f"cotangents[{number}] of {defined_at(forward.function)}"
        rows.append(outputs.numbers(cotangent, label))
    names = (f"(cotangent {k} · {outputs.name})" for k in range(len(rows)))
    return Cotangents(np.array(rows, float), tuple(names))
