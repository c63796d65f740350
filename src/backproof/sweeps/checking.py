"""The checking half of a sweep's work: numerical gradients, verdicts, cures, and their columns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from backproof.errors import ConfigurationError
from backproof.estimates.error_bounds import TOGETHER
from backproof.estimates.stencils import Scheme, refuses_complex
from backproof.estimates.steps import wide
from backproof.network.arrays import Array, cut_like
from backproof.network.faults.mutant import Mutant
from backproof.network.faults.written import Written
from backproof.network.number_formats import NetworkPrecision
from backproof.network.problem import Problem
from backproof.sweeps import components
from backproof.sweeps.case import NetworkCase, grouped
from backproof.sweeps.construction import generator, problem_of, rule_of, samples_of, sizes_of, weights_of
from backproof.sweeps.cures import at_rest, cures_of
from backproof.sweeps.listing import batched
from backproof.sweeps.outcome import Outcome
from backproof.targets.network import in_precision
from backproof.verdicts import AGREEING, Judgement, Verdict, judge
from backproof.verdicts.baselines import baselines_of
from backproof.verdicts.check import Cures
from backproof.verdicts.evidence import evidence_of
from backproof.verdicts.network import NetworkTarget
from backproof.verdicts.network_screening import screened_network
from backproof.verdicts.view import View, evaluated_at, view_of, views_of

if TYPE_CHECKING:
    from backproof.verdicts.function import FunctionTarget

FINER_PARAMETERS = 300
"""Extended precision is slow; so many parameters are enough to tell a right rule from a wrong one."""

AT_ONCE = 64
"""Problems that are measured at once at most."""

MOST_NEIGHBOURS, MOST_WEIGHTS = 16, 1 << 18
"""Problems of neighbours that a worker keeps, and their weights in all; each takes some 230 bytes."""


@dataclass
class Finer:
    """Differences that rounding does not drown, measured once, if they are asked for.

    Attributes:
        found: they, or None where there are none; empty until then.
    """

    measure: Callable[[], View | None]
    found: list[View | None] = field(default_factory=list)

    def __call__(self) -> View | None:
        if not self.found:
            self.found.append(self.measure())
        return self.found[0]


@dataclass(frozen=True)
class Checkable:
    """A case's problem at the point where it is checked, evaluated as the case asks for it.

    Attributes:
        own: with the case's steps and precision.
        reference: the same in double precision or better, with steps that the error bounds choose; None where
            `own` is that itself.
        checked: False with check=none; then there is no numerical gradient.
    """

    own: View
    reference: View | None
    finer: Finer | None
    checked: bool = True

    @property
    def used(self) -> list[View]:
        """The views that a verdict rested on so far."""
        finer = self.finer.found if self.finer else []
        return [view for view in (self.own, self.reference, *finer) if view is not None]


@dataclass(frozen=True)
class Measuring:
    """A problem at a point, and how it is to be measured there.

    Attributes:
        parameters: how many are compared, drawn by the seed; "all" for every one.
    """

    problem: Problem
    weights: list[Array]
    step: float | None = None
    scheme: Scheme = Scheme.FIVE_POINT
    parameters: str | int = "all"
    seed: int = 0

    @cached_property
    def selected(self) -> list[Array] | None:
        """The weights that are compared, by `drawn`."""
        return self.drawn(self.parameters)

    def drawn(self, parameters: str | int) -> list[Array] | None:
        """So many of the weights: a mask for each layer, shaped like its weights; None for all."""
        total = sum(w.size for w in self.weights)
        if isinstance(parameters, str) or parameters >= total:
            return None
        chosen = np.zeros(total, bool)
        chosen[generator(self.seed, "check").choice(total, parameters, replace=False)] = True
        return cut_like(chosen, self.weights)

    @property
    def needs_reference(self) -> bool:
        """Whether differences are better than its own in another precision, or with other steps."""
        dtype = self.problem.inputs.dtype.type
        chosen = self.step is not None or self.scheme is not Scheme.FIVE_POINT
        return chosen or self.problem.arithmetic.format is not None or wide(dtype) is not dtype

    def in_reference(self) -> tuple[Problem, list[Array], list[Array] | None]:
        """The same in a precision in which differences are at their best."""
        best = wide(self.problem.inputs.dtype.type)
        return *in_precision(self.problem, self.weights, best), self.selected

    def finer(self) -> View | None:
        """Measured by differences that rounding does not drown; None where there are none."""
        best = wide(self.problem.inputs.dtype.type)
        for kind in (np.longdouble, best):
            there = in_precision(self.problem, self.weights, kind)
            if not refuses_complex(there[0]):  # no subtraction, so nothing drowns
                return view_of(*there, scheme=Scheme.COMPLEX, selected=self.selected)
        if best is np.longdouble:
            return None
        few = self.selected or self.drawn(FINER_PARAMETERS)
        return view_of(*in_precision(self.problem, self.weights, np.longdouble), selected=few)


def checkable(case: NetworkCase) -> Checkable:
    """The problem of a case on the samples of its check, with its numerical gradient unless check=none.

    Raises:
        ConfigurationError: if the step is lost in rounding at some weight.
    """
    return checkables([case])[0]


def checkables(cases: Sequence[NetworkCase], weights: Sequence[list[Array]] | None = None) -> list[Checkable]:
    """The same of several cases at once, with the same bits.

    Args:
        weights: of each case, (units, inputs + 1) a layer; by default its initial ones.

    Raises:
        ConfigurationError: if a step is lost in rounding at some weight.
    """
    found, asked = dict[int, Checkable](), dict[int, Measuring]()
    for k, case in enumerate(cases):  # one after the other, while its data are remembered
        at = weights_of(case) if weights is None else weights[k]
        if case.check is None:
            found[k] = _unmeasured(case, at)
        else:
            asked[k] = _measuring(case, at)
    found.update(zip(asked, measured(list(asked.values())), strict=True))
    return [found[k] for k in range(len(cases))]


def _unmeasured(case: NetworkCase, weights: list[Array]) -> Checkable:
    problem = _checked_problem(case)
    return Checkable(View(problem, weights, problem.forward(weights), None), None, None, checked=False)


def _checked_problem(case: NetworkCase) -> Problem:
    """The problem of a case on the samples of its check; on all of them where there is none."""
    data, samples = samples_of(case), case.check.samples if case.check else None
    return problem_of(case, data.inputs[:samples], data.targets[:samples])


def _measuring(case: NetworkCase, weights: list[Array]) -> Measuring:
    problem, check = _checked_problem(case), case.check
    assert check is not None
    if check.step is not None:
        _check_step(check.step, problem, weights)
    return Measuring(problem, weights, check.step, check.scheme, check.parameters, case.seed)


def measured(asked: Sequence[Measuring]) -> list[Checkable]:
    """Problems measured as asked for, each as it would be alone, and what decides where that does not do."""
    own: dict[int, View] = {}
    for alike in grouped(range(len(asked)), lambda k: (asked[k].step, asked[k].scheme)):
        points = [(a.problem, a.weights, a.selected) for a in (asked[k] for k in alike)]
        how = asked[alike[0]]
        own.update(zip(alike, views_of(points, step=how.step, scheme=how.scheme), strict=True))
    referring = [k for k, each in enumerate(asked) if each.needs_reference]
    references = dict(zip(referring, views_of([asked[k].in_reference() for k in referring]), strict=True))
    return [Checkable(own[k], references.get(k), Finer(each.finer)) for k, each in enumerate(asked)]


def _check_step(step: float, problem: Problem, weights: list[Array]) -> None:
    for layer, w in enumerate(weights, 1):
        lost = np.argwhere(problem.arithmetic.rounded(w + w.dtype.type(step)) == w)
        if len(lost):
            j, p = lost[0]
            raise ConfigurationError(
                f"check.step: {step:g} is lost beside W{layer}[{j},{p}] = {float(w[j, p]):.4g} "
                f"in {problem.precision}"
            )


def target_of(case: NetworkCase, at: Checkable) -> NetworkTarget:
    """The case's backward rule at the point where it is checked."""
    asked = {"resolution": case.check.resolution, "rtol": case.check.rtol} if case.check else {}
    return NetworkTarget(rule_of(case), at.own, at.reference, at.finer, own_code=not case.code, **asked)


