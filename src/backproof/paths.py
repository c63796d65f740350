"""Where the project's files are: beside the package in a wheel, at the top of a checkout else."""

from __future__ import annotations

import re
from importlib.resources.abc import Traversable
from pathlib import Path

RESULTS = Path("results")
"""Results go into this folder of the directory that the program is started in."""

_PACKAGE = Path(__file__).parent


def _shipped(name: str) -> Path:
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parents[1] / name


def conf() -> Path:
    """The folder of configuration groups."""
    return _shipped("conf")


def experiment_folders(extra: list[Path]) -> list[Path]:
    """Where experiments are looked for: folders of `--config-dir`, the working directory, the package."""
    return [*(folder / "experiments" for folder in extra), Path("experiments"), _shipped("experiments")]


def experiment(name: str, extra: list[Path]) -> Path | None:
    """The file of an experiment, the first in those folders; None if there is none of that name."""
    found = (folder / f"{name}.yaml" for folder in experiment_folders(extra))
    return next(filter(is_file, found), None)


def is_file(path: Path) -> bool:
    """Whether there is a file at a path that a user gave; a name that no file can have is none's."""
    try:
        return path.is_file()
    except OSError:  # the name is too long
        return False


def is_folder(path: Path | Traversable) -> bool:
    """Whether there is a folder at a path that a user gave."""
    try:
        return path.is_dir()
    except OSError:
        return False


def at_home(path: str) -> Path:
    """A path that a user gave, `~` replaced by the home directory where there is such a user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_plain(name: str) -> bool:
    """Whether a name can be that of a folder in results/."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) is not None
