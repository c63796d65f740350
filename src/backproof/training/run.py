"""Short training runs with the backward rule under test, right or wrong, many networks at once.

The leading axis is the batch of cells. Everything is elementwise or a matrix product along it,
so a network's numbers do not depend on its neighbours; a diverged one just goes on as NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from backproof.network.arrays import Array, keep_memory, sum_over_terms
from backproof.network.problem import Forward, Problem, labels_of
from backproof.network.rules import BackwardRule
from backproof.training.optimisers import Optimiser, State

DIVERGED = 10.0
"""A run has diverged once its loss is this many times the training set's at the start, or not finite."""

WINDOW = 10
"""Mini-batch losses and accuracies are averaged over this many steps before they are judged."""


DEAD_UNIT_SAMPLES = 256
"""With mini-batches, dead units are counted on this many of the first training samples."""


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        rates: learning rates, (steps, cells); they refer to the mean loss over samples, whatever the
            loss's reduction, so that a rate means the same for a sum as for a mean.
        batch: samples a step; None for all of them.
        every: how often the costlier curves (cosine, dead units) are recorded.
    """

    optimiser: Optimiser
    rates: Array
    steps: int
    batch: int | None
    every: int
    threshold: float


@dataclass(frozen=True)
class Run:
    """One network's run.

    Attributes:
        final_loss: per sample, over the whole training set, after the last step.
        accuracy: on the test set, after the last step.
        validation_accuracy, validation_loss: on the validation set, after the last step; the loss per sample.
        steps_to_threshold: steps until the training accuracy reached the threshold; None if never.
        diverged_at: the first step whose loss was not finite or ten times the first; None if none.
        dead_units: share of hidden units whose derivative was zero for every sample of the last batch seen.
        cosine: the smallest cosine between the gradient used and the exact one along the way.
        curves: series name to (steps, values).
    """

    final_loss: float
    accuracy: float
    validation_accuracy: float
    validation_loss: float
    steps_to_threshold: int | None
    diverged_at: int | None
    dead_units: float | None
    cosine: float | None
    curves: dict[str, tuple[Array, Array]]

    @property
    def results(self) -> dict[str, float | int | None]:
        """Everything but the curves, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "curves"}


@dataclass(frozen=True)
class Samples:
    """Training, validation and test samples of one cell: inputs (N, features) and targets (N, m)."""

    inputs: Array
    targets: Array
    validation_inputs: Array
    validation_targets: Array
    test_inputs: Array
    test_targets: Array


def train(
    template: Problem,
    weights: Sequence[Array],
    rule: BackwardRule,
    plan: Plan,
    samples: Sequence[Samples],
    generators: Sequence[np.random.Generator],
) -> list[Run]:
    """Train one network for each entry of `samples` and `generators`.

    Args:
        template: its activation, output, loss, clip and eps (cells, 1, 1) are used; its data are not.
        weights: (cells, units, inputs + 1) each; left as they are.
        rule: relu_at_zero may be an array (cells, 1, 1).
    """
    keep_memory()
    weights = [w.copy() for w in weights]
    rates = plan.rates.astype(weights[0].dtype)[:, :, None, None]
    state: State = {}
    batches = _Batches(samples, plan, generators)
    recorder = _Recorder(plan, len(samples), batches.full)
    if not batches.full:
        with np.errstate(all="ignore"):
            recorder.first_loss = [
                _at(template, weights, cell, (s.inputs, s.targets))[0] for cell, s in enumerate(samples)
            ]
    with np.errstate(all="ignore"):
        for step in range(plan.steps):
            inputs, targets, labels = batches.take()
            problem = replace(template, inputs=inputs, targets=targets)
            forward = problem.forward(weights)
            gradients = rule.gradient(problem, forward, weights)
            recorder.note(step, problem, forward, labels, batches.labelled)
            if step % plan.every == 0 or step == plan.steps - 1:
                seen = forward
                if not batches.full:
                    fixed = replace(problem, inputs=batches.fixed_inputs, targets=batches.fixed_targets)
                    seen = fixed.forward(weights)
                exact = gradients if rule.is_exact else rule.faultless.gradient(problem, forward, weights)
                recorder.note_rarely(step, seen, problem, gradients, exact)
            # The gradient is scaled rather than the rate: Adam's step has no scale of its own.
            per_sample = rates.dtype.type(1 / (problem.scale * max(targets.shape[-2], 1)))
            scaled = gradients if per_sample == 1 else [g * per_sample for g in gradients]
            plan.optimiser.update(weights, scaled, rates[step], state)
        return [
            recorder.run_of(
                cell,
                final_loss=_at(template, weights, cell, (s.inputs, s.targets))[0],
                accuracy=_at(template, weights, cell, (s.test_inputs, s.test_targets))[1],
                validation=_at(template, weights, cell, (s.validation_inputs, s.validation_targets)),
            )
            for cell, s in enumerate(samples)
        ]


