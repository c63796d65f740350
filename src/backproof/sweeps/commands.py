"""The command that reproduces a cell: the fewest overrides that make its case again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from backproof.sweeps.case import Case
from backproof.sweeps.overrides import Value, shown


def command_of(options: Sequence[str], overrides: Sequence[str]) -> str:
    """The command line, quoted for a shell."""
    return shlex.join(["backproof", "check", *options, *overrides])


def overrides_of(case: Case, differs: Callable[[str, Value], bool]) -> tuple[str, ...]:
    """One override for each setting that differs from what the command would compose without it."""
    return tuple(f"{key}={shown(value)}" for key, value in case.flat().items() if differs(key, value))
