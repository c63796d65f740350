"""Choices that are code, put into Hydra's store: they need no configuration files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum

from hydra.core.config_store import ConfigStore

from backproof.network.number_formats import FORMATS, MANTISSA
from backproof.sweeps.engines import ENGINES, options_of
from backproof.sweeps.groups import CHOICES


def register() -> None:
    """Let Hydra find the choices. It looks here last, so that a file of the same name takes precedence."""
    store = ConfigStore.instance()
    for group, name, node in _nodes():
        plain = {key: value.value if isinstance(value, Enum) else value for key, value in node.items()}
        store.store(group=group, name=name, node=plain, provider="backproof")


def hidden_by(files: Callable[[str], Iterable[str]]) -> list[tuple[str, str]]:
    """The choices, group and name, that files of the same names take the place of; `files` are a group's."""
    return [(group, name) for group, name, _ in _nodes() if name in files(group)]


@contextmanager
def hiding(choices: Iterable[tuple[str, str]]) -> Iterator[None]:
    """Keep choices from Hydra meanwhile: it would merge a file of the same name into them."""
    store = ConfigStore.instance().repo
    kept = [(store[group], f"{name}.yaml") for group, name in choices]
    nodes = [group.pop(name) for group, name in kept]
    try:
        yield
    finally:
        for (group, name), node in zip(kept, nodes, strict=True):
            group[name] = node


def _nodes() -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """Group, name and configuration of each choice."""
    for group, choices in CHOICES.items():
        for name, node in choices.nodes():
            yield group, name, node
    for name in FORMATS:
        if name.startswith(MANTISSA):
            yield "precision", name, {}
    for name in ENGINES:
        yield "engine", name, options_of(name)
