"""What evaluations of a function from outside find of its gradient: entry by entry, or along directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from backproof.estimates.coordinate import estimate_coordinates
from backproof.estimates.differencer import CoordinateDifferencer, Mapper
from backproof.estimates.first_look import Seen, first_look
from backproof.estimates.joint_kinks import with_joint_kinks
from backproof.estimates.noise import gradient_rounding_error
from backproof.estimates.record import EntryStatus, Estimate, stacked
from backproof.estimates.variation import variation_along
from backproof.network.arrays import Array
from backproof.targets.function import Function
from backproof.targets.layout import Index
from backproof.verdicts.comparison import RESOLUTION, Comparison
from backproof.verdicts.directions import DirectionalEvidence, directional_evidence
from backproof.verdicts.function_evidence import FunctionEvidence

NOISY = 1e4
"""The noise of a loss, in roundings of its precision, from which on there is a remark."""

FULL = 10_000
"""Up to so many parameters every one is moved; beyond, the gradient is checked along random directions."""


@dataclass(frozen=True)
class Sampling:
    """How a function is checked.

    Attributes:
        seed: of the directions, and of the parameters that are drawn.
        parameters: check so many, drawn at random; by default all.
        directions: check along random directions instead of moving every parameter; by default from 10,000
            parameters on.
        blocks: evaluates blocks of parameters elsewhere.
        resolution: the relative error that must not go unseen.
        rtol: the relative error that the gradient is known to have by its nature.
        nondeterminism: by how much two calls for the gradient may differ.
        screened: whether a verdict of agreement may rest on a few random directions.
    """

    seed: int = 0
    parameters: int | None = None
    directions: bool | None = None
    blocks: Mapper | None = None
    resolution: float = RESOLUTION
    rtol: float = 0.0
    nondeterminism: float = 0.0
    screened: bool = False

    def along_directions(self, size: int) -> bool:
        """Whether a function of so many parameters is checked along directions."""
        if self.directions is not None:
            return self.directions
        return (size if self.parameters is None else self.parameters) > FULL

    def drawn(self, size: int, generator: np.random.Generator) -> Index:
        """The parameters to check, of so many."""
        if self.parameters is None or self.parameters >= size:
            return np.arange(size)
        return np.sort(generator.choice(size, self.parameters, replace=False))


def measured(
    function: Function,
    loss: float | np.longdouble,
    analytic: Array,
    sampling: Sampling,
    generator: np.random.Generator,
) -> FunctionEvidence | DirectionalEvidence:
    """What evaluations find of a gradient at the starting point.

    Args:
        loss: the value there.
        analytic: the gradient under test, flat.
    """
    if sampling.along_directions(function.layout.size):
        differencer = CoordinateDifferencer.moving_all(function, loss, analytic, generator)
        round_off = _round_off(differencer, analytic, generator)
        _is_noisy(differencer)
        return directional_evidence(differencer, analytic, round_off, sampling.rtol)
    summands = _summands(function, loss, analytic, sampling, generator)
    found = _together(function, analytic, summands, sampling)
    if found.named or np.count_nonzero(found.comparison.wrong) < 2:
        return found
    # Where a function is linear on most sides of a kink, the other sides take many directions to be met.
    # Before a gradient is called wrong for nothing that is known, they are tried; but for a single entry,
    # since along that alone the function was looked at.
    closer = [summand.with_joint_kinks(sampling, closely=True) for summand in summands]
    pairs = zip(summands, closer, strict=True)
    if all((a.estimate.touched == b.estimate.touched).all() for a, b in pairs):
        return found
    return _together(function, analytic, closer, sampling)


@dataclass(frozen=True)
class _Summand:
    """One of the functions whose sum is checked.

    Attributes:
        value: at the point.
        own: which parameters are its own, among those of the sum.
        analytic: its gradient under test, flat.
        estimate: its derivatives by single entries.
        noisy: whether the edges of plateaus look like kinks that only several entries together meet.
    """

    row: Function
    value: float | np.longdouble
    own: Index
    analytic: Array
    estimate: Estimate
    noisy: bool
    measured_by: Callable[[], CoordinateDifferencer]

    @cached_property
    def differencer(self) -> CoordinateDifferencer:
        """What takes the function's differences."""
        return self.measured_by()

    def with_joint_kinks(self, sampling: Sampling, *, closely: bool) -> _Summand:
        """The same, with entries marked that touch a kink together with others."""
        if self.noisy:
            return self
        estimate, function = self.estimate, self.row
        off = Comparison(estimate.selected(self.analytic), estimate, sampling.rtol).beyond
        found = with_joint_kinks(
            estimate, function.value_near, function.start, off, sampling.seed, closely=closely
        )
        return replace(self, estimate=found)


