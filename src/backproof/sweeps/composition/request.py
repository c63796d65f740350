"""Overrides as the user gives them, told apart: those of the run, those of Hydra, and the axes of a grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from hydra.conf import ConfigSourceInfo
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf

from backproof import paths
from backproof.errors import ConfigurationError, not_one_of
from backproof.sweeps.commands import set_to
from backproof.sweeps.composition.composer import CONFIG_NAME, Composer
from backproof.sweeps.composition.errors import translated
from backproof.sweeps.composition.files import Parts, plain
from backproof.sweeps.composition.idle import refuse_idle
from backproof.sweeps.composition.sorting import EXPERIMENT, Sorted, parsed, values_of
from backproof.sweeps.composition.spaces import Dimension, space_of
from backproof.sweeps.experiment import REFINE, Experiment
from backproof.sweeps.grid import Grid, Tell, expand
from backproof.sweeps.listing import Cell
from backproof.sweeps.overrides import RUN, Value, shown
from backproof.sweeps.products import Product

SEARCHPATH = "hydra.searchpath"


@dataclass(frozen=True)
class Composition:
    """What overrides compose to.

    Attributes:
        name, experiment, engine: how the sweep is run.
        presets: the choices of Hydra's kind of experiment, a group of files that set values anywhere.
        composer: the default configuration and its alternatives.
        overrides: those that are about cells.
        unrefined: whether the experiment's refinement is switched off.
    """

    name: str | None
    experiment: str | None
    presets: tuple[str, ...]
    engine: Parts
    composer: Composer
    overrides: tuple[Override, ...]
    unrefined: bool = False

    @property
    def named(self) -> str | None:
        """The name that the results have by it: `name`, or the one experiment's."""
        return self.name or self.experiment or (self.presets[0] if len(self.presets) == 1 else None)

    @property
    def folders(self) -> list[Path]:
        """Configuration folders of the user's."""
        return [folder for folder in self.composer.files.folders if folder != paths.conf()]

    @property
    def options(self) -> list[str]:
        """What a command needs to find the same files: folders, and the primary configuration."""
        ours = paths.conf()
        files = [s for s in self.composer.files.sources if s.schema != "structured"]
        sources = [source for source in files if Path(source.path) != ours]
        options, rest = [], sources
        if sources and sources[0].schema == "file":
            options, rest = [f"--config-dir={Path(sources[0].path).resolve()}"], sources[1:]
        if self.composer.config_name != CONFIG_NAME:
            options.append(f"--config-name={self.composer.config_name}")
        if rest:
            options.append(searchpath_override(dict.fromkeys(map(_address, rest))))
        if self.experiment is not None and self.composer.config_name != CONFIG_NAME:
            options.append(set_to(EXPERIMENT, None))  # the configuration may name one
        return options

    def grid(self, experiment: Experiment | None = None, tell: Tell = lambda _done, _all: None) -> Grid:
        """The cells of the overrides and the experiment, in which the overrides take precedence.

        `tell` hears how many points have been looked at.

        Raises:
            ConfigurationError: if anything about any cell is wrong.
        """
        with translated(lambda: self.composer.keys):
            products = [self._product(grid) for grid in (experiment.grids if experiment else ({},))]
            exclude = experiment.exclude if experiment else ()
            adds = experiment is not None and (experiment.refine, experiment.tune) != (None, None)
            return expand(products, exclude, self.options, tell=tell, keep=adds)

    def space(self) -> tuple[dict[str, Dimension], tuple[str, ...]]:
        """What an optimisation may vary, and the overrides that hold for every trial.

        Raises:
            ConfigurationError: if nothing varies, or an interval is empty.
        """
        with translated(lambda: self.composer.keys):
            return space_of(self.overrides, self.composer)

    def cells(
        self, each: Sequence[Sequence[str]], experiment: Experiment, known: Iterable[str]
    ) -> list[Cell]:
        """One cell for each list of overrides, marked where the experiment excludes it.

        `known`: settings that its rules may name beside those of these cells.

        Raises:
            ConfigurationError: if anything about any cell is wrong.
        """
        with translated(lambda: self.composer.keys):
            lines = list(dict.fromkeys(chain.from_iterable(each)))  # most are those of many cells
            read = dict(zip(lines, parsed(lines), strict=True))
            products = []
            for overrides in each:
                sorted_out = Sorted(self.composer)
                for line in overrides:
                    sorted_out.add(read[line], required=True)
                products.append(sorted_out.product())
            return expand(products, experiment.exclude, self.options, known, keep=True).cells

    def _product(self, grid: Mapping[str, str]) -> Product:
        """One grid of an experiment's, its overrides replaced and completed by those of the command line."""
        given = {override.key_or_group for override in self.overrides}
        filed = parsed(f"{key}={v}" for key, v in grid.items() if key.lstrip("+~") not in given)
        for override in filed:
            if _is_of_run(override):
                key = override.key_or_group
                raise ConfigurationError(f"{key}: belongs on the command line, not into a grid")
        sorted_out = Sorted(self.composer)
        if self.presets:
            sorted_out.extra.append(tuple(map(preset_of, self.presets)))
        for override in filed:
            sorted_out.add(override, required=False)
        for override in self.overrides:
            sorted_out.add(override, required=True)
        return sorted_out.product()


def _address(source: ConfigSourceInfo) -> str:
    path = str(Path(source.path).resolve()) if source.schema == "file" else source.path
    return f"{source.schema}://{path}"


