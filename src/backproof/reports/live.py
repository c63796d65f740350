"""Text with numbers that are measured: `{median(accuracy where output == 'relu'):.2f}` in a sentence.

A field is an aggregate of an expression over the cells in `where`, all without one, and a format of Python's.
The expressions are those of claims; nothing else is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.errors import ConfigurationError, nearest
from backproof.reports.axes import own
from backproof.sweeps.expressions import Expression, parse

AGGREGATES: dict[str, Callable[[NDArray[np.float64]], float]] = {
    "count": len,
    "share": lambda v: float(v.mean()),
    "median": lambda v: float(np.median(v)),
    "mean": lambda v: float(v.mean()),
    "sum": lambda v: float(v.sum()),
    "least": lambda v: float(v.min()),
    "greatest": lambda v: float(v.max()),
}
"""Of the values that are not null; `count` takes none, and counts cells."""

NONE = "–"
"""Where there is no cell, or none with a value."""

_FIELD = re.compile(r"\{([^{}]*)\}")
_CALL = re.compile(r"(?P<name>\w+)\((?P<inside>.*)\)(?::(?P<format>[^:]*))?", re.DOTALL)
_WHERE = re.compile(r"(?P<value>.*?)\s*\bwhere\b(?P<where>.*)", re.DOTALL)
_FORMAT = re.compile(r",?(\.\d\d?)?[efg%]?")


@dataclass(frozen=True)
class Field:
    """A number in a text.

    Attributes:
        value: None of a count.
    """

    aggregate: str
    value: Expression | None
    where: Expression | None
    format: str

    def shown(self, cells: pd.DataFrame) -> str:
        """The number, of these cells; of a refinement's only where `where` names `refined`.

        Raises:
            ConfigurationError: if an expression does not fit the table.
        """
        cells = own(cells, self.where)
        about = cells if self.where is None else cells[self.where.truth(cells)]
        values = np.ones(len(about)) if self.value is None else self.value.numbers(about)
        values = values[~np.isnan(values)]
        if not len(values) and self.aggregate != "count":
            return NONE
        return format(AGGREGATES[self.aggregate](values), self.format)


@dataclass(frozen=True)
class LiveText:
    """Words and fields by turns, words first and last."""

    words: tuple[str, ...]
    fields: tuple[Field, ...]

    def filled(self, cells: pd.DataFrame) -> str:
        """The text, with the numbers of these cells.

        Raises:
            ConfigurationError: if an expression does not fit the table.
        """
        shown = [field.shown(cells) for field in self.fields]
        return "".join(part for pair in zip(self.words, [*shown, ""], strict=True) for part in pair)

    @property
    def plain(self) -> dict[str, object]:
        """The text as data, which a page's script fills in by the same rules."""
        fields = [
            {
                "aggregate": field.aggregate,
                "value": field.value.text if field.value else None,
                "where": field.where.text if field.where else None,
                "format": field.format,
                "refined": field.where is not None and "refined" in field.where.columns,
            }
            for field in self.fields
        ]
        return {"words": self.words, "fields": fields}

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        read = [e.columns for field in self.fields for e in (field.value, field.where) if e is not None]
        return frozenset().union(*read)


WORDLESS = LiveText(("",), ())
"""No text at all."""


def live_text(key: str, text: object, columns: Collection[str]) -> LiveText:
    """A text and its fields; `key` is where it stands.

    Raises:
        ConfigurationError: naming the key, the field and the nearest right name.
    """
    *found, last = _FIELD.split(" ".join(str(text).split()))
    words, fields = [*found[::2], last], found[1::2]
    for part in words:
        if "{" in part or "}" in part:
            raise ConfigurationError(f"{key}: a brace without its other one, in {part.strip()[:60]!r}")
    return LiveText(tuple(words), tuple(_field(key, field, columns) for field in fields))


def _field(key: str, text: str, columns: Collection[str]) -> Field:
    call = _CALL.fullmatch(text.strip())
    if call is None:
        raise ConfigurationError(
            f"{key}: {{{text[:60]}}} must be an aggregate of cells,"
            " as in {median(accuracy where seed == 0):.2f}"
        )
    name, inside = call["name"], call["inside"].strip()
    if name not in AGGREGATES:
        raise ConfigurationError(
            f"{key}: must be one of {', '.join(AGGREGATES)}; not {name!r}{nearest(name, AGGREGATES)}"
        )
    parts = _WHERE.fullmatch(inside)
    value, where = (parts["value"], parts["where"].strip()) if parts else (inside, None)
    if bool(value) is (name == "count"):
        raise ConfigurationError(
            f"{key}: {name} takes {'cells alone' if value else 'a value'}, in {{{text[:60]}}}"
        )
    shape = call["format"] or ("" if name == "count" else ".3g")
    if not _FORMAT.fullmatch(shape):
        raise ConfigurationError(
            f"{key}: a format must be one such as .2f, .1e, .3g or .0%; not {shape[:20]!r}"
        )
    return Field(
        name,
        parse(f"{key}.{name}", value, columns) if value else None,
        None if where is None else parse(f"{key}.{name}.where", where, columns),
        shape,
    )
