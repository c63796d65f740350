"""Products of axes: the choices that they combine, and which axes apply to which combination.

How choices become settings is not known here: `composition` hands in an `Assembly` that does it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from backproof.errors import ConfigurationError, nearest, not_one_of
from backproof.sweeps.case import Case
from backproof.sweeps.overrides import INTERPOLATION, Settings, Value, is_public

MOST_VALUES = 100_000
"""Of an axis."""


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
    def interpolated(self) -> bool:
        """Whether a value refers to others."""
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


def combinations_of(product: Product) -> list[Combination]:
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


def applied(product: Product, combinations: Sequence[Combination]) -> set[str]:
    """The keys of the product's axes that some combination has.

    Raises:
        ConfigurationError: if no choice at all has a key, chosen or not.
    """
    known = {key for each in combinations for key in each.settings}
    names = [*product.assembly.groups, *(k for k in known if is_public(k))]
    found = set()
    for axis in product.axes:
        if axis.form is Form.ADD and any(each.has(axis.key) for each in combinations):
            raise ConfigurationError(
                f"{axis.key}: is there already, and + only adds; {axis.key}=… or ++{axis.key}=… sets it"
            )
        if axis.key in product.assembly.groups or any(applies(axis, each) for each in combinations):
            found.add(axis.key)
        elif axis.key not in product.assembly.keys_of(axis.key.partition(".")[0]):
            raise ConfigurationError(f"{axis.key}: unknown{nearest(axis.key, names)}")
    for key in product.without:
        if not any(key in each.without for each in combinations):
            raise ConfigurationError(f"~{key}: there is nothing to delete{nearest(key, names)}")
    return found


def is_keyword(key: str) -> bool:
    """Whether a key may be an argument of a function from outside, which no file lists."""
    return key.startswith("subject.") and is_public(key)


def applies(axis: Axis, combination: Combination) -> bool:
    """Whether a value can be set: relu has no slope, and a function from outside any keyword."""
    if axis.form is not Form.SET or axis.key in combination.settings:
        return True
    return is_keyword(axis.key) and combination.takes_keywords
