"""Memory layouts that a tensor may have: what an operation must not depend on, and custom ones often do."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from backproof.targets.adapters import library
from backproof.targets.torch_leaves import Tensor, overlaps


def contiguous(tensor: Tensor) -> Tensor:
    """The same numbers in row-major order, in memory of their own; a sparse tensor as it is."""
    torch = library("torch")
    if tensor.layout != torch.strided:
        return tensor.detach().clone()
    return tensor.detach().clone(memory_format=torch.contiguous_format).resolve_conj()


def gapped(tensor: Tensor) -> Tensor:
    """The same numbers, each followed by one that is none: every second entry of a larger memory."""
    wide = tensor.new_full((*tensor.shape, 2), float("nan"))
    wide[..., 1] = tensor
    return wide[..., 1]


def permuted(tensor: Tensor) -> Tensor:
    """The same numbers in column-major order."""
    axes = tuple(reversed(range(tensor.dim())))
    return contiguous(tensor.permute(axes)).permute(axes)


def expanded(tensor: Tensor) -> Tensor:
    """One number for all entries: as the cotangent that a sum hands back."""
    return tensor.flatten()[:1].reshape(()).expand(tensor.shape)


def expanded_along_an_axis(tensor: Tensor) -> Tensor:
    """The numbers of the first row, for every row: as a cotangent of broadcasting's backward."""
    return tensor[:1].expand(tensor.shape)


def overlapping(tensor: Tensor) -> Tensor:
    """Windows over few numbers: neighbouring rows share all but one."""
    reach = sum(size - 1 for size in tensor.shape) + 1
    return contiguous(tensor.flatten()[:reach]).as_strided(tensor.shape, (1,) * tensor.dim())


def conjugate(tensor: Tensor) -> Tensor:
    """The same complex numbers, stored as their conjugates and marked so."""
    torch = library("torch")
    return torch.conj_physical(tensor).conj()


Layout = Callable[[Tensor], Tensor]

LAYOUTS: dict[str, Layout] = {
    "with gaps": gapped,
    "column-major": permuted,
    "expanded": expanded,
    "expanded along an axis": expanded_along_an_axis,
    "overlapping": overlapping,
    "lazily conjugated": conjugate,
}
"""By the words that name them. All but the first two and the last change the numbers as well."""


def by_memory(gradient: Tensor, like: Tensor) -> Tensor:
    """A gradient summed over the entries of a tensor that share memory.

    Where such entries tie, as under a maximum, each may have any share of the gradient; their sum is unique.
    """
    torch = library("torch")
    if like.layout != torch.strided or gradient.layout != torch.strided or not overlaps(like):
        return gradient
    reach = sum(stride * (size - 1) for stride, size in zip(like.stride(), like.shape, strict=True)) + 1
    places = torch.arange(reach, device=like.device).as_strided(like.shape, like.stride())
    return gradient.new_zeros(reach).index_add(0, places.flatten(), gradient.flatten())


def possible(name: str, tensor: Tensor) -> bool:
    """Whether a tensor can have a layout that differs from its contiguous one."""
    shape: tuple[int, ...] = tuple(tensor.shape)
    long = sum(size > 1 for size in shape)
    match name:
        case "with gaps":
            return prod(shape) > 0
        case "lazily conjugated":
            return prod(shape) > 0 and bool(tensor.is_complex())
        case "expanded":
            return long >= 1
        case "expanded along an axis":
            return long >= 2 and shape[0] > 1
    return long >= 2


def laid_out(name: str, tensor: Any) -> Any:
    """A tensor in a layout, where it can have it; else as it is."""
    strided = tensor.layout == library("torch").strided
    return LAYOUTS[name](tensor) if strided and possible(name, tensor) else tensor