def _summands(
    function: Function,
    loss: float | np.longdouble,
    analytic: Array,
    sampling: Sampling,
    generator: np.random.Generator,
) -> list[_Summand]:
    """The derivatives of a function's rows: together, and alone of those that need a closer look."""
    selected, rows = sampling.drawn(function.layout.size, generator), function.rows
    values = [loss] if len(rows) == 1 else [row.value_at_start() for row, _ in rows]
    seen: Sequence[Seen | None] = [None] * len(rows)
    if len(selected) == function.layout.size:
        each = np.array([analytic[own] for _, own in rows])
        seen = first_look(
            function, each, resolution=sampling.resolution, seed=sampling.seed, generator=generator
        )
    found = []
    for (row, own), value, known in zip(rows, values, seen, strict=True):
        if known is not None:
            found.append(_settled(row, own, value, analytic[own], known, generator))
        elif np.isin(own, selected).any():
            found.append(_summand(row, own, value, analytic[own], selected, sampling, generator))
    return found


def _settled(
    row: Function,
    own: Index,
    value: float | np.longdouble,
    analytic: Array,
    seen: Seen,
    generator: np.random.Generator,
) -> _Summand:
    """The derivatives of one function that a first look has found."""
    return _Summand(
        row, value, own, analytic, seen.estimate, False,
        lambda: CoordinateDifferencer(row, value, analytic, generator, seen.noise),
    )  # fmt: skip


def _summand(
    row: Function,
    own: Index,
    value: float | np.longdouble,
    analytic: Array,
    selected: Index,
    sampling: Sampling,
    generator: np.random.Generator,
) -> _Summand:
    """The derivatives of one function; `selected` are the entries of the sum that are checked."""
    differencer = CoordinateDifferencer(row, value, analytic, generator)
    round_off = _round_off(differencer, analytic, generator)
    estimate = estimate_coordinates(
        differencer, analytic, round_off, np.flatnonzero(np.isin(own, selected)),
        resolution=sampling.resolution, blocks=sampling.blocks,
    )  # fmt: skip
    noisy = _is_noisy(differencer)
    summand = _Summand(row, value, own, analytic, estimate, noisy, lambda: differencer)
    return summand.with_joint_kinks(sampling, closely=False)


def _together(
    function: Function, analytic: Array, summands: Sequence[_Summand], sampling: Sampling
) -> FunctionEvidence:
    """The gradient of a sum, compared with the derivatives of its summands."""
    if len(function.rows) == 1:
        estimate = summands[0].estimate
        comparison = Comparison(estimate.selected(analytic), estimate, sampling.rtol)
        comparison = _with_variation(summands[0].differencer, comparison, sampling.resolution)
        return FunctionEvidence(function, analytic, comparison)
    estimate = stacked(
        [summand.estimate for summand in summands], function.layout, [summand.own for summand in summands],
        [max(abs(float(s.value)), s.row.terms) for s in summands],
    )  # fmt: skip
    comparison = Comparison(estimate.selected(analytic), estimate, sampling.rtol)
    return FunctionEvidence(function, analytic, comparison)


def _with_variation(
    differencer: CoordinateDifferencer, comparison: Comparison, resolution: float
) -> Comparison:
    """The same, with errors of unresolved entries that are zero relative to what they are nearby."""
    estimate = comparison.estimate
    zero = (comparison.size <= comparison.bound) & (comparison.relative > resolution)
    chosen = np.flatnonzero(zero & ~estimate.has(EntryStatus.FLAT))
    if not len(chosen):
        return comparison
    enough = (comparison.bound + estimate.bound) / resolution
    return replace(comparison, variation=variation_along(differencer, estimate, chosen, enough))


def _round_off(differencer: CoordinateDifferencer, analytic: Array, generator: np.random.Generator) -> Array:
    """The rounding error of a function's gradient."""
    function, digits = differencer.function, differencer.arithmetic(differencer.noise)
    round_off = gradient_rounding_error(function, analytic, differencer.sizes, digits, generator)
    return np.asarray(round_off + function.gradient_error())


def _is_noisy(differencer: CoordinateDifferencer) -> bool:
    """Whether values are coarser than the parameters' precision makes them; then there is a remark."""
    noise = float(np.median(differencer.noise))
    scatter, single = noise / (abs(float(differencer.value)) or np.inf), np.finfo(np.float32).eps
    if not scatter > NOISY * np.finfo(differencer.function.dtype).eps:
        return False
    like = ", as float32's are" if single / NOISY**0.5 < scatter < single * NOISY**0.5 else ""
    differencer.function.note(
        f"values of the loss err by up to {scatter:.0e} of their size{like}: part of it is evaluated in "
        "lower precision, is rounded or noisy, or cancels"
    )
    return True
