"""Grids: the distinct cells of a product of axes, those that an experiment leaves out marked with the reason.

How choices become settings is not known here: `composition` hands in an `Assembly` that does it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

import numpy as np

from backproof.errors import ConfigurationError, nearest, not_one_of
from backproof.sweeps import modules
from backproof.sweeps.canonical import case_of
from backproof.sweeps.case import Case
from backproof.sweeps.commands import command_of
from backproof.sweeps.experiment import Exclusion
from backproof.sweeps.expressions import parse
from backproof.sweeps.overrides import INTERPOLATION, Settings, Value, is_public, ordered

MOST_VALUES = 100_000
MOST_POINTS = 2_000_000
"""Values of an axis and points of a grid: they are all known, and validated, before the first cell runs."""


@dataclass(frozen=True)
class Cell:
    """A point of a grid.

    Attributes:
        overrides: the fewest that make this case again.
        options: what its command needs beside them, such as --config-dir.
        excluded: why it is left out, if it is.
    """

    case: Case
    overrides: tuple[str, ...]
    options: tuple[str, ...] = ()
    excluded: str | None = None

    @property
    def command(self) -> str:
        """The command that reproduces the cell."""
        return command_of(self.options, self.overrides)


@dataclass
class Grid:
    """The distinct cells of a sweep, in the order of the grid.

    Attributes:
        requested: how many points the grid has, duplicates included.
        idle: axes with several values that make no difference to any cell.
    """

    cells: list[Cell] = field(default_factory=list)
    requested: int = 0
    idle: list[str] = field(default_factory=list)

    @property
    def duplicates(self) -> int:
        """How many points of the grid are equal in canonical form to an earlier one."""
        return self.requested - len(self.cells)

    @property
    def excluded(self) -> list[str]:
        """The reasons of the cells that are left out, one per cell."""
        return [cell.excluded for cell in self.cells if cell.excluded is not None]


class Form(Enum):
    """What an axis does with its key: gives it a value, adds it where it is not, or does either."""

    SET = ""
    ADD = "+"
    FORCE = "++"


@dataclass(frozen=True)
class Axis:
    """One dimension of a product: the values that a key takes.

    `required`: whether it is an error if none of the chosen files has that key. An axis of an experiment's
    file may be left without an effect by choices of the command line; one of the command line may not.
    """

    key: str
    values: tuple[Value, ...]
    required: bool = True
    form: Form = Form.SET


class Combination(Protocol):
    """A choice of each group, on whose copies values are set."""

    @property
    def settings(self) -> Settings:
        """The settings as the files have them."""
        ...

    @property
    def takes_keywords(self) -> bool:
        """Whether it is about a function from outside, which may take more than the files list."""
        ...

    @property
    def without(self) -> Sequence[str]:
        """The keys that were deleted from it."""
        ...

    def has(self, key: str) -> bool:
        """Whether the files have a value at a key."""
        ...

    def with_values(self, values: Settings) -> Settings:
        """The settings with these values in place of their own."""
        ...

    def overrides(self, case: Case, settings: Settings) -> tuple[str, ...]:
        """The fewest overrides that make this case again, from the settings that it was made of."""
        ...


class Assembly(Protocol):
    """What combines choices and knows which there are."""

    @property
    def groups(self) -> Sequence[str]:
        """The names of the groups."""
        ...

    def combination(
        self, choices: Mapping[str, str], extra: Sequence[str], without: Sequence[str]
    ) -> Combination:
        """The default configuration with these choices, others besides, and without these keys."""
        ...

    def options(self, group: str) -> list[str]:
        """The choices of a group."""
        ...

    def keys_of(self, group: str) -> set[str]:
        """The keys that any choice of a group has."""
        ...


@dataclass(frozen=True)
class Product:
    """A product of axes, and what assembles its points.

    Attributes:
        extra: for each choice that is of none of the assembly's groups, the overrides that make it.
        without: keys that are deleted from every combination.
    """

    assembly: Assembly
    axes: tuple[Axis, ...]
    extra: tuple[tuple[str, ...], ...] = ()
    without: tuple[str, ...] = ()


def expand(
    products: Sequence[Product],
    exclude: Sequence[Exclusion] = (),
    options: Sequence[str] = (),
    known: Iterable[str] = (),
) -> Grid:
    """Every cell of a union of products, validated; each distinct one once.

    Args:
        options: become part of each cell's command.
        known: settings that rules of exclusion may name beside those of these cells.

    Raises:
        ConfigurationError: if anything about any cell is wrong; nothing has run then.
    """
    modules.refresh()
    grid, seen, applied = Grid(), set[Case](), set[str]()
    for product in products:
        combinations = _combinations(product)
        applied |= _applied(product, combinations)
        for point in _points(product, combinations):
            grid.requested += point.times
            case = case_of(point.settings)
            if case not in seen:
                seen.add(case)
                grid.cells.append(Cell(case, point.overrides(case), tuple(options)))
    axes = [axis for product in products for axis in product.axes]
    for axis in axes:
        if axis.required and axis.key not in applied:
            group = axis.key.partition(".")[0]
            raise ConfigurationError(f"{axis.key}: not among the values of the chosen {group}")
    grid.cells = _marked(grid.cells, exclude, known)
    there = {key for cell in grid.cells for key in cell.case.flat()}
    grid.idle = list(dict.fromkeys(a.key for a in axes if len(a.values) > 1 and a.key not in there))
    return grid


def _combinations(product: Product) -> list[Combination]:
    """Each combination of the choices that the product's axes name."""
    assembly = product.assembly
    axes = [a for a in product.axes if a.key in assembly.groups]
    for axis in axes:
        options = assembly.options(axis.key)
        for value in axis.values:
            if value not in options and INTERPOLATION not in str(value):
                raise not_one_of(axis.key, repr(value), options)
    return [
        assembly.combination(
            {a.key: str(v) for a, v in zip(axes, values, strict=True)}, extra, product.without
        )
        for values in itertools.product(*(a.values for a in axes))
        for extra in itertools.product(*product.extra)
    ]


