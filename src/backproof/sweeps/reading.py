"""Groups of a case read from a flat mapping keyed as overrides, each checked once and kept as one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps import components
from backproof.sweeps.case import AXES, TARGET, ComponentSettings, Group, TrainingSettings, Value
from backproof.sweeps.modules import remembered
from backproof.sweeps.validation import validated

G = TypeVar("G", bound=Group)

Given = dict[str, dict[str, Value]]
"""Settings by group; the value at the group's own key has the empty name."""


def by_group(settings: Mapping[str, Value]) -> Given:
    """Settings by group.

    Raises:
        ConfigurationError: for a key of no group, or a value that is a mapping.
    """
    found: Given = {}
    for key, value in settings.items():
        group, _, name = key.partition(".")
        if group not in AXES:
            raise ConfigurationError(f"{key}: unknown{nearest(key, AXES)}")
        if isinstance(value, dict):
            raise ConfigurationError(f"{key}: must be a single value; not {value}")
        found.setdefault(group, {})[name] = _hashable(value) if isinstance(value, list | tuple) else value
    return found


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def read(key: str, model: type[G], given: Given) -> G:
    """A group's settings as a model.

    Raises:
        ConfigurationError: naming the key that is missing, unknown or wrong.
    """
    values = given.get(key, {})
    if values.get("") is None:
        raise ConfigurationError(f"{key}: is missing, and every case needs it")
    return _group(key, model, tuple(values.items()), tuple(map(type, values.values())))


@remembered()
def _group(key: str, model: type[G], items: tuple[tuple[str, Value], ...], _kinds: tuple[type, ...]) -> G:
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
    if issubclass(model, TrainingSettings) and "learning_rate" not in values:
        values["learning_rate"] = _default_learning_rate(found)
    group = validated(model, {**found, **values}, f"{key}.")
    if isinstance(group, ComponentSettings):
        group = components.without_own_target(key, group)
        group = group.changed(parameters=components.declared(key, group))
    return interned(group)


def _default_learning_rate(found: dict[str, Any]) -> float:
    component = validated(ComponentSettings, found, "training.")
    return components.optimiser(component).learning_rate


@remembered()
def interned(group: G) -> G:
    """One object for all groups that are equal, so that a grid of many cells holds and sends each once."""
    return group
