"""The arrays that W holds: where the numbers of each lie in one vector, and what the user's functions see."""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array, DType, Precision
from backproof.targets.layout import Tensor

COMPLEX = {np.float32: np.complex64, np.float64: np.complex128, np.longdouble: np.clongdouble}
"""The complex type whose parts are of a real one."""


@dataclass(frozen=True)
class Leaf:
    """One array of real numbers.

    Attributes:
        dtype: of its numbers, as the user has them.
    """

    tensor: Tensor
    dtype: DType

    @property
    def name(self) -> str:
        """As one would write it in Python: `W`, `W[0]`, `W['bias']`."""
        return self.tensor.name

    @property
    def precision(self) -> DType:
        """Of its real numbers."""
        return np.empty(0, self.dtype).real.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the user sees, and that its gradient must have."""
        return self.tensor.shape

    def seen(self, flat: Array) -> Any:
        """What the user's functions get; it shares its memory with the vector."""
        return self.tensor.of(flat)

    def numbers(self, gradient: Any, where: str, label: str = "") -> Array:
        """The entries of its gradient, in the order of the vector.

        Args:
            label: what the gradient is called in messages; d and the array's name by default.

        Raises:
            FunctionError: if the gradient is none of real numbers, or has another shape.
        """
        return self._checked(gradient, where, "fiub", label).ravel()

    def _checked(self, gradient: Any, where: str, kinds: str, label: str) -> Array:
        label = label or "d" + self.name
        array = array_of(gradient, f"{where}: {label}")
        if array.dtype == object or array.dtype.kind not in kinds:
            what = what_is_wrong(gradient, label)
            raise FunctionError(f"{where}: {label} must be {_NUMBERS[kinds]}; not {what}")
        if array.shape != self.shape:
            transposed = "; is it transposed?" if array.shape == self.shape[::-1] else ""
            raise ShapeError(
                f"{where}: {label} has shape {array.shape}, and {self.name} has {self.shape}{transposed}",
                None if transposed else array.shape,
            )
        return array


_NUMBERS = {"fiub": "real numbers", "fiubc": "numbers"}


class ShapeError(FunctionError):
    """A gradient has another shape than its array.

    Attributes:
        shape: the gradient's, where nothing explains it.
    """

    def __init__(self, message: str, shape: tuple[int, ...] | None) -> None:
        super().__init__(message)
        self.shape = shape


