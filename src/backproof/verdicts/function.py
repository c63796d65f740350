"""A function from outside before the judge, moved one coordinate at a time."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from backproof.errors import FunctionError
from backproof.estimates.directional import DIRECTIONS, probability_of_a_miss
from backproof.estimates.noise import gradient_rounding_error
from backproof.estimates.sizes import sizes_of
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.function import Function
from backproof.verdicts.causes import Cause
from backproof.verdicts.check import Check
from backproof.verdicts.directions import DirectionalEvidence
from backproof.verdicts.function_evidence import FunctionEvidence
from backproof.verdicts.judgement import Judgement, judge
from backproof.verdicts.measuring import Sampling, measured
from backproof.verdicts.protocols import Evidence
from backproof.verdicts.screening import screened_function
from backproof.verdicts.verdict import AGREEING, Verdict


class FunctionTarget:
    """A function and its gradient at the starting point; evaluated as the judge asks for it.

    Attributes:
        loss: the value at the point.
        analytic: the gradient under test there, flat.
        elsewhere: the same function in another precision, if it was evaluated there.
    """

    def __init__(self, function: Function, sampling: Sampling) -> None:
        self.function, self.sampling = function, sampling
        self.generator = np.random.default_rng(sampling.seed)
        function.check_arguments()
        self.loss = function.value_at_start()
        self.analytic = function.gradient()
        self._not_finite = Cause("loss not finite", f"it is {self.loss}")
        if not np.isfinite(function.start).all():
            self._not_finite = Cause("parameters not finite", self._first_of(function.start))
        self.elsewhere: Function | None = None

    details: ClassVar[None] = None
    differences_chosen: ClassVar[bool] = True

    @property
    def size(self) -> int:
        """The number of parameters."""
        return self.function.layout.size

    @property
    def precision(self) -> str:
        """The precision of the gradient's arithmetic."""
        return self.function.precision

    @property
    def resolution(self) -> float:
        """The relative error that must not go unseen, beside `rtol`."""
        return self.sampling.resolution

    @property
    def rtol(self) -> float:
        """The relative error that the gradient is known to have by its nature."""
        return self.sampling.rtol

    @property
    def parameters(self) -> Array:
        """The starting point, flat."""
        return self.function.start

    @property
    def evaluations(self) -> int:
        """How often the loss was evaluated."""
        return self.function.evaluations + (self.elsewhere.evaluations if self.elsewhere else 0)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the function but can be lived with."""
        return tuple(self.function.notes)

    @property
    def directions(self) -> int:
        """Along how many directions it is checked; 0 where parameters are moved one by one."""
        return DIRECTIONS if self.sampling.along_directions(self.size) else 0

    @property
    def probability_of_a_miss(self) -> float:
        """The largest probability that errors of four bounds (‖e‖₂) are not seen; 0 for a full check."""
        return probability_of_a_miss(self.directions) if self.directions else 0.0

    def curves(self) -> dict[str, tuple[Array, Array]]:
        """None: its step is chosen for each tensor."""
        return {}

    def difference_between_calls(self, *, gradient: bool) -> str:
        """What differs between two calls, the loss or its gradient, by more than is allowed; and how much."""
        again = self.function.value(self.function.start)
        if not (self.loss == again or (np.isnan(self.loss) and np.isnan(again))):
            return f"the loss: {self.loss!r}, {again!r}"
        repeated = self.function.gradient() if gradient else self.analytic
        if np.array_equal(self.analytic, repeated, equal_nan=True):
            return ""
        apart = np.nan_to_num(np.abs(self.analytic - repeated), nan=np.inf)
        apart[np.isnan(self.analytic) & np.isnan(repeated)] = 0
        most = int(np.argmax(apart))
        words = f"the gradient, by up to {apart[most]:.2g} at {self.function.layout.location(most)}"
        if apart[most] > self.sampling.nondeterminism:
            return words
        self.function.note(f"two calls differ in {words}; {self.sampling.nondeterminism:g} is allowed")
        return ""

    def own(self) -> Evidence | None:
        """The gradient and what evaluations find, where both are finite at the point and near it."""
        if not (np.isfinite(self.loss) and np.isfinite(self.function.start).all()):
            return None
        if not np.isfinite(self.analytic).all():
            self._not_finite = Cause("analytic gradient not finite", self._first_of(self.analytic))
            return None
        wider = self._in_double
        if wider is not None:
            sizes = sizes_of(self.function, self.loss, self.analytic)
            digits = np.full(self.size, unit_roundoff(self.function.dtype))
            round_off = gradient_rounding_error(self.function, self.analytic, sizes, digits, self.generator)
            return wider.of(self.function, self.analytic, round_off)
        found = self._measured
        estimate = found.comparison.estimate
        lost = np.flatnonzero(~np.isfinite(estimate.value))
        if len(lost):
            first = estimate.layout.location(int(estimate.index[lost[0]]))
            self._not_finite = Cause("numerical gradient not finite", f"within a step of {first}")
        return found

    def _first_of(self, flat: Array) -> str:
        """The first entry that is not finite, and what it is."""
        first = int(np.flatnonzero(~np.isfinite(flat))[0])
        return f"first at {self.function.layout.location(first)}, which is {flat[first]}"

    @cached_property
    def _measured(self) -> FunctionEvidence | DirectionalEvidence:
        """What evaluations find, along directions or of every coordinate that is checked."""
        return measured(self.function, self.loss, self.analytic, self.sampling, self.generator)

    @cached_property
    def _in_double(self) -> FunctionEvidence | DirectionalEvidence | None:
        """In low precision, what is found in double precision at the same point, where f computes in that."""
        if np.finfo(self.function.dtype).eps <= np.finfo(np.float64).eps:
            return None
        wider: FunctionTarget | None = None
        try:
            wider = FunctionTarget(self.function.in_precision(np.float64), self.sampling)
            if wider.function.notes or wider.rounds_to_single() or not np.isfinite(wider.analytic).all():
                return None
            found = wider._measured
        except FunctionError:
            return None
        finally:
            self.elsewhere = wider.function if wider else None
        return found if found.comparison.finite else None

    def rounds_to_single(self) -> bool:
        """Whether f's values are float32's, although its parameters are not."""
        start, draw = self.function.start, np.random.default_rng(self.sampling.seed)
        moves = draw.uniform(-1, 1, (2, len(start))) * np.sqrt(np.finfo(np.float64).eps) * start
        values = np.array([self.loss, *(self.function.value_near(start + move) for move in moves)])
        return bool((values.astype(np.float32) == values).all())

    def reference(self, own: Evidence) -> Evidence | None:
        """In low precision, the gradient in double precision, where that is needed and f computes in that."""
        here = own.comparison
        settled = here.resolution <= self.resolution and not here.beyond.any()
        return None if settled else self._in_double

    def finer(self) -> None:
        """Nothing is finer than the differences of a function of which nothing is known."""

    def clipped(self) -> bool:
        """Nothing is known of clips."""
        return False

    def remarks(self) -> list[Cause]:
        """Nothing is known of the function."""
        return []

    def not_finite(self) -> tuple[Verdict, list[Cause]]:
        """What is not finite, and where."""
        return Verdict.NOT_FINITE, [self._not_finite]


def check_function(function: Function, sampling: Sampling | None = None) -> Check:
    """Check a function's gradient at its starting point.

    Raises:
        FunctionError: if the function does what no loss does: raises, changes its arguments, returns a shape.
    """
    with np.errstate(all="ignore"):
        target = FunctionTarget(function, sampling or Sampling())
        found = screened_function(target) if target.sampling.screened else None
        return Check(target, with_trials(found or judge(target), function))


def with_trials(judgement: Judgement, function: Function) -> Judgement:
    """The same, with what trials under other circumstances found: they may refuse what differences allow."""
    if judgement.verdict is Verdict.NOT_DETERMINISTIC:
        return judgement  # and no two trials would agree
    found = [finding for trial in function.trials for finding in trial()]
    for finding in found:
        if not finding.wrong:
            function.note(f"{finding.name}: {finding.detail}")
    refused = tuple(Cause(finding.name, finding.detail) for finding in found if finding.wrong)
    if not refused:
        return judgement
    if judgement.verdict in AGREEING:
        verdict, causes = Verdict.INCORRECT_GRADIENT, (*refused, *judgement.causes)
    else:
        verdict, causes = judgement.verdict, (*judgement.causes, *refused)
    return replace(judgement, verdict=verdict, causes=causes, refused=refused)
