"""Short training runs with the backward rule under test, right or wrong, many networks at once.

The leading axis is the batch of cells. Everything is elementwise or a matrix product along it,
so a network's numbers do not depend on its neighbours; a diverged one just goes on as NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from backproof.network.arrays import Array, keep_memory, sum_over_terms, with_ones
from backproof.network.clips import Clip
from backproof.network.problem import Forward, Problem, labels_of
from backproof.network.rules import Backward, BackwardRule
from backproof.training.optimisers import Optimiser
from backproof.training.parts import Part, Parts
from backproof.training.telemetry import (
    cosine,
    cosine_per_sample,
    expected_kink_hits,
    gradient_norm,
    kink_hits,
    saturated_outputs,
)
from backproof.training.updating import IN_OWN_ARITHMETIC, Mixed, Updating

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
        every: how often the costlier curves (cosines, dead units, norms) are recorded.
        mixed: what is done in a higher precision than the network's.
        watch_every: how often the weights are shown to whoever watches; None for never.
    """

    optimiser: Optimiser
    rates: Array
    steps: int
    batch: int | None
    every: int
    threshold: float
    mixed: Mixed = IN_OWN_ARITHMETIC
    watch_every: int | None = None


Watch = Callable[[int, Sequence[Array]], None]
"""Is shown the number of a step and the weights before it, (cells, units, inputs + 1) each."""


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
        cosine_per_sample: the smallest mean cosine of single samples' gradients; see `telemetry`.
        saturated_outputs: share of outputs at an end of their range, of the last batch.
        kink_hits: hidden pre-activations that were exactly on a kink, over all steps; None without kinks.
        expected_kink_hits: how many of them the spacing of numbers explains; see `telemetry`.
        first_kink_hit: the first step with one; None if there was none.
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
    cosine_per_sample: float | None
    saturated_outputs: float | None
    kink_hits: int | None
    expected_kink_hits: float | None
    first_kink_hit: int | None
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
    rule: BackwardRule | Parts,
    plan: Plan,
    samples: Sequence[Samples],
    generators: Sequence[np.random.Generator],
    watch: Watch | None = None,
) -> list[Run]:
    """Train one network for each entry of `samples` and `generators`.

    Args:
        template: its functions are used, and its eps, a number or (cells, 1, 1); its data are not.
        weights: (cells, units, inputs + 1) each; left as they are.
        rule: one for all networks, whose relu_at_zero may be an array (cells, 1, 1), used with the template's
            clip; or parts, each with a rule and a clip of its own.

    Raises:
        ValueError: if the parts are not of so many networks.
    """
    keep_memory()
    weights = [w.copy() for w in weights]
    rule = _in_parts(rule, template.clip, len(samples)).with_loss_scale(plan.mixed.loss_scale)
    eps = np.broadcast_to(template.eps, (len(samples), 1, 1))
    template = replace(template, clip=rule.clip, eps=eps)
    own = [replace(template, clip=clip, eps=e[0, 0]) for clip, e in zip(rule.clips, eps, strict=True)]
    updating = Updating(weights, plan.optimiser, plan.rates, template.arithmetic, plan.mixed)
    batches = _Batches(samples, plan, generators)
    recorder = _Recorder(plan, len(samples), batches.full)
    with np.errstate(all="ignore"):
        if not batches.full:
            recorder.first_loss = [
                _at(own[cell], weights, cell, (s.inputs, s.targets))[0] for cell, s in enumerate(samples)
            ]
        for step in range(plan.steps):
            entering, targets, labels = batches.take()
            problem = replace(template, inputs=entering[..., :-1], targets=targets)
            if watch and plan.watch_every and step % plan.watch_every == 0:
                watch(step, weights)
            forward = problem.forward(weights, entering)
            used = rule.backward(problem, forward, weights)
            recorder.note(step, problem, forward, labels, batches.labelled)
            per_sample = 1 / (problem.scale * max(targets.shape[-2], 1))
            if step % plan.every == 0 or step == plan.steps - 1:
                exact = used if rule.is_exact else rule.faultless.backward(problem, forward, weights)
                recorder.note_rarely(step, problem, forward, used, exact, per_sample / plan.mixed.loss_scale)
                recorder.note_expected(problem, forward, weights)
                recorder.note_dead(problem, batches.seen(problem, forward, weights))
            updating.step(step, used.gradients, per_sample)
        if watch and plan.watch_every:
            watch(plan.steps, weights)
        return [
            recorder.run_of(
                cell,
                final_loss=_at(own[cell], weights, cell, (s.inputs, s.targets))[0],
                accuracy=_at(own[cell], weights, cell, (s.test_inputs, s.test_targets))[1],
                validation=_at(own[cell], weights, cell, (s.validation_inputs, s.validation_targets)),
            )
            for cell, s in enumerate(samples)
        ]


