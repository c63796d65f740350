"""What a wrong gradient is in place of the right one: a multiple, a transpose, another, a term too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.arrays import Array
from backproof.verdicts.causes import Cause, Explanation
from backproof.verdicts.fit import Error, Known, first_fit
from backproof.verdicts.gradient_candidates import (
    Tensor,
    of_few,
    of_the_right_one,
    sums_of_terms,
    terms_of,
    undone,
)
from backproof.verdicts.linear_model import LinearModel
from backproof.verdicts.low_precision import precision_of
from backproof.verdicts.model_search import Given, hidden_model, linear_model
from backproof.verdicts.rearranged import moved
from backproof.verdicts.shape import where_wrong
from backproof.verdicts.structures import LOWER_PRECISION, NOT_IDENTIFIED

MOST_OF_MODEL = 1 << 14
"""Larger gradients are not looked at as Xᵀ r."""

SHORTEST = 4
"""A vector of fewer entries has no parts."""


def structure_of(tensor: Tensor, others: Sequence[Tensor]) -> Known | None:
    """The name of what was made of the gradient, and its details; None if it is nothing known."""
    a = tensor.analytic
    if not len(tensor.numerical) or not np.isfinite(a).all():
        return None
    if not a.any():
        return Known("missing", "the gradient is zero")
    if (np.abs(tensor.numerical) <= tensor.bound).all():
        return _not_zero(tensor)
    if not tensor.complete:
        return first_fit(tensor.error, undone(tensor))
    kind = precision_of(a, tensor.numerical, tensor.error.departs)
    if kind and (a != np.round(a)).any():  # whole numbers have few digits in any precision
        return Known(LOWER_PRECISION, f"its entries are numbers of {kind}")
    terms = terms_of(tensor, others)
    known = first_fit(tensor.error, of_the_right_one(tensor, others, terms)) or _of_wrong_entries(
        tensor, terms
    )
    known = known or _of_model(tensor, others)
    return known or first_fit(tensor.error, sums_of_terms(tensor, terms)) or _whole(a)


def _not_zero(tensor: Tensor) -> Known:
    """A gradient where the right one is zero within its bounds."""
    if tensor.still:
        return Known("no effect", "the loss does not change as it moves, and the gradient is not zero")
    words = (
        f"no derivative differs from zero by its bound, at most {tensor.bound.max():.1e}; the gradient does"
    )
    return Known("not zero", words)


def _whole(a: Array) -> Known | None:
    """A gradient of whole numbers, as of an array of these or of a comparison; None of any other."""
    if len(a) < SHORTEST or (a != np.round(a)).any():
        return None
    if len(np.unique(a)) == 2 and a.min() == 0 and a.max() == 1:
        return Known("truth values", "its entries are 0 and 1, as those of a comparison")
    return Known("whole numbers", "all its entries are such")


Part = tuple[Known | None, Mask]
"""What some of the measured entries of a tensor are, and which they are."""


def parts_of(tensor: Tensor, others: Sequence[Tensor]) -> list[Part]:
    """What a tensor's gradient is: as a whole, or where nothing explains that, a vector's two parts.

    Flat vectors hold parameters of several kinds, as coefficients and then the logarithm of a scale.
    """
    known, size = structure_of(tensor, others), len(tensor.numerical)
    if known or len(tensor.shape) != 1 or not tensor.complete or size < SHORTEST:
        return [(known, np.ones(size, bool))]
    for cut in (size - 1, 1):
        pieces = _piece(tensor, slice(None, cut)), _piece(tensor, slice(cut, None))
        found = [structure_of(p, others) if p.error.departs.any() else None for p in pieces]
        if any(found):
            masks = np.arange(size) < cut, np.arange(size) >= cut
            ends = ((0, cut - 1), (cut, size - 1))
            return [
                (k and k._replace(detail=f"entries {first} to {last}: {k.detail}"), mask)
                for k, mask, (first, last) in zip(found, masks, ends, strict=True)
            ]
    return [(None, np.ones(size, bool))]


def _piece(tensor: Tensor, cut: slice) -> Tensor:
    """Some of a vector's entries, as a tensor of their own."""
    theta = tensor.theta[cut]
    return Tensor(
        tensor.name, theta.shape, tensor.analytic[cut], theta, tensor.numerical[cut], tensor.bound[cut],
        lambda flat: flat, True, tensor.still, tensor.data,
    )  # fmt: skip


def _of_model(tensor: Tensor, others: Sequence[Tensor]) -> Known | None:
    """What was made of Xᵀ r, where the right gradient is that: in all entries, or in the wrong ones alone."""
    error, model = tensor.error, _model(tensor, others)
    if model is None:
        return None
    everywhere, wrong = np.ones(error.right.shape, bool), error.departs
    known = first_fit(error, chain(model.candidates(error, everywhere), model.formulas(error)))
    if known or wrong.all():
        return known
    return first_fit(error, model.candidates(error, wrong))


def _model(tensor: Tensor, others: Sequence[Tensor]) -> LinearModel | None:
    """The form of the right gradient: its own, that of a layer below another's, or that of a bias."""
    own = _given(tensor, others)
    if own is None:
        return None
    found = linear_model(own)
    for other in others:
        theirs = _given(other, [*others, tensor]) if found is None and other.name != tensor.name else None
        above = linear_model(theirs) if theirs is not None else None
        if above is None:
            continue
        if np.array_equal(above.offset, tensor.theta):
            return above.of_offset
        if above.theta.ndim == 2 and own.theta.ndim == 2:
            found = hidden_model(own, above, above.theta)
        for third in others if own.theta.ndim == 1 else ():
            below = _given(third, [*others, tensor]) if third is not other else None
            hidden = hidden_model(below, above, above.theta) if below is not None else None
            if hidden is not None and np.array_equal(hidden.offset, tensor.theta):
                return hidden.of_offset
    return found


def _given(tensor: Tensor, others: Sequence[Tensor]) -> Given | None:
    """A tensor's right gradient, and what it may be made of."""
    if not tensor.complete or tensor.numerical.size > MOST_OF_MODEL:
        return None
    parameters = {t.name: t.theta.reshape(t.shape).astype(float) for t in others if t.name != tensor.name}
    return Given(tensor.error, tensor.theta.reshape(tensor.shape).astype(float), tensor.data, parameters)


def _of_wrong_entries(tensor: Tensor, terms: Mapping[str, Array]) -> Known | None:
    """What the wrong entries are, where the others are right."""
    error, wrong = tensor.error, tensor.error.departs
    if wrong.all() or not wrong.any():
        return None
    part = Error(error.found[wrong], error.right[wrong], error.tolerance[wrong], error.sure[wrong])
    known = first_fit(part, of_few(part, terms, wrong)) or first_fit(error, moved(error, tensor.entry))
    if known is None or known.name == "another entry":
        return known
    where = where_wrong(wrong.reshape(tensor.shape))
    return known._replace(detail=f"in {where} {known.detail}")


def shared_by_all(found: Explanation, tensors: int) -> Explanation:
    """The same, with one cause where all tensors have one structure; details begin with a tensor's name."""
    details = {(cause.name, cause.detail.partition(": ")[2]) for cause in found.causes}
    named = not any(cause.name == NOT_IDENTIFIED for cause in found.causes)
    if not 1 < len(found.causes) == tensors or len(details) > 1 or not named:
        return found
    (name, detail), *_ = details
    share = min(1.0, sum(cause.parameters for cause in found.causes))
    return replace(found, causes=(Cause(name, f"{detail}, everywhere", (), share, 1.0),))