@dataclass
class Point:
    """The problem of cases that are equal in their numerical key, measured when a rule needs it."""

    case: NetworkCase

    @cached_property
    def measured(self) -> Checkable:
        """With its numerical gradient."""
        return checkable(self.case)

    @cached_property
    def evaluated(self) -> Checkable:
        """Without."""
        return Checkable(evaluated_at(_checked_problem(self.case), weights_of(self.case)), None, None)

    @staticmethod
    def measure(points: Sequence[Point]) -> None:
        """Measure several points at once, but for those that gain nothing by it or may do with a screen."""
        some = [point for point in points if _gains(point.case)]
        for point, found in zip(some, checkables([p.case for p in some]), strict=True):
            point.measured = found

    def judged(self, case: NetworkCase) -> tuple[Checkable, Judgement]:
        """The verdict on one rule: by a screen if that is asked for and agrees, or else in full."""
        if case.check is not None and case.check.screened:
            found = screened_network(target_of(case, self.evaluated), case.seed)
            if found is not None:
                return self.evaluated, found
        return self.measured, judgement_of(case, self.measured)


def _gains(case: NetworkCase) -> bool:
    """Whether cases like this one are measured faster at once."""
    if case.check is None or case.check.screened or len(case.network.hidden) > 1:
        return False
    sizes = sizes_of(case.data)
    widest = max((*case.network.hidden, sizes.outputs))
    return min(case.check.samples, sizes.samples) * widest <= TOGETHER // 2


