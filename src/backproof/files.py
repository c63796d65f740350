"""Files that are there whole or not at all, and tables that no spreadsheet takes for a program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas takes a quarter of a second to import
    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that a spreadsheet would evaluate."""


def write(path: Path, content: bytes) -> None:
    """Write a file under another name first, so that no half of it is ever seen, not even after a power cut.

    The name is the process's own: two reports at once do not meet. Where writing fails nothing is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def csv(table: pd.DataFrame) -> bytes:
    """A table as CSV. Text that a spreadsheet would evaluate gets an apostrophe in front; numbers stay."""
    texts = [c for c in table.columns if table[c].dtype.kind not in "biufc"]
    safe = {c: table[c].map(_harmless) for c in texts}
    return table.assign(**safe).to_csv(index=False).encode()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
