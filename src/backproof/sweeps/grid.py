"""From Hydra's overrides to the cells of a grid.

Stock multirun composes every job anew, twice, at tens of milliseconds each. Here each choice of
each group is composed once, by Hydra; a combination of choices puts those parts together, and
values are set on copies. `tests/sweeps/test_grid.py` proves that this is what Hydra composes.
"""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Transformer
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import OmegaConf

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps import modules
from backproof.sweeps.canonical import SAME, case_of
from backproof.sweeps.case import GROUPS, Case, Value, is_public, ordered
from backproof.sweeps.experiment import Exclusion, Experiment
from backproof.sweeps.expressions import parse
from backproof.sweeps.settings import RUN, Settings, flatten, shown

MOST_VALUES = 100_000
MOST_POINTS = 2_000_000
"""Values of an axis and points of a grid: they are all known, and validated, before the first cell runs."""


@dataclass(frozen=True)
class Cell:
    """A point of a grid.

    Attributes:
        overrides: the fewest that make this case again.
        options: what its command needs beside them, such as --config-dir.
        excluded: why it is left out, if it is.
    """

    case: Case
    overrides: tuple[str, ...]
    options: tuple[str, ...] = ()
    excluded: str | None = None

    @property
    def command(self) -> str:
        """The command that reproduces the cell."""
        return shlex.join(["backproof", "check", *self.options, *self.overrides])


@dataclass
class Grid:
    """The distinct cells of a sweep, in the order of the grid.

    Attributes:
        requested: how many points the grid has, duplicates included.
        idle: axes with several values that make no difference to any cell.
        defaults: the default configuration.
    """

    cells: list[Cell] = field(default_factory=list)
    requested: int = 0
    idle: list[str] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)

    @property
    def duplicates(self) -> int:
        """How many points of the grid are equal in canonical form to an earlier one."""
        return self.requested - len(self.cells)


@dataclass(frozen=True)
class Axis:
    """One dimension of a product: the values that a key takes."""

    key: str
    values: tuple[Value, ...]


