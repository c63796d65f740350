"""The work of a sweep: a task of cells in, their rows out. This is what runs in the workers.

Cells of a task share what can be shared: one numeric gradient a problem, one array program for
all networks that train alike. Nothing here depends on which cells share a task.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from functools import cache
from io import StringIO
from typing import Any, cast

import numpy as np

from backproof.errors import ConfigurationError
from backproof.estimates import Numeric
from backproof.estimates.perturbed import wide
from backproof.estimates.stencils import SCHEMES, refuses_complex
from backproof.network import BackwardRule, Problem
from backproof.network.activations import KinkRule
from backproof.network.activations.identity import identity
from backproof.network.arrays import Array, cut_like
from backproof.network.clips import ClipBackward
from backproof.network.clips.none import none as no_clip
from backproof.network.initial import Bias, initial_weights
from backproof.network.losses import Reduction
from backproof.sweeps import components
from backproof.sweeps.case import Case, grouped
from backproof.sweeps.cures import Cures, cures_of
from backproof.sweeps.limits import UNLIMITED, Limits, TimeIsUpError
from backproof.sweeps.settings import OFF, Value
from backproof.sweeps.subject import function_of, is_function
from backproof.targets.function import PACKAGE, Function, FunctionError, place
from backproof.training import Plan, Run, Samples, train
from backproof.verdicts import Judgement, View, in_precision, judge, view_of
from backproof.verdicts.evidence import evidence_of, rivals_of
from backproof.verdicts.function import FunctionJudgement, judge_function
from backproof.verdicts.verdict import AGREEING, Verdict

BATCH_ELEMENTS = 1 << 18
"""Array elements of one layer of a training batch: what a core's second-level cache holds."""


FINER_PARAMETERS = 300
"""Extended precision is slow; so many parameters are enough to tell a right rule from a wrong one."""

MOST_NEIGHBOURS = 48
"""Neighbouring problems that a worker keeps; each takes about half a megabyte."""


@dataclass
class Outcome:
    """What became of a cell.

    Attributes:
        values: the columns of the row that are not settings.
        curves: series name to (steps, values).
        tensors: a record a weight tensor: what the check says of it.
        attempts: how often it was computed; more than once where processes died.
    """

    id: str
    status: str = "ok"
    error: str | None = None
    traceback: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    tensors: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    attempts: int = 1

    def fail(self, error: BaseException, timeout: float | None = None) -> None:
        """Turn into a row that says why."""
        self.values, self.curves, self.tensors = {}, {}, []
        self.traceback = "".join(traceback.format_exception(error))
        if isinstance(error, FunctionError):  # it names the place itself
            self.status, self.error = "failed", str(error)
            return
        where = traceback.extract_tb(error.__traceback__)
        if isinstance(error, TimeIsUpError):
            frames = [f for f in where if not f.filename.startswith(PACKAGE)] or where
            at = f"at the last in {frames[-1].filename}:{frames[-1].lineno}"
            self.status, self.error = "timeout", f"took longer than {timeout:g} s (engine.timeout), {at}"
            return
        at = f" ({where[-1].filename}:{where[-1].lineno})" if where else ""
        self.status, self.error = "failed", f"{type(error).__name__}: {error}{at}"


@dataclass(frozen=True)
class Checkable:
    """A case's problem at the point where it is checked, evaluated as the case asks for it.

    Attributes:
        reference: the same in double precision or better, with steps of the budget's choice; None where
            `own` is that itself.
        checked: False with check=none; then there is no numeric gradient.
    """

    own: View
    reference: View | None
    finer: Callable[[], View] | None
    checked: bool = True


def compute(cases: Sequence[Case], limits: Limits = UNLIMITED) -> list[Outcome]:
    """Check and train every case; a case that fails has an outcome that says why, and the others go on.

    Each case may take as long as the limits allow to be checked, and again to be trained.
    """
    outcomes = {case: Outcome(case.id) for case in cases}
    for problem_cases in grouped(cases, lambda c: c.numeric_key):
        _together(problem_cases, outcomes, _check, limits)
    fit = [c for c in cases if outcomes[c].status == "ok" and c["training"] not in (None, OFF)]
    for alike in grouped(fit, lambda c: c.training_key):
        _together(alike, outcomes, _train, limits)
    return [outcomes[case] for case in cases]


