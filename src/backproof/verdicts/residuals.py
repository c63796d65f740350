"""What a wrong gradient is instead of the right one: a multiple, a transpose, another tensor's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from backproof.network.arrays import Array
from backproof.verdicts.causes import Cause, Explanation
from backproof.verdicts.fit import Candidate, Error, Known, Term, amount, first_fit, shown
from backproof.verdicts.low_precision import precision_of
from backproof.verdicts.structures import LOWER_PRECISION, NOT_IDENTIFIED, factors_of

Project = Callable[[Array], Array]
"""A tensor's gradient, flat, to what was measured of it: its entries, or its products with directions."""


@dataclass(frozen=True)
class Tensor:
    """One array of W: its shape, the gradient under test, and what was measured.

    Attributes:
        analytic, theta: flat, (size).
        numerical, bound: what was measured, (measurements).
        project: from a candidate for the gradient to what would have been measured of it.
        complete: whether what was measured are all entries, in their order.
    """

    name: str
    shape: tuple[int, ...]
    analytic: Array
    theta: Array
    numerical: Array
    bound: Array
    project: Project
    complete: bool = False

    @cached_property
    def error(self) -> Error:
        """What is measured of the gradient under test, beside what was measured of the function."""
        sure = np.ones(self.numerical.shape, bool)
        return Error(self.project(self.analytic), self.numerical, 2 * self.bound, sure)


def structure_of(tensor: Tensor, others: Sequence[Tensor]) -> Known | None:
    """The name of what was made of the gradient, and its details; None if it is nothing known."""
    a = tensor.analytic
    if not len(tensor.numerical) or not np.isfinite(a).all():
        return None
    if not a.any():
        return Known("missing", "the gradient is zero")
    if (np.abs(tensor.numerical) <= tensor.bound).all():
        return Known("no effect", "the loss does not depend on it here, and the gradient is not zero")
    kind = precision_of(a, tensor.numerical, tensor.error.departs) if tensor.complete else None
    if kind:
        return Known(LOWER_PRECISION, f"its entries are numbers of {kind}")
    if tensor.complete:
        return first_fit(tensor.error, _of_the_right_one(tensor, others))
    return first_fit(tensor.error, _undone(tensor, others))


def _of_the_right_one(tensor: Tensor, others: Sequence[Tensor]) -> Iterator[Candidate | Term]:
    """What the measured gradient may have been turned into, the simplest first."""
    error, right = tensor.error, tensor.numerical
    yield from multiples_of(error)
    for name, detail, turn in _turns(tensor.shape):
        yield Candidate(name, detail, turn(right), tolerance=turn(error.tolerance))
        yield Candidate(name, f"{detail}, and negative", -turn(right), tolerance=turn(error.tolerance))
    yield from _exchanged(tensor, others)
    yield from _added(tensor)
    if len(tensor.shape) == 2:
        rows = Error(*(x.reshape(tensor.shape) for x in (error.found, right, error.tolerance, error.sure)))
        for axis, called in ((1, "rows"), (0, "columns")):
            for candidate in factors_of(rows, axis, called):
                yield replace(candidate, values=candidate.values.ravel())
    bound = np.abs(error.found).max()
    yield Candidate("cut off", f"at ±{bound:.6g}", np.clip(right, -bound, bound), 1)
    yield from _two_terms(tensor)


def _undone(tensor: Tensor, others: Sequence[Tensor]) -> Iterator[Candidate | Term]:
    """The same where not all entries were measured: what undoes the mistake must give what was measured.

    The error of a candidate is the gradient under test less what the mistake undone would give.
    """
    error, a = tensor.error, tensor.analytic
    yield from multiples_of(error)
    for name, detail, turn in _turns(tensor.shape, back=True):
        for sign, more in ((1, ""), (-1, ", and negative")):
            undone = tensor.project(sign * turn(a))
            yield Candidate(name, detail + more, error.right + error.found - undone)
    yield from _exchanged(tensor, others)
    yield from _added(tensor)
    yield from _two_terms(tensor)


