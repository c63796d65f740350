"""Settings as overrides name and write them: the keys of a case, their order, and how a value is quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

Value = None | bool | int | float | str | tuple[Any, ...]
"""What a setting may be; a tuple is of such values."""

Settings = dict[str, Value]
"""Values by the key that sets them."""

OFF = "none"
"""The choice that switches a check or a training run off."""

INTERPOLATION = "${"
"""How a reference to another value or to the environment begins."""

MISSING = "???"
"""What a file has for a value that must be given."""

TARGET = "_target_"
"""The key of a user's choice that names its code."""

AXES = (
    "subject", "data", "network", "activation", "output", "loss", "clip", "precision",
    "delta", "relu_at_zero", "kink", "fault", "check", "training", "seed",
)  # fmt: skip
"""The keys at the top of a case, in the order of columns and commands; a group's own is the choice's name."""

VALUES = ("precision", "relu_at_zero", "kink", "seed")
"""Those that are a single value."""

REPLICATE = "seed"
"""The axis of independent repetitions."""

GROUPS = tuple(key for key in AXES if key not in ("relu_at_zero", REPLICATE))
"""Those whose value is a choice by name."""

RUN = ("engine", "name", "experiment")
"""Keys that say how a sweep is run; no part of any case."""


def ordered(keys: Iterable[str]) -> list[str]:
    """Keys in column order, a group before its settings."""
    return sorted(keys, key=_position)


@lru_cache(maxsize=1 << 12)
def _position(key: str) -> tuple[int, bool, str]:
    group = key.partition(".")[0]
    return (AXES.index(group) if group in AXES else len(AXES)), "." in key, key


def is_axis(column: str) -> bool:
    """Whether a column is a setting rather than a result."""
    return column.partition(".")[0] in AXES


def is_public(key: str) -> bool:
    """Whether a key is a column: not the name of code, unless the case is about a function from outside."""
    return key == f"subject.{TARGET}" or not key.endswith(f".{TARGET}")


_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NO_TEXT = ("null", "true", "false", "inf", "nan")


def shown(value: Value) -> str:
    """A value as one writes it in an override."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ",".join(map(shown, value)) + "]"
    if isinstance(value, str) and (not _BARE.fullmatch(value) or value.lower() in _NO_TEXT):
        # A reference that is meant as text, and the backslashes that lead up to it, are escaped.
        text = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
        # In Hydra's quotes a backslash stands for itself, but for those that lead up to a quote.
        escaped = re.sub(r"(\\*)'", r"\1\1\'", text)
        return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"
    return str(value)