def judgement_of(case: NetworkCase, at: Checkable, *, explain: bool = True) -> Judgement:
    """The verdict on the case's backward rule."""
    target = target_of(case, at)
    if not at.checked:
        return Judgement(Verdict.NOT_CHECKED, (), target.size)
    return judge(target, explain=explain)


def verdicts_at(cases: Sequence[NetworkCase], weights: Sequence[list[Array]]) -> list[Verdict]:
    """The verdicts on the cases' backward rules at other weights."""
    found = list[Verdict]()
    for some in batched(zip(cases, weights, strict=True), AT_ONCE):
        ats = checkables(*zip(*some, strict=True))
        found += [judgement_of(c, at, explain=False).verdict for (c, _), at in zip(some, ats, strict=True)]
    return found


@dataclass
class Neighbours:
    """Cases that share a problem, and what is known of each.

    Attributes:
        at: their problem; None where it cannot be evaluated.
        verdicts: by what the cases' backward passes depend on.
    """

    at: Checkable | None
    verdicts: dict[Hashable, Verdict] = field(default_factory=dict)

    def verdict_of(self, case: NetworkCase) -> Verdict:
        """One that cannot be evaluated was not checked."""
        known = self.verdicts.get(self._rule_of(case))
        if known is None:
            known = Verdict.NOT_CHECKED
            if self.at is not None:
                with suppress(Exception):  # it is the neighbour that fails, not the case
                    known = judgement_of(case, self.at, explain=False).verdict
            self.verdicts[self._rule_of(case)] = known  # which may have asked for finer differences
        return known

    def _rule_of(self, case: NetworkCase) -> Hashable:
        """The rule; without its conventions at kinks where none is met, so that they change no number."""
        rule = case.clip and case.clip.backward, case.delta, case.fault
        met = self.at is None or case.code or any(view.meets_kinks for view in self.at.used)
        return (*rule, case.kink, case.relu_at_zero) if met else rule


