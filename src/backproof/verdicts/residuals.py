"""What a wrong gradient is instead of the right one: a multiple, a transpose, another tensor's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backproof.network.arrays import Array
from backproof.verdicts.causes import Cause, Explanation

Project = Callable[[Array], Array]
"""A tensor's gradient, flat, to what was measured of it: its entries, or its products with directions."""


@dataclass(frozen=True)
class Tensor:
    """One array of W: its shape, the gradient under test, and what was measured.

    Attributes:
        analytic, theta: flat, (size).
        numerical, bound: what was measured, (measurements).
        project: from a candidate for the gradient to what would have been measured of it.
    """

    name: str
    shape: tuple[int, ...]
    analytic: Array
    theta: Array
    numerical: Array
    bound: Array
    project: Project

    def explained(self, candidate: Array, slack: float = 1.0) -> bool:
        """Whether a candidate for the right gradient is what was measured."""
        return bool((np.abs(self.project(candidate) - self.numerical) <= 2 * slack * self.bound).all())


def structure_of(tensor: Tensor, others: Sequence[Tensor]) -> tuple[str, str] | None:
    """The name of what was made of the gradient, and its details; None if it is nothing known."""
    if len(tensor.numerical) < 2 and len(tensor.analytic) > 1:
        return None
    a = tensor.analytic
    if not np.isfinite(a).all():
        return None
    if not a.any():
        return "missing", "the gradient is zero"
    if (np.abs(tensor.numerical) <= tensor.bound).all():
        return "no effect", "the loss does not depend on it here, and the gradient is not zero"
    factor = _factor(tensor.project(a), tensor.numerical)
    if factor is not None:
        factor = _simplest(tensor, factor)
    if (
        factor is not None
        and tensor.explained(factor * a, max(1.0, abs(factor)))
        and len(tensor.numerical) > 1
    ):
        if abs(factor + 1) < 1e-3:
            return "sign", "the gradient is the negative of the right one"
        return "scale", f"the gradient is {_shown(1 / factor)} times the right one"
    for name, detail, candidate in _rearranged(tensor, others):
        if tensor.explained(candidate):
            return name, detail
    rest = tensor.numerical - tensor.project(a)
    for term, what in ((tensor.theta, "the parameter"), (np.sign(tensor.theta), "the parameter's sign")):
        share = _factor(tensor.project(term), rest)
        if share is not None and len(rest) > 1 and tensor.explained(a + share * term):
            return "regulariser", f"{_shown(share)} times {what} is left out"
    if len(rest) > 2:  # both at once: the loss scaled, the regulariser not
        terms = np.stack([tensor.project(a), tensor.project(tensor.theta)], axis=1).astype(float)
        (factor, share), *_ = np.linalg.lstsq(terms, tensor.numerical.astype(float), rcond=None)
        if factor and tensor.explained(factor * a + share * tensor.theta, max(1.0, abs(factor))):
            return "scale", f"the gradient is {_shown(1 / factor)} times the right one, but for a regulariser"
    return None


def _rearranged(tensor: Tensor, others: Sequence[Tensor]) -> Iterator[tuple[str, str, Array]]:
    a = tensor.analytic.reshape(tensor.shape)
    if len(tensor.shape) == 2 and min(tensor.shape) > 1:
        # Of a matrix that is not square either was made to fit: the transpose, or what was transposed.
        for turned in (a.T.reshape(a.shape), a.reshape(a.shape[::-1]).T):
            for sign, more in ((1, ""), (-1, ", and negative")):
                yield "transpose", "the gradient is transposed" + more, sign * turned.ravel()
    for axis in range(len(tensor.shape)):
        if tensor.shape[axis] > 1:
            yield "reversed", f"the order along axis {axis} is reversed", np.flip(a, axis).ravel()
            for shift in (1, -1):
                rolled = np.roll(a, -shift, axis).ravel()
                yield "shifted", f"the entries along axis {axis} are shifted by {shift}", rolled
    if len(tensor.shape) > 1 and min(tensor.shape) > 1:
        yield "reversed", "the order along all axes is reversed", np.flip(a).ravel()
    for other in others:
        if other.name != tensor.name and other.shape == tensor.shape and np.isfinite(other.analytic).all():
            yield "exchanged", f"it is the gradient of {other.name}", other.analytic


def _factor(analytic: Array, numerical: Array) -> float | None:
    """The multiple of one that comes nearest to the other, by the median of their ratios."""
    large = np.abs(analytic) > 1e-3 * np.abs(analytic).max(initial=0)
    if not large.any():
        return None
    weights = analytic[large]
    found = float((weights * numerical[large]).sum() / (weights * weights).sum())
    return found if np.isfinite(found) and found != 0 else None


def _simplest(tensor: Tensor, factor: float) -> float:
    """The nearest whole number, or one over one, if the measurements allow it; else the factor."""
    for plain in (float(round(factor)), 1 / round(1 / factor) if round(1 / factor) else 0.0):
        if plain and tensor.explained(plain * tensor.analytic, max(1.0, abs(plain))):
            return plain
    return factor


def _shown(factor: float) -> str:
    for whole in range(1, 100_001) if abs(factor) < 1 else ():
        if abs(factor * whole - round(factor * whole)) < 1e-6 * whole and abs(round(factor * whole)) == 1:
            return f"{'-' if factor < 0 else ''}1/{whole}"
    near = round(factor)
    return f"{near}" if near and abs(factor - near) < 1e-5 * abs(near) else f"{factor:.6g}"


def where_wrong(wrong: Array, shape: tuple[int, ...]) -> str:
    """Where the entries at fault of one tensor lie: one entry, a row, a column, all of it, or so many."""
    at = np.argwhere(wrong.reshape(shape))
    if len(at) == wrong.size > 1:
        return "every entry"
    if len(at) == 1:
        return f"the entry [{','.join(map(str, at[0]))}]"
    for axis, called in enumerate(("row", "column")[: len(shape)] if len(shape) == 2 else ()):
        there = np.unique(at[:, axis])
        if len(there) == 1:
            return f"{called} {there[0]}"
    for axis, called in enumerate(("rows", "columns")[: len(shape)] if len(shape) == 2 else ()):
        there = np.unique(at[:, axis])
        if len(there) <= 3 and len(there) < shape[axis]:
            return f"{called} {', '.join(map(str, there))}"
    return f"{len(at)} of {wrong.size} entries"


def shared_by_all(found: Explanation, tensors: int) -> Explanation:
    """The same, with one cause where all tensors have one structure; details begin with a tensor's name."""
    details = {(cause.name, cause.detail.partition(": ")[2]) for cause in found.causes}
    if not 1 < len(found.causes) == tensors or len(details) > 1 or found.causes[0].name == "entries":
        return found
    (name, detail), *_ = details
    share = min(1.0, sum(cause.parameters for cause in found.causes))
    return replace(found, causes=(Cause(name, f"{detail}, everywhere", (), share, 1.0),))
