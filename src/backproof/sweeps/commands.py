"""The command that reproduces a cell, and the overrides that it consists of."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from backproof.sweeps.overrides import Value, shown


def command_of(options: Sequence[str], overrides: Sequence[str]) -> str:
    """The command line, quoted for a shell."""
    return shlex.join(["backproof", "check", *options, *overrides])


def set_to(key: str, value: Value) -> str:
    """The override that gives a key of the configuration another value."""
    return f"{key}={shown(value)}"


def added(key: str, value: Value) -> str:
    """The override that adds a key to the configuration."""
    return f"+{key}={shown(value)}"


def deleted(key: str) -> str:
    """The override that takes a key out of the configuration."""
    return f"~{key}"