def _together(
    cases: list[Case],
    outcomes: dict[Case, Outcome],
    step: Callable[[list[Case], dict[Case, Outcome]], None],
    limits: Limits,
) -> None:
    """Run a step for several cases at once; if that fails, for each alone, so that one spoils no other."""
    start = time.perf_counter()
    try:
        with limits.applied():
            step(cases, outcomes)
    except BaseException as error:  # somebody's own code may raise anything
        if isinstance(error, KeyboardInterrupt) and not limits.expendable:
            raise
        if len(cases) == 1:
            outcomes[cases[0]].fail(error, limits.seconds)
        else:
            for case in cases:
                _together([case], outcomes, step, limits)
            return
    for case in cases:
        outcomes[case].seconds += (time.perf_counter() - start) / len(cases)


def samples_of(case: Case) -> Samples:
    """The case's data in its precision."""
    data, dtype = components.dataset(case.values), components.dtype(case.values)
    return Samples(
        *(
            a.astype(dtype, copy=False)
            for a in (data.inputs, data.targets, data.test_inputs, data.test_targets)
        )
    )


def problem_of(case: Case, inputs: Array, targets: Array) -> Problem:
    """The case's problem over the given samples."""
    s = case.values
    return Problem(
        inputs,
        targets,
        components.activation(s) if "activation" in s else identity(),  # no hidden layer, no activation
        components.output(s),
        components.loss(s),
        components.clip(s) if "clip" in s else no_clip(),
        cast(float, s.get("clip.eps") or 0.0),
        Reduction(str(s["loss.reduction"])),
        cast(float, s["loss.l2"]),
    )


def rule_of(case: Case) -> BackwardRule:
    """The case's backward rule; a null setting is one that cannot matter."""
    s = case.values
    return BackwardRule(
        components.delta(s),
        cast(float, s.get("relu_at_zero") or 0.0),
        KinkRule(str(s.get("kink") or "multiply")),
        ClipBackward(str(s.get("clip.backward") or "consistent")),
        components.fault(s),
    )


def weights_of(case: Case, features: int, outputs: int) -> list[Array]:
    """The case's initial weights."""
    s = case.values
    widths = (features, *cast(tuple[int, ...], s["network.hidden"]), outputs)
    scale, bias = cast(float, s["network.init_scale"]), Bias(str(s["network.bias"]))
    return initial_weights(widths, scale, bias, components.generator(s, "weights"), components.dtype(s))


def checkable(case: Case) -> Checkable:
    """The problem of a case on the samples of its check, with its numeric gradient unless check=none.

    Raises:
        ConfigurationError: if the step is lost in rounding at some weight.
    """
    s, data = case.values, samples_of(case)
    checked = s["check"] != OFF
    count = cast(int, s["check.samples"]) if checked else len(data.inputs)
    problem = problem_of(case, data.inputs[:count], data.targets[:count])
    weights = weights_of(case, data.inputs.shape[1], data.targets.shape[1])
    if not checked:
        own = View(problem, weights, problem.forward(weights), Numeric([], finite=True))
        return Checkable(own, None, None, checked=False)
    step, scheme = cast("float | None", s.get("check.step")), SCHEMES[str(s["check.scheme"])]
    if step is not None:
        _check_step(step, weights)
    selected = _selected(case, weights, s["check.parameters"])
    own = view_of(problem, weights, step=step, scheme=scheme, selected=selected)
    dtype, reference = components.dtype(s), None
    best = wide(dtype)
    if best is not dtype or step is not None or scheme is not SCHEMES["five_point"]:
        reference = view_of(*in_precision(problem, weights, best), selected=selected)

    def finer() -> View:
        if not refuses_complex(problem):  # no subtraction, so nothing drowns
            return view_of(problem, weights, scheme=SCHEMES["complex"], selected=selected)
        few = _selected(case, weights, FINER_PARAMETERS)
        return view_of(*in_precision(problem, weights, np.longdouble), selected=few)

    return Checkable(own, reference, cache(finer) if dtype is np.float64 and reference is None else None)


def _check_step(step: float, weights: list[Array]) -> None:
    for layer, w in enumerate(weights, 1):
        lost = np.argwhere(w + w.dtype.type(step) == w)
        if len(lost):
            j, p = lost[0]
            raise ConfigurationError(
                f"check.step: {step:g} is lost beside W{layer}[{j},{p}] = {float(w[j, p]):.4g} in {w.dtype}"
            )


