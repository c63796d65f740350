"""Settings: a case's configuration as one flat mapping, keyed as the overrides that set it.

`activation` is the name of the choice, `activation.slope` a value inside it, and the key
`activation._target_` names the code behind the choice. What is not about the case (`engine`,
`name`, `experiment`) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps.case import GROUPS, Value

Settings = dict[str, Value]

VALUES = ("relu_at_zero", "seed")
"""The values that belong to no group."""

RUN = ("engine", "name", "experiment")
"""Keys that say how a sweep is run; no part of any case."""


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
