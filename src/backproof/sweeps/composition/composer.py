"""Configurations put together as Hydra would, from parts that are read once."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field

from hydra import compose, version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from backproof import paths
from backproof.errors import not_one_of
from backproof.sweeps.canonical import SAME
from backproof.sweeps.case import Case
from backproof.sweeps.commands import added, deleted, set_to
from backproof.sweeps.composition.files import Files, Parts, plain
from backproof.sweeps.composition.flat import flatten
from backproof.sweeps.composition.store import hidden_by, hiding, register
from backproof.sweeps.overrides import GROUPS, INTERPOLATION, TARGET, Settings, Value, ordered
from backproof.sweeps.products import is_keyword

CONFIG_NAME = "config"
"""The primary configuration: conf/config.yaml."""


class Composer:
    """The default configuration, and every combination of choices that it has.

    Attributes:
        config: the default configuration as Hydra composed it.
        files: the files that it is made of, and their alternatives.
    """

    def __init__(
        self, config_name: str, overrides: Sequence[str] = (), searchpath: Sequence[str] = ()
    ) -> None:
        """Compose the default configuration.

        Args:
            config_name: the primary configuration.
            overrides: what holds for the whole sweep: `engine=serial`, `hydra.searchpath=[…]`.
            searchpath: folders beside our own, as `--config-dir` names one: `file:///home/me/conf`.

        Raises:
            HydraException: if there is no such configuration, or an override does not apply to it.
        """
        register()
        self.config_name, self.overrides, self.searchpath = config_name, list(overrides), tuple(searchpath)
        self._hidden: list[tuple[str, str]] = []
        with warnings.catch_warnings():  # of a file that is merged into a choice of its name, see below
            warnings.filterwarnings("ignore", message=r"\s*'.*' is validated against ConfigStore schema")
            self.config = self.with_choices()
        self.files = Files(self.config.hydra.runtime.config_sources)
        self._hidden = hidden_by(self.files.in_folders)
        if self._hidden:
            self.config = self.with_choices()
        self.base, self.default_choices = parts_of(self.config)
        choices = map(str, self.config.hydra.runtime.choices)
        self.groups = [group for group in choices if not group.startswith("hydra/")]
        self._assembles = self.files.only_lists_choices(config_name)

    def with_choices(self, *choices: str) -> DictConfig:
        """The configuration as Hydra composes it, with overrides of choices."""
        overrides = [*self.overrides, *choices]
        with hiding(self._hidden), _hydra_of_its_own(self.searchpath):
            return compose(self.config_name, overrides, return_hydra_config=True)

    def combination(
        self, choices: Mapping[str, str], extra: Sequence[str] = (), without: Sequence[str] = ()
    ) -> Composed:
        """The configuration with these choices, ready for values.

        Args:
            choices: of groups of the defaults list.
            extra: choices that only Hydra can make: `+group=…`, `~group`, `group@package=…`.
            without: keys that are deleted afterwards.
        """
        choices = self._resolved(choices)
        whole = bool(extra) or not self._assembled_from_parts(choices)
        config, chosen = self.compose(choices, extra, whole=whole)
        named = choices if whole else self._changed(choices)
        return Composed(config, chosen, Replayed(named, tuple(extra), whole=whole), without)

    def compose(
        self, choices: Mapping[str, str], extra: Sequence[str] = (), *, whole: bool = False
    ) -> tuple[Parts, dict[str, str]]:
        """The configuration with these choices, and the choice of every group; `whole`: by Hydra itself."""
        if whole or not self._assembled_from_parts(choices):
            return parts_of(
                self.with_choices(*(f"{group}={choice}" for group, choice in choices.items()), *extra)
            )
        changed = self._changed(choices)
        parts = {group: self.files.part(group, choice) or {} for group, choice in changed.items()}
        return {**self.base, **parts}, {**self.default_choices, **changed}

    def _assembled_from_parts(self, choices: Mapping[str, str]) -> bool:
        """Whether each changed choice, the default one too, does nothing but fill its own group."""
        changed = self._changed(choices)
        files = [(g, c) for g, chosen in changed.items() for c in (chosen, self.default_choices.get(g, ""))]
        return not changed or (self._assembles and None not in [self.files.part(*each) for each in files])

    def _changed(self, choices: Mapping[str, str]) -> dict[str, str]:
        return {g: c for g, c in choices.items() if self.default_choices.get(g) != c}

    def _resolved(self, choices: Mapping[str, str]) -> dict[str, str]:
        """The choices, where one is `${activation}` or `${oc.env:NAME}` the one that this stands for."""
        if not any(INTERPOLATION in choice for choice in choices.values()):
            return dict(choices)
        known = OmegaConf.create({**self.default_choices, **choices})
        found = {group: str(known[group]) for group in choices}
        for group, choice in found.items():
            if choice not in self.options(group):
                raise not_one_of(group, repr(choice), self.options(group))
        return found

    @property
    def keys(self) -> list[str]:
        """The groups, and the keys of the default configuration."""
        inner = [f"{g}.{k}" for g, part in self.base.items() if isinstance(part, dict) for k in part]
        return [*self.groups, *self.base, *inner]

    def options(self, group: str) -> list[str]:
        """The choices of a group."""
        return self.files.options(group)

    def keys_of(self, group: str) -> set[str]:
        """The keys that any choice of a group has."""
        if group not in self.groups:
            return set()
        parts = (self.files.part(group, choice) or {} for choice in self.options(group))
        return {f"{group}.{key}" for part in parts for key in part}


@contextmanager
def _hydra_of_its_own(searchpath: Sequence[str]) -> Iterator[None]:
    """Set aside the Hydra application that may be running around us, such as that of our own plugin.

    Hydra's function that would do so, `initialize_config_dir`, takes one folder, and does not look in those
    of an override for the primary configuration.
    """
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    found = create_config_search_path(str(paths.conf()))
    for address in searchpath:
        found.prepend("command-line", address, SearchPathQuery(provider="schema"))
    version.setbase("1.3")
    try:
        Hydra.create_main_hydra2("backproof", found)
        yield
    finally:
        GlobalHydra.instance().hydra = outer


def parts_of(config: DictConfig) -> tuple[Parts, dict[str, str]]:
    """A composed configuration without Hydra's own part, and the choices that it is made of."""
    job = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return plain(job) or {}, chosen_in(config.hydra.runtime.choices)


