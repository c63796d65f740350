"""Settings: a case's configuration as one flat mapping, keyed as the overrides that set it.

`activation` is the name of the choice, `activation.slope` a value inside it, and the key
`activation._target_` names the code behind the choice. What is not about the case (`engine`,
`name`, `experiment`) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from backproof.errors import ConfigurationError, nearest

Value = None | bool | int | float | str | tuple[int, ...]
Settings = dict[str, Value]

GROUPS = (
    "subject", "data", "network", "activation", "output", "loss", "clip", "precision",
    "delta", "kink", "fault", "check", "training",
)  # fmt: skip
"""The groups that define a case, in the order in which columns and commands show them."""

VALUES = ("relu_at_zero", "seed")
"""The values that belong to no group."""

RUN = ("engine", "name", "experiment")
"""Keys that say how a sweep is run; no part of any case."""

SAME = "same"
"""The output that is the hidden activation."""

OFF = "none"
"""The choice that switches a check or a training run off."""

TARGET = "_target_"

SUBJECT = "subject._target_"
"""Names the function from outside that a case is about."""

CODE = (SUBJECT, "subject.df", "subject.start")
"""The settings of a subject that name code."""


def is_public(key: str) -> bool:
    """Whether a key is something a user sets, not the name of code; a function from outside is both."""
    return key == SUBJECT or not key.rpartition(".")[2].startswith("_")


def flatten(config: Mapping[str, Any], choices: Mapping[str, str]) -> Settings:
    """A composed configuration, as plain containers, to settings."""
    settings: Settings = {}
    for key, value in config.items():
        if key in RUN or key == "hydra":
            continue
        if key not in GROUPS and isinstance(value, Mapping):
            raise ConfigurationError(f"{key}: is no part of a case{nearest(key, GROUPS)}")
        if isinstance(value, Mapping):
            for inner, v in value.items():
                settings[f"{key}.{inner}"] = _plain(f"{key}.{inner}", v)
        elif key in VALUES:
            settings[key] = _plain(key, value)
        elif key in GROUPS:
            if value is not None:
                raise ConfigurationError(f"{key}: must be one of the files in conf/{key}; not {value!r}")
        else:
            raise ConfigurationError(f"{key}: unknown{nearest(key, (*GROUPS, *VALUES))}")
    for group in GROUPS:
        if group in choices:
            settings[group] = choices[group]
    return settings


def _plain(key: str, value: Any) -> Value:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, Mapping):
        raise ConfigurationError(f"{key}: must be a single value; not {dict(value)}")
    return value  # type: ignore[no-any-return]


def ordered(keys: Iterable[str]) -> list[str]:
    """Keys in the order of the groups, a group before its values."""
    return sorted(keys, key=_place)


@cache
def _place(key: str) -> tuple[int, bool, str]:
    names = (*GROUPS, *VALUES)
    group = key.partition(".")[0]
    return (names.index(group) if group in names else len(names)), "." in key, key


_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NO_TEXT = ("null", "true", "false", "inf", "nan")


def shown(value: Value) -> str:
    """A value as one writes it in an override."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ",".join(str(v) for v in value) + "]"
    if isinstance(value, str) and (not _BARE.fullmatch(value) or value.lower() in _NO_TEXT):
        # In Hydra's quotes a backslash stands for itself, but for those that lead up to a quote.
        escaped = re.sub(r"(\\*)'", r"\1\1\'", value)
        return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"
    return str(value)