def _applied(product: Product, combinations: Sequence[Combination]) -> set[str]:
    """The keys of the product's axes that some combination has.

    Raises:
        ConfigurationError: if no choice at all has a key, chosen or not.
    """
    known = {key for each in combinations for key in each.settings}
    names = [*product.assembly.groups, *(k for k in known if is_public(k))]
    applied = set()
    for axis in product.axes:
        if axis.form is Form.ADD and any(each.has(axis.key) for each in combinations):
            raise ConfigurationError(
                f"{axis.key}: is there already, and + only adds; {axis.key}=… or ++{axis.key}=… sets it"
            )
        if axis.key in product.assembly.groups or any(_applies(axis, each) for each in combinations):
            applied.add(axis.key)
        elif axis.key not in product.assembly.keys_of(axis.key.partition(".")[0]):
            raise ConfigurationError(f"{axis.key}: unknown{nearest(axis.key, names)}")
    for key in product.without:
        if not any(key in each.without for each in combinations):
            raise ConfigurationError(f"~{key}: there is nothing to delete{nearest(key, names)}")
    return applied


def is_keyword(key: str) -> bool:
    """Whether a key may be an argument of a function from outside, which no file lists."""
    return key.startswith("subject.") and is_public(key)


def _applies(axis: Axis, combination: Combination) -> bool:
    """Whether a value can be set: relu has no slope, and a function from outside any keyword."""
    if axis.form is not Form.SET or axis.key in combination.settings:
        return True
    return is_keyword(axis.key) and combination.takes_keywords


@dataclass(frozen=True)
class _Point:
    """Settings of the product; `times` counts its points with these, since some axes do not apply to them."""

    settings: Settings
    combination: Combination
    times: int

    def overrides(self, case: Case) -> tuple[str, ...]:
        """The fewest overrides that make this point's case again."""
        return self.combination.overrides(case, self.settings)


def _points(product: Product, combinations: Sequence[Combination]) -> Iterator[_Point]:
    points = math.prod(len(a.values) for a in product.axes)
    if points > MOST_POINTS:
        raise ConfigurationError(f"the grid has {points:,} points; at most {MOST_POINTS:,} make one sweep")
    axes = [a for a in product.axes if a.key not in product.assembly.groups]
    for combination in combinations:
        here = [a for a in axes if _applies(a, combination)]
        times = math.prod(len(a.values) for a in axes if a not in here)
        for values in itertools.product(*(a.values for a in here)):
            given = {a.key: v for a, v in zip(here, values, strict=True)}
            yield _Point(combination.with_values(given), combination, times)


def _marked(cells: list[Cell], rules: Sequence[Exclusion], known: Iterable[str]) -> list[Cell]:
    """The cells, those that a rule fits with its reason; of several rules the first counts."""
    if not rules or not cells:
        return cells
    import pandas as pd  # only experiments that leave something out pay for it

    rows = [cell.case.flat() for cell in cells]
    keys = ordered({k for row in rows for k in row if is_public(k)}.union(known))
    table = pd.DataFrame([[row.get(k) for k in keys] for row in rows], columns=keys, dtype=object)
    reasons: list[str | None] = [None] * len(cells)
    for number, rule in enumerate(rules):
        for i in np.flatnonzero(parse(f"exclude[{number}].where", rule.where, keys).truth(table)):
            reasons[i] = reasons[i] or rule.because
    return [replace(cell, excluded=reason) for cell, reason in zip(cells, reasons, strict=True)]
