"""What the right gradient of a tensor may have been turned into, the simplest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from backproof.estimates.record import Mask
from backproof.network.arrays import Array
from backproof.verdicts.fit import FIT, Candidate, Error, Term, amount, plain_numbers, shown
from backproof.verdicts.formulas import formulas, pair_of_terms
from backproof.verdicts.known_terms import of_data, of_parameters
from backproof.verdicts.rearranged import turned, turns
from backproof.verdicts.structures import factors_of
from backproof.verdicts.variants import candidates_of, variants

Project = Callable[[Array], Array]
"""A tensor's gradient, flat, to what was measured of it: its entries, or its products with directions."""

PENALTIES = ("the parameter", "the parameter's sign")
"""Terms of which penalties are mostly made."""

MOSTLY, FEWEST = 0.5, 3
"""The share and the number of a tensor's entries, to which a term must have been added to have a name."""

ALIKE = 1e6
"""The condition of two terms from which on they are one: any values are a difference of such."""

MOST_QUANTITIES = 12
"""So many quantities are tried three at a time."""


@dataclass(frozen=True)
class Tensor:
    """One array of W: its shape, the gradient under test, and what was measured.

    Attributes:
        analytic, theta: flat, (size).
        numerical, bound: what was measured, (measurements).
        project: from a candidate for the gradient to what would have been measured of it.
        complete: whether what was measured are all entries, in their order.
        still: whether the loss does not change at all as any of them moves.
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
    still: bool = False
    data: Mapping[str, Array] = field(default_factory=dict)

    @cached_property
    def error(self) -> Error:
        """What is measured of the gradient under test, beside what was measured of the function."""
        sure = np.ones(self.numerical.shape, bool)
        return Error(self.project(self.analytic), self.numerical, 2 * self.bound, sure)

    def entry(self, flat: int) -> str:
        """How an entry is called."""
        return f"[{','.join(map(str, np.unravel_index(flat, self.shape)))}]"


def terms_of(tensor: Tensor, others: Sequence[Tensor]) -> dict[str, Array]:
    """Quantities of a tensor's size that may have been added to its gradient."""
    of_theta = of_parameters(tensor.theta)
    if not tensor.complete:
        return of_theta
    parameters = {t.name: t.theta.reshape(t.shape).astype(float) for t in (tensor, *others)}
    return {**of_theta, **dict(of_data(tensor.data, tensor.theta, tensor.shape, parameters))}


def of_few(part: Error, terms: Mapping[str, Array], wrong: Mask) -> Iterator[Candidate | Term]:
    yield Candidate("missing", "the gradient is zero", np.zeros_like(part.right))
    yield from multiples_of(part)
    # A term is added to an array, perhaps but for an intercept; a few entries of it are outliers.
    if MOSTLY * len(wrong) <= np.count_nonzero(wrong) >= FEWEST:
        for what, values in terms.items():
            yield _term(what, values[wrong])


def of_the_right_one(
    tensor: Tensor, others: Sequence[Tensor], terms: Mapping[str, Array]
) -> Iterator[Candidate | Term]:
    """What the measured gradient may have been turned into, the simplest first."""
    error, right = tensor.error, tensor.numerical
    yield from multiples_of(error)
    yield from turned(error, tensor.shape)
    yield from _exchanged(tensor, others)
    for what, values in terms.items() if len(right) >= FEWEST else ():
        yield _term(what, values)
    if len(tensor.shape) == 2:
        rows = Error(*(x.reshape(tensor.shape) for x in (error.found, right, error.tolerance, error.sure)))
        for axis, called in ((1, "rows"), (0, "columns")):
            for candidate in factors_of(rows, axis, called):
                yield replace(candidate, values=candidate.all_values.ravel())
    yield from _cut_off(error)
    yield from _parametrised(tensor)
    yield from _changed(tensor)
    yield from _two_terms(tensor)


def _cut_off(error: Error) -> Iterator[Candidate]:
    """The right gradient cut off at a bound, which some of it is within: else all of it is but a sign."""
    bound = np.abs(error.found).max()
    cut = np.abs(error.right) > bound + error.tolerance
    if np.count_nonzero(cut) >= 2 and np.count_nonzero(~cut & (error.right != 0)) >= 2:
        yield Candidate("cut off", f"at ±{bound:.6g}", np.clip(error.right, -bound, bound), 1)


def undone(tensor: Tensor) -> Iterator[Candidate | Term]:
    """The same where not all entries were measured: what undoes the mistake must give what was measured.

    The error of a candidate is the gradient under test less what the mistake undone would give.
    """
    error, a = tensor.error, tensor.analytic
    yield from multiples_of(error)
    for name, detail, turn in turns(tensor.shape, back=True):
        for sign, more in ((1, ""), (-1, ", and negative")):
            undone = tensor.project(sign * turn(a))
            yield Candidate(name, detail + more, error.right + error.found - undone)
    of_theta = of_parameters(tensor.theta)
    for what in PENALTIES:
        if what in of_theta:
            yield _term(what, tensor.project(of_theta[what]))
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
        yield replace(candidate, name=name, values=candidate.all_values.ravel(), tolerance=spread)
    if len(shape) == 2 and shape[0] == shape[1] > 1:
        both = (matrix + matrix.T, "its transpose added"), ((matrix + matrix.T) / 2, "made symmetric")
        parts = (np.tril(matrix), "the lower triangle alone"), (np.triu(matrix), "the upper triangle alone")
        for values, words in (*both, *parts):
            yield Candidate("symmetry", words, values.ravel(), tolerance=spread)


def sums_of_terms(tensor: Tensor, terms: Mapping[str, Array]) -> Iterator[Candidate]:
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
    size = np.linalg.norm(terms, axis=0)
    if not np.isfinite(size).all() or not size.all() or np.linalg.cond(terms / size) > ALIKE:
        return
    (factor, share), *_ = np.linalg.lstsq(terms, (error.found / error.tolerance).astype(float), rcond=None)
    # A factor that leaves less of the right one than its error is none: the rest alone is what was found.
    if np.isfinite(factor) and (np.abs(factor * error.right) > error.tolerance + FIT * np.abs(theta)).any():
        words = f"the gradient is {shown(float(factor))} times the right one, but for a regulariser"
        values = factor * error.right + share * theta
        yield Candidate("scale", words, values, 2, max(1.0, abs(float(factor))))
