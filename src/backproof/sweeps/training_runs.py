"""The training half of a sweep's work: networks that train alike, as one batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backproof.network.arrays import Array
from backproof.sweeps import components
from backproof.sweeps.case import NetworkCase
from backproof.sweeps.construction import generator, problem_of, rule_of, samples_of, sizes_of, weights_of
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.settings import TrainingSettings
from backproof.training import Plan, Run, train
from backproof.training.schedules import rates_of

BATCH_ELEMENTS = 1 << 18
"""Array elements of one layer of a training batch: what a core's second-level cache holds."""


def train_alike(cases: list[NetworkCase], outcomes: list[Outcome]) -> None:
    """Train cells that are equal in their training key, and put the results into their outcomes."""
    size = _batch_size(cases[0])
    for start in range(0, len(cases), size):
        batch = slice(start, start + size)
        for outcome, run in zip(outcomes[batch], runs_of(cases[batch]), strict=True):
            outcome.values.update(run.results)
            outcome.curves.update(run.curves)


def _batch_size(case: NetworkCase) -> int:
    """How many networks train at once so that a batch's arrays stay in the cache."""
    data, batch = sizes_of(case.data), _training(case).batch
    rows = data.samples if batch == "full" else batch
    widest = max(data.features, data.outputs, *case.network.hidden, 1)
    return max(1, BATCH_ELEMENTS // (rows * widest))


def runs_of(cases: list[NetworkCase]) -> list[Run]:
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
    )
    problem = problem_of(first, samples[0].inputs, samples[0].targets)
    return train(
        replace(problem, eps=along([c.clip.eps if c.clip else None for c in cases])),
        [np.stack(layer) for layer in per_layer],
        replace(rule_of(first), relu_at_zero=along([c.relu_at_zero for c in cases])),
        plan,
        samples,
        [generator(c.seed, "batches") for c in cases],
    )


def _rates(case: NetworkCase) -> Array:
    settings = _training(case)
    return rates_of(settings.schedule, settings.learning_rate, settings.steps)


def _training(case: NetworkCase) -> TrainingSettings:
    assert case.training, "only cases with a training run come here"
    return case.training
