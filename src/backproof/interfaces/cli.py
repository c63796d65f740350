"""The command line. Heavy imports wait until a command needs them, so that help and errors are quick."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from backproof import paths

HELP = """\
backproof: is this gradient right, and if not, why, and does it matter?

usage: backproof COMMAND [ARGUMENTS]

  sweep experiment=thread        run an experiment's grid, then write the report
  sweep -m activation=relu,tanh clip.eps=1e-15,1e-7 name=mine
                                 any multirun grid, in Hydra's syntax
  plan ...                       the same arguments: how many cells, how long; runs nothing
  check delta=y_minus_t ...      one case in the terminal: verdict, causes, cures, a table per weight tensor;
                                 --json for programs, --plot for figures
  report results/NAME            rebuild the report from what is stored, also while a sweep runs
  compare results/A results/B    what changed between two sweeps, cell by cell

`backproof sweep --help` lists every axis and its choices.
Results go to results/NAME: report.html, cells.csv, cells.parquet, curves.parquet, figures/.
Exit status: 0 all cells are there; 1 some are not; 2 wrong arguments, nothing ran; 130 interrupted.
"""

COMPARE_HELP = """\
usage: backproof compare results/A results/B

What changed from sweep A to sweep B, cell by cell: statuses and verdicts, gradient error and convergence
paired over seeds with 95 % intervals, and differences in configuration, code and versions. Cells are aligned
by the settings that vary within A or B; a setting that each sweep holds constant may differ between the two.
Prints a summary and writes results/B/compare-with-A.html.

Exit status: 0 every cell is on both sides with the same status and verdict; 1 some cell is not; 2 wrong
arguments, or the page cannot be written.
"""

HYDRA_FLAGS = (
    "--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--resolve", "--package", "-p", "--run", "-r",
    "--multirun", "-m", "--shell-completion", "-sc", "--config-name", "-cn", "--config-dir", "-cd",
    "--experimental-rerun", "--info", "-i",
)  # fmt: skip

OWN_FLAGS = {
    "sweep": ("--retry-failed", "--fail-fast"),
    "plan": ("--retry-failed",),
    "check": ("--json", "--plot"),
}
"""What each command understands beside Hydra's flags."""

NO_NAME = re.compile(r"|null|true|false|[-+]?(inf|nan|\d[\d_]*(\.\d*)?(e[-+]?\d+)?)|\[.*", re.IGNORECASE)
"""Values that Hydra does not read as text, so that they can name no choice; nor can a list."""

GRID_COMMANDS = ("sweep", "plan", "check")
COMMANDS = (*GRID_COMMANDS, "report", "compare")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0 if given else 2
    if given[0] == "--version":
        from importlib.metadata import version

        print(version("backproof"))
        return 0
    command, rest = given[0], given[1:]
    if command not in COMMANDS:
        from backproof.errors import nearest

        return _wrong(f"{command}: must be one of {', '.join(COMMANDS)}{nearest(command, COMMANDS)}")
    if {"-h", "--help"} & set(rest):
        print(_help_of(command, rest), end="")
        return 0
    if command in GRID_COMMANDS:
        return _hydra(command, rest)
    return _report(rest) if command == "report" else _compare(rest)


def _wrong(message: str) -> int:
    """One line on the error stream, and the status of wrong input."""
    print("backproof: " + " ".join(message.split()), file=sys.stderr)
    return 2


def _report(rest: list[str]) -> int:
    if len(rest) != 1:
        return _wrong(
            f"report: takes one results folder, as in `backproof report results/thread`; not {len(rest)}"
        )
    from backproof.errors import ConfigurationError
    from backproof.interfaces import commands

    try:
        return commands.report(Path(rest[0]))
    except ConfigurationError as error:
        return _wrong(str(error))
    except OSError as error:
        return _wrong(f"{rest[0]}: the report cannot be written ({error})")


def _compare(rest: list[str]) -> int:
    if len(rest) != 2:
        return _wrong(
            "compare: takes two results folders, as in `backproof compare results/before results/after`; "
            f"not {len(rest)}"
        )
    from backproof.errors import ConfigurationError
    from backproof.interfaces.comparison import compare

    try:
        return compare(Path(rest[0]), Path(rest[1]))
    except ConfigurationError as error:
        return _wrong(str(error))
    except OSError as error:
        return _wrong(f"{rest[1]}: the comparison cannot be written ({error})")


