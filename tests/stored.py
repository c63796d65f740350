"""Stores as somebody may have changed them: rows rewritten behind the package's back."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

FILE = "sweep.sqlite"
ROWS = """
SELECT cell, id, settings, command, status, seconds, attempts, curves, content, line
FROM cells LEFT JOIN results USING (cell) LEFT JOIN shards USING (shard)
"""
OF_RESULT = ("status", "seconds", "attempts", "curves")
OF_LINE = ("error", "traceback", "outcome", "tensors")


class Row(dict):
    """A cell's columns, each as the store has it; those in its line of a shard as text of JSON."""

    @property
    def settings(self):
        """The settings, parsed."""
        return json.loads(self["settings"])

    def set(self, name, value):
        """Set a value of the outcome."""
        self["outcome"] = json.dumps({**json.loads(self["outcome"]), name: value})


def rewrite(
    folder: Path, change: Callable[[Row], None], where: Callable[[Row], bool] = lambda _: True
) -> None:
    """Change the rows of a store that fit; one of them at least. A status of None takes the result away."""
    changed = 0
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        for cell, name, settings, command, status, seconds, attempts, curves, content, line in db.execute(
            ROWS
        ).fetchall():
            kept = dict.fromkeys(OF_LINE, "null")
            if content:
                values = json.loads(zlib.decompress(content).split(b"\n")[line])
                kept = {key: json.dumps(value) for key, value in zip(OF_LINE, values, strict=True)}
            result = dict(zip(OF_RESULT, (status, seconds, attempts, curves), strict=True))
            row = Row(id=name, settings=settings, command=command, **result, **kept)
            if not where(row):
                continue
            change(row)
            changed += 1
            _write(db, cell, row, had_result=content is not None)
    assert changed


def _write(db: sqlite3.Connection, cell: int, row: Row, *, had_result: bool) -> None:
    db.execute(
        "UPDATE cells SET settings = ?, command = ? WHERE cell = ?", (row["settings"], row["command"], cell)
    )
    if had_result and row["status"] is None:
        db.execute("DELETE FROM results WHERE cell = ?", (cell,))
    elif had_result:
        line = "[" + ", ".join(row[key] for key in OF_LINE) + "]"
        shard = db.execute(
            "INSERT INTO shards (content) VALUES (?)", (zlib.compress(line.encode()),)
        ).lastrowid
        values = [row[key] for key in OF_RESULT]
        db.execute(
            "UPDATE results SET status = ?, seconds = ?, attempts = ?, curves = ?, shard = ?, line = 0"
            " WHERE cell = ?",
            (*values, shard, cell),
        )


def of_seed(*seeds: int) -> Callable[[Row], bool]:
    """Rows of these seeds."""
    return lambda row: row.settings["seed"] in seeds
