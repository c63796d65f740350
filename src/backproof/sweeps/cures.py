"""Cures: the smallest changes of a backward rule under which its gradient is right, found by trying them.

A neighbour of a case differs in one axis, or where none of those is right, in two. No change touches the
problem: another loss or output has another gradient, so that it would say nothing about this one. Only where
the rule is right, and its numbers are not, do the step and the precision of the check change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice

from backproof.estimates.stencils import Scheme
from backproof.network.activations import KinkRule
from backproof.network.clips import ClipBackward
from backproof.network.deltas.exact import exact
from backproof.network.faults.none import none as no_fault
from backproof.network.number_formats import NetworkPrecision
from backproof.sweeps.canonical import case_of
from backproof.sweeps.case import NetworkCase
from backproof.sweeps.groups import CHOICES
from backproof.sweeps.overrides import OFF, Settings, Value, shown
from backproof.verdicts.check import Cures

PARAMETERS = 200
"""Where every parameter has to be moved by itself, a neighbour is checked in a seeded sample of so many."""


@dataclass(frozen=True)
class Change:
    """One axis set to another value."""

    key: str
    value: Value

    def __str__(self) -> str:
        return f"{self.key}={shown(self.value)}"


def changes(case: NetworkCase, *, numbers: bool) -> Iterator[Change]:
    """Changes of one axis that are worth a try.

    `numbers` says that the rule is right: only then can precision and step be what cures.
    """
    wanted = [
        Change("fault", no_fault.name),
        Change("delta", exact.name),
        Change("clip.backward", ClipBackward.CONSISTENT.value),
        Change("kink", KinkRule.MULTIPLY.value),
        *(Change("relu_at_zero", x) for x in (0.5, 0.0, 1.0)),
    ]
    if numbers:
        wanted[:0] = [
            Change("check.step", None),
            Change("check.scheme", Scheme.FIVE_POINT.value),
            Change("precision", NetworkPrecision.FLOAT64.value),
            Change("precision", NetworkPrecision.LONGDOUBLE.value),
        ]
    needless, settings = _needless(case), case.flat()
    for change in wanted:
        if change.key not in needless and settings.get(change.key) != change.value:
            yield change


def _needless(case: NetworkCase) -> set[str]:
    """Axes that cannot matter to the case."""
    settings = case.flat()
    keys = {k for k in ("clip.backward", "kink", "relu_at_zero") if k not in settings}
    if case.precision is NetworkPrecision.LONGDOUBLE:
        keys.add("precision")
    return keys


def neighbours(case: NetworkCase, *, numbers: bool) -> Iterator[tuple[str, NetworkCase]]:
    """Cases one change away, then those two changes away: the overrides that lead there, and the case."""
    single = list(changes(case, numbers=numbers))
    pairs = (pair for pair in combinations(single, 2) if pair[0].key != pair[1].key)
    base = at_rest(case)
    plain, key = base.flat(), base.numerical_key
    for several in (*((c,) for c in single), *pairs):
        neighbour = _case_of(_with(plain, several))
        if neighbour.numerical_key != key and _moves_each(neighbour):
            neighbour = _case_of(_with({**plain, "check.parameters": _fewer(case)}, several))
        yield " ".join(map(str, several)), neighbour


def _case_of(settings: Settings) -> NetworkCase:
    found = case_of(settings)
    assert isinstance(found, NetworkCase)
    return found


def _moves_each(case: NetworkCase) -> bool:
    """Whether its numerical gradient takes evaluations of every parameter that is compared."""
    return case.check is not None and (
        case.check.step is not None or case.check.scheme is not Scheme.FIVE_POINT
    )


def at_rest(case: NetworkCase) -> NetworkCase:
    """The case without training, and checked in full: its neighbours in the rule alone share its problem."""
    if case.training is None and not (case.check and case.check.screened):
        return case
    return _case_of({**case.flat(), "training": OFF, "check.screened": False})


def _with(settings: Settings, several: Iterable[Change]) -> Settings:
    """Settings with changes; another choice of a component has none of the parameters of the one before."""
    replaced = tuple(f"{change.key}." for change in several if change.key in CHOICES)
    kept = {key: value for key, value in settings.items() if not key.startswith(replaced)}
    return {**kept, **{change.key: change.value for change in several}}


def _fewer(case: NetworkCase) -> int:
    """How many parameters of a neighbour are checked."""
    wanted = case.check.parameters if case.check else PARAMETERS
    return PARAMETERS if wanted == "all" else min(wanted, PARAMETERS)


def cures_of(case: NetworkCase, cured: Callable[[NetworkCase], bool | None], *, numbers: bool) -> Cures:
    """Try the neighbours of a case that disagrees, at most `check.cures` of them.

    Two changes at a time are tried only where no single one is enough. `numbers` says that the rule is right.
    A neighbour of which `cured` is None is undecided, and neither a cure nor none.
    """
    limit = case.check.cures if case.check else 0
    found: list[str] = []
    failed: list[str] = []
    for overrides, neighbour in islice(neighbours(case, numbers=numbers), limit):
        if " " in overrides and found and " " not in found[0]:
            break
        known = cured(neighbour)
        if known is not None:
            (found if known else failed).append(overrides)
    return Cures(tuple(found), tuple(failed))
