"""The work of a sweep: a task of cells in, their rows out. This is what runs in the workers.

Cells of a task share what can be shared: one numeric gradient a problem, one array program for
all networks that train alike. Nothing here depends on which cells share a task.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, TypeVar, cast

import numpy as np

from backproof.differences import Numeric, numeric_gradient
from backproof.network import BackwardRule, Problem
from backproof.network.activations import IDENTITY
from backproof.network.arrays import Array
from backproof.network.clipping import NONE
from backproof.network.initial import initial_weights
from backproof.network.problem import Forward
from backproof.sweeps import components
from backproof.sweeps.case import Case
from backproof.sweeps.settings import Value
from backproof.training import Plan, Run, Samples, train
from backproof.verdicts import Judgement, judge, look_at_outputs
from backproof.verdicts.judge import Outputs
from backproof.verdicts.verdict import NOT_CHECKED

BATCH_ELEMENTS = 1 << 18
"""Array elements of one layer of a training batch: what a core's second-level cache holds."""


@dataclass
class Outcome:
    """What became of a cell.

    Attributes:
        values: the columns of the row that are not settings.
        curves: series name to (steps, values).
    """

    id: str
    status: str = "ok"
    error: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    seconds: float = 0.0

    def fail(self, error: BaseException) -> None:
        """Turn into a row that says why."""
        where = traceback.extract_tb(error.__traceback__)
        place = f" ({where[-1].filename}:{where[-1].lineno})" if where else ""
        self.status, self.error = "failed", f"{type(error).__name__}: {error}{place}"
        self.values, self.curves = {}, {}


@dataclass(frozen=True)
class Checkable:
    """A problem at the point where it is checked, and its numeric gradient."""

    problem: Problem
    weights: list[Array]
    forward: Forward
    outputs: Outputs
    numeric: Numeric | None


def compute(cases: Sequence[Case]) -> list[Outcome]:
    """Check and train every case; a case that fails has an outcome that says why, and the others go on."""
    outcomes = {case: Outcome(case.id) for case in cases}
    for problem_cases in _grouped(cases, lambda c: c.numeric_key):
        _together(problem_cases, outcomes, _check)
    fit = [c for c in cases if outcomes[c].status == "ok" and c["training"] != "none"]
    for alike in _grouped(fit, lambda c: c.training_key):
        _together(alike, outcomes, _train)
    return [outcomes[case] for case in cases]


T = TypeVar("T")


def _grouped(cases: Iterable[Case], key: Callable[[Case], tuple[tuple[str, Value], ...]]) -> list[list[Case]]:
    def name(case: Case) -> str:
        return repr(key(case))

    return [list(group) for _, group in groupby(sorted(cases, key=name), key=name)]


def _together(
    cases: list[Case], outcomes: dict[Case, Outcome], step: Callable[[list[Case], dict[Case, Outcome]], None]
) -> None:
    """Run a step for several cases at once; if that fails, for each alone, so that one spoils no other."""
    start = time.perf_counter()
    try:
        step(cases, outcomes)
    except Exception as error:
        if len(cases) == 1:
            outcomes[cases[0]].fail(error)
        else:
            for case in cases:
                _together([case], outcomes, step)
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
        components.activation(s) if "activation" in s else IDENTITY,  # no hidden layer, no activation
        components.output(s),
        components.loss(s),
        components.clip(s) if "clip" in s else NONE,
        cast(float, s.get("clip.eps") or 0.0),
        str(s["loss.reduction"]),
    )


def rule_of(case: Case) -> BackwardRule:
    """The case's backward rule; a null setting is one that cannot matter."""
    s = case.values
    return BackwardRule(
        components.delta(s),
        cast(float, s.get("relu_at_zero") or 0.0),
        str(s.get("kink") or "multiply"),
        str(s.get("clip.backward") or "consistent"),
        components.fault(s),
    )


def weights_of(case: Case, features: int, outputs: int) -> list[Array]:
    """The case's initial weights."""
    s = case.values
    widths = (features, *cast(tuple[int, ...], s["network.hidden"]), outputs)
    scale, bias = cast(float, s["network.init_scale"]), str(s["network.bias"])
    return initial_weights(widths, scale, bias, components.generator(s, "weights"), components.dtype(s))


def checkable(case: Case) -> Checkable:
    """The problem of a case on the samples of its check, with its numeric gradient unless check=none."""
    s, data = case.values, samples_of(case)
    count = len(data.inputs) if s["check"] == "none" else cast(int, s["check.samples"])
    problem = problem_of(case, data.inputs[:count], data.targets[:count])
    weights = weights_of(case, data.inputs.shape[1], data.targets.shape[1])
    forward = problem.forward(weights)
    numeric = None
    if s["check"] != "none":
        step = cast("float | None", s.get("check.step"))
        numeric = numeric_gradient(problem, weights, step=step, selected=_selected(case, weights))
    return Checkable(problem, weights, forward, look_at_outputs(problem, forward), numeric)


def _selected(case: Case, weights: list[Array]) -> list[Array] | None:
    wanted, total = case["check.parameters"], sum(w.size for w in weights)
    if wanted == "all" or cast(int, wanted) >= total:
        return None
    chosen = np.zeros(total, bool)
    chosen[components.generator(case.values, "check").choice(total, cast(int, wanted), replace=False)] = True
    cuts = np.cumsum([w.size for w in weights])[:-1]
    return [part.reshape(w.shape) for part, w in zip(np.split(chosen, cuts), weights, strict=True)]


def judgement_of(case: Case, at: Checkable) -> Judgement | None:
    """The verdict on the case's backward rule; None if the check is switched off."""
    if at.numeric is None:
        return None
    return judge(rule_of(case).gradient(at.problem, at.forward, at.weights), at.numeric, at.outputs)


def _check(cases: list[Case], outcomes: dict[Case, Outcome]) -> None:
    at = checkable(cases[0])
    for case in cases:
        judgement = judgement_of(case, at)
        outcomes[case].values.update(
            loss_value=float(at.forward.loss),
            outside_domain=at.outputs.outside_domain,
            saturated=at.outputs.saturated,
            clip_active=at.outputs.clip_active,
            verdict=judgement.verdict.name if judgement else NOT_CHECKED.name,
        )
        if judgement:
            outcomes[case].values.update(
                causes="; ".join(judgement.causes) or None,
                gradient_error=judgement.gradient_error,
                excess=judgement.excess,
                worst_parameter=judgement.worst_parameter,
                parameters=judgement.parameters,
                touched=judgement.touched,
                crossed=judgement.crossed,
            )


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
            outcomes[case].values.update(
                final_loss=run.final_loss,
                accuracy=run.accuracy,
                steps_to_threshold=run.steps_to_threshold,
                diverged_at=run.diverged_at,
                dead_units=run.dead_units,
                cosine=run.cosine,
            )
            outcomes[case].curves = run.curves


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
