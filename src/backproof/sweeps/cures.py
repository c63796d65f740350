"""Cures: the smallest changes of a case under which its gradient agrees, found by trying its neighbours.

A neighbour differs in one axis, or where none of those agrees, in two. Changes of the backward rule come
first, since they need no new numeric gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import combinations, islice

from backproof.errors import ConfigurationError
from backproof.network.clips.floor import floor
from backproof.sweeps import components
from backproof.sweeps.case import Case, canonical
from backproof.sweeps.groups import GROUPS
from backproof.sweeps.settings import TARGET, Settings, Value, shown

MATCHING_OUTPUT = {
    "squared_error": "identity",
    "binary_cross_entropy": "sigmoid",
    "categorical_cross_entropy": "softmax",
    "binary_cross_entropy_from_logits": "identity",
    "categorical_cross_entropy_from_logits": "identity",
}
"""The output for which each loss's delta is y − t, or whose range its domain is."""

MATCHING_LOSS = {
    "sigmoid": "binary_cross_entropy",
    "softmax": "categorical_cross_entropy",
    "identity": "squared_error",
}
"""The loss that matches an output; other outputs have none."""

PARAMETERS = 200
"""A neighbour that is another problem is checked in a seeded sample of so many parameters."""

WHEN_MISSING: Settings = {
    "clip": "floor",
    f"clip.{TARGET}": floor.target,
    "clip.eps": 2.220446049250313e-16,
    "clip.backward": "consistent",
    "relu_at_zero": 0.0,
    "kink": "multiply",
}
"""What a neighbour needs where the case itself has no use for it."""


@dataclass(frozen=True)
class Change:
    """One axis set to another value; `settings` is what the override sets."""

    key: str
    value: Value
    settings: tuple[tuple[str, Value], ...]

    def __str__(self) -> str:
        return f"{self.key}={shown(self.value)}"


@dataclass(frozen=True)
class Cures:
    """What came of the neighbours that were tried, as overrides."""

    found: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def _value(key: str, value: Value) -> Change:
    return Change(key, value, ((key, value),))


def _choice(group: str, name: str) -> Change:
    target = GROUPS[group].choices[name].target
    return Change(group, name, ((group, name), (f"{group}.{TARGET}", target)))


def changes(case: Case, *, numbers: bool) -> Iterator[Change]:
    """Changes of one axis that are worth a try, those of the backward rule first.

    `numbers` says that the rule may be right: only then can precision and step be what cures.
    """
    loss, output = str(case["loss"]), str(case["output"])
    wanted: list[Change] = [
        _choice("fault", "none"),
        _choice("delta", "exact"),
        _value("clip.backward", "consistent"),
        _value("kink", "multiply"),
        *(_value("relu_at_zero", x) for x in (0.5, 0.0, 1.0)),
        _choice("output", MATCHING_OUTPUT.get(loss, "sigmoid")),
        *(_choice("loss", name) for name in [MATCHING_LOSS.get(output)] if name),
        *(_value("clip.eps", x) for x in (1e-12, 1e-3)),
        _value("network.init_scale", 1.0),
    ]
    if numbers:
        wanted[:0] = [
            _value("check.step", None),
            _value("check.scheme", "five_point"),
            _value("precision", "float64"),
            _value("precision", "longdouble"),
            _choice("clip", "floor"),
        ]
    needless = _needless(case)
    for change in wanted:
        if change.key not in needless and case[change.key] != change.value:
            yield change


def _needless(case: Case) -> set[str]:
    """Axes that cannot matter to the case, or that would undo what was asked for."""
    keys = {k for k in ("clip.backward", "kink", "relu_at_zero", "clip.eps", "clip") if case[k] is None}
    if case["precision"] == "longdouble":
        keys.add("precision")
    if case["network.init_scale"] in (None, 0.0) or abs(float(str(case["network.init_scale"]))) <= 1:
        keys.add("network.init_scale")
    if case["fault"] == "none":
        keys.add("fault")
    return keys


def neighbours(case: Case, *, numbers: bool, idle: Collection[str] = ()) -> Iterator[tuple[str, Case]]:
    """Cases one change away, then those two changes away: the overrides that lead there, and the case."""
    single = [c for c in changes(case, numbers=numbers) if c.key not in idle]
    pairs = (pair for pair in combinations(single, 2) if pair[0].key != pair[1].key)
    for several in (*((c,) for c in single), *pairs):
        settings = {**WHEN_MISSING, **case.values, "training": "none"}
        for change in several:
            if len(change.settings) > 1:  # another choice: parameters of the one that goes, go too
                kept = {f"{change.key}.{name}" for name in components.OWN_KEYS.get(change.key, ())}
                for key in [k for k in settings if k.startswith(change.key + ".") and k not in kept]:
                    del settings[key]
            settings.update(change.settings)
        settings["check.parameters"] = _fewer(case)
        try:
            yield " ".join(map(str, several)), canonical(settings)
        except ConfigurationError:
            continue  # this loss does not take these targets


def _fewer(case: Case) -> Value:
    wanted = case["check.parameters"]
    return min(wanted, PARAMETERS) if isinstance(wanted, int) else PARAMETERS


def cures_of(
    case: Case, agrees: Callable[[Case], bool], *, numbers: bool, idle: Collection[str] = ()
) -> Cures:
    """Try the neighbours of a case that disagrees, at most `check.cures` of them.

    Two changes at a time are tried only where no single one is enough. Axes in `idle` are known not to
    matter; `numbers` says that precision and step may.
    """
    limit = case["check.cures"]
    assert isinstance(limit, int)
    found: list[str] = []
    failed: list[str] = []
    for overrides, neighbour in islice(neighbours(case, numbers=numbers, idle=idle), limit):
        if " " in overrides and found and " " not in found[0]:
            break
        (found if agrees(neighbour) else failed).append(overrides)
    return Cures(tuple(found), tuple(failed))
