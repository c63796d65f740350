"""Experiments: a question, a grid, claims and figures, in one YAML file.

The types below state the file's keys; what they allow and need is read off them. Claims and figures are kept
as written: `reports` parses them once the columns are known.
"""

# Annotations are not postponed here: `Required` could not be read off them.
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Required, TypedDict

import yaml

from backproof.errors import ConfigurationError, nearest
from backproof.paths import is_file
from backproof.sweeps.overrides import shown


class ClaimEntry(TypedDict, total=False):
    """A statement, and the expressions that decide it.

    Attributes:
        id: its name in tables and messages; by default its number.
        statement: what it says; numbers may stand in braces, as `{median(accuracy):.2f}`.
        where: the cells that it is about, an expression over columns; needed unless its contrast expects
            something, whose cells are then the default.
        holds: what must be true of them, an expression; needed unless its contrast expects something.
        share: of how many of these cells: `all` (the default), `none`, `some`, or a bound, as `">= 0.9"`.
        measure: a small table shown with it: `by`, a list of columns; `value`, an expression; `as`, one of
            share, median, mean and sum.
        contrast: a difference between two sets of cells: `value`, and the expressions `of` and `against`.
            With `expect`, one of greater, less, different and equivalent, and `effect`, the smallest
            difference that would matter, the claim is decided by a test of it.
        at: `tuned` for the chosen cells alone, of a sweep with `tune`.
        over: the axis that it says something about; vacuous where nothing that it reads differs along it.
        hypothesis: the heading under which statements are grouped.
        figure: the title of the figure that shows it.
    """

    id: str
    statement: Required[str]
    where: str
    holds: str
    share: str | float | list[float]
    measure: dict[str, object]
    contrast: dict[str, object]
    at: str
    over: str
    hypothesis: str
    figure: str


class FigureEntry(TypedDict, total=False):
    """What a figure shows, along which axes, of which cells.

    Attributes:
        title: above it; by default made of the value and the axes.
        value: a column, or the name of a kind that is not a heatmap.
        rows: the axes laid out downwards.
        columns: the axes laid out to the right.
        facet: the axes of small multiples.
        aggregate: how the cells of a tile are aggregated.
        contrast: of a `forest`, what it compares: `value`, `against`, the cells of the reference, and
            `effect`, the smallest difference that would matter.
        where: the cells that it shows, an expression over columns; by default all.
        at: `tuned` for the chosen cells alone, of a sweep with `tune`.
        caption: below it; numbers may stand in braces.
    """

    title: str
    value: Required[str]
    rows: list[str]
    columns: list[str]
    facet: list[str]
    aggregate: str
    contrast: dict[str, object]
    where: str
    at: str
    caption: str


class RefineEntry(TypedDict, total=False):
    """The axis along which a grid is refined, the condition that flips there, and the width of an edge.

    Attributes:
        axis: a numeric axis of the grid.
        flips: the condition, an expression; by default the verdict.
        width: how near the ends of an edge must be: in decades, or absolute where a value is not positive.
    """

    axis: Required[str]
    flips: str
    width: float


class TuneEntry(TypedDict, total=False):
    """The axis of which each setting takes its best value, and the measure that it is best by.

    Attributes:
        axis: a numeric axis of the grid, such as `training.learning_rate`.
        by: `validation_accuracy`, the default, or `validation_loss`: the mean over seeds. A run that diverged
            or failed counts as the worst there is; ties go to the smaller loss, then to the smaller value.
        rounds: how often the grid is extended beyond a best value at its end, on either side, by the grid's
            own factor there; 3 by default, 0 for never.
    """

    axis: Required[str]
    by: str
    rounds: int


class AxisEntry(TypedDict, total=False):
    """Readable names of an axis and of its values, for figures.

    Attributes:
        title: its name in running text and on figures.
        symbol: beside the title where the axis is labelled, such as η.
        unit: of its values.
        values: a name for each value that is to have one.
    """

    title: str
    symbol: str
    unit: str
    values: dict[str, str]


class ExperimentFile(TypedDict, total=False):
    """The keys of the file.

    Attributes:
        question: what the sweep asks.
        answer: the sentences that the report begins with; numbers may stand in braces.
        overrides: settings of every cell, as on the command line.
        grid: axes with their values, or a list of such grids, whose union is taken.
        exclude: combinations left out: a list of `where`, an expression over settings, and `because`.
        refine: an axis, or a mapping, along which edges are looked for.
        tune: an axis, or a mapping, of which each setting takes its best value; a setting is what cells have
            in common that are equal in all but this axis and the seed.
        claims: statements that the table confirms or refutes.
        figures: what the report draws; by default the axes that explain most of the verdict.
        axes: readable names of axes, by axis.
    """

    question: str
    answer: str
    overrides: dict[str, object]
    grid: dict[str, object] | list[dict[str, object]]
    exclude: list[dict[str, str]]
    refine: str | RefineEntry
    tune: str | TuneEntry
    claims: list[ClaimEntry]
    figures: list[FigureEntry]
    axes: dict[str, AxisEntry]