class Neighbourhood(threading.local):
    """Neighbours of cases, each judged once while its problem is remembered; one per thread."""

    def __init__(self) -> None:
        self.known: dict[Hashable, Neighbours] = {}

    def agrees(self, case: NetworkCase) -> bool | None:
        """Whether a neighbour's gradient agrees; None where that cannot be told."""
        verdict = self._verdict_of(case)
        return None if verdict in UNDECIDED else verdict in AGREEING

    def right(self, case: NetworkCase) -> bool | None:
        """Whether a neighbour's rule is right, whatever rounding or a crossed kink makes of its numbers."""
        verdict = self._verdict_of(case)
        return None if verdict in UNDECIDED else verdict.right or verdict is Verdict.KINK_CROSSED

    def remember(self, case: NetworkCase, at: Checkable | None) -> Neighbours:
        """Those of a case, whose problem is known."""
        known = self.known.pop(case.numerical_key, None)
        if known is None or known.at is None:  # it may have failed before, for want of memory
            known = Neighbours(at)
        self.known[case.numerical_key] = known  # the last to go
        while len(self.known) > 1 and not self._fit():
            self.known.pop(next(iter(self.known)))
        return known

    def _fit(self) -> bool:
        weights = sum(w.size for each in self.known.values() if each.at for w in each.at.own.weights)
        return len(self.known) <= MOST_NEIGHBOURS and weights <= MOST_WEIGHTS

    def _verdict_of(self, case: NetworkCase) -> Verdict:
        known = self.known.get(case.numerical_key)
        if known is None:
            at = None
            with suppress(Exception):
                at = self._with_known_differences(case, checkable(case))
            known = self.remember(case, at)
        return known.verdict_of(case)

    def _with_known_differences(self, case: NetworkCase, at: Checkable) -> Checkable:
        """The same, with the extended-precision differences of its double-precision twin, if known."""
        if case.precision is not NetworkPrecision.LONGDOUBLE or refuses_complex(at.own.problem):
            return at
        double = case.model_copy(update={"precision": NetworkPrecision.FLOAT64})
        known = self.known.get(double.numerical_key)
        if known is None or known.at is None or not _same_numbers(known.at.own, at.own):
            return at
        return replace(at, finer=known.at.finer)


def _same_numbers(a: View, b: View) -> bool:
    """Whether two views are of the same inputs, targets and weights, whatever their precision."""
    pairs = ((a.problem.inputs, b.problem.inputs), (a.problem.targets, b.problem.targets))
    return all(np.array_equal(x, y) for x, y in (*pairs, *zip(a.weights, b.weights, strict=True)))


UNDECIDED = frozenset({Verdict.UNRESOLVED, Verdict.UNDETERMINED, Verdict.NOT_CHECKED})
"""Verdicts on a neighbour that say nothing of its rule."""

NEIGHBOURHOOD = Neighbourhood()
"""Neighbours are shared by the tasks of a worker: all rules of one problem have one numerical gradient."""


def cures_for(case: NetworkCase, at: Checkable, judgement: Judgement) -> Cures:
    """The cures of a case that was judged; none are looked for where it agrees."""
    if judgement.verdict in AGREEING or case.check is None or not case.check.cures:
        return Cures()
    resting = at_rest(case)
    NEIGHBOURHOOD.remember(resting, at)
    rule_at_fault = judgement.verdict in BLAMING
    cured = NEIGHBOURHOOD.right if rule_at_fault else NEIGHBOURHOOD.agrees
    return cures_of(resting, cured, numbers=not rule_at_fault)