def _hydra(command: str, rest: list[str]) -> int:
    from backproof.errors import ConfigurationError, ResultsError

    try:
        return run_hydra(command, rest)
    except ConfigurationError as error:
        return _wrong(str(error))
    except ResultsError as error:
        _wrong(str(error))
        return 1  # something ran
    except KeyboardInterrupt:
        return 130


def run_hydra(command: str, rest: list[str]) -> int:
    """Let Hydra parse the arguments and compose; its sweeper then calls back into `commands`.

    Raises:
        ConfigurationError: if the arguments or a configuration file are wrong; one line that says what.
    """
    import logging

    import hydra
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from backproof.errors import ConfigurationError
    from backproof.interfaces import jobs

    for folder in (Path.cwd(), *_config_dirs(rest)[:-1]):
        if str(folder.resolve()) not in sys.path:  # a `_target_` may lie in the user's folder
            sys.path.append(str(folder.resolve()))
    options = [f"hydra.sweeper.command={command}"] if command != "sweep" else []
    own = [a for a in rest if a in OWN_FLAGS[command]]
    if own:
        rest = [a for a in rest if a not in own]
        options.append(f"hydra.sweeper.flags=[{','.join(flag.removeprefix('--') for flag in own)}]")
    rest = of_swept_groups([of_function(word) for word in _flags_first(command, rest)])
    _refuse_ours(command, rest)
    logging.raiseExceptions = False  # `--info | head` closes the pipe that Hydra logs into
    # Hydra prints its errors itself, with a traceback or a hint at one, unless it is told to raise them.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    kept, sys.argv = sys.argv, ["backproof " + command, *rest, *options]
    try:
        program = hydra.main(version_base="1.3", config_path=str(paths.conf()), config_name="config")(
            jobs.job
        )
        program()
        return jobs.exit_status(rest)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigurationError(_translated(error, rest)) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"a configuration file is not readable as YAML: {error}") from error
    finally:
        sys.argv = kept


def of_function(override: str) -> str:
    """An override, marked for Hydra as one that may be new: the keywords of a function stand in no file."""
    return re.sub(r"^(subject\.[A-Za-z]\w*=)", r"++\1", override)


def of_swept_groups(overrides: Sequence[str]) -> list[str]:
    """Overrides, those of values in a group that is an axis marked for Hydra as ones that may be new.

    Hydra composes the default choice before the sweep begins, and that may lack what others have.
    """
    return [re.sub(rf"^(?={_swept(overrides)})", "++", word) for word in overrides]


def without_marks(overrides: Sequence[str]) -> list[str]:
    """The same as they were."""
    return [re.sub(rf"^\+\+(?={_swept(overrides)})", "", word) for word in overrides]


def _swept(overrides: Sequence[str]) -> str:
    """A pattern of the values in those groups of which several choices are asked for."""
    asked = (re.match(r"(\w+)=(?:choice\(|glob\(|.*,)", word) for word in overrides)
    groups = "|".join(sorted({found[1] for found in asked if found}))
    return rf"(?:{groups})\.\w" if groups else "(?!)"


def as_typed(override: str) -> str:
    """The same without that mark."""
    return re.sub(r"^\+\+(?=subject\.)", "", override)


def _flags_first(command: str, rest: Sequence[str]) -> list[str]:
    """The same arguments, overrides last: argparse takes them in one piece only.

    Raises:
        ConfigurationError: in one line, where argparse would print its usage of many and leave.
    """
    from hydra._internal.utils import get_args_parser

    from backproof.errors import ConfigurationError, nearest

    for word in rest:
        flag = word.partition("=")[0]
        if flag.startswith("-") and flag not in HYDRA_FLAGS:
            raise ConfigurationError(
                f"{flag}: unknown option{nearest(flag, (*HYDRA_FLAGS, *OWN_FLAGS[command]))}"
            )
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        known, more = parser.parse_known_args(list(rest))
    except argparse.ArgumentError as error:
        raise ConfigurationError(str(error)) from error
    modes = [m for m in ("run", "multirun", "cfg", "info", "shell_completion") if getattr(known, m)]
    if len(modes) > 1:
        raise ConfigurationError(f"{' and '.join('--' + m for m in modes)}: only one of them at a time")
    overrides = [*known.overrides, *more]
    if known.multirun and not overrides:
        raise ConfigurationError("--multirun: needs axes, as in `-m activation=relu,tanh seed=0,1`")
    return [*(word for word in rest if word not in overrides), *overrides]