def _selected(case: Case, weights: list[Array], wanted: Value) -> list[Array] | None:
    total = sum(w.size for w in weights)
    if wanted == "all" or cast(int, wanted) >= total:
        return None
    chosen = np.zeros(total, bool)
    chosen[components.generator(case.values, "check").choice(total, cast(int, wanted), replace=False)] = True
    return cut_like(chosen, weights)


def judgement_of(case: Case, at: Checkable, *, explain: bool = True) -> Judgement | None:
    """The verdict on the case's backward rule; None if the check is switched off."""
    if not at.checked:
        return None
    return judge(rule_of(case), at.own, at.reference, at.finer, explain=explain)


class Neighbourhood(threading.local):
    """Neighbours of cases, each of their problems evaluated once while it is remembered; one a thread."""

    def __init__(self) -> None:
        self.known: dict[tuple[tuple[str, Value], ...], Checkable | None] = {}

    def agrees(self, case: Case) -> bool:
        """Whether a neighbour's gradient agrees; one that cannot be evaluated does not."""
        key = case.numeric_key
        if key not in self.known:
            if len(self.known) >= MOST_NEIGHBOURS:
                self.known.pop(next(iter(self.known)))
            try:
                self.known[key] = checkable(case)
            except Exception:  # it is the neighbour that fails, not the case
                self.known[key] = None
        at = self.known[key]
        try:
            judgement = judgement_of(case, at, explain=False) if at else None
        except Exception:
            return False
        return judgement is not None and judgement.verdict in AGREEING


NEIGHBOURHOOD = Neighbourhood()
"""Neighbours are shared by the tasks of a worker: all outputs of one loss have the same matching one."""


def cures_for(case: Case, at: Checkable, judgement: Judgement) -> Cures:
    """The cures of a case; none are looked for where it agrees, nor among axes that cannot matter."""
    if judgement.verdict in AGREEING or not case["check.cures"]:
        return Cures()
    rule_at_fault = judgement.verdict in (Verdict.INCORRECT_GRADIENT, Verdict.CLIP_ACTIVE)
    idle = {"clip", "clip.eps"} if rule_at_fault and not at.own.outputs.clip_active else set()
    return cures_of(case, NEIGHBOURHOOD.agrees, numbers=not rule_at_fault, idle=idle)


def judged_function(case: Case) -> tuple[Function, FunctionJudgement]:
    """Somebody else's function and the verdict on its gradient; what it prints becomes a note."""
    function, parameters = function_of(case.values), case["check.parameters"]
    printed = StringIO()
    with redirect_stdout(printed):
        found = judge_function(
            function,
            seed=cast(int, case["seed"]),
            parameters=None if parameters in (None, "all") else cast(int, parameters),
        )
    if printed.getvalue():
        first = printed.getvalue().strip().partition("\n")[0][:80]
        found = replace(found, notes=(*found.notes, f"{place(function.outer)}: prints, at first '{first}'"))
    return function, found


def _check_function(case: Case, outcome: Outcome) -> None:
    _, found = judged_function(case)
    outcome.values.update(
        loss_value=found.loss,
        verdict=found.verdict.value,
        notes="; ".join(found.notes) or None,
        evaluations=found.evaluations,
        **_told(found),
    )
    outcome.tensors = _by_tensor(found)


def _check(cases: list[Case], outcomes: dict[Case, Outcome]) -> None:
    if is_function(cases[0].values):
        for case in cases:
            _check_function(case, outcomes[case])
        return
    at = checkable(cases[0])
    for case in cases:
        judgement = judgement_of(case, at)
        outcome = outcomes[case]
        outcome.values.update(
            loss_value=float(at.own.forward.loss),
            outside_domain=at.own.outputs.outside_domain,
            saturated=at.own.outputs.saturated,
            clip_active=at.own.outputs.clip_active,
            verdict=(judgement.verdict if judgement else Verdict.NOT_CHECKED).value,
        )
        if not judgement:
            continue
        outcome.tensors = _by_tensor(judgement)
        cures = cures_for(case, at, judgement)
        outcome.values.update(
            cures="; ".join(cures.found) or None, no_cures="; ".join(cures.failed) or None, **_told(judgement)
        )
        planted = components.fault(case.values)
        if planted.cause:
            outcome.values.update(
                planted=planted.cause,
                named=any(cause.name == planted.cause for cause in judgement.causes),
                fault_size=_fault_size(case, at),
            )
        if case["check.rivals"]:
            outcome.values.update(rivals_of(rule_of(case), at.own))
        if case["check.evidence"]:
            outcome.curves.update(evidence_of(rule_of(case), at.own))


