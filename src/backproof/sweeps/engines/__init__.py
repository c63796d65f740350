"""Engines: where the tasks of a sweep run. Each is a file of this package, found by importing them all.

A file that adds one declares a frozen dataclass derived from `Engine`; its fields are the options of
`engine=NAME`, its first line of documentation is the help. Libraries are imported where they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps.execution import Engine


def _declared() -> Mapping[str, type[Engine]]:
    found: dict[str, type[Engine]] = {}
    for module in sorted(m.name for m in iter_modules(__path__)):
        for thing in vars(import_module(f"{__name__}.{module}")).values():
            if isinstance(thing, type) and issubclass(thing, Engine) and thing is not Engine:
                found[thing.name] = thing
    return MappingProxyType(found)


ENGINES = _declared()
"""The engines by name."""


def options_of(name: str) -> dict[str, object]:
    """The options of an engine with their defaults, as they are configured; `name` is among them."""
    return {"name": name, **{f.name: f.default for f in fields(ENGINES[name])}}


def summary_of(name: str) -> str:
    """What an engine is, in one line."""
    return (ENGINES[name].__doc__ or "").partition("\n")[0].rstrip(".")


def engine_of(options: Mapping[str, object]) -> Engine:
    """The engine that a configuration describes: its `name`, and its options.

    Raises:
        ConfigurationError: naming the option that is wrong.
    """
    name = options.get("name")
    if not isinstance(name, str) or name not in ENGINES:
        hint = nearest(str(name), ENGINES)
        raise ConfigurationError(f"engine: must be one of {', '.join(ENGINES)}; not {name!r}{hint}")
    kind = ENGINES[name]
    given: dict[str, Any] = {key: value for key, value in options.items() if key != "name"}
    known = {f.name for f in fields(kind)}
    for key in given:
        if key in known:
            continue
        others = [n for n, other in ENGINES.items() if key in {f.name for f in fields(other)}]
        hint = f"; engine={' and engine='.join(others)} have it" if others else nearest(key, known)
        raise ConfigurationError(f"engine.{key}: not an option of engine={name}{hint}")
    return kind(**given)
