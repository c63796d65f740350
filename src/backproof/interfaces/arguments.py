"""Arguments of the commands that take a grid: our flags, Hydra's, and overrides."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from backproof import paths
from backproof.errors import ConfigurationError, nearest
from backproof.interfaces.answers import OPEN

OWN = {
    "sweep": ("--retry-failed", "--fail-fast", OPEN),
    "plan": ("--retry-failed",),
    "check": ("--json", "--plot"),
}
"""The flags of each command beside Hydra's."""

SHOWING = ("cfg", "info", "hydra_help")
"""Flags that Hydra answers itself."""

MODES = ("run", "multirun", "cfg", "info", "shell_completion")
"""Flags of which one at a time makes sense."""

SWEEPER, OPTUNA = "hydra/sweeper", "optuna"
STOCK = (SWEEPER, "hydra.sweeper", "hydra/launcher", "hydra.launcher")
"""Overrides with which a sweep is run by Hydra itself."""


@dataclass(frozen=True)
class Arguments:
    """Arguments, read.

    Attributes:
        own: those of our flags that are given.
        hydra: Hydra's flags that are given.
        shows: whether Hydra is only asked to show something.
    """

    command: str
    overrides: tuple[str, ...]
    own: frozenset[str]
    config_dir: Path | None
    config_name: str | None
    hydra: tuple[str, ...]
    shows: bool

    def value(self, key: str) -> str | None:
        """The value that the last override of that key gives."""
        values = [word.partition("=")[2] for word in self.overrides if _key(word) == key]
        return values[-1] if values else None

    @property
    def opens(self) -> bool:
        """Whether the report is to be shown."""
        return OPEN in self.own

    @property
    def other_sweeper(self) -> bool:
        """Whether another sweeper than ours is asked for."""
        named = self.value(SWEEPER)
        return self.value("hydra.sweeper._target_") is not None or named not in (None, "backproof")

    @property
    def optimises(self) -> bool:
        """Whether trials are chosen by Optuna, which is ours to run."""
        return self.command == "sweep" and self.value(SWEEPER) == OPTUNA and not self.shows

    @property
    def for_hydra(self) -> bool:
        """Whether Hydra itself has to run: to show something, or for a sweeper or launcher of its own."""
        stock = not self.optimises and any(_key(word).startswith(STOCK) for word in self.overrides)
        return self.shows or (self.command == "sweep" and stock)


OF_RUNS = {
    "hydra.run.dir": "results go to results/NAME, and name=NAME chooses it",
    "hydra.job.chdir": "jobs run in the folder that the program is started in, where results/NAME is",
}
"""Settings that no sweeper heeds here, and why."""


class _Parser(argparse.ArgumentParser):
    """Raises in one line what argparse answers with its usage and an exit."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(message)


TOPICS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
FLAGS: dict[tuple[str, ...], dict[str, Any]] = {
    ("--help", "-h"): {"nargs": "?", "const": ""},
    ("--run", "-r"): {"action": "store_true"},
    ("--multirun", "-m"): {"action": "store_true"},
    ("--config-dir", "-cd"): {"type": Path},
    ("--config-name", "-cn"): {},
    ("--cfg", "-c"): {"choices": ("job", "hydra", "all")},
    ("--resolve",): {"action": "store_true"},
    ("--package", "-p"): {},
    ("--hydra-help",): {"action": "store_true"},
    ("--shell-completion", "-sc"): {"action": "store_true"},
    ("--experimental-rerun",): {},
    ("--info", "-i"): {"nargs": "?", "const": "all", "choices": TOPICS},
}
"""Hydra's flags, as argparse reads them."""


def read(command: str, words: Sequence[str]) -> Arguments:
    """Read a command's arguments.

    Raises:
        ConfigurationError: naming the flag or override that is wrong.
    """
    given, overrides = parsed(command, words)
    modes = [mode for mode in MODES if getattr(given, mode)]
    if len(modes) > 1:
        raise ConfigurationError(f"{' and '.join('--' + m for m in modes)}: only one of them at a time")
    for flag in ("resolve", "package"):
        if getattr(given, flag) and not given.cfg:
            raise ConfigurationError(f"--{flag}: is about what --cfg shows; give --cfg job too")
    if given.multirun and not overrides and given.config_name is None:
        raise ConfigurationError("--multirun: needs axes, as in `-m activation=relu,tanh seed=0,1`")
    if given.config_dir is not None and not paths.is_folder(given.config_dir):
        raise ConfigurationError(f"--config-dir: {given.config_dir} is not a folder")
    if given.experimental_rerun is not None:
        raise ConfigurationError(
            "--experimental-rerun: needs a pickled configuration, and backproof neither writes nor reads one;"
            " a cell's column `command` makes it again"
        )
    arguments = Arguments(
        command,
        tuple(overrides),
        frozenset(flag for flag in OWN[command] if getattr(given, _attribute(flag))),
        given.config_dir.resolve() if given.config_dir else None,
        given.config_name,
        tuple(_for_hydra(given)),
        any(getattr(given, name) for name in SHOWING),
    )
    _refuse(arguments)
    return arguments


def parsed(command: str, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Flags, and the overrides among them.

    Raises:
        ConfigurationError: if there is no such flag, or its value is missing or wrong.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    for names, how in FLAGS.items():
        parser.add_argument(*names, **how)
    for flag in OWN[command]:
        parser.add_argument(flag, action="store_true")
    flags = [*(flag for names in FLAGS for flag in names), *OWN[command]]
    for word in words:
        flag = word.partition("=")[0]
        if flag.startswith("-") and flag not in flags:
            raise ConfigurationError(f"{flag}: unknown option{nearest(flag, flags)}")
    return parser.parse_known_args(list(words))


def _for_hydra(given: argparse.Namespace) -> list[str]:
    """The flags as Hydra takes them."""
    words = []
    for name in ("config_dir", "config_name", "cfg", "package", "info"):
        if getattr(given, name) is not None:
            words.append(f"--{name.replace('_', '-')}={getattr(given, name)}")
    for name in ("resolve", "multirun", "hydra_help"):
        if getattr(given, name):
            words.append(f"--{name.replace('_', '-')}")
    return words


def _refuse(arguments: Arguments) -> None:
    """What the commands set themselves, and what Hydra would answer with a traceback."""
    for word in arguments.overrides:
        key = _key(word)
        if "=" in word and not key:
            raise ConfigurationError(f"'{word}' is not an override: it names no key")
        if key == "hydra.mode":
            raise ConfigurationError(f"{key}: is set by the command itself")
        if key in OF_RUNS and not arguments.shows:
            raise ConfigurationError(f"{key}: {OF_RUNS[key]}")
    if arguments.command != "sweep" and arguments.other_sweeper:
        given = arguments.value(SWEEPER)
        raise ConfigurationError(f"{SWEEPER}: {arguments.command} needs backproof's own; not '{given}'")
    if (own := arguments.own - {OPEN}) and arguments.other_sweeper:
        flags = ", ".join(sorted(own))
        raise ConfigurationError(f"{flags}: needs backproof's own sweeper, hydra/sweeper=backproof")


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _attribute(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")