def chosen_in(choices: Mapping[str, object]) -> dict[str, str]:
    """The choices that are made, without those of Hydra's own groups.

    `activation@output: tanh`, a choice of one group put into another's place, is a choice of the other.
    """
    made = {group: str(c) for group, c in choices.items() if c and not group.startswith("hydra/")}
    placed = {group.partition("@")[2]: choice for group, choice in made.items() if "@" in group}
    return {**made, **{group: choice for group, choice in placed.items() if group in GROUPS}}


@dataclass(frozen=True)
class Replayed:
    """The choices that a command makes again as they were made.

    Attributes:
        named: of groups of the defaults list.
        extra: those that only Hydra can make.
        whole: whether a choice may do more than fill its own group, so that none can be left out.
    """

    named: Mapping[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    whole: bool = False


class Composed:
    """One combination of choices, on whose copies values are set.

    Attributes:
        settings: what it composes to, without what is deleted.
        takes_keywords: whether it is about a function from outside.
    """

    def __init__(
        self, config: Parts, chosen: dict[str, str], replayed: Replayed, without: Sequence[str] = ()
    ) -> None:
        self.chosen, self.replayed = chosen, replayed
        self.filed = flatten(config, chosen)
        self.without = [key for key in without if _has(config, key)]
        self.config = _deleted(config, self.without)
        self.settings = flatten(self.config, chosen) if self.without else self.filed
        self.takes_keywords = self.settings.get("subject.by") is not None
        self.interpolated = any(map(is_interpolated, self.settings.values()))

    def has(self, key: str) -> bool:
        """Whether the files have a value at a key, not what has a default besides."""
        return _has(self.config, key)

    def with_values(self, values: Settings) -> Settings:
        """The settings with these values in place of their own; interpolations follow them."""
        if not self.interpolated and not any(map(is_interpolated, values.values())):
            return {**self.settings, **values}
        config = OmegaConf.create({key: _typed(key, value) for key, value in self.config.items()})
        for key, value in values.items():
            OmegaConf.update(config, key, _typed(key, value), force_add=True)
        return flatten(plain(config, resolve=True) or {}, self.chosen)

    def overrides(self, case: Case, settings: Settings) -> tuple[str, ...]:
        """The fewest overrides that make this case again, from the settings that it was made of."""
        wanted, replayed = self._wanted(case, settings), self.replayed
        changes = {
            group: set_to(group, wanted.get(group, choice) if self.chosen.get(group) == choice else choice)
            for group, choice in replayed.named.items()
            if group in wanted or replayed.whole
        }
        changes.update(self._changes(wanted, settings))
        return (*replayed.extra, *(changes[key] for key in ordered(changes)))

    def _wanted(self, case: Case, settings: Settings) -> Settings:
        """What the command has to set: the case's settings, and the code that choices stand for."""
        flat = case.flat()
        for key, value in settings.items():
            if key.endswith(f".{TARGET}") and key.partition(".")[0] in flat:
                flat[key] = value
        if self.chosen.get("output") != SAME or "output" not in flat:
            return flat
        # The activation is what the output is, also where the case has no hidden layer that it could be of.
        output = {k.removeprefix("output"): v for k, v in flat.items() if k.partition(".")[0] == "output"}
        others = {key: value for key, value in flat.items() if key.partition(".")[0] != "output"}
        return {**others, **{f"activation{inner}": v for inner, v in output.items()}, "output": SAME}

    def _changes(self, wanted: Settings, settings: Settings) -> Iterator[tuple[str, str]]:
        """Keys and overrides of values that differ from the files', and of those that are gone."""
        for key, value in wanted.items():
            if key in GROUPS:
                continue
            if key not in self.filed:
                plain = is_keyword(key) and self.takes_keywords
                if plain and key not in settings:
                    continue  # a default of a derivative's inputs
                yield key, set_to(key, value) if plain else added(key, value)
            elif not (_alike(settings.get(key), self.filed[key]) or _alike(value, self.filed[key])):
                yield key, set_to(key, value)
        groups = {key.partition(".")[0] for key in wanted}
        for key, value in self.filed.items():
            gone = value is not None and settings.get(key) is None and key not in wanted
            if gone and key.partition(".")[0] in groups:
                yield key, set_to(key, None) if key in settings else deleted(key)


def _alike(a: Value, b: Value) -> bool:
    """Whether two values are equal and of one kind: to a function from outside 1, 1.0 and true differ."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_alike, a, b))
    return type(a) is type(b) and a == b


def is_interpolated(value: Value) -> bool:
    """Whether a value refers to others, `${seed}`, or to the environment."""
    if isinstance(value, tuple):
        return any(map(is_interpolated, value))
    return isinstance(value, str) and INTERPOLATION in value


_FROM_ENVIRONMENT = re.compile(r"\$\{oc\.env:[^${}]*\}")


def _typed(key: str, value: object) -> object:
    """The same, with a variable of the environment in place of `${oc.env:NAME}`, read as an override is.

    OmegaConf makes a number of such text where a configuration has types; ours has them in the case.
    """
    if isinstance(value, Mapping):
        return {name: _typed(f"{key}.{name}", inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_typed(key, inner) for inner in value]
    if not isinstance(value, str) or not _FROM_ENVIRONMENT.fullmatch(value):
        return value
    text = OmegaConf.create({key: value})[key]
    try:
        found = OverridesParser.create().parse_override(f"value={text}").value()
    except HydraException:
        return value
    return found if found is None or isinstance(found, bool | int | float | list) else value


def _has(config: Mapping[str, object], key: str) -> bool:
    group, _, inner = key.partition(".")
    part = config.get(group)
    return (isinstance(part, Mapping) and inner in part) if inner else group in config


def _deleted(config: Parts, keys: Sequence[str]) -> Parts:
    if not keys:
        return config
    copy = deepcopy(config)
    for key in keys:
        group, _, inner = key.partition(".")
        part = copy[group]
        if inner and isinstance(part, dict):
            del part[inner]
        else:
            del copy[group]
    return copy
