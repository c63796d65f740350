"""The training half of a sweep's work: networks that train alike, as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from backproof.network.arrays import Array
from backproof.sweeps import components
from backproof.sweeps.case import NetworkCase
from backproof.sweeps.checking import verdicts_at
from backproof.sweeps.construction import generator, problem_of, rule_of, samples_of, sizes_of, weights_of
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.settings import TrainingSettings
from backproof.training import Plan, Run, train
from backproof.training.schedules import rates_of
from backproof.training.updating import Mixed
from backproof.verdicts import Verdict

BATCH_ELEMENTS = 1 << 18
"""Array elements of one layer of a training batch: what a core's second-level cache holds."""


def train_alike(cases: list[NetworkCase], outcomes: list[Outcome]) -> None:
    """Train cells that are equal in their training key, and put the results into their outcomes."""
    size = _batch_size(cases[0])
    for start in range(0, len(cases), size):
        batch = slice(start, start + size)
        watched = Watched(cases[batch])
        for outcome, run in zip(outcomes[batch], runs_of(cases[batch], watched), strict=True):
            outcome.values.update(run.results)
            outcome.curves.update(run.curves)
        watched.report(outcomes[batch])


def _batch_size(case: NetworkCase) -> int:
    """How many networks train at once so that a batch's arrays stay in the cache."""
    data, batch = sizes_of(case.data), _training(case).batch
    rows = data.samples if batch == "full" else batch
    widest = max(data.features, data.outputs, *case.network.hidden, 1)
    return max(1, BATCH_ELEMENTS // (rows * widest))


class Watched:
    """Verdicts on the networks of a batch while they train."""

    def __init__(self, cases: list[NetworkCase]) -> None:
        self.cases, self.steps = cases, list[int]()
        self.verdicts: list[list[Verdict]] = [[] for _ in cases]

    def __call__(self, step: int, weights: Sequence[Array]) -> None:
        """Check each network at its weights of this step."""
        self.steps.append(step)
        each = [[w[number].copy() for w in weights] for number in range(len(self.cases))]
        for found, verdict in zip(self.verdicts, verdicts_at(self.cases, each), strict=True):
            found.append(verdict)

    def report(self, outcomes: list[Outcome]) -> None:
        """The columns and the curve of each network: severities of verdicts, 0 being agreement."""
        for outcome, found in zip(outcomes, self.verdicts, strict=True):
            if found:
                changes = sum(a is not b for a, b in pairwise(found))
                outcome.values.update(verdict_changes=changes, last_verdict=found[-1].value)
                severities = np.array([verdict.severity for verdict in found])
                outcome.curves["verdict"] = (np.array(self.steps), severities)


def runs_of(cases: list[NetworkCase], watch: Watched | None = None) -> list[Run]:
    """Train cells that are equal in their training key, as one batch."""
    first = cases[0]
    settings, dtype = _training(first), first.precision.dtype

    def along(values: list[float | None]) -> Array:
        return np.array([value or 0.0 for value in values], dtype).reshape(-1, 1, 1)

    samples = [samples_of(c) for c in cases]
    per_layer = zip(*(weights_of(c) for c in cases), strict=True)
    plan = Plan(
        optimiser=components.optimiser(settings),
        rates=np.stack([_rates(c) for c in cases], axis=1),
        steps=settings.steps,
        batch=None if settings.batch == "full" else settings.batch,
        every=settings.every,
        threshold=settings.threshold,
        mixed=Mixed(settings.loss_scale or 1.0, bool(settings.master_weights)),
        watch_every=settings.check_every,
    )
    problem = problem_of(first, samples[0].inputs, samples[0].targets)
    return train(
        replace(problem, eps=along([c.clip.eps if c.clip else None for c in cases])),
        [np.stack(layer) for layer in per_layer],
        replace(rule_of(first), relu_at_zero=along([c.relu_at_zero for c in cases])),
        plan,
        samples,
        [generator(c.seed, "batches") for c in cases],
        watch,
    )


def _rates(case: NetworkCase) -> Array:
    settings = _training(case)
    return rates_of(settings.schedule, settings.learning_rate, settings.steps)


def _training(case: NetworkCase) -> TrainingSettings:
    assert case.training, "only cases with a training run come here"
    return case.training