def _refuse_ours(command: str, rest: Sequence[str]) -> None:
    """What the commands set themselves, and what Hydra would answer with a traceback."""
    from backproof.errors import ConfigurationError

    for folder in _config_dirs(rest):
        if (folder / "experiment").is_dir():  # to Hydra a group, and `experiment=…` a choice of it
            raise ConfigurationError(
                f"{folder / 'experiment'}: experiments stand in a folder named experiments; rename it"
            )
    for word in rest:
        key, equals, value = word.lstrip("+~").partition("=")
        if equals and not key:
            raise ConfigurationError(f"'{word}' is not an override: it names no key")
        if key in ("hydra.mode", "hydra.sweeper.command", "hydra.sweeper.flags"):
            raise ConfigurationError(f"{key}: is set by the command itself")
        if key == "hydra/sweeper" and command != "sweep" and value != "backproof":
            raise ConfigurationError(f"hydra/sweeper: {command} needs backproof's own; not '{value}'")
        if (
            equals
            and NO_NAME.fullmatch(value)
            and not key.startswith("hydra")
            and (paths.conf() / key).is_dir()
        ):
            given = value or "null"
            raise ConfigurationError(f"{key}: must be one of {', '.join(_choices(key, rest))}; not {given}")


def _choices(group: str, rest: Sequence[str]) -> list[str]:
    """A group's choices, ours and those of --config-dir."""
    return sorted({path.stem for folder in _config_dirs(rest) for path in (folder / group).glob("*.yaml")})


def _known_keys(folders: Sequence[Path]) -> list[str]:
    """Groups and keys that configuration files in these folders define, read as plain YAML."""
    import yaml

    keys: list[str] = []
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            group = path.parent.relative_to(folder).as_posix()
            prefix = "" if group == "." else group + "."
            keys += [group] if group != "." else []
            try:
                content = yaml.safe_load(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, yaml.YAMLError):
                continue
            keys += [prefix + str(k) for k in content or {} if not str(k).startswith("_") and k != "defaults"]
    return list(dict.fromkeys(keys))


def _config_dirs(rest: Sequence[str]) -> list[Path]:
    """Our folder of groups, and the user's from --config-dir."""
    folders = [paths.conf()]
    for i, word in enumerate(rest):
        flag, equals, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            folders.insert(0, Path(value if equals else (rest[i + 1] if i + 1 < len(rest) else ".")))
    return [f for f in folders if f.is_dir()]


def _translated(error: Exception, rest: Sequence[str]) -> str:
    """Hydra's error as one line in our words: the key, and the nearest right one."""
    from backproof.errors import nearest
    from backproof.sweeps.grid import one_line

    text = str(error)
    unknown = re.search(r"Could not override '([^']+)'", text)
    if unknown:
        key, known = unknown[1], _known_keys(_config_dirs(rest))
        if key in known:
            return f"{key}: not among the values of the chosen {key.partition('.')[0]}"
        return f"{key}: unknown{nearest(key, known)}"
    missing = re.search(r"Could not find '([^']+)/([^'/]+)'", text)
    if missing:
        group, choice = missing.groups()
        options = re.findall(r"^\t(\S+)$", text, re.MULTILINE)
        return f"{group}: must be one of {', '.join(options)}; not '{choice}'{nearest(choice, options)}"
    return one_line(error)


def _help_of(command: str, rest: Sequence[str]) -> str:
    """What a command does, and every axis with its choices and values, read off the configuration files."""
    if command == "report":
        return "usage: backproof report results/NAME\n\nRebuilds tables, figures and report from the store.\n"
    if command == "compare":
        return COMPARE_HELP
    from backproof.interfaces.help import HEADS, axes_help

    return HEADS[command] + axes_help(_config_dirs(rest), paths.experiment_folders(_config_dirs(rest)))
