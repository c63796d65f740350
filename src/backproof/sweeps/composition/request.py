"""Overrides as the user gives them, told apart: those of the run, those of Hydra, and the axes of a grid."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, QuotedString, Transformer
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf

from backproof import paths
from backproof.errors import ConfigurationError, not_one_of
from backproof.sweeps.composition.composer import CONFIG_NAME, Composer
from backproof.sweeps.composition.errors import one_line, translated
from backproof.sweeps.composition.files import Parts, plain
from backproof.sweeps.experiment import Experiment
from backproof.sweeps.grid import MOST_VALUES, Axis, Grid, Product, expand, is_keyword
from backproof.sweeps.overrides import RUN, Value, shown

SEARCHPATH = "hydra.searchpath"


@dataclass(frozen=True)
class Composition:
    """What overrides compose to.

    Attributes:
        name, experiment, engine: how the sweep is run.
        composer: the default configuration and its alternatives.
        overrides: those that are about cells.
    """

    name: str | None
    experiment: str | None
    engine: Parts
    composer: Composer
    overrides: tuple[Override, ...]

    @property
    def folders(self) -> list[Path]:
        """Configuration folders of the user's."""
        return [folder for folder in self.composer.files.folders if folder != paths.conf()]

    def grid(self, experiment: Experiment | None = None) -> Grid:
        """The cells of the overrides and the experiment, in which the overrides take precedence.

        Raises:
            ConfigurationError: if anything about any cell is wrong.
        """
        options = [f"--config-dir={folder}" for folder in self.folders[:1]]
        if self.folders[1:]:
            options.append(searchpath_override(map(str, self.folders[1:])))
        with translated(lambda: self.composer.keys):
            products = list(self._products(experiment))
            return expand(products, experiment.exclude if experiment else (), options)

    def _products(self, experiment: Experiment | None) -> Iterator[Product]:
        composers: dict[tuple[str, ...], Composer] = {(): self.composer}
        for grid in experiment.grids if experiment else ({},):
            filed = self._filed(grid)
            extra = tuple(str(o.input_line) for o in (*filed, *self.overrides) if _is_for_hydra(o))
            if extra not in composers:
                composers[extra] = Composer(self.composer.config_name, self.composer.overrides, extra)
            axes = [
                _axis(override, self.composer, required=override not in filed)
                for override in (*filed, *self.overrides)
                if not _is_for_hydra(override)
            ]
            yield Product(composers[extra], tuple(axes))

    def _filed(self, grid: Mapping[str, str]) -> list[Override]:
        """The overrides of an experiment's grid that the command line does not replace."""
        keys = {override.key_or_group for override in self.overrides}
        filed = parsed(f"{key}={value}" for key, value in grid.items() if key not in keys)
        for override in filed:
            if _is_of_run(override):
                key = override.key_or_group
                raise ConfigurationError(f"{key}: belongs on the command line, not into a grid")
        return filed


def composed(
    overrides: Sequence[str], config_name: str = CONFIG_NAME, searchpath: Sequence[str] = ()
) -> Composition:
    """Compose what is the same for all cells.

    Args:
        overrides: in Hydra's syntax.
        config_name: the primary configuration.
        searchpath: more folders of configuration files, as Hydra writes them: `file:///home/me/conf`.

    Raises:
        ConfigurationError: if an override cannot be read, or one that is about the run is wrong.
    """
    given = parsed(overrides)
    about_run = [o for o in given if _is_of_run(o) or o.is_hydra_override()]
    for override in about_run:
        if override.is_sweep_override():
            raise ConfigurationError(f"{override.key_or_group}: takes one value; not {override.input_line}")
    always = [str(o.input_line) for o in about_run if o.key_or_group != SEARCHPATH]
    searched = [path for o in about_run if o.key_or_group == SEARCHPATH for path in _paths(o.value())]
    if searchpath or searched:
        searched = [*searchpath, *(searched or _paths_of_primary(config_name, searchpath))]
        _require_folders(searched)
        always.insert(0, searchpath_override(searched))
    with translated(lambda: Composer(config_name, always[:1] if searched else ()).keys):
        composer = Composer(config_name, always)
        return Composition(
            name=_text(composer.config, "name"),
            experiment=_text(composer.config, "experiment"),
            engine=_engine(composer.config),
            composer=composer,
            overrides=tuple(o for o in given if o not in about_run),
        )


def searchpath_override(addresses: Iterable[str]) -> str:
    """The override that has Hydra look for configuration files there too."""
    return f"{SEARCHPATH}=[{','.join(map(shown, addresses))}]"


def _paths_of_primary(config_name: str, searchpath: Sequence[str]) -> list[str]:
    """The search path that a primary configuration of the user's sets, which an override would replace."""
    for address in searchpath:
        path = Path(address.removeprefix("file://"), f"{config_name}.yaml")
        if path.is_file():
            return _paths(OmegaConf.select(OmegaConf.load(path), SEARCHPATH))
    return []


def _require_folders(addresses: Iterable[str]) -> None:
    for address in addresses:
        scheme, _, path = address.rpartition("://")
        if scheme in ("", "file") and not Path(path).is_dir():
            raise ConfigurationError(f"{SEARCHPATH}: {path} is not a folder")


def _paths(value: object) -> list[str]:
    return [str(path) for path in value] if isinstance(value, list | ListConfig) else []


def _text(config: DictConfig, key: str) -> str | None:
    value = OmegaConf.select(config, key)
    return None if value is None else str(value)


def _engine(config: DictConfig) -> Parts:
    engine = OmegaConf.select(config, "engine")
    return plain(engine, resolve=True) or {} if isinstance(engine, DictConfig) else {}


def parsed(lines: Iterable[str]) -> list[Override]:
    """Overrides, read by Hydra's grammar.

    Raises:
        ConfigurationError: if one is not in Hydra's syntax.
    """
    try:
        return OverridesParser.create().parse_overrides(list(lines))
    except HydraException as error:
        raise ConfigurationError(one_line(error)) from error


def _is_of_run(override: Override) -> bool:
    return override.key_or_group.partition(".")[0] in RUN


def _is_for_hydra(override: Override) -> bool:
    """Whether only Hydra can apply it: to add, to delete, to choose for a package."""
    if override.is_force_add() and is_keyword(override.key_or_group):
        return False
    return (
        override.is_add() or override.is_force_add() or override.is_delete() or override.package is not None
    )


def _axis(override: Override, composer: Composer, *, required: bool = True) -> Axis:
    key, choices = override.key_or_group, None
    if key in composer.groups:
        choices = composer.options(key)
    if not override.is_sweep_override():
        value = override.value()
        if choices is not None and not isinstance(value, str):
            raise not_one_of(key, str(override.input_line).partition("=")[2] or "null", choices)
        return Axis(key, (_value(key, value),), required)
    return Axis(key, tuple(_swept(override, choices or [])), required)


def _swept(override: Override, choices: list[str]) -> Iterator[Value]:
    key, value = override.key_or_group, override.value()
    if not override.is_discrete_sweep():
        raise ConfigurationError(
            f"{key}: an interval needs a sweeper that draws from it; use a list, range or choice"
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
        return tuple(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigurationError(f"{key}: must be a single value; not {value}")
