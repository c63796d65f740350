"""Configurations put together as Hydra would, from parts that are read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from backproof import paths
from backproof.sweeps.canonical import SAME, case_of
from backproof.sweeps.case import Case
from backproof.sweeps.commands import overrides_of
from backproof.sweeps.composition.files import Files, Parts, plain
from backproof.sweeps.composition.flat import flatten
from backproof.sweeps.composition.store import register
from backproof.sweeps.grid import Cell
from backproof.sweeps.overrides import GROUPS, Settings, Value

CONFIG_NAME = "config"
"""The primary configuration: conf/config.yaml."""


class Composer:
    """The default configuration, and every combination of choices that it has.

    Attributes:
        config: the default configuration as Hydra composed it.
        files: the files that it is made of, and their alternatives.
    """

    def __init__(self, config_name: str, overrides: Sequence[str] = (), extra: Sequence[str] = ()) -> None:
        """Compose the default configuration.

        Args:
            config_name: the primary configuration.
            overrides: what holds for the whole sweep: `engine=serial`, `hydra.searchpath=[…]`.
            extra: what only Hydra can apply, to each composition anew: `+key=…`, `~key`, `group@package=…`.

        Raises:
            HydraException: if there is no such configuration, or an override does not apply to it.
        """
        register()
        self.config_name, self.overrides, self.extra = config_name, list(overrides), list(extra)
        self.config = self._hydra()
        self.base, self.default_choices = parts_of(self.config)
        self.files = Files(self.config.hydra.runtime.config_sources)
        choices = map(str, self.config.hydra.runtime.choices)
        self.groups = [group for group in choices if not group.startswith("hydra/")]

    def _hydra(self, *choices: str) -> DictConfig:
        overrides = [*self.overrides, *choices, *self.extra]
        with _hydra_of_its_own(), initialize_config_dir(str(paths.conf()), version_base="1.3"):
            return compose(self.config_name, overrides, return_hydra_config=True)

    def compose(self, choices: Mapping[str, str]) -> tuple[Parts, dict[str, str]]:
        """The configuration with these choices, and the choice of every group.

        Hydra itself composes where a file does more than fill its own group.
        """
        changed = {g: c for g, c in choices.items() if self.default_choices.get(g) != c}
        parts = {group: self.files.part(group, choice) for group, choice in changed.items()}
        if self.extra or None in parts.values():
            return parts_of(self._hydra(*(f"{group}={choice}" for group, choice in choices.items())))
        return {**self.base, **parts}, {**self.default_choices, **changed}

    @property
    def keys(self) -> list[str]:
        """The groups, and the keys of the default configuration."""
        inner = [f"{g}.{k}" for g, part in self.base.items() if isinstance(part, dict) for k in part]
        return [*self.groups, *self.base, *inner]

    def combination(self, choices: Mapping[str, str]) -> Composed:
        """The configuration with these choices, ready for values."""
        return Composed(*self.compose(choices), self.default_choices)

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
def _hydra_of_its_own() -> Iterator[None]:
    """Set aside the Hydra application that may be running around us, such as that of our own plugin."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = outer


def parts_of(config: DictConfig) -> tuple[Parts, dict[str, str]]:
    """A composed configuration without Hydra's own part, and the choices that it is made of."""
    job = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return plain(job) or {}, _chosen(config.hydra.runtime.choices)


def _chosen(choices: Mapping[str, object]) -> dict[str, str]:
    """The choices that are made, without those of Hydra's own groups."""
    return {group: str(c) for group, c in choices.items() if c and not group.startswith("hydra/")}


class Composed:
    """One combination of choices, on whose copies values are set."""

    def __init__(self, config: Parts, chosen: dict[str, str], default_choices: Mapping[str, str]) -> None:
        self.config, self.chosen, self.default_choices = config, chosen, default_choices
        self.settings = flatten(config, chosen)
        self.takes_keywords = self.settings.get("subject.by") is not None
        self.interpolated = any(isinstance(v, str) and "${" in v for v in self.settings.values())

    def with_values(self, values: Settings) -> Settings:
        """The settings with these values in place of their own; interpolations follow them."""
        if not self.interpolated:
            return {**self.settings, **values}
        config = OmegaConf.create(self.config)
        for key, value in values.items():
            OmegaConf.update(config, key, list(value) if isinstance(value, tuple) else value)
        return flatten(plain(config, resolve=True) or {}, self.chosen)

    def overrides(self, case: Case) -> tuple[str, ...]:
        """The fewest overrides that make this case again."""
        # The activation says what the output is, and may be a choice that no output file has.
        if self.chosen.get("output") != SAME or "activation" not in case.flat():
            return overrides_of(case, self._differs)
        named = overrides_of(case, lambda key, v: key.partition(".")[0] != "output" and self._differs(key, v))
        return named if self.default_choices.get("output") == SAME else (*named, f"output={SAME}")

    def _differs(self, key: str, value: Value) -> bool:
        group, _, inner = key.partition(".")
        if not inner and group in GROUPS:
            return value != self.default_choices.get(group)
        if group == "output" and self.chosen.get("output") == SAME:
            return True  # the command names the output, whose own file may hold other values
        return bool(value != self.settings.get(key))


def cell_of(config: Parts, choices: Mapping[str, str]) -> Cell:
    """The cell of a configuration that Hydra composed and resolved; its overrides name every setting."""
    case = case_of(flatten(config, choices))
    same = choices.get("output") == SAME and "activation" in case.flat()
    named = overrides_of(case, lambda key, _value: not (same and key.partition(".")[0] == "output"))
    return Cell(case, (*named, f"output={SAME}") if same else named)


def cell_of_job(config: DictConfig, choices: Mapping[str, object]) -> Cell:
    """The cell of one of Hydra's jobs, from its configuration and the choices of all groups."""
    return cell_of(plain(config, resolve=True) or {}, _chosen(choices))
