"""Tensors of PyTorch as arrays of NumPy and back: on the same device, with the same strides and layout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array
from backproof.targets.adapters import library

Tensor = Any
"""Of PyTorch, which is not imported before it is needed."""


@dataclass(frozen=True)
class Dense:
    """A strided tensor: its place in memory, which its stand-ins share.

    Attributes:
        like: the user's; only its strides, device and type are looked at.
    """

    like: Tensor

    @cached_property
    def _plain(self) -> bool:
        """Whether it is laid out as any new tensor is."""
        return bool(self.like.is_contiguous())

    def array(self, tensor: Tensor) -> Array:
        """A copy of the numbers of a tensor; (shape)."""
        return array_of_tensor(tensor)

    def tensor(self, array: Array, *, requires_grad: bool = False) -> Tensor:
        """Numbers on the user's device, in memory that is laid out as there.

        Where several entries share memory, in an expanded tensor, each gets its own: they could not be moved
        one by one.
        """
        torch = library("torch")
        if self._plain:
            return torch.tensor(array, device=self.like.device, requires_grad=requires_grad)
        given = torch.from_numpy(np.array(array, order="C"))
        if overlaps(self.like):
            placed = given.to(self.like.device)
        else:
            strides = self.like.stride()
            placed = torch.empty_strided(given.shape, strides, dtype=given.dtype, device=self.like.device)
            placed.copy_(given)
        return placed.requires_grad_(requires_grad)

    def stack(self, arrays: Array) -> Tensor:
        """Numbers at many points, (points, *shape), each laid out as the user's tensor."""
        torch = library("torch")
        given = torch.from_numpy(arrays)
        if self._plain or overlaps(self.like):
            return given.to(self.like.device)
        axes = zip(self.like.stride(), self.like.shape, strict=True)
        reach = 1 + sum(stride * (size - 1) for stride, size in axes)
        strides = (reach, *self.like.stride())
        placed = torch.empty_strided(given.shape, strides, dtype=given.dtype, device=self.like.device)
        return placed.copy_(given)


@dataclass(frozen=True)
class Sparse:
    """A sparse tensor, COO or compressed: its numbers are the stored ones, or all, in row-major order.

    Attributes:
        like: the user's.
        masked: whether entries that are not stored have no derivative; else they are zeros like others, and
            the stand-in stores all.
    """

    like: Tensor
    masked: bool

    @property
    def _pattern(self) -> Tensor:
        """A tensor of the layout that stores what is moved."""
        torch = library("torch")
        if self.masked:
            return self.like.coalesce() if self.like.layout == torch.sparse_coo else self.like
        full = torch.ones(self.like.shape, dtype=self.like.dtype, device=self.like.device)
        return _in_layout(torch, full, self.like)

    def array(self, tensor: Tensor) -> Array:
        """The numbers: (stored, …), or (shape) where all are."""
        return array_of_tensor(_stored(self._masked(tensor)) if self.masked else tensor.to_dense())

    def tensor(self, array: Array, *, requires_grad: bool = False) -> Tensor:
        """A sparse tensor with these numbers."""
        torch = library("torch")
        pattern, given = self._pattern, torch.from_numpy(np.array(array, order="C")).to(self.like.device)
        if not self.masked:
            given = _stored(given.sparse_mask(pattern.to(given.dtype)))
        return _with_values(torch, pattern, given).requires_grad_(requires_grad)

    def _masked(self, tensor: Tensor) -> Tensor:
        torch = library("torch")
        if tensor.layout == torch.strided:
            return tensor.sparse_mask(self._pattern)
        if tensor.layout == torch.sparse_coo:
            return tensor.coalesce().sparse_mask(self._pattern)
        return tensor


Leaf = Dense | Sparse


def leaf_of_tensor(tensor: Tensor, *, masked: bool) -> Leaf:
    """How a tensor's numbers are taken out and put back.

    Raises:
        FunctionError: if NumPy has no such numbers or PyTorch's layout is none that is known here.
    """
    torch, tensor = library("torch"), tensor.detach()
    if tensor.dtype == torch.bfloat16:
        raise FunctionError("a tensor of bfloat16: NumPy has no such numbers; use float32 or float64")
    if tensor.layout == torch.strided:
        return Dense(tensor)
    if tensor.layout in _sparse_layouts(torch):
        return Sparse(tensor, masked)
    raise FunctionError(f"a tensor of layout {tensor.layout}: must be strided, COO, CSR, CSC, BSR or BSC")


def array_of_tensor(tensor: Tensor) -> Array:
    """A copy of a tensor's numbers; a sparse one's with its zeros."""
    torch = library("torch")
    found = tensor.detach()
    found = found if found.layout == torch.strided else found.to_dense()
    return np.array(found.cpu().resolve_conj().resolve_neg().numpy())


def overlaps(tensor: Tensor) -> bool:
    """Whether several entries of a strided tensor share memory, as those of an expanded one do."""
    reach = 0  # how far the axes with shorter strides extend
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size == 0:
            return False
        if size > 1:
            if stride <= reach:
                return True
            reach += stride * (size - 1)
    return False


def dense(tensor: Tensor, *, masked: bool) -> Tensor:
    """A sparse output as a strided one, by an operation that has a derivative."""
    torch = library("torch")
    return tensor if tensor.layout == torch.strided else tensor.to_dense(masked_grad=masked)


def _sparse_layouts(torch: Any) -> set[Any]:
    return {torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc}


def _stored(sparse: Tensor) -> Tensor:
    torch = library("torch")
    return (sparse.coalesce() if sparse.layout == torch.sparse_coo else sparse).values()


def _in_layout(torch: Any, full: Tensor, like: Tensor) -> Tensor:
    """A strided tensor as a sparse one with the axes of another."""
    if like.layout == torch.sparse_coo:
        return full.to_sparse(like.sparse_dim()).coalesce()
    blocks = {}
    if like.layout in (torch.sparse_bsr, torch.sparse_bsc):
        blocks["blocksize"] = tuple(like.values().shape[-2:])
    return full.to_sparse(layout=like.layout, **blocks)


def _with_values(torch: Any, pattern: Tensor, values: Tensor) -> Tensor:
    """A sparse tensor with the places of another."""
    if pattern.layout == torch.sparse_coo:
        return torch.sparse_coo_tensor(pattern.indices(), values, pattern.shape, is_coalesced=True)
    rowwise = pattern.layout in (torch.sparse_csr, torch.sparse_bsr)
    places = (
        (pattern.crow_indices(), pattern.col_indices())
        if rowwise
        else (pattern.ccol_indices(), pattern.row_indices())
    )
    return torch.sparse_compressed_tensor(*places, values, pattern.shape, layout=pattern.layout)
