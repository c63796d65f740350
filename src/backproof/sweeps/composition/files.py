"""The choices of a group and what their files hold, from the sources that Hydra searched."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml
from hydra.conf import ConfigSourceInfo
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from omegaconf import Container, OmegaConf

from backproof import paths
from backproof.errors import ConfigurationError
from backproof.sweeps.overrides import INTERPOLATION

Parts = dict[str, object]
"""A configuration as plain containers, interpolations unresolved."""


class Files:
    """Configuration files in Hydra's order: where several have one name, the first hides the others."""

    def __init__(self, sources: Sequence[ConfigSourceInfo]) -> None:
        self.sources = [s for s in sources if s.provider != "hydra"]
        self._options: dict[str, list[str]] = {}
        self._parts: dict[tuple[str, str], Parts | None] = {}

    @property
    def folders(self) -> list[Path]:
        """The sources that are folders."""
        return [Path(source.path) for source in self.sources if source.schema == "file"]

    def options(self, group: str) -> list[str]:
        """The choices of a group, in alphabetical order."""
        if group not in self._options:
            names = {name for source in self.sources for name in _names(source, group)}
            self._options[group] = sorted(n.removesuffix(".yaml") for n in names if n.endswith(".yaml"))
        return self._options[group]

    def in_folders(self, group: str) -> set[str]:
        """The choices of a group that are files."""
        files = (source for source in self.sources if source.schema != "structured")
        return {name.removesuffix(".yaml") for source in files for name in _names(source, group)}

    def is_group(self, key: str) -> bool:
        """Whether some source has choices of that name."""
        return bool(self.options(key))

    def only_lists_choices(self, config_name: str) -> bool:
        """Whether a primary configuration lists the choices of groups, and sets no value inside of one."""
        content = self._primary(config_name)
        if not isinstance(content, Mapping) or not isinstance(content.get("defaults"), list):
            return False
        values = (value for key, value in content.items() if key not in ("defaults", "hydra"))
        return all(map(_is_plain_default, content["defaults"])) and not any(
            isinstance(value, Mapping) for value in values
        )

    def _primary(self, config_name: str) -> object:
        for source in self.sources:
            if source.schema != "structured" and f"{config_name}.yaml" in _names(source, ""):
                text = _folder(source, "").joinpath(f"{config_name}.yaml").read_text(encoding="utf-8")
                return yaml.safe_load(text)
        return None

    def part(self, group: str, choice: str) -> Parts | None:
        """What a choice's file holds; None if it does more than fill its own group."""
        if (group, choice) not in self._parts:
            self._parts[group, choice] = self._read(group, f"{choice}.yaml")
        return self._parts[group, choice]

    def _read(self, group: str, name: str) -> Parts | None:
        for source in self.sources:
            if name not in _names(source, group):
                continue
            if source.schema == "structured":
                stored = ConfigStore.instance().load(f"{group}/{name}")
                return _filling(stored.node) if stored.package is None else None
            text = _folder(source, group).joinpath(name).read_text(encoding="utf-8")
            packaged = re.search(r"^#\s*@package", text, re.MULTILINE)
            return _filling(OmegaConf.create(text)) if not packaged else None
        return None


def _is_plain_default(entry: object) -> bool:
    """Whether an entry of a defaults list is `_self_`, one of Hydra's own, or a group with a fixed choice."""
    if not isinstance(entry, Mapping):
        return entry == "_self_"
    ((key, choice),) = entry.items()
    own = re.fullmatch(r"[\w/]+", str(key)) and isinstance(choice, str) and INTERPOLATION not in choice
    return bool(own) or str(key).startswith("override hydra/")


def _names(source: ConfigSourceInfo, group: str) -> list[str]:
    """What a source has in the folder of a group."""
    if source.schema == "structured":
        store = ConfigStore.instance()
        return store.list(group) if store.get_type(group) is ObjectType.GROUP else []
    folder = _folder(source, group)
    return [path.name for path in folder.iterdir()] if paths.is_folder(folder) else []


def _folder(source: ConfigSourceInfo, group: str) -> Traversable:
    if source.schema == "file":
        return Path(source.path) / group
    if source.schema == "pkg":
        return files(source.path.replace("/", ".")).joinpath(group)
    raise ConfigurationError(
        f"hydra.searchpath: must hold file:// and pkg:// addresses; not {source.schema}://{source.path}"
    )


def _filling(content: Container) -> Parts | None:
    return None if "defaults" in content else plain(content)


def plain(config: Container, *, resolve: bool = False) -> Parts | None:
    """A mapping as plain containers; None if it is a list."""
    content = OmegaConf.to_container(config, resolve=resolve)
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else None
