"""Completion in the shell, `eval "$(backproof -sc install=bash)"`: Hydra completes what follows a command."""

from __future__ import annotations

import os
from collections.abc import Sequence

from backproof.errors import ConfigurationError, ExitStatus, nearest, not_one_of
from backproof.interfaces.child import run_hydra

FLAGS = ("--shell-completion", "-sc")
SHELLS = ("bash", "zsh", "fish")
SUBCOMMANDS = ("install", "uninstall", "query")
LINE = "COMP_LINE"
"""The variable in which the shell hands over what has been typed."""


def complete(words: Sequence[str], commands: Sequence[str], of_grids: Sequence[str]) -> ExitStatus:
    """Print the script that installs completion, or the completions of the line that has been typed.

    Args:
        words: one of `install=SHELL`, `uninstall=SHELL`, `query=SHELL`, and Hydra's flags.
        commands: the program's commands; `of_grids`: those that take overrides.

    Raises:
        ConfigurationError: if the words are no such thing.
    """
    asked = [word for word in words if not word.startswith("-")]
    how, _, shell = asked[0].partition("=") if len(asked) == 1 else ("", "", "")
    if how not in SUBCOMMANDS:
        given = " ".join(asked) or "nothing"
        raise ConfigurationError(
            f"{FLAGS[0]}: takes install=SHELL or uninstall=SHELL; not {given}{nearest(how, SUBCOMMANDS)}"
        )
    if shell not in SHELLS:
        raise not_one_of(f"{FLAGS[0]} {how}", repr(shell), SHELLS)
    if how != "query":
        return ExitStatus(run_hydra([FLAGS[0], *words]))
    if LINE not in os.environ:
        raise ConfigurationError(f"{FLAGS[0]} query: is what the installed script asks, with {LINE} set")
    line = os.environ[LINE]
    typed = line.split()
    if len(typed) < 2 or (len(typed) == 2 and not line.endswith(" ")):
        start = typed[1] if len(typed) == 2 else ""
        print("\n".join(command for command in commands if command.startswith(start)))
        return ExitStatus.OK
    if typed[1] not in of_grids:
        return ExitStatus.OK
    program, _, rest = line.partition(typed[1])
    return ExitStatus(run_hydra([FLAGS[0], *words], {LINE: f"{program.strip()} {rest.lstrip()}"}))
