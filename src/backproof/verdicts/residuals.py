"""What a wrong gradient is in place of the right one: a multiple, a transpose, another, a term too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.arrays import Array
from backproof.verdicts.causes import Cause, Explanation
from backproof.verdicts.fit import Candidate, Error, Known, Term, amount, first_fit, plain_numbers, shown
from backproof.verdicts.formulas import formulas, pair_of_terms
from backproof.verdicts.known_terms import of_data, of_parameters
from backproof.verdicts.linear_model import LinearModel
from backproof.verdicts.low_precision import precision_of
from backproof.verdicts.model_search import Given, hidden_model, linear_model
from backproof.verdicts.rearranged import moved, turned, turns
from backproof.verdicts.shape import where_wrong
from backproof.verdicts.structures import LOWER_PRECISION, NOT_IDENTIFIED, factors_of
from backproof.verdicts.variants import candidates_of, variants

Project = Callable[[Array], Array]
"""A tensor's gradient, flat, to what was measured of it: its entries, or its products with directions."""

PENALTIES = ("the parameter", "the parameter's sign")
"""Terms of which penalties are mostly made."""

MOST_OF_MODEL = 1 << 14
"""Larger gradients are not looked at as Xᵀ r."""

MOST_QUANTITIES = 12
"""So many quantities are tried three at a time."""

SHORTEST = 4
"""A vector of fewer entries has no parts."""


@dataclass(frozen=True)
class Tensor:
    """One array of W: its shape, the gradient under test, and what was measured.

    Attributes:
        analytic, theta: flat, (size).
        numerical, bound: what was measured, (measurements).
        project: from a candidate for the gradient to what would have been measured of it.
        complete: whether what was measured are all entries, in their order.
        data: arrays that the function is given, by name.
    """

    name: str
    shape: tuple[int, ...]
    analytic: Array
    theta: Array
    numerical: Array
    bound: Array
    project: Project
    complete: bool = False
    data: Mapping[str, Array] = field(default_factory=dict)

    @cached_property
    def error(self) -> Error:
        """What is measured of the gradient under test, beside what was measured of the function."""
        sure = np.ones(self.numerical.shape, bool)
        return Error(self.project(self.analytic), self.numerical, 2 * self.bound, sure)

    def entry(self, flat: int) -> str:
        """How an entry is called."""
        return f"[{','.join(map(str, np.unravel_index(flat, self.shape)))}]"


def _terms(tensor: Tensor, others: Sequence[Tensor]) -> dict[str, Array]:
    """Quantities of a tensor's size that may have been added to its gradient."""
    of_theta = of_parameters(tensor.theta)
    if not tensor.complete:
        return of_theta
    parameters = {t.name: t.theta.reshape(t.shape).astype(float) for t in (tensor, *others)}
    return {**of_theta, **dict(of_data(tensor.data, tensor.theta, tensor.shape, parameters))}


def structure_of(tensor: Tensor, others: Sequence[Tensor]) -> Known | None:
    """The name of what was made of the gradient, and its details; None if it is nothing known."""
    a = tensor.analytic
    if not len(tensor.numerical) or not np.isfinite(a).all():
        return None
    if not a.any():
        return Known("missing", "the gradient is zero")
    if (np.abs(tensor.numerical) <= tensor.bound).all():
        return Known("no effect", "the loss does not depend on it here, and the gradient is not zero")
    if not tensor.complete:
        return first_fit(tensor.error, _undone(tensor))
    kind = precision_of(a, tensor.numerical, tensor.error.departs)
    if kind:
        return Known(LOWER_PRECISION, f"its entries are numbers of {kind}")
    terms = _terms(tensor, others)
    known = first_fit(tensor.error, _of_the_right_one(tensor, others, terms)) or _of_wrong_entries(
        tensor, terms
    )
    known = known or _of_model(tensor, others)
    return known or first_fit(tensor.error, _formulas(tensor, terms))


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
        lambda flat: flat, True, tensor.data,
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
    known = first_fit(part, _of_few(part, terms, wrong)) or first_fit(error, moved(error, tensor.entry))
    if known is None or known.name == "another entry":
        return known
    where = where_wrong(wrong.reshape(tensor.shape))
    return known._replace(detail=f"in {where} {known.detail}")


def _of_few(part: Error, terms: Mapping[str, Array], wrong: Mask) -> Iterator[Candidate | Term]:
    yield Candidate("missing", "the gradient is zero", np.zeros_like(part.right))
    yield from multiples_of(part)
    for what, values in terms.items():
        yield _term(what, values[wrong])


def _of_the_right_one(
    tensor: Tensor, others: Sequence[Tensor], terms: Mapping[str, Array]
) -> Iterator[Candidate | Term]:
    """What the measured gradient may have been turned into, the simplest first."""
    error, right = tensor.error, tensor.numerical
    yield from multiples_of(error)
    yield from turned(error, tensor.shape)
    yield from _exchanged(tensor, others)
    for what, values in terms.items():
        yield _term(what, values)
    if len(tensor.shape) == 2:
        rows = Error(*(x.reshape(tensor.shape) for x in (error.found, right, error.tolerance, error.sure)))
        for axis, called in ((1, "rows"), (0, "columns")):
            for candidate in factors_of(rows, axis, called):
                yield replace(candidate, values=candidate.values.ravel())
    bound = np.abs(error.found).max()
    yield Candidate("cut off", f"at ±{bound:.6g}", np.clip(right, -bound, bound), 1)
    yield from _parametrised(tensor)
    yield from _changed(tensor)
    yield from _two_terms(tensor)