def _in_parts(rule: BackwardRule | Parts, clip: Clip, number: int) -> Parts:
    """The rule of so many networks as their parts, all of them being one where the rule and the clip are."""
    parts = rule if isinstance(rule, Parts) else Parts([Part(slice(0, number), clip, rule)])
    if parts.number != number:
        raise ValueError(f"parts of {parts.number} networks for samples of {number}")
    return parts


def _at(own: Problem, weights: Sequence[Array], cell: int, part: tuple[Array, Array]) -> tuple[float, float]:
    """The loss per sample and the accuracy of one network over a part of its data, inputs and targets."""
    inputs, targets = part
    problem = replace(own, inputs=inputs, targets=targets)
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
        self.entering = with_ones(np.concatenate([s.inputs for s in sets.values()]))
        self.targets = np.concatenate([s.targets for s in sets.values()])
        labels = [labels_of(s.targets) for s in sets.values()]
        self.labels = np.concatenate([np.zeros(self.count, int) if each is None else each for each in labels])
        self.labelled = np.array([each is not None for each in labels])[set_of_cell]
        # One mini-batch does not show whether a unit is dead.
        self.fixed_entering, self.fixed_targets, _ = self._of(np.arange(min(DEAD_UNIT_SAMPLES, self.count)))
        self.everything = self._of(np.arange(self.count)) if self.full else None
        self.order = np.empty((len(samples), self.count), np.intp)
        self.position = self.count

    def take(self) -> tuple[Array, Array, Array]:
        """Inputs with their ones, targets and labels of every cell's next batch, (cells, size, …) each."""
        if self.everything:
            return self.everything
        if self.position + self.size > self.count:
            for order, generator in zip(self.order, self.generators, strict=True):
                order[:] = generator.permutation(self.count)
            self.position = 0
        rows = self.order[:, self.position : self.position + self.size]
        self.position += self.size
        return self._of(rows)

    def seen(self, problem: Problem, forward: Forward, weights: Sequence[Array]) -> list[Array]:
        """Pre-activations of the hidden layers, (cells, N, units), over the samples that dead units are
        counted on.

        Args:
            forward: the forward pass over the batch.
        """
        if self.full:
            return forward.pre_activations[:-1]
        fixed = replace(problem, inputs=self.fixed_entering[..., :-1], targets=self.fixed_targets)
        return fixed.through_hidden(weights, self.fixed_entering)[1]

    def _of(self, rows: Array) -> tuple[Array, Array, Array]:
        chosen = self.offsets + rows
        return self.entering.take(chosen, axis=0), self.targets.take(chosen, axis=0), self.labels.take(chosen)


