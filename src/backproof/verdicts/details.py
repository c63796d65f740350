"""What else is known of a network at a point: safe steps, the kinks that are met, clipped outputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backproof.estimates.kinks import KinkEvent, kink_distances, kink_events, safe_steps
from backproof.estimates.record import EntryStatus
from backproof.network.arrays import Array
from backproof.targets.layout import Index, flattened
from backproof.verdicts.view import View


@dataclass(frozen=True)
class ClippedOutput:
    """An output at which the clip flattens the loss."""

    sample: int
    output: int
    y: float


@dataclass(frozen=True)
class NetworkDetails:
    """Details of one view, found when they are asked for."""

    view: View

    @cached_property
    def safe_steps(self) -> Array:
        """The largest step of each parameter that meets no kink, (parameters); empty without an estimate."""
        view = self.view
        if view.estimate is None:
            return np.zeros(0)
        distances = kink_distances(view.problem, view.weights)
        pairs = zip(distances, view.forward.inputs, strict=True)
        return flattened([safe_steps(far, inputs) for far, inputs in pairs])

    @cached_property
    def safe_steps_by_tensor(self) -> dict[str, float]:
        """The largest step with which no parameter of a tensor meets a kink."""
        safe, estimate = self.safe_steps, self.view.estimate
        if estimate is None:
            return {}
        return {t.name: float(t.of(safe).min(initial=np.inf)) for t in estimate.layout.tensors}

    @cached_property
    def kinked_parameter(self) -> int | None:
        """The entry whose kinks are listed: the last that meets some in the first layer where any does."""
        estimate = self.view.estimate
        met = _meeting_kinks(self.view)
        if estimate is None or not len(met):
            return None
        layers = np.array([_located(self.view, int(i))[0] for i in estimate.index[met]])
        return int(met[layers == layers[0]][-1])

    @cached_property
    def kinks(self) -> list[KinkEvent]:
        """The kinks that this parameter touches or crosses."""
        return [] if self.kinked_parameter is None else self.kinks_of(self.kinked_parameter)

    def kinks_of(self, entry: int) -> list[KinkEvent]:
        """Every kink that one entry of the estimate touches, or crosses within its step."""
        estimate = self.view.estimate
        assert estimate is not None
        layer, unit, column = _located(self.view, int(estimate.index[entry]))
        step = float(estimate.step[entry])
        return kink_events(self.view.problem, self.view.weights, layer, unit, column, step)

    def kinks_of_each(self) -> list[str]:
        """The kinks of every entry, in words; empty where it meets none."""
        estimate = self.view.estimate
        words = [""] * (len(estimate.index) if estimate else 0)
        for entry in _meeting_kinks(self.view):
            words[entry] = "; ".join(map(str, self.kinks_of(int(entry))))
        return words

    @cached_property
    def clipped(self) -> list[ClippedOutput]:
        """Every output at which the clip flattens the loss."""
        problem, y = self.view.problem, self.view.forward.outputs
        if not problem.loss.uses_clip:
            return []
        with np.errstate(all="ignore"):
            active = problem.clip.active(y, problem.eps)
        return [ClippedOutput(int(i), int(k), float(y[i, k])) for i, k in np.argwhere(active)]


def _meeting_kinks(view: View) -> Index:
    """Entries of the estimate that touch or cross a kink."""
    if view.estimate is None:
        return np.zeros(0, np.intp)
    return np.flatnonzero(view.estimate.has(EntryStatus.TOUCHED | EntryStatus.CROSSED))


def _located(view: View, position: int) -> tuple[int, int, int]:
    """Layer, unit and column of a flat position."""
    for layer, w in enumerate(view.weights):
        if position < w.size:
            unit, column = divmod(position, w.shape[1])
            return layer, unit, column
        position -= w.size
    raise IndexError(position)