def check_networks(point: Point, cases: list[NetworkCase], outcomes: list[Outcome]) -> None:
    """Check cells whose problem is that of a point, and put what is found into their outcomes."""
    for case, outcome in zip(cases, outcomes, strict=True):
        at, judgement = point.judged(case)
        report_judgement(target_of(case, at), judgement, outcome)
        outcome.values.update(asdict(at.own.outputs))
        if case.check is not None:
            _report_details(case, at, judgement, outcome)


OF_JUDGEMENT = (
    "gradient_error", "rule_error", "noise", "excess", "resolution", "worst_parameter", "parameters",
    "disagreeing", "touched", "crossed",
)  # fmt: skip
OF_TENSOR = (
    "size", "disagreeing", "gradient_error", "excess", "resolution", "worst", "analytic", "numerical",
    "bound", "touched", "crossed",
)  # fmt: skip
"""Fields of `Judgement` and `TensorJudgement` that are columns of the same names."""


def report_judgement(target: NetworkTarget | FunctionTarget, judgement: Judgement, outcome: Outcome) -> None:
    """The columns of a judgement, of any target, and those of its tensors."""
    outcome.values.update(loss_value=float(target.loss), verdict=judgement.verdict.value)
    if judgement.verdict is Verdict.NOT_CHECKED:
        return
    outcome.values.update(
        cause=judgement.causes[0].name if judgement.causes else None,
        causes="; ".join(map(str, judgement.causes)) or None,
        notes="; ".join((*judgement.notes, *target.notes)) or None,
        evaluations=target.evaluations,
        **{name: getattr(judgement, name) for name in OF_JUDGEMENT},
    )
    outcome.tensors = [
        {"tensor": t.name, "verdict": t.verdict.value, **{name: getattr(t, name) for name in OF_TENSOR}}
        for t in judgement.tensors
    ]


def _report_details(case: NetworkCase, at: Checkable, judgement: Judgement, outcome: Outcome) -> None:
    """Cures, the planted fault, baselines and curves of a network's case."""
    cures = cures_for(case, at, judgement)
    outcome.values.update(cures="; ".join(cures.found) or None, no_cures="; ".join(cures.failed) or None)
    planted = components.fault(case.fault)
    if planted.cause:
        outcome.values.update(
            planted=planted.cause,
            named=any(planted.named_by(cause.name) for cause in judgement.causes),
            fault_size=_fault_size(case, at),
        )
    if isinstance(planted, Mutant):
        outcome.values.update(_of_mutant(planted, case, at, judgement))
    if case.check and case.check.baselines:
        outcome.values.update(baselines_of(rule_of(case), at.own))
    if case.check and case.check.evidence:
        outcome.curves.update(evidence_of(rule_of(case), at.own))


def _of_mutant(
    mutant: Mutant, case: NetworkCase, at: Checkable, judgement: Judgement
) -> dict[str, str | None]:
    """The edit in words, and how the cause named first fits it."""
    first = judgement.causes[0].name if judgement.verdict in BLAMING else None
    written = Written.of(at.own.problem, rule_of(case), len(at.own.weights))
    return {
        "edit": mutant.described(written),
        "identified": None if first is None else mutant.identified_by(first).value,
    }


BLAMING = (Verdict.INCORRECT_GRADIENT, Verdict.CLIP_ACTIVE)
"""Verdicts that blame the backward rule, each with a cause."""


def _fault_size(case: NetworkCase, at: Checkable) -> float | None:
    """By how much the fault changes the gradient: the largest change over its tensor's largest entry."""
    here = (at.own.problem, at.own.forward, at.own.weights)
    rules = rule_of(case), rule_of(case, planted=False)
    sizes = []
    for with_it, without in zip(*(rule.gradient(*here) for rule in rules), strict=True):
        for cut in (np.s_[:, :-1], np.s_[:, -1:]):
            largest = np.abs(without[cut]).max(initial=0)
            change = np.abs(with_it[cut] - without[cut]).max(initial=0)
            sizes.append(float(change / largest) if largest else float(change > 0))
    size = max(sizes)
    return size if np.isfinite(size) else None
