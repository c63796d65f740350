"""Screens of functions: the verdict where all directions agree, and else none: the full check decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backproof.errors import FunctionError
from backproof.estimates.screen import Changes, Screen, screened
from backproof.estimates.sizes import sizes_of
from backproof.estimates.steps import wide
from backproof.network.arrays import Array, unit_roundoff
from backproof.verdicts.comparison import gradient_error
from backproof.verdicts.judgement import Judgement
from backproof.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from backproof.targets.function import Function
    from backproof.verdicts.function import FunctionTarget

COARSE = 100.0
"""Units of round-off of the case's own precision that the resolution must leave room for. In coarser ones
only differences in that precision say what rounding makes of the numbers."""

STREAM = 0x5C
"""Sets the directions apart from whatever else is drawn with a seed."""


def screened_function(target: FunctionTarget) -> Judgement | None:
    """The verdict on a function's gradient if a screen can give it: that it agrees.

    What has several rows, or a known error, is checked in full.
    """
    function = target.function
    known = np.any(np.asarray(function.gradient_error()) > 0)
    if len(function.rows) > 1 or known or is_coarse(unit_roundoff(function.dtype), target.resolution):
        return None
    if target.difference_between_calls(gradient=True):
        return None
    with np.errstate(all="ignore"):
        value, analytic, rounding = target.loss, target.analytic, None
        kind = wide(function.dtype)
        if kind is not function.dtype.type:
            try:
                function = target.elsewhere = function.in_precision(kind)
                value, analytic = function.value_at_start(), function.gradient()
            except FunctionError:
                return None
            rounding = target.analytic.astype(kind) - analytic
        odd = function is not target.function and function.notes
        if odd or not are_finite(value, target.loss, target.analytic, analytic):
            return None
        spacing, units = unit_roundoff(kind) * abs(float(value)), sizes_of(function, value, analytic)
        found = screened(
            _Function(function, value).along, spacing, analytic.astype(kind), units, function.layout,
            generator=np.random.default_rng([target.sampling.seed, STREAM]),
            asked=target.resolution, allowed=target.rtol, rounding=rounding,
        )  # fmt: skip
    return judged(found, target.size)


def is_coarse(u: float, asked: float) -> bool:
    """Whether a precision, given by its unit round-off, is coarse beside a resolution."""
    return COARSE * u > asked


def judged(found: Screen | None, parameters: int) -> Judgement | None:
    """The judgement on a gradient that agrees along all directions."""
    if found is None or not found.agrees:
        return None
    return Judgement(
        Verdict.AGREES, (), parameters, gradient_error(found.analytic, found.value), found.excess,
        found.resolution, screen=found,
    )  # fmt: skip


def are_finite(*numbers: Array | float | np.longdouble) -> bool:
    """Whether all of them are."""
    return all(bool(np.isfinite(each).all()) for each in numbers)


class _Function:
    """A function from outside that is moved along directions."""

    def __init__(self, function: Function, value: float | np.longdouble) -> None:
        self.function, self.value = function, value

    def along(self, steps: Array, moves: Array) -> Changes:
        """How the function changes."""
        start = self.function.start
        points = [start + (step * move).astype(start.dtype) for step in steps for move in moves]
        values = np.array([self.function.value_near(point) for point in points])
        return Changes(values.reshape(len(steps), -1) - self.value, kinked=False)
