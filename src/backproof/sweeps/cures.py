"""Cures: the smallest changes of a case under which its gradient agrees, found by trying its neighbours.

A neighbour differs in one axis, or where none of those agrees, in two. Changes of the backward rule come
first, since they need no new numerical gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import combinations, islice

from backproof.errors import ConfigurationError
from backproof.estimates.stencils import Scheme
from backproof.network.activations import KinkRule
from backproof.network.arrays import Precision
from backproof.network.clips import ClipBackward
from backproof.network.clips.floor import floor
from backproof.network.deltas.exact import exact
from backproof.network.faults.none import none as no_fault
from backproof.network.losses import LOSSES
from backproof.sweeps import components
from backproof.sweeps.canonical import case_of
from backproof.sweeps.case import NetworkCase
from backproof.sweeps.overrides import OFF, Value, shown
from backproof.sweeps.settings import MODELS
from backproof.verdicts.check import Cures

MATCHING_LOSS = {loss.matching_output: loss.name for loss in LOSSES.records() if not loss.takes_logits}
"""The loss whose delta is y − t for an output; other outputs have none."""

PARAMETERS = 200
"""A neighbour that is another problem is checked in a seeded sample of so many parameters."""

CLIP = floor.name
"""The clip of a neighbour that needs one where the case itself has no use for it."""


@dataclass(frozen=True)
class Change:
    """One axis set to another value."""

    key: str
    value: Value

    def __str__(self) -> str:
        return f"{self.key}={shown(self.value)}"


def changes(case: NetworkCase, *, numbers: bool) -> Iterator[Change]:
    """Changes of one axis that are worth a try, those of the backward rule first.

    `numbers` says that the rule may be right: only then can precision and step be what cures.
    """
    matching_loss = MATCHING_LOSS.get(case.output.name)
    wanted = [
        Change("fault", no_fault.name),
        Change("delta", exact.name),
        Change("clip.backward", ClipBackward.CONSISTENT.value),
        Change("kink", KinkRule.MULTIPLY.value),
        *(Change("relu_at_zero", x) for x in (0.5, 0.0, 1.0)),
        Change("output", components.loss(case.loss).matching_output),
        *(Change("loss", name) for name in [matching_loss] if name),
        *(Change("clip.eps", x) for x in (1e-12, 1e-3)),
        Change("network.init_scale", 1.0),
    ]
    if numbers:
        wanted[:0] = [
            Change("check.step", None),
            Change("check.scheme", Scheme.FIVE_POINT.value),
            Change("precision", Precision.FLOAT64.value),
            Change("precision", Precision.LONGDOUBLE.value),
            Change("clip", CLIP),
        ]
    needless, settings = _needless(case), case.flat()
    for change in wanted:
        if change.key not in needless and settings.get(change.key) != change.value:
            yield change


def _needless(case: NetworkCase) -> set[str]:
    """Axes that cannot matter to the case, or that would undo what was asked for."""
    settings = case.flat()
    keys = {k for k in ("clip.backward", "kink", "relu_at_zero", "clip.eps", "clip") if k not in settings}
    if case.precision is Precision.LONGDOUBLE:
        keys.add("precision")
    if case.network.init_scale <= 1:
        keys.add("network.init_scale")
    return keys


def neighbours(
    case: NetworkCase, *, numbers: bool, idle: Collection[str] = ()
) -> Iterator[tuple[str, NetworkCase]]:
    """Cases one change away, then those two changes away: the overrides that lead there, and the case."""
    single = [c for c in changes(case, numbers=numbers) if c.key not in idle]
    pairs = (pair for pair in combinations(single, 2) if pair[0].key != pair[1].key)
    base = {"clip": CLIP, **case.flat(), "training": OFF, "check.parameters": _fewer(case)}
    for several in (*((c,) for c in single), *pairs):
        try:
            neighbour = case_of(_changed(base, several))
        except ConfigurationError:
            continue  # this loss does not take these targets
        assert isinstance(neighbour, NetworkCase)
        yield " ".join(map(str, several)), neighbour


def _changed(settings: dict[str, Value], several: Collection[Change]) -> dict[str, Value]:
    """Settings with changes; parameters of a choice that goes, go with it."""
    gone = {c.key for c in several if c.key in MODELS}
    kept = {f"{group}.{name}" for group in gone for name in MODELS[group].settings()}
    changed = {k: v for k, v in settings.items() if k in kept or k.partition(".")[0] not in gone}
    return {**changed, **{c.key: c.value for c in several}}


def _fewer(case: NetworkCase) -> int:
    """How many parameters of a neighbour are checked."""
    wanted = case.check.parameters if case.check else PARAMETERS
    return PARAMETERS if wanted == "all" else min(wanted, PARAMETERS)


def cures_of(
    case: NetworkCase, agrees: Callable[[NetworkCase], bool], *, numbers: bool, idle: Collection[str] = ()
) -> Cures:
    """Try the neighbours of a case that disagrees, at most `check.cures` of them.

    Two changes at a time are tried only where no single one is enough. Axes in `idle` are known not to
    matter; `numbers` says that precision and step may.
    """
    limit = case.check.cures if case.check else 0
    found: list[str] = []
    failed: list[str] = []
    for overrides, neighbour in islice(neighbours(case, numbers=numbers, idle=idle), limit):
        if " " in overrides and found and " " not in found[0]:
            break
        (found if agrees(neighbour) else failed).append(overrides)
    return Cures(tuple(found), tuple(failed))