def _undone(tensor: Tensor) -> Iterator[Candidate | Term]:
    """The same where not all entries were measured: what undoes the mistake must give what was measured.

    The error of a candidate is the gradient under test less what the mistake undone would give.
    """
    error, a = tensor.error, tensor.analytic
    yield from multiples_of(error)
    for name, detail, turn in turns(tensor.shape, back=True):
        for sign, more in ((1, ""), (-1, ", and negative")):
            undone = tensor.project(sign * turn(a))
            yield Candidate(name, detail + more, error.right + error.found - undone)
    for what in PENALTIES:
        yield _term(what, tensor.project(of_parameters(tensor.theta)[what]))
    yield from _two_terms(tensor)


def multiples_of(error: Error) -> Iterator[Candidate]:
    """The multiple of the right gradient that comes nearest; whole numbers and one over them first."""
    right, weights = error.right, 1 / np.maximum(error.tolerance, np.finfo(error.tolerance.dtype).tiny) ** 2
    weights = weights / weights.max()
    factor = float((weights * error.found * right).sum() / (weights * right * right).sum())
    if not np.isfinite(factor) or not factor:
        return
    yield Candidate("sign", "the gradient is the negative of the right one", -right)
    for each in (*plain_numbers(factor), factor):
        words = f"the gradient is {shown(each)} times the right one"
        yield Candidate("scale", words, each * right, int(each == factor), max(1.0, abs(each)))


def _exchanged(tensor: Tensor, others: Sequence[Tensor]) -> Iterator[Candidate]:
    """Another tensor's gradient in its place."""
    for other in others:
        if other.name != tensor.name and other.shape == tensor.shape and other.complete:
            detail = f"it is the gradient of {other.name}"
            yield Candidate("exchanged", detail, other.numerical, tolerance=other.error.tolerance)


def _term(what: str, values: Array) -> Term:
    """A term that may be left out, or too much."""
    name = "regulariser" if what in PENALTIES else "a constant" if what == "one" else "another term"
    return Term(name, values, partial(_words, what))


def _words(what: str, share: float) -> str:
    return f"{amount(abs(share))} times {what} is {'left out' if share < 0 else 'too much'}"


def _parametrised(tensor: Tensor) -> Iterator[Candidate]:
    """The gradient with respect to a function of the parameter, or with its derivative twice."""
    theta, error = tensor.theta, tensor.error
    factors = {
        "the parameter": theta, "the parameter squared": theta * theta, "exp of the parameter": np.exp(theta),
        "the parameter's sign": np.sign(theta), "one minus the parameter": 1 - theta,
    }  # fmt: skip
    for words, factor in factors.items():
        for how, by in (("times", factor), ("divided by", 1 / factor)):
            for times, more in ((1.0, ""), (0.5, "half "), (2.0, "twice ")):
                detail = f"{more}the right one, {how} {words}"
                by_it = times * by
                yield Candidate(
                    "another parametrisation",
                    detail,
                    error.right * by_it,
                    tolerance=error.tolerance * np.abs(by_it),
                )


def _changed(tensor: Tensor) -> Iterator[Candidate]:
    """The right gradient changed as a matrix, or as one column."""
    shape = tensor.shape if len(tensor.shape) == 2 else (len(tensor.numerical), 1)
    matrix = tensor.numerical.reshape(shape)
    spread = np.full(tensor.numerical.shape, tensor.error.tolerance.max())
    axes = ("rows", "columns") if len(tensor.shape) == 2 else ("entries", "columns")
    for candidate in candidates_of("", "it", variants(matrix, *axes), lambda x: x):
        name = candidate.name.removeprefix(": ")
        yield replace(candidate, name=name, values=candidate.values.ravel(), tolerance=spread)
    if len(shape) == 2 and shape[0] == shape[1] > 1:
        both = (matrix + matrix.T, "its transpose added"), ((matrix + matrix.T) / 2, "made symmetric")
        parts = (np.tril(matrix), "the lower triangle alone"), (np.triu(matrix), "the upper triangle alone")
        for values, words in (*both, *parts):
            yield Candidate("symmetry", words, values.ravel(), tolerance=spread)


def _formulas(tensor: Tensor, terms: Mapping[str, Array]) -> Iterator[Candidate]:
    """Sums of the right gradient and known terms."""
    error = tensor.error
    yield from pair_of_terms(error, terms, "two terms")
    quantities = {"the right one": error.right, **dict(list(terms.items())[:MOST_QUANTITIES])}
    yield from formulas(error, quantities, np.ones_like(error.right), "another formula", "the right one")


def _two_terms(tensor: Tensor) -> Iterator[Candidate]:
    """The loss scaled, and the regulariser not."""
    error, theta = tensor.error, tensor.project(tensor.theta)
    if len(theta) < 3:
        return
    terms = np.stack([error.right / error.tolerance, theta / error.tolerance], axis=1).astype(float)
    if not np.isfinite(terms).all():
        return
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