REFINE, TUNE = "refine", "tune"

KEYS = tuple(ExperimentFile.__annotations__)


MOST_ENTRIES = 200_000
"""Values of a file; an axis may list a hundred thousand."""


@dataclass(frozen=True)
class Exclusion:
    """A rule that leaves combinations out: an expression over settings, and the reason."""

    where: str
    because: str


@dataclass(frozen=True)
class Experiment:
    """What an experiment's file holds.

    Attributes:
        grids: a union of grids; each maps an override's key to its override string.
        answer: as written, with its fields.
        refine, tune, claims, figures: as written; they have the keys of `RefineEntry`, `TuneEntry`,
            `ClaimEntry` and `FigureEntry`. None where nothing is refined, or tuned.
        axes: readable names, as written; entries have the keys of `AxisEntry`.
        content: the whole file, for the results folder.
    """

    name: str
    question: str = ""
    answer: str = ""
    grids: tuple[dict[str, str], ...] = ({},)
    exclude: tuple[Exclusion, ...] = ()
    refine: Mapping[str, object] | None = None
    tune: Mapping[str, object] | None = None
    claims: tuple[Mapping[str, object], ...] = ()
    figures: tuple[Mapping[str, object], ...] = ()
    axes: Mapping[str, object] = field(default_factory=dict)
    content: Mapping[str, object] = field(default_factory=dict)

    def unrefined(self) -> "Experiment":
        """The same without its refinement.

        Raises:
            ConfigurationError: if it has none.
        """
        if self.refine is None:
            raise ConfigurationError(f"{REFINE}: experiment={self.name} refines nothing")
        content = {key: value for key, value in self.content.items() if key != REFINE}
        return replace(self, refine=None, content=content)


def find(name: str, folders: Iterable[Path], others: Iterable[str] = ()) -> Path:
    """The file of an experiment, looked for in the given folders in turn; `others` may be named too.

    Raises:
        ConfigurationError: if there is none of that name.
    """
    folders = list(folders)
    for folder in folders:
        path = folder / f"{name}.yaml"
        if is_file(path):
            return path
    known = sorted({*others, *(p.stem for folder in folders for p in folder.glob("*.yaml"))})
    raise ConfigurationError(
        f"experiment: must be one of {', '.join(known) or '(none found)'}; not '{name}'{nearest(name, known)}"
    )