def _eps_of(template: Problem, cell: int) -> Array:
    eps = np.asarray(template.eps)
    return eps if eps.ndim == 0 else np.asarray(eps[cell, 0, 0])


def _at(
    template: Problem, weights: Sequence[Array], cell: int, part: tuple[Array, Array]
) -> tuple[float, float]:
    """The loss per sample and the accuracy of one network over a part of its data, inputs and targets."""
    inputs, targets = part
    problem = replace(template, inputs=inputs, targets=targets, eps=_eps_of(template, cell))
    forward = problem.forward([w[cell] for w in weights])
    loss = float(sum_over_terms(forward.terms) / max(len(inputs), 1))
    return loss, float(problem.accuracy(forward.outputs, labels_of(targets)))


class _Batches:
    """Mini-batches of every cell, reshuffled each epoch by the cell's generator."""

    def __init__(
        self, samples: Sequence[Samples], plan: Plan, generators: Sequence[np.random.Generator]
    ) -> None:
        self.generators, self.count = generators, len(samples[0].inputs)
        self.size = self.count if plan.batch is None else min(plan.batch, self.count)
        self.full = self.size == self.count
        # All samples in one array, each set once; a cell's begin at its offset.
        sets = {id(s.inputs): s for s in samples}
        set_of_cell = np.array([list(sets).index(id(s.inputs)) for s in samples])
        self.offsets = set_of_cell[:, None] * self.count
        self.inputs = np.concatenate([s.inputs for s in sets.values()])
        self.targets = np.concatenate([s.targets for s in sets.values()])
        labels = [labels_of(s.targets) for s in sets.values()]
        self.labels = np.concatenate([np.zeros(self.count, int) if each is None else each for each in labels])
        self.labelled = np.array([each is not None for each in labels])[set_of_cell]
        # One mini-batch does not show whether a unit is dead.
        self.fixed_inputs, self.fixed_targets, _ = self._of(np.arange(min(DEAD_UNIT_SAMPLES, self.count)))
        self.everything = self._of(np.arange(self.count)) if self.full else None
        self.order = np.empty((len(samples), self.count), np.intp)
        self.position = self.count

    def take(self) -> tuple[Array, Array, Array]:
        """Inputs, targets and labels of the next batch of every cell, (cells, size, …) each."""
        if self.everything:
            return self.everything
        if self.position + self.size > self.count:
            for order, generator in zip(self.order, self.generators, strict=True):
                order[:] = generator.permutation(self.count)
            self.position = 0
        rows = self.order[:, self.position : self.position + self.size]
        self.position += self.size
        return self._of(rows)

    def _of(self, rows: Array) -> tuple[Array, Array, Array]:
        chosen = self.offsets + rows
        return self.inputs.take(chosen, axis=0), self.targets.take(chosen, axis=0), self.labels.take(chosen)