class _Recorder:
    """Curves of all cells while they run, and the results read off them afterwards."""

    def __init__(self, plan: Plan, cells: int, full_batch: bool) -> None:
        self.plan, self.full_batch = plan, full_batch
        self.window = 1 if full_batch else min(WINDOW, plan.steps)
        self.first_loss: list[float] = []
        self.loss = np.full((plan.steps, cells), np.nan)
        self.accuracy = np.full((plan.steps, cells), np.nan)
        self.rare_steps: list[int] = []
        self.rare: dict[str, list[Array]] = {}
        self.dead: list[Array] = []
        self.hits: list[Array] = []
        self.expected: list[Array] = []

    def note(self, step: int, problem: Problem, forward: Forward, labels: Array, labelled: Array) -> None:
        samples = max(problem.targets.shape[-2], 1)
        self.loss[step] = sum_over_terms(forward.terms) / samples
        self.accuracy[step] = np.where(labelled, problem.accuracy(forward.outputs, labels), np.nan)
        if problem.activation.kinks and len(forward.pre_activations) > 1:
            self.hits.append(kink_hits(problem, forward))

    def note_rarely(
        self, step: int, problem: Problem, forward: Forward, used: Backward, exact: Backward, factor: float
    ) -> None:
        """Measure one step; `factor` turns its gradients into those of the mean loss over samples."""
        self.rare_steps.append(step)
        found = {
            "cosine": cosine(used.gradients, exact.gradients),
            "cosine_per_sample": cosine_per_sample(forward, used, exact),
            "gradient_norm": gradient_norm(used.gradients, factor),
            "saturated_outputs": saturated_outputs(problem, forward),
        }
        for name, values in found.items():
            self.rare.setdefault(name, []).append(values)

    def note_expected(self, problem: Problem, forward: Forward, weights: Sequence[Array]) -> None:
        at_zero = any(kink.at == 0 for kink in problem.activation.kinks)
        if at_zero and len(forward.pre_activations) > 1:
            self.expected.append(expected_kink_hits(problem, forward, weights).sum(axis=0))

    def note_dead(self, problem: Problem, pre_activations: list[Array]) -> None:
        derivatives = [problem.activation.derivative(z) for z in pre_activations]
        if derivatives:
            dead = np.concatenate([(s == 0).all(axis=-2) for s in derivatives], axis=-1)
            self.dead.append(dead.mean(axis=-1))

    def run_of(
        self, cell: int, *, final_loss: float, accuracy: float, validation: tuple[float, float]
    ) -> Run:
        rare = np.asarray(self.rare_steps)
        steps = np.arange(self.plan.steps)
        curves = {"loss": (steps, self.loss[:, cell]), "accuracy": (steps, self.accuracy[:, cell])}
        for name, values in self.rare.items():
            curve = np.asarray([v[cell] for v in values])
            if name == "cosine" or np.isfinite(curve).any():
                curves[name] = (rare, curve)
        if self.dead:
            curves["dead_units"] = (rare, np.asarray([d[cell] for d in self.dead]))
        hits = self._hits_of(cell, curves)
        return Run(
            final_loss=final_loss,
            accuracy=accuracy,
            validation_accuracy=validation[1],
            validation_loss=validation[0],
            steps_to_threshold=self._steps_to_threshold(self.accuracy[:, cell]),
            diverged_at=self._diverged_at(cell, final_loss),
            dead_units=float(self.dead[-1][cell]) if self.dead else None,
            cosine=_smallest(curves["cosine"][1]),
            cosine_per_sample=_smallest(curves.get("cosine_per_sample", (rare, np.array([])))[1]),
            saturated_outputs=_last(curves.get("saturated_outputs")),
            kink_hits=None if hits is None else int(hits.sum()),
            expected_kink_hits=self._expected_of(cell),
            first_kink_hit=None if hits is None or not hits.any() else int(np.flatnonzero(hits)[0]),
            curves=curves,
        )

    def _hits_of(self, cell: int, curves: dict[str, tuple[Array, Array]]) -> Array | None:
        """Hits of each step over all hidden layers; their curves, a point for so many steps before it."""
        if not self.hits:
            return None
        hits = np.asarray([h[:, cell] for h in self.hits])
        ends = np.asarray(self.rare_steps)
        sums = np.diff(hits.cumsum(axis=0)[ends], axis=0, prepend=0)
        curves["kink_hits"] = (ends, sums.sum(axis=1))
        if hits.shape[1] > 1:
            for layer in range(hits.shape[1]):
                curves[f"kink_hits of layer {layer + 1}"] = (ends, sums[:, layer])
        return np.asarray(hits.sum(axis=1))

    def _expected_of(self, cell: int) -> float | None:
        """Over all steps, each record standing for those until the next; None where it is not finite."""
        if not self.expected:
            return None
        until = np.diff([*self.rare_steps, self.plan.steps])
        total = float(np.dot(until, [each[cell] for each in self.expected]))
        return total if np.isfinite(total) else None

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


def _smallest(values: Array) -> float | None:
    """The smallest finite value; None without any."""
    finite = values[np.isfinite(values)]
    return float(finite.min()) if finite.size else None


def _last(curve: tuple[Array, Array] | None) -> float | None:
    """The last value of a curve, if it is finite."""
    return None if curve is None or not np.isfinite(curve[1][-1]) else float(curve[1][-1])