def _told(judgement: Judgement) -> dict[str, Any]:
    """The columns that say why."""
    return {
        "cause": judgement.causes[0].name if judgement.causes else None,
        "causes": "; ".join(map(str, judgement.causes)) or None,
        "gradient_error": judgement.gradient_error,
        "rule_error": judgement.rule_error,
        "noise": judgement.noise,
        "excess": judgement.excess,
        "worst_parameter": judgement.worst_parameter,
        "parameters": judgement.parameters,
        "disagreeing": judgement.disagreeing,
        "touched": judgement.touched,
        "crossed": judgement.crossed,
    }


OF_TENSOR = (
    "size", "verdict", "disagreeing", "gradient_error", "excess", "worst", "analytic", "touched", "crossed",
)  # fmt: skip


def _by_tensor(judgement: Judgement) -> list[dict[str, Any]]:
    return [
        {"tensor": t.name, "numerical": t.numeric, "bound": t.budget, **{k: getattr(t, k) for k in OF_TENSOR}}
        for t in judgement.tensors
    ]


def _fault_size(case: Case, at: Checkable) -> float | None:
    """By how much the fault changes the gradient: the largest change over its tensor's largest entry."""
    rule, here = rule_of(case), (at.own.problem, at.own.forward, at.own.weights)
    sizes = []
    for with_it, without in zip(rule.gradient(*here), rule_of(case.unfaulted).gradient(*here), strict=True):
        for cut in (np.s_[:, :-1], np.s_[:, -1:]):
            largest = np.abs(without[cut]).max(initial=0)
            change = np.abs(with_it[cut] - without[cut]).max(initial=0)
            sizes.append(float(change / largest) if largest else float(change > 0))
    size = max(sizes)
    return size if np.isfinite(size) else None


def _batches(cases: list[Case]) -> list[list[Case]]:
    """Cells that train alike, cut so that a batch's arrays stay in the cache."""
    s, data = cases[0].values, components.dataset(cases[0].values)
    rows = len(data.inputs) if s["training.batch"] == "full" else cast(int, s["training.batch"])
    widest = max(data.inputs.shape[1], data.targets.shape[1], *cast(tuple[int, ...], s["network.hidden"]), 1)
    size = max(1, BATCH_ELEMENTS // (rows * widest))
    return [cases[i : i + size] for i in range(0, len(cases), size)]


def _train(cases: list[Case], outcomes: dict[Case, Outcome]) -> None:
    for batch in _batches(cases):
        for case, run in zip(batch, runs_of(batch), strict=True):
            outcomes[case].values.update(run.results)
            outcomes[case].curves.update(run.curves)


def runs_of(cases: list[Case]) -> list[Run]:
    """Train cells that are equal in their training key, as one batch."""
    s, dtype = cases[0].values, components.dtype(cases[0].values)

    def along(key: str) -> Array:
        return np.array([cast(float, c[key] or 0.0) for c in cases], dtype).reshape(-1, 1, 1)

    samples = [samples_of(c) for c in cases]
    features, outputs = samples[0].inputs.shape[1], samples[0].targets.shape[1]
    per_layer = zip(*(weights_of(c, features, outputs) for c in cases), strict=True)
    template = problem_of(cases[0], samples[0].inputs, samples[0].targets)
    plan = Plan(
        optimiser=components.optimiser(s),
        rates=[cast(float, c["training.learning_rate"]) for c in cases],
        steps=cast(int, s["training.steps"]),
        batch=None if s["training.batch"] == "full" else cast(int, s["training.batch"]),
        every=cast(int, s["training.every"]),
        threshold=cast(float, s["training.threshold"]),
    )
    return train(
        replace(template, eps=along("clip.eps")),
        [np.stack(layer) for layer in per_layer],
        replace(rule_of(cases[0]), relu_at_zero=along("relu_at_zero")),
        plan,
        samples,
        [components.generator(c.values, "batches") for c in cases],
    )
