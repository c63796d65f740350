"""A composed configuration as one flat mapping, keyed as the overrides that set it.

`activation` is the name of the choice, `activation.slope` a value inside it, and `activation._target_` names
the code behind it. What is not about the case (`engine`, `name`, `experiment`) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps.overrides import AXES, GROUPS, OFF, RUN, Settings, Value
from backproof.sweeps.settings import MODELS, plain


def flatten(config: Mapping[str, Any], choices: Mapping[str, str]) -> Settings:
    """A composed configuration, as plain containers, to settings; those left out have their defaults.

    Raises:
        ConfigurationError: for a key of no group, a value that is a mapping, or a group that is no choice.
    """
    settings: Settings = {}
    for key, value in config.items():
        if key in RUN or key == "hydra":
            continue
        if key not in GROUPS and isinstance(value, Mapping):
            raise ConfigurationError(f"{key}: is no part of a case{nearest(key, GROUPS)}")
        if isinstance(value, Mapping):
            for inner, v in value.items():
                settings[f"{key}.{inner}"] = _plain(f"{key}.{inner}", v)
        elif key in AXES and key not in GROUPS:
            settings[key] = _plain(key, value)
        elif key in GROUPS:
            if value is not None:
                raise ConfigurationError(f"{key}: must be one of the files in conf/{key}; not {value!r}")
        else:
            raise ConfigurationError(f"{key}: unknown{nearest(key, AXES)}")
    for group in GROUPS:
        if group in choices:
            settings[group] = choices[group]
    return {**_defaults(settings), **settings}


def _defaults(settings: Settings) -> Settings:
    """The defaults of the groups that are there; null where one depends on the choice."""
    groups = [group for group in MODELS if settings.get(group) not in (None, OFF)]
    return {
        f"{group}.{name}": None if field.is_required() else plain(field.default)
        for group in groups
        for name, field in MODELS[group].settings().items()
    }


def _plain(key: str, value: Any) -> Value:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, Mapping):
        raise ConfigurationError(f"{key}: must be a single value; not {dict(value)}")
    return value  # type: ignore[no-any-return]