class Composer:
    """Puts configurations together as Hydra would, from parts that Hydra loaded."""

    def __init__(self, loader: ConfigLoader, config_name: str, extra: Sequence[str] = ()) -> None:
        """`extra` are overrides that Hydra itself applies to every composition: `+key=…`, `~key`."""
        self.loader, self.config_name, self.extra = loader, config_name, list(extra)
        self.parser = OverridesParser.create(config_loader=loader)
        self.groups = [g for g in loader.list_groups("") if g != "hydra"]
        self.base, self.default_choices = self.hydra_composes({})
        self._parts: dict[tuple[str, str], dict[str, Any] | None] = {}

    def hydra_composes(self, choices: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        """Hydra's own composition, interpolations left as they stand: configuration, and its choices."""
        overrides = [f"{group}={name}" for group, name in choices.items()] + self.extra
        try:
            config = self.loader.load_configuration(self.config_name, overrides, RunMode.RUN)
        except HydraException as error:
            raise ConfigurationError(one_line(error)) from error
        chosen = {g: c for g, c in config.hydra.runtime.choices.items() if c and not g.startswith("hydra/")}
        job = OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"])
        return cast(dict[str, Any], OmegaConf.to_container(job, resolve=False)), chosen

    def options(self, group: str) -> list[str]:
        """The choices of a group."""
        return self.loader.get_group_options(group, ObjectType.CONFIG)

    def keys_of(self, group: str) -> set[str]:
        """The keys that any choice of a group has."""
        if group not in self.groups:
            return set()
        parts = (self._part(group, choice) or {} for choice in self.options(group))
        return {f"{group}.{key}" for part in parts for key in part}

    def compose(self, choices: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        """The same as `hydra_composes`, from parts where every chosen file is a plain one."""
        changed = {g: c for g, c in choices.items() if self.default_choices.get(g) != c}
        parts = {group: self._part(group, choice) for group, choice in changed.items()}
        if any(part is None for part in parts.values()) or self.extra:
            return self.hydra_composes(choices)
        return {**self.base, **parts}, {**self.default_choices, **changed}

    def _part(self, group: str, choice: str) -> dict[str, Any] | None:
        """What a choice's file holds; None if it does more than fill its own group's place."""
        key = (group, choice)
        if key not in self._parts:
            loaded = cast(Any, self.loader).repository.load_config(f"{group}/{choice}")
            plain = loaded is not None and not loaded.defaults_list and not loaded.header.get("package")
            content: Any = OmegaConf.to_container(loaded.config, resolve=False) if plain else None
            self._parts[key] = content if isinstance(content, dict) else None
        return self._parts[key]


def one_line(error: BaseException) -> str:
    """The first sentence of an error, and of what caused it."""
    if isinstance(error, OverrideParseException):
        key = error.override.partition("=")[0].lstrip("+~")
        first = error.message.strip().splitlines()[0].strip()
        return f"{key}: '{error.override}' is not an override in Hydra's syntax ({first})"
    causes = [error] if error.__cause__ is None else [error, error.__cause__]
    lines = [str(e).strip().splitlines()[0].strip() for e in causes if str(e).strip()]
    return ": ".join(dict.fromkeys(lines)) or type(error).__name__


@dataclass(frozen=True)
class Request:
    """What was asked for: a product of axes, and the keys that Hydra must handle itself."""

    axes: tuple[Axis, ...]
    extra: tuple[str, ...]


def requests(
    loader: ConfigLoader, arguments: Sequence[str], experiment: Experiment | None
) -> Iterator[Request]:
    """One request for each grid of the experiment, the command line's overrides taking precedence."""
    parser = OverridesParser.create(config_loader=loader)
    given = [o for o in _parsed(parser, arguments) if not _about_the_run(o)]
    keys = {o.key_or_group for o in given}
    for grid in experiment.grids if experiment else ({},):
        own = _parsed(parser, [f"{k}={v}" for k, v in grid.items() if k not in keys])
        for override in filter(_about_the_run, own):
            raise ConfigurationError(f"{override.key_or_group}: belongs on the command line, not into a grid")
        every = [*own, *given]
        yield Request(
            tuple(_axis(parser, o) for o in every if not _for_hydra(o)),
            tuple(str(o.input_line) for o in every if _for_hydra(o)),
        )


def _about_the_run(override: Override) -> bool:
    """Whether it sets how the sweep is run, which Hydra's own composition has taken care of."""
    if override.key_or_group.partition(".")[0] not in RUN:
        return False
    if override.is_sweep_override():
        raise ConfigurationError(f"{override.key_or_group}: takes one value; not {override.input_line}")
    return True


def _parsed(parser: OverridesParser, lines: Sequence[str]) -> list[Override]:
    try:
        return parser.parse_overrides(list(lines))
    except HydraException as error:
        raise ConfigurationError(one_line(error)) from error


def _for_hydra(override: Override) -> bool:
    if override.is_force_add() and _of_function(override.key_or_group):
        return False
    return (
        override.is_add() or override.is_force_add() or override.is_delete() or override.package is not None
    )


def _axis(parser: OverridesParser, override: Override) -> Axis:
    key = override.key_or_group
    if not override.is_sweep_override():
        return Axis(key, (_value(override),))
    if not override.is_discrete_sweep():
        raise ConfigurationError(
            f"{key}: an interval needs a sweeper that draws from it; use a list, range or choice"
        )
    elements = list(itertools.islice(override.sweep_iterator(Transformer.identity), MOST_VALUES + 1))
    if len(elements) > MOST_VALUES:
        raise ConfigurationError(
            f"{key}: has more than {MOST_VALUES:,} values; at most so many make one axis"
        )
    if not elements:
        raise ConfigurationError(f"{key}: {override.input_line} matches nothing")
    # To parse one takes a third of a millisecond, and numbers are parsed already.
    if all(isinstance(e, bool | int | float) for e in elements):
        return Axis(key, tuple(cast(list[Value], elements)))
    lines = [f"{key}={Transformer.encode(element)}" for element in elements]
    return Axis(key, tuple(_value(o) for o in _parsed(parser, lines)))


def _value(override: Override) -> Value:
    value = override.value()
    if isinstance(value, dict):
        raise ConfigurationError(f"{override.key_or_group}: must be a single value; not {value}")
    return tuple(value) if isinstance(value, list) else cast(Value, value)


def cell_of(config: Mapping[str, Any], choices: Mapping[str, str]) -> Cell:
    """The cell of a configuration that Hydra composed, for jobs of its own launchers."""
    case = case_of(flatten(config, choices))
    same = choices.get("output") == SAME and "activation" in case.flat()
    named = _overrides(case, lambda key, _value: not (same and key.partition(".")[0] == "output"))
    return Cell(case, (*named, f"output={SAME}") if same else named)


def expand(
    loader: ConfigLoader,
    config_name: str,
    arguments: Sequence[str],
    experiment: Experiment | None,
    options: Sequence[str] = (),
) -> Grid:
    """Every cell that the arguments and the experiment ask for, validated; each distinct one once.

    `options` become part of each cell's command.

    Raises:
        ConfigurationError: if anything about any cell is wrong; nothing has run then.
    """
    modules.refresh()
    grid = Grid()
    seen: set[Case] = set()
    excluded = _Excluder(experiment.exclude if experiment else ())
    composers: dict[tuple[str, ...], Composer] = {}
    swept: dict[str, None] = {}
    for request in requests(loader, arguments, experiment):
        swept.update(dict.fromkeys(a.key for a in request.axes if len(a.values) > 1))
        if request.extra not in composers:
            composers[request.extra] = Composer(loader, config_name, request.extra)
        composer = composers[request.extra]
        grid.defaults = composer.base
        for settings, overrides, times in _points(composer, request.axes):
            grid.requested += times
            case = case_of(settings)
            if case not in seen:
                seen.add(case)
                grid.cells.append(Cell(case, overrides(case), tuple(options)))
    grid.cells = excluded.apply(grid.cells)
    there = {key for cell in grid.cells for key in cell.case.flat()}
    grid.idle = [key for key in swept if key not in there]
    return grid


def _points(
    composer: Composer, axes: Sequence[Axis]
) -> Iterator[tuple[Settings, Callable[[Case], tuple[str, ...]], int]]:
    """The product of the axes: settings, what writes their overrides, and how often they recur."""
    group_axes = [a for a in axes if a.key in composer.groups]
    value_axes = [a for a in axes if a.key not in composer.groups]
    for axis in group_axes:
        _check_choices(composer, axis)
    bases = []
    for combination in itertools.product(*(a.values for a in group_axes)):
        choices = {a.key: str(v) for a, v in zip(group_axes, combination, strict=True)}
        bases.append(_Base(composer, choices))
    known = {key for base in bases for key in base.settings}
    for axis in value_axes:
        if _of_function(axis.key) and any(base.is_function for base in bases):
            continue  # a keyword of somebody's function, which its signature will be asked for
        if axis.key not in known and axis.key not in composer.keys_of(axis.key.partition(".")[0]):
            names = [*composer.groups, *(k for k in known if is_public(k))]
            raise ConfigurationError(f"{axis.key}: unknown{nearest(axis.key, names)}")
    points = math.prod(len(a.values) for a in axes)
    if points > MOST_POINTS:
        raise ConfigurationError(f"the grid has {points:,} points; at most {MOST_POINTS:,} make one sweep")
    for base in bases:
        # A value that this choice does not have cannot affect it: relu has no slope.
        foreign = base.is_function
        here = [a for a in value_axes if a.key in base.settings or (foreign and _of_function(a.key))]
        times = math.prod(len(a.values) for a in value_axes if a not in here)
        for values in itertools.product(*(a.values for a in here)):
            settings = base.with_values({a.key: v for a, v in zip(here, values, strict=True)})
            yield settings, base.overrides, times


def _of_function(key: str) -> bool:
    return key.startswith("subject.") and is_public(key)


def _check_choices(composer: Composer, axis: Axis) -> None:
    options = composer.options(axis.key)
    for value in axis.values:
        if value not in options:
            given = "null" if value is None else repr(value)
            hint = nearest(str(value), options)
            raise ConfigurationError(f"{axis.key}: must be one of {', '.join(options)}; not {given}{hint}")


class _Base:
    """One combination of choices, on whose copies values are set."""

    def __init__(self, composer: Composer, choices: dict[str, str]) -> None:
        config, chosen = composer.compose(choices)
        self.config, self.chosen = config, chosen
        self.settings = flatten(config, chosen)
        self.is_function = self.settings.get("subject.by") is not None
        self.interpolated = any(isinstance(v, str) and "${" in v for v in self.settings.values())
        self.default_choices = composer.default_choices

    def with_values(self, values: Settings) -> Settings:
        if not self.interpolated:
            return {**self.settings, **values}
        config = OmegaConf.create(self.config)
        for key, value in values.items():
            OmegaConf.update(config, key, list(value) if isinstance(value, tuple) else value)
        return flatten(cast(dict[str, Any], OmegaConf.to_container(config, resolve=True)), self.chosen)

    def overrides(self, case: Case) -> tuple[str, ...]:
        """The fewest overrides that make this case again."""
        # The activation says what the output is, and may be a choice that no output file has.
        if self.chosen.get("output") != SAME or "activation" not in case.flat():
            return _overrides(case, self._differs)
        named = _overrides(case, lambda key, v: key.partition(".")[0] != "output" and self._differs(key, v))
        return named if self.default_choices.get("output") == SAME else (*named, f"output={SAME}")

    def _differs(self, key: str, value: Value) -> bool:
        group, _, inner = key.partition(".")
        if not inner and group in GROUPS:
            return value != self.default_choices.get(group)
        if group == "output" and self.chosen.get("output") == SAME:
            return True  # the command names the output, whose own file may hold other values
        return bool(value != self.settings.get(key))


def _overrides(case: Case, differs: Callable[[str, Value], bool]) -> tuple[str, ...]:
    return tuple(f"{k}={shown(v)}" for k, v in case.flat().items() if differs(k, v))


class _Excluder:
    """Applies an experiment's `exclude:` rules, in order; the first that fits gives the reason."""

    def __init__(self, rules: Sequence[Exclusion]) -> None:
        self.rules = rules

    def apply(self, cells: list[Cell]) -> list[Cell]:
        if not self.rules or not cells:
            return cells
        import pandas as pd  # only experiments that leave something out pay for it

        rows = [cell.case.flat() for cell in cells]
        keys = ordered({k for row in rows for k in row if is_public(k)})
        table = pd.DataFrame([[row.get(k) for k in keys] for row in rows], columns=keys, dtype=object)
        reasons: list[str | None] = [None] * len(cells)
        for number, rule in enumerate(self.rules):
            for i in np.flatnonzero(parse(f"exclude[{number}].where", rule.where, keys).truth(table)):
                reasons[i] = reasons[i] or rule.because
        return [replace(cell, excluded=reason) for cell, reason in zip(cells, reasons, strict=True)]
