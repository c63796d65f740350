"""The training half of a sweep's work: networks of one shape, as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, groupby, pairwise
from operator import attrgetter

import numpy as np

from backproof.network.arrays import Array
from backproof.sweeps import components
from backproof.sweeps.case import NetworkCase, grouped
from backproof.sweeps.checking import verdicts_at
from backproof.sweeps.construction import (
    clip_of,
    generator,
    problem_of,
    rule_of,
    samples_of,
    sizes_of,
    weights_of,
)
from backproof.sweeps.listing import batched
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.settings import TrainingSettings
from backproof.training import Plan, Run, train
from backproof.training.parts import Part, Parts
from backproof.training.schedules import rates_of
from backproof.training.updating import Mixed
from backproof.verdicts import Verdict

BATCH_ELEMENTS = 1 << 17
"""Array elements of one layer of a training batch: one array fills a second-level cache of a megabyte.

Networks of 64-100-10 are fastest from 12 to 24 at once, of 64-32-10 from 16 on.
"""


def train_alike(cases: list[NetworkCase], outcomes: list[Outcome]) -> None:
    """Train cells that are equal in their family key, and put the results into their outcomes."""
    outcome_of = {outcome.id: outcome for outcome in outcomes}
    in_parts = list(chain.from_iterable(grouped(cases, attrgetter("part_key"))))
    for batch in batched(in_parts, _batch_size(cases[0])):
        watched = Watched(batch)
        found = [outcome_of[case.id] for case in batch]
        for outcome, run in zip(found, runs_of(batch, watched), strict=True):
            outcome.values.update(run.results)
            outcome.curves.update(run.curves)
        watched.report(found)


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
    """Train cells that are equal in their family key, as one batch, whose parts are neighbours that are equal
    in their part key.
    """
    first = cases[0]
    settings, dtype = _training(first), first.precision.dtype

    def along(values: list[float | None]) -> Array:
        return np.array([value or 0.0 for value in values], dtype).reshape(-1, 1, 1)

    parts: list[Part] = []
    for _, neighbours in groupby(cases, attrgetter("part_key")):
        alike, start = list(neighbours), parts[-1].cells.stop if parts else 0
        rule = replace(rule_of(alike[0]), relu_at_zero=along([c.relu_at_zero for c in alike]))
        parts.append(Part(slice(start, start + len(alike)), clip_of(alike[0]), rule))
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
        Parts(parts),
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