def composed(
    overrides: Sequence[str],
    config_name: str = CONFIG_NAME,
    searchpath: Sequence[str] = (),
    *,
    one_case: bool = False,
) -> Composition:
    """Compose what is the same for all cells.

    Args:
        overrides: in Hydra's syntax.
        config_name: the primary configuration.
        searchpath: more folders of configuration files, as Hydra writes them: `file:///home/me/conf`.
        one_case: whether `hydra.sweeper.params` of the configuration, which span a grid, are left out.

    Raises:
        ConfigurationError: if an override cannot be read, or one that is about the run is wrong.
    """
    every = parsed(overrides)
    given = [override for override in every if override.key_or_group != REFINE]
    about_run = [o for o in given if _is_of_run(o) or o.is_hydra_override()]
    refuse_idle(o.key_or_group for o in about_run)
    experiments = [o for o in about_run if o.key_or_group == EXPERIMENT]
    for override in about_run:
        if override.is_sweep_override() and override not in experiments:
            raise ConfigurationError(f"{override.key_or_group}: takes one value; not {override.input_line}")
    always = [str(o.input_line) for o in about_run if o.key_or_group != EXPERIMENT]
    for override in about_run:
        if override.key_or_group == SEARCHPATH:
            _require_folders(_paths(override.value()))
    with translated(lambda: Composer(config_name, searchpath=searchpath).keys):
        composer = Composer(config_name, always, searchpath)
        experiment, presets = _experiment(experiments[-1] if experiments else None, composer)
        asked = [o for o in given if o not in about_run]
        return Composition(
            name=_text(composer.config, "name"),
            experiment=experiment,
            presets=presets,
            engine=_engine(composer.config),
            composer=composer,
            overrides=(*([] if one_case else _params(composer, presets, asked)), *asked),
            unrefined=_unrefined(every, experiment),
        )


def _unrefined(overrides: Sequence[Override], experiment: str | None) -> bool:
    """Whether `~refine` or `refine=null` switches an experiment's refinement off."""
    found = [override for override in overrides if override.key_or_group == REFINE]
    if found and experiment is None:
        raise ConfigurationError(f"{REFINE}: is a key of experiments; there is none here")
    for override in found:
        if override.value() is not None:
            raise ConfigurationError(
                f"{REFINE}: is set in the experiment's file; {REFINE}=null or ~{REFINE} switches it off"
            )
    return bool(found)


def _params(composer: Composer, presets: Sequence[str], asked: Sequence[Override]) -> list[Override]:
    """The axes that the configuration itself has, `hydra.sweeper.params`, but those that are asked for."""
    config = composer.with_choices(preset_of(presets[0])) if len(presets) == 1 else composer.config
    params = OmegaConf.select(config, "hydra.sweeper.params")
    keys = {override.key_or_group for override in asked}
    found = parsed(f"{key}={_written(value)}" for key, value in (params or {}).items())
    return [override for override in found if override.key_or_group not in keys]


def _written(value: object) -> str:
    """A value of a file as an override has it; text is in Hydra's own syntax, so that it may be several."""
    if isinstance(value, str):
        return value
    return shown(tuple(value) if isinstance(value, ListConfig) else value)  # type: ignore[arg-type]


def preset_of(name: str) -> str:
    """The override that adds an experiment of Hydra's kind."""
    return f"+{EXPERIMENT}={shown(name)}"


def _experiment(override: Override | None, composer: Composer) -> tuple[str | None, tuple[str, ...]]:
    """One of our experiments; or choices of the group `experiment`, which are Hydra's kind."""
    if override is None:
        name = _text(composer.config, EXPERIMENT)
        values: list[Value] = [] if name is None else [name]
    else:
        values = [] if override.is_delete() else [v for v in values_of(override, composer) if v is not None]
    names, options = list(map(str, values)), composer.options(EXPERIMENT)
    folders = [folder for folder in composer.files.folders if folder != paths.conf()]
    ours = [name for name in names if paths.experiment(name, folders) is not None]
    for name in ours:
        if name in options:
            raise ConfigurationError(
                f"{EXPERIMENT}={name}: is two files, {paths.experiment(name, folders)} and one of the group"
                f" {EXPERIMENT}/; one of them needs another name"
            )
    if len(names) == 1 and (ours or names[0] not in options):
        return names[0], ()
    for name in names:
        if name in ours:
            raise ConfigurationError(f"{EXPERIMENT}: takes one value; not {', '.join(names)}")
        if name not in options:
            raise not_one_of(EXPERIMENT, repr(name), options)
        if composer.files.part(EXPERIMENT, name) is not None:
            raise ConfigurationError(
                f"{EXPERIMENT}={name}: its file must begin with `# @package _global_`; else it sets nothing"
            )
    return None, tuple(names)


def searchpath_override(addresses: Iterable[str]) -> str:
    """The override that has Hydra look for configuration files there too."""
    return f"{SEARCHPATH}=[{','.join(map(shown, addresses))}]"


def _require_folders(addresses: Iterable[str]) -> None:
    for address in addresses:
        scheme, _, path = address.rpartition("://")
        if scheme in ("", "file") and not paths.is_folder(Path(path)):
            raise ConfigurationError(f"{SEARCHPATH}: {path} is not a folder")


def _paths(value: object) -> list[str]:
    return [str(path) for path in value] if isinstance(value, list | ListConfig) else []


def _text(config: DictConfig, key: str) -> str | None:
    value = OmegaConf.select(config, key)
    return None if value is None else str(value)


def _engine(config: DictConfig) -> Parts:
    engine = OmegaConf.select(config, "engine")
    return plain(engine, resolve=True) or {} if isinstance(engine, DictConfig) else {}


def _is_of_run(override: Override) -> bool:
    return override.key_or_group.partition(".")[0] in RUN