class _Recorder:
    """Curves of all cells while they run, and the results read off them afterwards."""

    def __init__(self, plan: Plan, cells: int, full_batch: bool) -> None:
        self.plan, self.full_batch = plan, full_batch
        self.window = 1 if full_batch else min(WINDOW, plan.steps)
        self.first_loss: list[float] = []
        self.loss = np.full((plan.steps, cells), np.nan)
        self.accuracy = np.full((plan.steps, cells), np.nan)
        self.rare_steps: list[int] = []
        self.cosine: list[Array] = []
        self.dead: list[Array] = []

    def note(self, step: int, problem: Problem, forward: Forward, labels: Array, labelled: Array) -> None:
        samples = max(problem.targets.shape[-2], 1)
        self.loss[step] = sum_over_terms(forward.terms) / samples
        self.accuracy[step] = np.where(labelled, problem.accuracy(forward.outputs, labels), np.nan)

    def note_rarely(
        self, step: int, forward: Forward, problem: Problem, used: Sequence[Array], exact: Sequence[Array]
    ) -> None:
        self.rare_steps.append(step)
        self.cosine.append(_cosine(used, exact))
        derivatives = [problem.activation.derivative(z) for z in forward.pre_activations[:-1]]
        if derivatives:
            dead = np.concatenate([(s == 0).all(axis=-2) for s in derivatives], axis=-1)
            self.dead.append(dead.mean(axis=-1))

    def run_of(
        self, cell: int, *, final_loss: float, accuracy: float, validation: tuple[float, float]
    ) -> Run:
        rare = np.asarray(self.rare_steps)
        steps = np.arange(self.plan.steps)
        curves = {"loss": (steps, self.loss[:, cell]), "accuracy": (steps, self.accuracy[:, cell])}
        curves["cosine"] = (rare, np.asarray([c[cell] for c in self.cosine]))
        if self.dead:
            curves["dead_units"] = (rare, np.asarray([d[cell] for d in self.dead]))
        finite = curves["cosine"][1][np.isfinite(curves["cosine"][1])]
        return Run(
            final_loss=final_loss,
            accuracy=accuracy,
            validation_accuracy=validation[1],
            validation_loss=validation[0],
            steps_to_threshold=self._steps_to_threshold(self.accuracy[:, cell]),
            diverged_at=self._diverged_at(cell, final_loss),
            dead_units=float(self.dead[-1][cell]) if self.dead else None,
            cosine=float(finite.min()) if finite.size else None,
            curves=curves,
        )

    def _diverged_at(self, cell: int, final_loss: float) -> int | None:
        loss = self.loss[:, cell]
        first = float(loss[0]) if self.full_batch else self.first_loss[cell]
        return _diverged_at(loss, final_loss, first, self.window)

    def _steps_to_threshold(self, accuracy: Array) -> int | None:
        window = self.window
        # Summed, then divided: ten times a tenth is less than one.
        smooth = np.convolve(accuracy, np.ones(window), mode="valid") / window
        reached = np.flatnonzero(smooth >= self.plan.threshold)
        return int(reached[0]) + window - 1 if reached.size else None


def _diverged_at(loss: Array, final_loss: float, first_loss: float, window: int) -> int | None:
    """The first step whose loss is not finite or far above the loss that training started from.

    A single mini-batch's loss is noisy, so the mean over a window is compared with the start. A start
    of exactly 0 has no multiple; from there only a loss that is not finite counts.
    """
    bound = DIVERGED * abs(first_loss) if first_loss else np.inf
    with np.errstate(all="ignore"):
        smooth = np.convolve(loss, np.ones(window), mode="valid") / window
        high = np.flatnonzero(np.abs(smooth) > bound) + window - 1
        broken = np.flatnonzero(~np.isfinite(loss))
    first = min([*high[:1], *broken[:1], len(loss)])
    ended_well = np.isfinite(final_loss) and abs(final_loss) <= bound
    return None if first == len(loss) and ended_well else int(first)


def _cosine(used: Sequence[Array], exact: Sequence[Array]) -> Array:
    """The cosine between two gradients over all layers, one value per cell; NaN where either vanishes."""
    flat = []
    for side in (used, exact):
        joined = np.concatenate([g.reshape(len(g), -1).astype(np.float64) for g in side], axis=1)
        flat.append(joined / np.abs(joined).max(axis=1, keepdims=True))
    a, b = flat
    return np.asarray((a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1)))
