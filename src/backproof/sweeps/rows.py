"""The rows of a store as records, checked on the way in: a store may come from anybody.

JSON is parsed to plain values, of the kinds that the table of columns states; text is made printable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backproof.files import printable
from backproof.sweeps.columns import CELLS, TENSORS, Column
from backproof.sweeps.outcome import Entry
from backproof.sweeps.overrides import Value
from backproof.sweeps.status import Status

if TYPE_CHECKING:
    from backproof.sweeps.curves import Curves

MOST_JSON = 1 << 24
"""Bytes of one value in JSON; a cell's are a few thousand."""

KINDS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "whole": (int,),
    "number": (int, float),
    "truth": (bool,),
}
SCALARS = frozenset((str, int, float, bool, type(None)))
RESULTS = {column.name: column for column in CELLS}
RESULT_NAMES = frozenset((*RESULTS, "cell"))
OF_TENSOR = {column.name: column for column in TENSORS}


class MalformedError(ValueError):
    """A row is not as this package writes it; the message states what is wrong with which value."""


@dataclass(frozen=True, slots=True)
class StoredCell:
    """A row of `cells`.

    Attributes:
        settings: by name; a list is a tuple.
        outcome: the columns that the cell's computation filled.
    """

    id: str
    settings: Mapping[str, Value]
    status: Status
    error: str | None
    traceback: str | None
    outcome: Mapping[str, Entry]
    seconds: float | None
    attempts: int
    command: str


@dataclass(frozen=True, slots=True)
class StoredTensors:
    """What the check concludes of each weight tensor of a cell."""

    id: str
    tensors: Sequence[Mapping[str, Entry]]


def stored_cell(row: Sequence[object], line: object) -> StoredCell:
    """A cell from the first columns of `sql.ROWS` and its line of a shard; None where it is not computed.

    Raises:
        MalformedError: if a value is not what its column holds.
    """
    cell, settings, command, excluded, status, seconds, attempts = row[:7]
    try:
        known = text_of(cell, "id"), settings_of(settings)
        written = text_of(command, "command")
        if excluded is not None:
            why = text_of(excluded, "excluded")
            return StoredCell(*known, Status.EXCLUDED, why, None, {}, None, 0, written)
        if status is None:
            return StoredCell(*known, Status.PENDING, None, None, {}, None, 0, written)
        error, traceback, outcome, _ = parts_of(line)
        return StoredCell(
            *known,
            Status(text_of(status, "status")),
            None if error is None else text_of(error, "error"),
            None if traceback is None else text_of(traceback, "traceback"),
            record_of(outcome, RESULTS, "outcome"),
            None if seconds is None else float(number_of(seconds, "seconds")),
            int(number_of(attempts, "attempts")),
            written,
        )
    except ValueError as error_found:
        raise MalformedError(f"cell {printable(str(cell))[:32]}: {error_found}") from error_found


def stored_tensors(cell: object, line: object) -> StoredTensors:
    """The tensors of a cell from its line of a shard.

    Raises:
        MalformedError: if they are not a list of records.
    """
    found = parts_of(line)[3]
    if found is None:
        found = []
    if not isinstance(found, list):
        raise MalformedError("tensors: must be a list")
    return StoredTensors(text_of(cell, "id"), [record_of(each, OF_TENSOR, "tensors") for each in found])


def parts_of(line: object) -> list[object]:
    """Error, traceback, results and tensors from a line of a shard.

    Raises:
        MalformedError: if it is not these four.
    """
    try:
        text = line.decode() if isinstance(line, bytes) else line
    except UnicodeDecodeError as error:
        raise MalformedError(f"outcome: not readable as text ({error})") from error
    found = json_of(text, "outcome")
    if not isinstance(found, list) or len(found) != 4:
        raise MalformedError("outcome: must be a list of four")
    return found


def stored_curves(cell: object, stored: object) -> tuple[str, Curves]:
    """A cell's id and curves.

    Raises:
        MalformedError: if they are no curves.
    """
    from backproof.sweeps.curves import decode_curves  # pyarrow: only where there are curves to read

    if not isinstance(stored, bytes):
        raise MalformedError("curves: must be bytes")
    try:
        return text_of(cell, "id"), decode_curves(stored)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"curves: {error}") from error


def settings_of(text: object) -> dict[str, Value]:
    """A cell's settings from JSON."""
    found = json_of(text, "settings")
    if not isinstance(found, dict):
        raise MalformedError("settings: must be a mapping")
    if not RESULT_NAMES.isdisjoint(found):
        name = next(name for name in found if name in RESULT_NAMES)
        raise MalformedError(f"settings: {name} is no setting")
    if _is_plain(text):
        return {name: v if type(v) in SCALARS else _setting(name, v) for name, v in found.items()}
    return {printable(name): _setting(name, value) for name, value in found.items()}


def _is_plain(text: object) -> bool:
    """Whether all text in a JSON text is printable, as seen by the whole of it: nearly every one is."""
    return isinstance(text, str) and "\\" not in text and text.isprintable()


def _setting(name: str, value: object) -> Value:
    if isinstance(value, str):
        return printable(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, list):
        return tuple(_setting(name, item) for item in value)
    return text_of(value, f"settings: {printable(name)}")


def record_of(found: object, columns: Mapping[str, Column], what: str) -> dict[str, Entry]:
    """Values by column, each of the column's kind.

    Raises:
        MalformedError: if one is not, or has no column.
    """
    if not isinstance(found, dict):
        raise MalformedError(f"{what}: must be a mapping")
    return {name: _scalar(value, columns.get(name), what, name) for name, value in found.items()}


def _scalar(value: object, column: Column | None, what: str, name: str) -> Entry:
    if column is None:
        raise MalformedError(f"{what}: {printable(name)}: no such column")
    if value is None:
        return None
    if not isinstance(value, KINDS[column.kind]) or (isinstance(value, bool) and column.kind != "truth"):
        kind = type(value).__name__
        raise MalformedError(f"{what}: {printable(name)}: must be a {column.kind}; is {kind}")
    return printable(value) if isinstance(value, str) else number_of(value, what, name)


def json_of(text: object, what: str) -> object:
    """JSON of bounded length and depth as plain values.

    Raises:
        MalformedError: if it is not.
    """
    if not isinstance(text, str) or len(text) > MOST_JSON:
        raise MalformedError(f"{what}: must be JSON of at most {MOST_JSON} characters")
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{what}: not readable as JSON ({error})") from error
    return found


def printable_json(value: object) -> object:
    """Parsed JSON with its text made printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [printable_json(item) for item in value]
    if isinstance(value, dict):
        return {printable(key): printable_json(item) for key, item in value.items()}
    return value


def text_of(value: object, what: str) -> str:
    """Text, made printable."""
    if not isinstance(value, str):
        raise MalformedError(f"{what}: must be text; is {type(value).__name__}")
    return printable(value)


def number_of(value: object, *what: str) -> int | float:
    """A number that a table can hold; true and false are such."""
    if not isinstance(value, (int, float)) or (isinstance(value, int) and abs(value) >= 1 << 63):
        raise MalformedError(f"{': '.join(map(printable, what))}: must be a number of 64 bits")
    return value