class ComplexTensor(Tensor):
    """Complex numbers as their real and imaginary parts, along a last axis."""

    def entry(self, offset: int) -> str:
        """The name of one part of one entry."""
        at = ",".join(map(str, np.unravel_index(offset // 2, self.shape[:-1]))) if self.shape[:-1] else ""
        return f"{self.name}{f'[{at}]' if at else ''}.{('real', 'imag')[offset % 2]}"


class ComplexLeaf(Leaf):
    """An array of complex numbers z = x + iy, each two parameters.

    The gradient of a real loss L is ∂L/∂x + i ∂L/∂y, the direction of steepest ascent, as in PyTorch.
    JAX returns its conjugate.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the complex array."""
        return self.tensor.shape[:-1]

    def seen(self, flat: Array) -> Any:
        """The complex array."""
        return self.tensor.of(flat).view(COMPLEX[flat.dtype.type]).reshape(self.shape)

    def numbers(self, gradient: Any, where: str, label: str = "") -> Array:
        """Real and imaginary part of each entry in turn."""
        array = self._checked(gradient, where, "fiubc", label)
        return np.stack([array.real, array.imag], axis=-1).ravel()


@dataclass(frozen=True)
class LabelledTensor(Tensor):
    """The values of a Series or a DataFrame of pandas, named by their labels."""

    labels: tuple[tuple[Any, ...], ...] = ()

    def entry(self, offset: int) -> str:
        """As in `W['price']` and `W['monday','price']`."""
        at = np.unravel_index(offset, self.shape)
        return f"{self.name}[{','.join(repr(axis[i]) for axis, i in zip(self.labels, at, strict=True))}]"


@dataclass(frozen=True)
class LabelledLeaf(Leaf):
    """A Series or a DataFrame; its gradient has the same labels, in any order, or is an array."""

    like: Any = field(default=None, compare=False)

    def seen(self, flat: Array) -> Any:
        """A Series or a DataFrame over the vector's own memory."""
        axes = {"index": self.like.index}
        axes |= {"columns": self.like.columns} if self.like.ndim == 2 else {"name": self.like.name}
        return type(self.like)(self.tensor.of(flat), copy=False, **axes)

    def numbers(self, gradient: Any, where: str, label: str = "") -> Array:
        """In the order of W's labels."""
        if isinstance(gradient, type(self.like)):
            for mine, given in zip(self.like.axes, gradient.axes, strict=True):
                strange = given.symmetric_difference(mine)
                if len(strange):
                    raise FunctionError(
                        f"{where}: d{self.name} must have the labels of {self.name}; "
                        f"{strange[0]!r} is in one of them only"
                    )
            axes = dict(zip(("index", "columns"), self.like.axes, strict=False))
            gradient = gradient.reindex(**axes)
        return super().numbers(gradient, where, label)


@dataclass(frozen=True)
class SparseTensor(Tensor):
    """The stored values of a sparse matrix."""

    at: tuple[tuple[int, int], ...] = ()

    def entry(self, offset: int) -> str:
        """By row and column."""
        return f"{self.name}[{','.join(map(str, self.at[offset]))}]"


@dataclass(frozen=True)
class SparseLeaf(Leaf):
    """The stored values of a sparse matrix of SciPy; its gradient is sparse or dense, or the values alone."""

    tensor: SparseTensor
    like: Any = field(default=None, compare=False)

    def seen(self, flat: Array) -> Any:
        """A matrix whose values are the vector's own memory."""
        matrix = copy.copy(self.like)
        matrix.data = self.tensor.of(flat)
        return matrix

    def numbers(self, gradient: Any, where: str, label: str = "") -> Array:
        """Those at the stored values; what else a gradient holds does not concern them."""
        rows, columns = np.array(self.tensor.at, dtype=np.intp).reshape(-1, 2).T
        if is_sparse(gradient) and gradient.shape == self.like.shape:
            gradient = np.asarray(gradient.tocsr()[rows, columns]).ravel()
        elif np.shape(gradient) == self.like.shape:
            gradient = np.asarray(gradient)[rows, columns]
        return super().numbers(gradient, where, label)


@dataclass(frozen=True)
class Fixed:
    """A part of W that is no array of floats, or whose gradient is None: passed on as it is, not checked."""

    name: str
    value: Any
    why: str

    def seen(self, flat: Array) -> Any:  # noqa: ARG002  # as the others do
        """The part itself."""
        return self.value


def leaf_of(part: Any, name: str, start: int) -> tuple[Leaf | Fixed, Array]:
    """A part of W whose numbers lie in the vector from `start` on, and the numbers.

    Raises:
        FunctionError: if its rows are of different lengths, or it is sparse and its values have no places.
    """
    array = part.data if is_sparse(part) else array_of(part, name)
    why = _why_fixed(array, part, name)
    if why:
        return Fixed(name, part, why), np.empty(0)
    numbers = np.stack([array.real, array.imag], axis=-1) if array.dtype.kind == "c" else array
    block = slice(start, start + numbers.size)
    if is_sparse(part):
        stored = SparseTensor(name, array.shape, block, at=_places(part, name))
        return SparseLeaf(stored, array.dtype, part), numbers
    if is_labelled(part):
        labels = tuple(tuple(axis) for axis in part.axes)
        return LabelledLeaf(
            LabelledTensor(name, array.shape, block, labels=labels), array.dtype, part
        ), numbers
    if array.dtype.kind == "c":
        return ComplexLeaf(ComplexTensor(name, numbers.shape, block), array.dtype), numbers
    return Leaf(Tensor(name, array.shape, block), array.dtype), numbers


def _places(matrix: Any, name: str) -> tuple[tuple[int, int], ...]:
    """Row and column of every stored value."""
    if matrix.format not in ("csr", "csc", "coo"):
        raise FunctionError(f"{name}: must be csr, csc or coo where it is sparse; not {matrix.format}")
    entries = matrix.tocoo()
    return tuple(zip(entries.row.tolist(), entries.col.tolist(), strict=True))


def _why_fixed(array: Array, part: Any, name: str) -> str:
    """Why a part of W has no derivative; empty if it has."""
    if array.dtype == object or array.dtype.kind in "USMm":
        return f"must be an array of real numbers; not {what_is_wrong(part, name)}"
    if array.dtype.kind in "iub":
        return f"holds whole numbers ({array.dtype}), which have no derivative; use floats"
    if array.dtype.kind == "c" and (is_sparse(part) or is_labelled(part)):
        return f"must hold real numbers where it is a {type(part).__name__}; not {array.dtype}"
    real = array.real.dtype if array.dtype.kind == "c" else array.dtype
    return "" if Precision.of(real) else f"must be of {', '.join(Precision)}; not {array.dtype}"


def is_sparse(part: Any) -> bool:
    """Whether it is a matrix or an array of `scipy.sparse`."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(part))


def is_labelled(part: Any) -> bool:
    """Whether it is a Series or a DataFrame of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(part, pandas.Series | pandas.DataFrame)


def array_of(part: Any, label: str) -> Array:
    """What a user gave for an array.

    Raises:
        FunctionError: if its rows are of different lengths.
    """
    try:
        return np.asarray(part)
    except ValueError as error:
        raise FunctionError(f"{label}: must be an array; its rows are of different lengths") from error


def what_it_is(found: Any) -> str:
    """The type of something, and its shape where it has one."""
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
