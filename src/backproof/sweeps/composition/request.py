"""Overrides as the user gives them, told apart: those of the run, those of Hydra, and the axes of a grid."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.conf import ConfigSourceInfo
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, OverrideType, QuotedString, Transformer
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf

from backproof import paths
from backproof.errors import ConfigurationError, not_one_of
from backproof.sweeps.commands import set_to
from backproof.sweeps.composition.composer import CONFIG_NAME, Composer
from backproof.sweeps.composition.errors import one_line, translated
from backproof.sweeps.composition.files import Parts, plain
from backproof.sweeps.experiment import Experiment
from backproof.sweeps.grid import MOST_VALUES, Axis, Form, Grid, Product, expand
from backproof.sweeps.overrides import RUN, Value, shown

SEARCHPATH = "hydra.searchpath"
EXPERIMENT = "experiment"

FORMS = {OverrideType.CHANGE: Form.SET, OverrideType.ADD: Form.ADD, OverrideType.FORCE_ADD: Form.FORCE}


@dataclass(frozen=True)
class Composition:
    """What overrides compose to.

    Attributes:
        name, experiment, engine: how the sweep is run.
        presets: the choices of Hydra's kind of experiment, a group of files that set values anywhere.
        composer: the default configuration and its alternatives.
        overrides: those that are about cells.
    """

    name: str | None
    experiment: str | None
    presets: tuple[str, ...]
    engine: Parts
    composer: Composer
    overrides: tuple[Override, ...]

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

    def grid(self, experiment: Experiment | None = None) -> Grid:
        """The cells of the overrides and the experiment, in which the overrides take precedence.

        Raises:
            ConfigurationError: if anything about any cell is wrong.
        """
        with translated(lambda: self.composer.keys):
            products = [self._product(grid) for grid in (experiment.grids if experiment else ({},))]
            return expand(products, experiment.exclude if experiment else (), self.options)

    def _product(self, grid: Mapping[str, str]) -> Product:
        """One grid of an experiment's, its overrides replaced and completed by those of the command line."""
        given = {override.key_or_group for override in self.overrides}
        filed = parsed(f"{key}={v}" for key, v in grid.items() if key.lstrip("+~") not in given)
        for override in filed:
            if _is_of_run(override):
                key = override.key_or_group
                raise ConfigurationError(f"{key}: belongs on the command line, not into a grid")
        sorted_out = _Sorted(self.composer)
        if self.presets:
            sorted_out.extra.append(tuple(f"+{EXPERIMENT}={shown(name)}" for name in self.presets))
        for override in filed:
            sorted_out.add(override, required=False)
        for override in self.overrides:
            sorted_out.add(override, required=True)
        return sorted_out.product()


class _Sorted:
    """Overrides told apart: axes, choices that only Hydra can make, and keys that are deleted."""

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
            values = tuple(_values(override, self.composer))
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
    for value in _values(override, composer):
        yield f"{override.get_key_element()}={shown(value)}"


def _leaves(key: str, value: object) -> Iterator[tuple[str, object]]:
    """The values of a mapping, `loss={l2: 0.1}`, by the keys that they would have as overrides."""
    if not isinstance(value, dict):
        yield key, value
        return
    for inner, each in value.items():
        yield from _leaves(f"{key}.{inner}", each)


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
    given = parsed(overrides)
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
            overrides=(*([] if one_case else _params(composer.config, asked)), *asked),
        )


def _params(config: DictConfig, asked: Sequence[Override]) -> list[Override]:
    """The axes that the configuration itself has, `hydra.sweeper.params`, but those that are asked for."""
    params = OmegaConf.select(config, "hydra.sweeper.params")
    keys = {override.key_or_group for override in asked}
    return [o for o in parsed(f"{k}={v}" for k, v in (params or {}).items()) if o.key_or_group not in keys]


def _experiment(override: Override | None, composer: Composer) -> tuple[str | None, tuple[str, ...]]:
    """One of our experiments; or choices of the group `experiment`, which are Hydra's kind."""
    if override is None:
        name = _text(composer.config, EXPERIMENT)
        values: list[Value] = [] if name is None else [name]
    else:
        values = [] if override.is_delete() else [v for v in _values(override, composer) if v is not None]
    names, options = list(map(str, values)), composer.options(EXPERIMENT)
    folders = [folder for folder in composer.files.folders if folder != paths.conf()]
    ours = [name for name in names if paths.experiment(name, folders) is not None]
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


PLACES = "results go to results/NAME, and name=NAME chooses it"
QUIET = "it writes no log"
IDLE_OF_HYDRA = {
    "hydra.sweep": PLACES,
    "hydra.run": PLACES,
    "hydra.output_subdir": PLACES,
    "hydra.verbose": QUIET,
    "hydra.job_logging": QUIET,
    "hydra.hydra_logging": QUIET,
}
"""Settings of Hydra's that have no effect on our sweeper, and why."""

OF_HYDRA = ("hydra.mode", "hydra.searchpath", "hydra.sweeper", "hydra.launcher")
"""Those that have one."""


def refuse_idle(keys: Iterable[str]) -> None:
    """Refuse settings of Hydra's that backproof's own sweeper would ignore.

    Raises:
        ConfigurationError: naming the setting, and what to do instead.
    """
    for key in keys:
        start = ".".join(key.replace("/", ".").split(".")[:2])
        if start.startswith("hydra.") and start not in OF_HYDRA:
            why = IDLE_OF_HYDRA.get(start, "hydra/sweeper=basic, Hydra's own, heeds it")
            raise ConfigurationError(f"{key}: has no effect on backproof's own sweeper; {why}")


def searchpath_override(addresses: Iterable[str]) -> str:
    """The override that has Hydra look for configuration files there too."""
    return f"{SEARCHPATH}=[{','.join(map(shown, addresses))}]"


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


def _values(override: Override, composer: Composer) -> Iterator[Value]:
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
            " (pip install hydra-optuna-sweeper); here give a list, range(…) or choice(…)"
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
