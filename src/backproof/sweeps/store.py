"""The store: one SQLite file a sweep, a row a cell; a row is there whole or not at all.

Curves are Arrow streams in a blob. Nothing in the store is ever unpickled.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from backproof.errors import ConfigurationError, ResultsError
from backproof.sweeps.database import FILE, connect, connect_readonly, is_damage, set_aside
from backproof.sweeps.grid import Cell
from backproof.sweeps.settings import is_public
from backproof.sweeps.work import Outcome

if TYPE_CHECKING:  # pandas takes a quarter of a second to import, and a sweep may not come to its tables
    import pandas as pd
    import pyarrow as pa


class Store:
    """The store in a results folder; a context manager.

    Attributes:
        note: what a user should know about how it was opened; empty where there is nothing to say.
    """

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        """Open or create it; with `readonly` it has to be there, and nothing is written.

        A damaged file is set aside, and a new store begun.

        Raises:
            ConfigurationError: if the folder cannot be written, or the file is no store of ours.
        """
        self.path = folder / FILE
        self.note, self.readonly = "", readonly
        if readonly:
            self.db = connect_readonly(self.path)
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self.db = connect(self.path)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self.note = f"{self.path} is damaged ({error}); it is kept as {set_aside(self.path)}"
                self.db = connect(self.path)
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(f"{folder}: cannot be used as a results folder ({error})") from error

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _where: TracebackType | None
    ) -> None:
        """Close it.

        Raises:
            ResultsError: in the place of an error of the database: a damaged file, a full disk.
            ConfigurationError: likewise, where nothing was to be written.
        """
        self.db.close()
        if not isinstance(error, sqlite3.DatabaseError):
            return
        if self.readonly:
            raise ConfigurationError(
                f"{self.path}: cannot be read ({error}); if it is damaged, a sweep into it sets it aside"
            ) from error
        if not is_damage(error):
            raise ResultsError(
                f"{self.path}: {error}; what is finished is kept, mend it and go on"
            ) from error
        kept = set_aside(self.path)
        raise ResultsError(
            f"{self.path}: damaged ({error}); it is kept as {kept}, and the same command begins anew"
        ) from error

    def meta(self, key: str) -> str | None:
        """A value kept beside the cells."""
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_meta(self, key: str, value: str) -> None:
        """Keep a value beside the cells."""
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def announce(self, cells: Iterable[Cell], *, append: bool = False) -> None:
        """Enter the cells of a grid, which takes the place of the last one unless it is to be appended.

        Cells that are known keep what was computed for them.
        """
        cells = list(cells)
        settings = [json.dumps(c.case.values, ensure_ascii=False) for c in cells]
        with self.db:
            self.db.executemany(
                "INSERT INTO cells (id, settings, command) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, command = excluded.command",
                ((c.case.id, s, c.command) for c, s in zip(cells, settings, strict=True)),
            )
            if not append:
                self.db.execute("DELETE FROM grid")
            self.db.executemany(
                "INSERT OR IGNORE INTO grid (id, excluded) VALUES (?, ?)",
                ((c.case.id, c.excluded) for c in cells),
            )

    def statuses(self, ids: Iterable[str]) -> dict[str, str]:
        """The status of those cells that the store knows."""
        wanted = set(ids)
        return {i: status for i, status in self.db.execute("SELECT id, status FROM cells") if i in wanted}

    def of_other_code(self) -> int:
        """How many cells of the grid were computed before by other code, the package's or somebody's own.

        They are other cells then, since the code is part of a cell's id.
        """
        rows = self.db.execute(
            "SELECT id IN (SELECT id FROM grid), settings FROM cells"
            " WHERE id IN (SELECT id FROM grid) OR status != 'pending'"
        ).fetchall()
        if all(asked for asked, _ in rows):
            return 0
        sides: tuple[set[str], set[str]] = (set(), set())
        for asked, settings in rows:
            plain = {k: v for k, v in json.loads(settings).items() if is_public(k)}
            sides[asked].add(json.dumps(plain))
        return len(sides[False] & sides[True])

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Write the outcomes of a task in one transaction."""
        from backproof.sweeps.curves import encode_curves

        rows = [
            (
                o.status,
                o.error,
                o.traceback,
                json.dumps(o.values),
                json.dumps(o.tensors) if o.tensors else None,
                encode_curves(o.curves),
                o.seconds,
                o.attempts,
                o.id,
            )
            for o in outcomes
        ]
        with self.db:
            self.db.executemany(
                "UPDATE cells SET status = ?, error = ?, traceback = ?, outcome = ?, tensors = ?, curves = ?,"
                " seconds = ?, attempts = attempts + ? WHERE id = ?",
                rows,
            )

    def pending(self) -> int:
        """How many cells of the grid are not there."""
        return self._count("status = 'pending'")

    def failed(self) -> int:
        """How many cells of the grid failed."""
        return self._count("status IN ('failed', 'killed', 'timeout')")

    def _count(self, condition: str) -> int:
        query = f"SELECT count(*) FROM grid JOIN cells USING (id) WHERE excluded IS NULL AND {condition}"
        return int(self.db.execute(query).fetchone()[0])

    def mean_seconds(self) -> float | None:
        """The mean time of the cells that are done."""
        row = self.db.execute("SELECT avg(seconds) FROM cells WHERE status = 'ok'").fetchone()
        return None if row[0] is None else float(row[0])

    def gradient_error(self, cell: str) -> float:
        """A cell's gradient error; NaN where it has none."""
        row = self.db.execute("SELECT outcome FROM cells WHERE id = ?", (cell,)).fetchone()
        found = json.loads(row[0]).get("gradient_error")
        return float("nan") if found is None else float(found)

    def cells(self, *, pending: bool = False) -> pd.DataFrame:
        """The grid's cells: `cell`, a column a setting, then the results; those to come on request."""
        from backproof.sweeps.table import as_table

        query = (
            "SELECT id, settings, iif(excluded IS NULL, status, 'excluded'), coalesce(excluded, error),"
            " iif(excluded IS NULL, traceback, NULL), iif(excluded IS NULL, outcome, '{}'),"
            " iif(excluded IS NULL, seconds, NULL), iif(excluded IS NULL, attempts, 0), command"
            " FROM grid JOIN cells USING (id) WHERE ? OR excluded IS NOT NULL OR status != 'pending'"
            " ORDER BY position"
        )
        return as_table(self.db.execute(query, (pending,)))

    def tensors(self) -> pd.DataFrame:
        """What the check says of every weight tensor of the grid's cells, a row each."""
        from backproof.sweeps.table import tensors_table

        query = (
            "SELECT id, tensors FROM grid JOIN cells USING (id)"
            " WHERE excluded IS NULL AND tensors IS NOT NULL ORDER BY position"
        )
        return tensors_table(self.db.execute(query))

    def curves(self) -> pa.Table:
        """The curves of the grid's cells, long: cell, series, step, value."""
        from backproof.sweeps.curves import as_table

        query = (
            "SELECT id, curves FROM grid JOIN cells USING (id)"
            " WHERE excluded IS NULL AND curves IS NOT NULL ORDER BY position"
        )
        return as_table(self.db.execute(query))


def read_only(folder: Path) -> Store:
    """The store of an existing results folder, to read from.

    Raises:
        ConfigurationError: if there is none.
    """
    if not (folder / FILE).is_file():
        raise ConfigurationError(f"{folder}: holds no sweep ({FILE} is missing)")
    return Store(folder, readonly=True)