def load(path: Path) -> Experiment:
    """Read an experiment's file; nothing in it is executed.

    Raises:
        ConfigurationError: naming the file and the key that is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        _require_modest(content)
        return experiment_of(path.stem, content)
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _require_modest(content: object) -> None:
    """Refuse a file that a few aliases, `&a` and `*a`, make endless or huge: all of it is kept and shown."""
    count, left = 0, [content]
    while left:
        here = left.pop()
        count += 1
        if count > MOST_ENTRIES:
            raise ConfigurationError(
                f"holds more than {MOST_ENTRIES:,} values, those of its aliases included"
            )
        if isinstance(here, Mapping):
            left += [*here.keys(), *here.values()]
        elif isinstance(here, list | tuple | set):
            left += here


def experiment_of(name: str, content: object) -> Experiment:
    """An experiment from the content of its file.

    Raises:
        ConfigurationError: naming the key that is wrong.
    """
    if not isinstance(content, Mapping):
        raise ConfigurationError(f"the file must hold keys: {', '.join(KEYS)}")
    _check_keys("", content, ExperimentFile)
    common = _overrides("overrides", content.get("overrides") or {})
    grids = content.get("grid") or [{}]
    if isinstance(grids, Mapping):
        grids = [grids]
    if not isinstance(grids, list):
        raise ConfigurationError("grid: must be a mapping of overrides, or a list of such mappings")
    refine, tune = refine_entry(content.get("refine")), tune_entry(content.get("tune"))
    if refine is not None and tune is not None:
        raise ConfigurationError("tune: does not go with refine; one of them may add cells to a grid")
    claims = tuple(_entries("claims", content.get("claims"), ClaimEntry))
    figures = tuple(_entries("figures", content.get("figures"), FigureEntry))
    if tune is None:
        _refuse_tuned(claims=claims, figures=figures)
    return Experiment(
        name=name,
        question=str(content.get("question") or ""),
        answer=str(content.get("answer") or ""),
        grids=tuple({**common, **_overrides(f"grid[{i}]", g)} for i, g in enumerate(grids)),
        exclude=tuple(
            Exclusion(str(rule["where"]), str(rule["because"]))
            for rule in _entries("exclude", content.get("exclude"), Exclusion)
        ),
        refine=refine,
        tune=tune,
        claims=claims,
        figures=figures,
        axes=_axes(content.get("axes") or {}),
        content={str(key): value for key, value in content.items()},
    )


def _refuse_tuned(**entries: Iterable[Mapping[str, object]]) -> None:
    """Refuse entries about chosen cells where nothing is chosen."""
    for key, several in entries.items():
        for i, entry in enumerate(several):
            if "at" in entry:
                raise ConfigurationError(f"{key}[{i}].at: needs {TUNE}, the axis that is tuned")


def _axes(given: object) -> dict[str, object]:
    """Names by axis; `reports` knows what else they must be."""
    if not isinstance(given, Mapping):
        raise ConfigurationError("axes: must be a mapping of axes")
    names = ", ".join(AxisEntry.__annotations__)
    for axis, entry in given.items():
        if not isinstance(entry, Mapping):
            raise ConfigurationError(f"axes.{axis}: must be a mapping with {names}")
        _check_keys(f"axes.{axis}.", entry, AxisEntry)
    return {str(axis): entry for axis, entry in given.items()}


def refine_entry(given: object) -> Mapping[str, object] | None:
    """What is refined, from its short form, an axis, or its long one.

    Raises:
        ConfigurationError: naming the key that is wrong.
    """
    return _axis_entry(REFINE, given, RefineEntry)


def tune_entry(given: object) -> Mapping[str, object] | None:
    """What is tuned, from its short form, an axis, or its long one.

    Raises:
        ConfigurationError: naming the key that is wrong.
    """
    return _axis_entry(TUNE, given, TuneEntry)


def _axis_entry(key: str, given: object, kind: type) -> Mapping[str, object] | None:
    if given is None:
        return None
    if not isinstance(given, str | Mapping):
        *others, last = kind.__annotations__
        raise ConfigurationError(f"{key}: must be an axis, or a mapping with {', '.join(others)} and {last}")
    entry = {"axis": given} if isinstance(given, str) else given
    _check_keys(f"{key}.", entry, kind)
    if "axis" not in entry:
        raise ConfigurationError(f"{key}: needs axis")
    return {str(name): value for name, value in entry.items()}


def _overrides(key: str, given: object) -> dict[str, str]:
    """Keys with a value, a list of values, or a sweep in Hydra's syntax, as override strings."""
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{key}: must be a mapping of overrides")
    result = {}
    for name, value in given.items():
        if isinstance(value, list) and not value:
            raise ConfigurationError(f"{key}.{name}: the list is empty")
        values = value if isinstance(value, list) else [value]
        result[str(name)] = ",".join(map(_override, values))
    return result


def _override(value: object) -> str:
    """A value as an override; text is in Hydra's own syntax: a choice, range(…), choice(…), glob(…)."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return shown(tuple(value))
    return shown(value) if value is None or isinstance(value, bool | int | float) else str(value)


def _entries(key: str, given: object, kind: type) -> Iterator[Mapping[str, object]]:
    """A list of mappings with the keys of a kind."""
    if given is not None and not isinstance(given, list):
        raise ConfigurationError(f"{key}: must be a list")
    for i, entry in enumerate(given or []):
        if not isinstance(entry, Mapping):
            raise ConfigurationError(f"{key}[{i}]: must be a mapping with {', '.join(_needed(kind))}")
        _check_keys(f"{key}[{i}].", entry, kind)
        for name in _needed(kind):
            if name not in entry:
                raise ConfigurationError(f"{key}[{i}]: needs {name}")
        yield {str(name): value for name, value in entry.items()}


def _check_keys(prefix: str, given: Mapping[object, object], kind: type) -> None:
    known = kind.__annotations__
    for key in given:
        if key not in known:
            raise ConfigurationError(f"{prefix}{key}: unknown{nearest(str(key), known)}")


def _needed(kind: type) -> list[str]:
    """The keys that a kind requires, in the order of its declaration."""
    required: Iterable[str] = getattr(kind, "__required_keys__", kind.__annotations__)
    return [key for key in kind.__annotations__ if key in required]
