"""What every setting may be. Whole grids pass through here before the first cell runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from backproof.errors import ConfigurationError, nearest
from backproof.estimates.stencils import SCHEMES
from backproof.network.activations import KinkRule
from backproof.network.arrays import Precision
from backproof.network.clips import ClipBackward
from backproof.network.initial import Bias
from backproof.network.losses import Reduction
from backproof.sweeps.settings import GROUPS, OFF, VALUES, Settings, Value


@dataclass(frozen=True)
class Field:
    """What a value must be, in words and as a function that returns it normalised or raises ValueError."""

    says: str
    read: Callable[[Any], Value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(low: float, high: float = math.inf, *, open_low: bool = False, open_high: bool = False) -> Field:
    """A finite number within bounds; an integer is read as a float."""
    left, right = (">" if open_low else "≥"), ("<" if open_high else "≤")
    bounds = [f"{left} {low:g}"] * math.isfinite(low) + [f"{right} {high:g}"] * math.isfinite(high)

    def read(value: Any) -> Value:
        if not _is_number(value) or not math.isfinite(value):
            raise ValueError
        if value < low or value > high or (open_low and value == low) or (open_high and value == high):
            raise ValueError
        return float(value)

    return Field(" ".join(["a number", " and ".join(bounds)]).strip(), read)


def integer(low: int) -> Field:
    """A whole number of at least `low` that fits 64 bits, as tables want it."""

    def read(value: Any) -> Value:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value < 2**63:
            raise ValueError
        return value

    return Field(f"a whole number ≥ {low}", read)


def one_of(*allowed: str) -> Field:
    """One of a few words."""

    def read(value: Any) -> Value:
        if value not in allowed:
            raise ValueError
        return str(value)

    return Field("one of " + ", ".join(allowed), read)


def yes_or_no() -> Field:
    """true or false."""

    def read(value: Any) -> Value:
        if not isinstance(value, bool):
            raise ValueError
        return value

    return Field("true or false", read)


def word_or(word: str | None, other: Field) -> Field:
    """A word (or null), or what the other field allows."""

    def read(value: Any) -> Value:
        return word if value == word else other.read(value)

    return Field(f"{word or 'null'} or {other.says}", read)


def _read_widths(value: Any) -> Value:
    if not isinstance(value, list | tuple):
        raise ValueError
    if not all(isinstance(v, int) and not isinstance(v, bool) and v >= 1 for v in value):
        raise ValueError
    return tuple(value)


FIELDS: dict[str, Field] = {
    "network.hidden": Field("a list of widths, whole numbers ≥ 1", _read_widths),
    "network.init_scale": number(0),
    "network.bias": one_of(*Bias),
    "loss.reduction": one_of(*Reduction),
    "loss.l2": number(0),
    "clip.eps": number(0, 0.5, open_low=True, open_high=True),
    "clip.backward": one_of(*ClipBackward),
    "precision": one_of(*Precision),
    "kink": one_of(*KinkRule),
    "relu_at_zero": number(-math.inf),
    "seed": integer(0),
    "check.samples": integer(1),
    "check.parameters": word_or("all", integer(1)),
    "check.step": word_or(None, number(0, open_low=True)),
    "check.scheme": one_of(*SCHEMES),
    "check.cures": integer(0),
    "check.evidence": yes_or_no(),
    "check.rivals": yes_or_no(),
    "training.learning_rate": number(0, open_low=True),
    "training.steps": integer(1),
    "training.batch": word_or("full", integer(1)),
    "training.threshold": number(0, 1, open_low=True),
    "training.every": integer(1),
}
"""Settings of the sweep itself; the parameters of a component are checked against its signature."""


@cache
def _read(key: str, value: Value, kind: str) -> Value:  # `kind` keeps 1, 1.0 and True apart
    del kind
    field = FIELDS[key]
    try:
        return field.read(value)
    except (ValueError, TypeError) as error:
        hint = (
            nearest(str(value), field.says.removeprefix("one of ").split(", "))
            if isinstance(value, str)
            else ""
        )
        raise ConfigurationError(f"{key}: must be {field.says}; not {_quoted(value)}{hint}") from error


def _quoted(value: Any) -> str:
    if isinstance(value, tuple):
        return str(list(value))
    return "null" if value is None else repr(value)


def validate(settings: Settings) -> Settings:
    """Settings with every value there, checked and normalised.

    Raises:
        ConfigurationError: naming the key, what is allowed and what was given.
    """
    _check_complete(settings)
    checked = dict(settings)
    for key, value in settings.items():
        if key in FIELDS:
            try:
                checked[key] = _read(key, value, type(value).__name__)
            except TypeError as error:  # an unhashable value: a list within a list
                raise ConfigurationError(f"{key}: must be {FIELDS[key].says}; not {value!r}") from error
    return checked


def _check_complete(settings: Settings) -> None:
    """Nothing that a case needs was taken away (`~seed`) or left out of somebody's own file."""
    for key in (*GROUPS, *VALUES):
        if key not in settings or (key in GROUPS and settings[key] is None):
            raise ConfigurationError(f"{key}: is missing, and every case needs it")
    for key in FIELDS:
        group = key.partition(".")[0]
        if key not in settings and settings[group] != OFF:
            raise ConfigurationError(f"{key}: is missing from {group}={settings[group]}")
