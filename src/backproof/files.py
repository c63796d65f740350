"""Files that are complete or absent, stay in their folder, and hold no text that anything would execute."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from backproof.errors import ConfigurationError

if TYPE_CHECKING:  # pandas takes a quarter of a second to import
    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that a spreadsheet would evaluate."""

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for tab and line feed, which begin a terminal's escape sequences; line separators
and changes of direction, which disguise text; and halves of surrogate pairs, which UTF-8 cannot encode."""


def printable(text: str) -> str:
    r"""Text from outside, made fit for terminals, files and databases: `\x1b` for an escape character.

    It is applied where text enters: to messages and tracebacks of the user's code, and to what is read from
    a results folder.
    """
    if text.isprintable():  # as nearly every text is, and by far quicker to see
        return text
    return UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


def write(path: Path, content: bytes) -> None:
    """Write a file; it is complete or not there."""
    with writing(path) as file:
        file.write(content)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Write a file under another name first, so that no part of it is ever seen, not even after a power cut.

    A link of that name is replaced, not followed. The temporary name holds the process's number: two reports
    at once do not meet. Where writing fails nothing is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def open_plain(path: Path) -> TextIO:
    """Open a file to read and append, made if missing.

    Raises:
        ConfigurationError: if it is a link, which may lead out of the folder.
    """
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        if path.is_symlink():
            raise ConfigurationError(f"{path}: is a link; it must be a file") from error
        raise
    return os.fdopen(number, "a+", encoding="utf-8")


def plain_folder(path: Path) -> Path:
    """A folder to write to and delete from, made if missing.

    Raises:
        ConfigurationError: if it is a link, which may lead out of the results folder, or a file.
    """
    if path.is_symlink():
        raise ConfigurationError(f"{path}: is a link; it must be a folder")
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise ConfigurationError(f"{path}: is a file; it must be a folder") from error
    return path


def csv(table: pd.DataFrame, *, header: bool = True) -> bytes:
    """A table as CSV. Text that a spreadsheet would evaluate gets an apostrophe in front; numbers stay."""
    texts = [c for c in table.columns if table[c].dtype.kind not in "biufc"]
    safe = {c: table[c].map(_harmless) for c in texts}
    return table.assign(**safe).to_csv(index=False, header=header).encode()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
