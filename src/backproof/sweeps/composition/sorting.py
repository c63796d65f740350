"""Overrides about cells, sorted: axes of a grid, choices that only Hydra can make, and deleted keys."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, OverrideType, QuotedString, Transformer
from hydra.errors import HydraException

from backproof.errors import ConfigurationError, not_one_of
from backproof.sweeps.composition.composer import Composer
from backproof.sweeps.composition.errors import one_line
from backproof.sweeps.overrides import Value, shown
from backproof.sweeps.products import MOST_VALUES, Axis, Form, Product

EXPERIMENT = "experiment"

FORMS = {OverrideType.CHANGE: Form.SET, OverrideType.ADD: Form.ADD, OverrideType.FORCE_ADD: Form.FORCE}


def parsed(lines: Iterable[str]) -> list[Override]:
    """Overrides, read by Hydra's grammar.

    Raises:
        ConfigurationError: if one is not in Hydra's syntax.
    """
    try:
        return OverridesParser.create().parse_overrides(list(lines))
    except HydraException as error:
        raise ConfigurationError(one_line(error)) from error


class Sorted:
    """Overrides, sorted: axes, choices that only Hydra can make, and keys that are deleted."""

    def __init__(self, composer: Composer) -> None:
        self.composer = composer
        self.axes: list[Axis] = []
        self.extra: list[tuple[str, ...]] = []
        self.without: list[str] = []

    def product(self) -> Product:
        """The product that they span."""
        return Product(self.composer, tuple(self.axes), tuple(self.extra), tuple(self.without))

    def add(self, override: Override, *, required: bool) -> None:
        """Sort in the next one; it takes precedence over those before."""
        key = override.key_or_group
        if self._is_for_hydra(override):
            self.extra.append(tuple(_lines(override, self.composer)))
        elif override.is_delete():
            self._delete(override)
        elif isinstance(override.value(), dict):
            for inner, value in _leaves(key, override.value()):
                self.axes.append(Axis(inner, (_value(inner, value),), required, FORMS[override.type]))
        else:
            values = tuple(values_of(override, self.composer))
            self.axes.append(Axis(key, values, required, FORMS[override.type]))

    def _delete(self, override: Override) -> None:
        key = override.key_or_group
        if override.value() is not None:
            raise ConfigurationError(f"~{key}: deletes a key, whatever its value; give the key alone")
        self.axes = [axis for axis in self.axes if axis.key != key]
        if key not in self.without:
            self.without.append(key)

    def _is_for_hydra(self, override: Override) -> bool:
        """Whether it is a choice that only Hydra can make: added, deleted, or put into another's place."""
        key, composer = override.key_or_group, self.composer
        if override.package is not None:
            return True
        if isinstance(override.value(), dict) or not (key in composer.groups or composer.files.is_group(key)):
            return False
        if override.is_force_add():
            raise ConfigurationError(f"{key}: ++ is for values; {key}=… chooses one of its files")
        if override.is_add() and key in composer.groups:
            raise ConfigurationError(f"{key}: has a choice already, and + only adds; {key}=… replaces it")
        if key not in composer.groups and not override.is_add() and not override.is_delete():
            raise ConfigurationError(
                f"{key}: is not in the list of defaults; +{override.input_line} adds a choice"
            )
        return key not in composer.groups or override.is_delete()


def _lines(override: Override, composer: Composer) -> Iterator[str]:
    """An override of a choice with each of its values."""
    if not override.is_sweep_override():
        yield str(override.input_line)
        return
    for value in values_of(override, composer):
        yield f"{override.get_key_element()}={shown(value)}"


def _leaves(key: str, value: object) -> Iterator[tuple[str, object]]:
    """The values of a mapping, `loss={l2: 0.1}`, by the keys that they would have as overrides."""
    if not isinstance(value, dict):
        yield key, value
        return
    for inner, each in value.items():
        yield from _leaves(f"{key}.{inner}", each)


def values_of(override: Override, composer: Composer) -> Iterator[Value]:
    """The values that an override gives its key, one or several."""
    key = override.key_or_group
    choices = composer.options(key) if key in (*composer.groups, EXPERIMENT) or override.package else None
    if override.is_sweep_override():
        yield from _swept(override, choices or composer.options(key))
        return
    value = override.value()
    if key in composer.groups and not isinstance(value, str):
        raise not_one_of(key, str(override.input_line).partition("=")[2] or "null", choices or [])
    yield _value(key, value)


def _swept(override: Override, choices: list[str]) -> Iterator[Value]:
    key, value = override.key_or_group, override.value()
    if not override.is_discrete_sweep():
        raise ConfigurationError(
            f"{key}: an interval needs a sweeper that optimises, as hydra/sweeper=optuna does"
            " (pip install 'backproof[optuna]'); here give a list, range(…) or choice(…)"
        )
    if isinstance(value, Glob):
        elements: list[object] = list(value.filter(choices))
    else:
        elements = list(itertools.islice(override.sweep_iterator(Transformer.identity), MOST_VALUES + 1))
    if len(elements) > MOST_VALUES:
        raise ConfigurationError(
            f"{key}: has more than {MOST_VALUES:,} values; at most so many make one axis"
        )
    if not elements:
        raise ConfigurationError(f"{key}: {override.input_line} matches nothing")
    for element in elements:
        yield _value(key, element)


def _value(key: str, value: object) -> Value:
    """A value as the parser made it, of its own types where text was quoted."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return tuple(_value(key, each) for each in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigurationError(f"{key}: must be a single value; not {value}")
