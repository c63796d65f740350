"""The store: one SQLite file per sweep, one row per cell; a row is there complete or not at all.

Nothing in the store is ever unpickled or executed; what is read from it is checked first.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from backproof.errors import ConfigurationError, FolderGoneError, ResultsError
from backproof.files import printable
from backproof.sweeps import sql
from backproof.sweeps.database import FILE, connect, connect_readonly, is_damage, set_aside
from backproof.sweeps.grid import Cell
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.overrides import is_public
from backproof.sweeps.rows import (
    RESULTS,
    MalformedError,
    json_of,
    number_of,
    printable_json,
    record_of,
    settings_of,
    stored_cell,
    stored_curves,
    stored_tensors,
    text_of,
)
from backproof.sweeps.status import FAILURES, Status

if TYPE_CHECKING:  # pandas takes a quarter of a second to import, and a sweep may not come to its tables
    import pandas as pd
    import pyarrow as pa

REFINED = "refined"
"""The record of which cells a refinement added to the grid."""


class Store:
    """The store in a results folder; a context manager.

    Attributes:
        note: what a user should know about how it was opened; empty where there is nothing to say.
    """

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        """Open or create it; with `readonly` it has to be there, and nothing is written.

        A damaged file is set aside, and a new store created.

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
        self.file = self.path.stat()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _where: TracebackType | None
    ) -> None:
        """Close it.

        Raises:
            ResultsError: in place of an error of the database: a damaged file, a full disk.
            ConfigurationError: likewise, where nothing was to be written, and for a row that is malformed.
        """
        self.db.close()
        if isinstance(error, MalformedError):
            raise ConfigurationError(f"{self.path}: {error}") from error
        if not isinstance(error, sqlite3.DatabaseError):
            return
        if self.readonly:
            raise ConfigurationError(
                f"{self.path}: cannot be read ({error}); if it is damaged, a sweep into it sets it aside"
            ) from error
        if not is_damage(error):
            raise ResultsError(
                f"{self.path}: {error}; what is finished is kept; fix the cause and run it again"
            ) from error
        kept = set_aside(self.path)
        raise ResultsError(
            f"{self.path}: damaged ({error}); it is kept as {kept}, and the same command begins anew"
        ) from error

    def meta(self, key: str) -> str | None:
        """A text kept beside the cells."""
        row = self.db.execute(sql.META, (key,)).fetchone()
        return text_of(row[0], key) if row else None

    def record(self, key: str) -> dict[str, object]:
        """A record kept beside the cells as JSON; empty where there is none.

        Raises:
            MalformedError: if it is none.
        """
        row = self.db.execute(sql.META, (key,)).fetchone()
        found = printable_json(json_of(row[0], key)) if row else {}
        if not isinstance(found, dict):
            raise MalformedError(f"{key}: must be a mapping")
        return found

    def set_meta(self, key: str, value: str) -> None:
        """Keep a text beside the cells."""
        with self.db:
            self.db.execute(sql.SET_META, (key, value))

    def announce(self, cells: Iterable[Cell], *, append: bool = False, refined: bool = False) -> None:
        """Enter the cells of a grid, which replaces the last one unless it is to be appended.

        Cells that are known keep what was computed for them. `refined`: whether a refinement adds them.
        """
        cells = list(cells)
        settings = [json.dumps(c.case.flat()) for c in cells]
        with self.db:
            self.db.executemany(
                sql.ADD_CELL, ((c.case.id, s, c.command) for c, s in zip(cells, settings, strict=True))
            )
            if not append:
                self.db.execute(sql.CLEAR_GRID)
                self.db.execute(sql.SET_META, (REFINED, "[]"))
            if refined:
                ids = sorted(self.refined() | {c.case.id for c in cells})
                self.db.execute(sql.SET_META, (REFINED, json.dumps(ids)))
            self.db.executemany(sql.ADD_TO_GRID, ((c.case.id, c.excluded) for c in cells))

    def refined(self) -> set[str]:
        """The ids of the grid's cells that a refinement added.

        Raises:
            MalformedError: if they are no list of texts.
        """
        row = self.db.execute(sql.META, (REFINED,)).fetchone()
        found = json_of(row[0], REFINED) if row else []
        if not isinstance(found, list):
            raise MalformedError(f"{REFINED}: must be a list")
        return {text_of(each, REFINED) for each in found}

    def statuses(self, ids: Iterable[str]) -> dict[str, Status]:
        """The status of those cells that the store knows."""
        wanted = set(ids)
        return {i: _status(status) for i, status in self.db.execute(sql.STATUSES) if i in wanted}

    def of_other_code(self) -> int:
        """How many cells of the grid were computed before by other code, the package's or the user's.

        They are other cells then, since the code is part of a cell's id.
        """
        rows = self.db.execute(sql.COMPUTED_OR_WANTED).fetchall()
        if all(wanted for wanted, _ in rows):
            return 0
        sides: tuple[set[str], set[str]] = (set(), set())
        for wanted, settings in rows:
            plain = {k: v for k, v in settings_of(settings).items() if is_public(k)}
            sides[bool(wanted)].add(json.dumps(plain))
        return len(sides[False] & sides[True])

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Write the outcomes of a task in one transaction.

        Raises:
            FolderGoneError: if they would be written into a file that nobody finds.
        """
        self.require_folder()
        with self.db:
            self.db.executemany(sql.ADD_OUTCOME, map(_as_row, outcomes))

    def require_folder(self) -> None:
        """Refuse to go on without the file: what is written then is lost when it is closed.

        Raises:
            FolderGoneError: if it was moved or removed.
        """
        try:
            there = os.path.samestat(self.path.stat(), self.file)
        except OSError:
            there = False
        if not there:
            raise FolderGoneError(
                f"{self.path.parent}: moved or removed while the sweep ran; what it holds is there, wherever"
                " that is now, and the same command begins anew"
            )

    def pending(self) -> int:
        """How many cells of the grid are not computed."""
        return self._count(Status.PENDING)

    def failed(self) -> int:
        """How many cells of the grid failed."""
        return self._count(*FAILURES)

    def _count(self, *statuses: Status) -> int:
        return sum(int(self.db.execute(sql.WITH_STATUS, (str(s),)).fetchone()[0]) for s in statuses)

    def mean_seconds(self) -> float | None:
        """The mean time of the cells that are done."""
        (seconds,) = self.db.execute(sql.MEAN_SECONDS).fetchone()
        return None if seconds is None else float(number_of(seconds, "seconds"))

    def gradient_error(self, cell: str) -> float:
        """A cell's gradient error; NaN where it has none."""
        (text,) = self.db.execute(sql.OUTCOME, (cell,)).fetchone()
        found = record_of(json_of(text, "outcome"), RESULTS, "outcome").get("gradient_error")
        return float("nan") if found is None else float(found)

    def cells(self, *, pending: bool = False) -> pd.DataFrame:
        """The grid's cells: `cell`, a column per setting, then the results; those to come on request."""
        from backproof.sweeps.table import as_table

        return as_table(map(stored_cell, self.db.execute(sql.CELLS, (pending,))), self.refined())

    def tensors(self) -> pd.DataFrame:
        """What the check concludes of every weight tensor of the grid's cells, one row each."""
        from backproof.sweeps.table import tensors_table

        return tensors_table(map(stored_tensors, self.db.execute(sql.TENSORS)))

    def curves(self) -> pa.Table:
        """The curves of the grid's cells, long: cell, series, step, value."""
        from backproof.sweeps.curves import as_table

        return as_table(map(stored_curves, self.db.execute(sql.CURVES)))


def _status(found: object) -> Status:
    try:
        return Status(text_of(found, "status"))
    except ValueError as error:
        raise MalformedError(str(error)) from error


def _as_row(outcome: Outcome) -> tuple[object, ...]:
    from backproof.sweeps.curves import encode_curves

    o = outcome
    error, traceback = (printable(text) if text else text for text in (o.error, o.traceback))
    tensors, curves = json.dumps(o.tensors) if o.tensors else None, encode_curves(o.curves)
    values = json.dumps(o.values)
    return o.status, error, traceback, values, tensors, curves, o.seconds, o.attempts, o.id


def read_only(folder: Path) -> Store:
    """The store of an existing results folder, to read from.

    Raises:
        ConfigurationError: if there is none.
    """
    if not (folder / FILE).is_file():
        raise ConfigurationError(f"{folder}: holds no sweep ({FILE} is missing)")
    return Store(folder, readonly=True)