def multiples_of(error: Error) -> Iterator[Candidate]:
    """The multiple of the right gradient that comes nearest; whole numbers and one over them first."""
    right, weights = error.right, 1 / np.maximum(error.tolerance, np.finfo(error.tolerance.dtype).tiny) ** 2
    weights = weights / weights.max()
    factor = float((weights * error.found * right).sum() / (weights * right * right).sum())
    if not np.isfinite(factor) or not factor:
        return
    yield Candidate("sign", "the gradient is the negative of the right one", -right)
    for plain in (float(round(factor)), 1 / round(1 / factor) if round(1 / factor) else 0.0, factor):
        if plain not in (0.0, 1.0) and abs(factor - plain) < 1e-3 * abs(plain):
            words = f"the gradient is {shown(plain)} times the right one"
            yield Candidate("scale", words, plain * right, int(plain == factor), max(1.0, abs(plain)))


@dataclass(frozen=True)
class Turn:
    """A rearrangement of a flat array of a shape, or with `back` what takes it back."""

    shape: tuple[int, ...]
    rearrange: Callable[[Array], Array]

    def __call__(self, x: Array) -> Array:
        return np.ascontiguousarray(self.rearrange(x.reshape(self.shape))).ravel()


def _turns(shape: tuple[int, ...], *, back: bool = False) -> Iterator[tuple[str, str, Turn]]:
    """Rearrangements of an array of a shape, or what takes them back."""
    if len(shape) == 2 and min(shape) > 1:
        # Of a matrix that is not square either was made to fit: the transpose, or what was transposed.
        for made in {shape, shape[::-1]}:
            yield "transpose", "the gradient is transposed", Turn(made, np.transpose)
    for axis in range(len(shape)):
        if shape[axis] > 1:
            yield (
                "reversed",
                f"the order along axis {axis} is reversed",
                Turn(shape, partial(np.flip, axis=axis)),
            )
            for shift in (1, -1):
                detail, way = (
                    f"the entries along axis {axis} are shifted by {shift}",
                    -shift if back else shift,
                )
                yield "shifted", detail, Turn(shape, partial(np.roll, shift=way, axis=axis))
    if len(shape) > 1 and min(shape) > 1:
        yield "reversed", "the order along all axes is reversed", Turn(shape, np.flip)


def _exchanged(tensor: Tensor, others: Sequence[Tensor]) -> Iterator[Candidate]:
    """Another tensor's gradient in its place."""
    for other in others:
        if other.name != tensor.name and other.shape == tensor.shape and other.complete and tensor.complete:
            detail = f"it is the gradient of {other.name}"
            yield Candidate("exchanged", detail, other.numerical, tolerance=other.error.tolerance)


def _added(tensor: Tensor) -> Iterator[Term]:
    """Terms of the parameters that are left out, or too many."""
    terms = {"the parameter": tensor.theta, "the parameter's sign": np.sign(tensor.theta)}
    for what, values in terms.items():
        yield Term("regulariser", tensor.project(values), partial(_words, what))


def _words(what: str, share: float) -> str:
    return f"{amount(abs(share))} times {what} is {'left out' if share < 0 else 'too much'}"


def _two_terms(tensor: Tensor) -> Iterator[Candidate]:
    """The loss scaled, and the regulariser not."""
    error, theta = tensor.error, tensor.project(tensor.theta)
    if len(theta) < 3:
        return
    terms = np.stack([error.right / error.tolerance, theta / error.tolerance], axis=1).astype(float)
    (factor, share), *_ = np.linalg.lstsq(terms, (error.found / error.tolerance).astype(float), rcond=None)
    if np.isfinite(factor) and factor:
        words = f"the gradient is {shown(float(factor))} times the right one, but for a regulariser"
        values = factor * error.right + share * theta
        yield Candidate("scale", words, values, 2, max(1.0, abs(float(factor))))


def shared_by_all(found: Explanation, tensors: int) -> Explanation:
    """The same, with one cause where all tensors have one structure; details begin with a tensor's name."""
    details = {(cause.name, cause.detail.partition(": ")[2]) for cause in found.causes}
    named = not any(cause.name == NOT_IDENTIFIED for cause in found.causes)
    if not 1 < len(found.causes) == tensors or len(details) > 1 or not named:
        return found
    (name, detail), *_ = details
    share = min(1.0, sum(cause.parameters for cause in found.causes))
    return replace(found, causes=(Cause(name, f"{detail}, everywhere", (), share, 1.0),))
