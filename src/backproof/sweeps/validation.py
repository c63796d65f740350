"""What a setting must be, in words, and the one line that a wrong one gets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from backproof.errors import ConfigurationError, nearest

M = TypeVar("M", bound=BaseModel)

IDLE = "null where it cannot affect the case"
"""Marks fields that are None in the canonical form only: null is nothing that a user may give."""

SIGNS = ((Gt, "gt", ">"), (Ge, "ge", "≥"), (Lt, "lt", "<"), (Le, "le", "≤"))
LARGEST = 2**63
"""That whole numbers fit 64 bits goes without saying."""


def allowed(field: FieldInfo) -> str:
    """What a field allows, as in "a number > 0 and < 0.5"."""
    return _in_words(field.annotation, field.metadata)


def words(field: FieldInfo) -> list[str]:
    """The words among what a field allows."""
    return _words(field.annotation)


def validated(model: type[M], given: Mapping[str, Any], prefix: str = "") -> M:
    """A model of the given values; `prefix` is its group's key with a dot, or empty at the top of a case.

    Raises:
        ConfigurationError: naming the first key that is wrong, what it allows and what was given.
    """
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for name, value in given.items():
        if value is None and name in fields and IDLE in fields[name].metadata:
            raise _wrong(prefix + name, value, fields[name])
    try:
        return model(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    if first["type"] == "missing":
        raise ConfigurationError(f"{prefix}{name}: is missing, and every case needs it")
    if first["type"] == "extra_forbidden":
        hint = nearest(prefix + name, [prefix + known for known in fields])
        raise ConfigurationError(f"{prefix}{name}: unknown{hint}")
    if first["type"] == "value_error":  # what two settings say together
        raise ConfigurationError(f"{prefix}{name}: {first['ctx']['error']}")
    raise _wrong(prefix + name, given[name], fields[name])


def _wrong(key: str, value: Any, field: FieldInfo) -> ConfigurationError:
    hint = nearest(value, words(field)) if isinstance(value, str) else ""
    shown = str(list(value)) if isinstance(value, tuple) else "null" if value is None else repr(value)
    return ConfigurationError(f"{key}: must be {allowed(field)}; not {shown}{hint}")


def _in_words(kind: Any, bounds: Sequence[Any] = ()) -> str:
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *more = get_args(kind)
        return _in_words(inner, more)
    if origin in (Union, UnionType):
        parts = sorted(get_args(kind), key=lambda k: k is not NoneType)
        return " or ".join(_in_words(p, bounds) for p in parts if p is not NoneType or IDLE not in bounds)
    if origin is tuple:
        return "a list of " + _in_words(get_args(kind)[0]).removeprefix("a ").replace("number", "numbers", 1)
    if kind in (float, int):
        return " ".join(["a number" if kind is float else "a whole number", *_limits(bounds)])
    if kind is bool:
        return "true or false"
    if kind is NoneType:
        return "null"
    listed = _words(kind)
    return f"one of {', '.join(listed)}" if len(listed) > 1 else "".join(listed) or "text"


def _limits(bounds: Sequence[Any]) -> list[str]:
    found = [
        f"{sign} {getattr(bound, name):g}"
        for bound in bounds
        for kind, name, sign in SIGNS
        if isinstance(bound, kind) and math.isfinite(getattr(bound, name)) and getattr(bound, name) != LARGEST
    ]
    return [" and ".join(found)] if found else []


def _words(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [str(word) for word in get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        words = getattr(kind, "words", None)  # where not all members are known
        return words() if words else [str(member.value) for member in kind]
    return [word for inner in get_args(kind) for word in _words(inner)]
