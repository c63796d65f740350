"""Choices that are code, put into Hydra's store: they need no configuration files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

from hydra.core.config_store import ConfigStore

from backproof.sweeps.engines import ENGINES, options_of
from backproof.sweeps.groups import CHOICES


def register() -> None:
    """Let Hydra find the choices. It looks here last, so that a file of the same name takes precedence."""
    store = ConfigStore.instance()
    for group, name, node in _nodes():
        plain = {key: value.value if isinstance(value, Enum) else value for key, value in node.items()}
        store.store(group=group, name=name, node=plain, provider="backproof")


def _nodes() -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """Group, name and configuration of each choice."""
    for group, choices in CHOICES.items():
        for name, node in choices.nodes():
            yield group, name, node
    for name in ENGINES:
        yield "engine", name, options_of(name)
