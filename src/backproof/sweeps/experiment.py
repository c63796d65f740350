"""Experiments: a question, a grid, claims and figures, in one YAML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps.settings import shown

KEYS = ("question", "overrides", "grid", "exclude", "claims", "figures")
CLAIM_KEYS = ("id", "says", "where", "holds", "share", "measure")
FIGURE_KEYS = ("title", "value", "rows", "columns", "facet", "aggregate", "where", "caption")


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
        claims, figures: as they stand in the file; `reports` reads them.
    """

    name: str
    question: str = ""
    grids: tuple[dict[str, str], ...] = ({},)
    exclude: tuple[Exclusion, ...] = ()
    claims: tuple[dict[str, Any], ...] = ()
    figures: tuple[dict[str, Any], ...] = ()
    content: dict[str, Any] = field(default_factory=dict)


def find(name: str, folders: Iterable[Path]) -> Path:
    """The file of an experiment, looked for in the given folders in turn.

    Raises:
        ConfigurationError: if there is none of that name.
    """
    folders = list(folders)
    for folder in folders:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    known = sorted({p.stem for folder in folders for p in folder.glob("*.yaml")})
    raise ConfigurationError(
        f"experiment: must be one of {', '.join(known) or '(none found)'}; not '{name}'{nearest(name, known)}"
    )


def load(path: Path) -> Experiment:
    """Read an experiment's file.

    Raises:
        ConfigurationError: naming the file and the key that is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from error
    _expect(isinstance(content, Mapping), path, "the file must hold keys: " + ", ".join(KEYS))
    for key in content:
        _expect(key in KEYS, path, f"{key}: unknown{nearest(str(key), KEYS)}")
    common = _overrides(path, "overrides", content.get("overrides") or {})
    grids = content.get("grid") or [{}]
    grids = [grids] if isinstance(grids, Mapping) else grids
    _expect(isinstance(grids, list), path, "grid: must be a mapping of overrides, or a list of such mappings")
    return Experiment(
        name=path.stem,
        question=str(content.get("question") or ""),
        grids=tuple({**common, **_overrides(path, f"grid[{i}]", g)} for i, g in enumerate(grids)),
        exclude=tuple(_exclusions(path, content.get("exclude") or [])),
        claims=tuple(
            _records(path, "claims", content.get("claims") or [], CLAIM_KEYS, ("says", "where", "holds"))
        ),
        figures=tuple(_records(path, "figures", content.get("figures") or [], FIGURE_KEYS, ("value",))),
        content=dict(content),
    )


def _expect(condition: bool, path: Path, message: str) -> None:
    if not condition:
        raise ConfigurationError(f"{path}: {message}")


def _overrides(path: Path, where: str, given: Any) -> dict[str, str]:
    """Keys with a value, a list of values, or a sweep in Hydra's syntax, as override strings."""
    _expect(isinstance(given, Mapping), path, f"{where}: must be a mapping of overrides")
    result = {}
    for key, value in given.items():
        if isinstance(value, list):
            _expect(bool(value), path, f"{where}.{key}: the list is empty")
            result[str(key)] = ",".join(_element(v) for v in value)
        else:
            result[str(key)] = _element(value)
    return result


def _element(value: Any) -> str:
    if isinstance(value, str):
        return value  # Hydra's own syntax: a choice, range(…), choice(…), glob(…)
    return shown(tuple(value) if isinstance(value, list) else value)


def _exclusions(path: Path, given: Any) -> Iterable[Exclusion]:
    for rule in _records(path, "exclude", given, ("where", "because"), ("where", "because")):
        yield Exclusion(str(rule["where"]), str(rule["because"]))


def _records(
    path: Path, where: str, given: Any, allowed: tuple[str, ...], needed: tuple[str, ...]
) -> Iterable[dict[str, Any]]:
    _expect(isinstance(given, list), path, f"{where}: must be a list")
    for i, record in enumerate(given):
        _expect(
            isinstance(record, Mapping), path, f"{where}[{i}]: must be a mapping with {', '.join(needed)}"
        )
        for key in record:
            _expect(key in allowed, path, f"{where}[{i}].{key}: unknown{nearest(str(key), allowed)}")
        for key in needed:
            _expect(key in record, path, f"{where}[{i}]: needs {key}")
        yield dict(record)
