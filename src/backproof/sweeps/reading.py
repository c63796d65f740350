"""Groups of a case read from a flat mapping keyed as overrides, each checked once and kept as one object."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps import components
from backproof.sweeps.custom import VALUE, VARIABLES
from backproof.sweeps.modules import remembered
from backproof.sweeps.overrides import AXES, MISSING, TARGET, Value
from backproof.sweeps.settings import ComponentSettings, Group, TrainingSettings
from backproof.sweeps.validation import validated

G = TypeVar("G", bound=Group)

Items = tuple[tuple[str, Value], ...]
"""Settings of one group by name; the choice's has the empty name and is first."""

Given = dict[str, Items]
"""Settings by group."""


def by_group(settings: Mapping[str, Value]) -> Given:
    """Settings by group.

    Raises:
        ConfigurationError: for a key of no group, or a value that is a mapping.
    """
    values = list(settings.values())
    for i, value in enumerate(values):
        if isinstance(value, dict):
            raise ConfigurationError(f"{list(settings)[i]}: must be a single value; not {value}")
        if isinstance(value, list | tuple):
            values[i] = _hashable(value)
        elif value == MISSING:
            key = list(settings)[i]
            raise ConfigurationError(f"{key}: must be given; its file leaves it open ({MISSING})")
    places = _by_group(tuple(settings))
    return {group: tuple([(name, values[i]) for name, i in places[group]]) for group in places}


@lru_cache(maxsize=1 << 12)
def _by_group(keys: tuple[str, ...]) -> dict[str, list[tuple[str, int]]]:
    """Names in each group, each with its position; the cells of a sweep have few different sets of keys."""
    found: dict[str, list[tuple[str, int]]] = {}
    for i, key in enumerate(keys):
        group, _, name = key.partition(".")
        if group not in AXES:
            raise ConfigurationError(f"{key}: unknown{nearest(key, AXES)}")
        found.setdefault(group, []).append((name, i))
    return {group: sorted(names) for group, names in found.items()}


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def chosen(given: Given, key: str) -> Value:
    """The value at a group's own key; None without one."""
    name, value = given[key][0] if key in given else ("", None)
    return value if name == "" else None


def kind_of(given: Given) -> Value:
    """What kind of function from outside the settings are about; None for the built-in network."""
    return dict(given.get("subject", ())).get("by")


def read(key: str, model: type[G], given: Given) -> G:
    """A group's settings as a model.

    Raises:
        ConfigurationError: naming the key that is missing, unknown or wrong.
    """
    if chosen(given, key) is None:
        raise ConfigurationError(f"{key}: is missing, and every case needs it")
    items = given[key]
    return _group(key, model, items, tuple([type(value) for _, value in items]))


def read_value(key: str, given: Given) -> Value:
    """The value of a key that is no group.

    Raises:
        ConfigurationError: naming a key within it.
    """
    *_, (name, value) = given[key]
    if name:
        raise ConfigurationError(f"{key}.{name}: unknown{nearest(f'{key}.{name}', AXES)}")
    return value


@remembered()
def _group(key: str, model: type[G], items: Items, _kinds: tuple[type, ...]) -> G:
    """A group's settings, checked; the kinds keep 1, 1.0 and true apart."""
    values: dict[str, Any] = dict(items)
    found: dict[str, Any] = {"name": values.pop("")}
    if issubclass(model, ComponentSettings):
        known = model.settings()
        found[TARGET] = values.pop(TARGET, None)
        parameters = {k: values.pop(k) for k in sorted(values) if k not in known}
        found["parameters"] = tuple((k, v) for k, v in parameters.items() if v is not None)
    elif unknown := next((k for k in values if k not in model.settings()), None):
        hint = nearest(unknown, model.settings())
        raise ConfigurationError(f"{key}.{unknown}: unknown{hint}")
    _refuse_value_beside_code(key, found)
    if issubclass(model, TrainingSettings) and values.get("learning_rate") is None:
        values["learning_rate"] = _default_learning_rate(found)
    group = validated(model, {**found, **values}, f"{key}.")
    if isinstance(group, ComponentSettings):
        group = components.without_own_target(key, group)
        group = group.changed(parameters=components.declared(key, group))
    return interned(group)


def _refuse_value_beside_code(key: str, found: Mapping[str, Any]) -> None:
    """An expression that would take the place of code that is named, and of what that code does."""
    target, given = found.get(TARGET), dict(found.get("parameters", ()))
    if key in VARIABLES and VALUE in given and str(target or "").startswith("backproof."):
        raise ConfigurationError(
            f"{key}.{VALUE}: unknown, since {key}={found['name']} is code; ~{key}.{TARGET} takes that out"
        )


def _default_learning_rate(found: dict[str, Any]) -> float:
    component = validated(ComponentSettings, found, "training.")
    return components.optimiser(component).learning_rate


@remembered()
def interned(group: G) -> G:
    """One object for all groups that are equal, so that a grid of many cells holds and sends each once."""
    return group
