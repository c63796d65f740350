"""The store: one SQLite file per sweep, one row per cell; a row is there complete or not at all.

Nothing in the store is ever unpickled or executed; what is read from it is checked first.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from backproof.errors import ConfigurationError, FolderGoneError, ResultsError
from backproof.files import printable
from backproof.sweeps import sql
from backproof.sweeps.database import FILE, connect, connect_readonly, is_damage, set_aside
from backproof.sweeps.experiment import TUNE
from backproof.sweeps.listing import Cell, Listed, batched
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.overrides import Value, is_public
from backproof.sweeps.rows import (
    MalformedError,
    StoredCell,
    json_of,
    number_of,
    printable_json,
    settings_of,
    stored_cell,
    stored_curves,
    stored_tensors,
    text_of,
)
from backproof.sweeps.shards import Packed, lines_of, packed
from backproof.sweeps.status import FAILURES, Status

if TYPE_CHECKING:  # pandas takes a quarter of a second to import, and a sweep may not come to its tables
    import pandas as pd
    import pyarrow as pa

REFINED = "refined"
"""The record of which cells a refinement added to the grid."""

RUNS, BEGIN = "runs", "begin"
"""The record of the runs that entered cells, and how many cells there were before the one that begins."""

MOST_RUNS = 1000
"""Of the latest that are kept."""

TOGETHER = 10_000
"""Cells that are entered in one transaction, and read at a time for tasks."""

AT_ONCE = 4_000
"""Rows that are read at a time with their lines, of some kilobytes each."""

FEW = 500
"""Cells that are asked for by their ids at a time."""

Row = tuple[Any, ...]


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

    def announce(
        self, cells: Iterable[Listed | Cell], *, append: bool = False, refined: bool = False
    ) -> None:
        """Enter the cells of a grid, which replaces the last one unless it is to be appended.

        Cells that are known keep what was computed for them. The cells are entered as they come, and become
        the grid all at once. `refined`: whether a refinement adds them.
        """
        if not append and not self.meta(BEGIN):
            self.set_meta(BEGIN, str(self._entered()))
        self.db.execute(sql.PLANNED)
        self.db.execute(sql.CLEAR_PLANNED)
        ids = set[str]()
        entries = (cell.listed() if isinstance(cell, Cell) else cell for cell in cells)
        for some in batched(entries, TOGETHER):
            with self.db:
                self.db.executemany(sql.ADD_CELL, ((c.id, c.settings, c.command) for c in some))
                self.db.executemany(
                    sql.ADD_TO_PLANNED, ((c.excluded, c.family_key, c.share_key, c.id) for c in some)
                )
            ids.update(c.id for c in some if refined)
        with self.db:
            if not append:
                self.db.execute(sql.CLEAR_GRID)
                self.db.execute(sql.SET_META, (REFINED, "[]"))
            if refined:
                self.db.execute(sql.SET_META, (REFINED, json.dumps(sorted(self.refined() | ids))))
            self.db.execute(sql.PLANNED_TO_GRID)
            self.db.execute(sql.CLEAR_PLANNED)

    def add_run(self, about: Mapping[str, object]) -> None:
        """Record by which code the cells are that were entered since the last run.

        It has to be called before the provenance of the last run is replaced. A run that entered none by the
        same code is none. Cells that are older than the record are taken for the last run's that is known.

        Args:
            about: the provenance of the run that begins.
        """
        begin, runs = int(self.meta(BEGIN) or 0), self.runs()
        if not runs and begin:
            runs = [(0, _of_run(self.record("provenance")))]
        if not runs or self._entered() > begin or runs[-1][1].get("fingerprint") != about.get("fingerprint"):
            runs.append((begin, _of_run(about)))
        entries = [{BEGIN: first, **about_run} for first, about_run in runs[-MOST_RUNS:]]
        self.set_meta(RUNS, json.dumps({RUNS: entries}))
        self.set_meta(BEGIN, "")

    def runs(self) -> list[tuple[int, dict[str, object]]]:
        """The runs that entered cells, each with the number of cells before it and what is known of its code.

        Raises:
            MalformedError: if they are no list of such records in ascending order.
        """
        found = self.record(RUNS).get(RUNS, [])
        if not isinstance(found, list) or not all(isinstance(run, dict) for run in found):
            raise MalformedError(f"{RUNS}: must be a list of mappings")
        runs = [(int(number_of(run.get(BEGIN), RUNS)), run) for run in found]
        if any(one[0] > other[0] for one, other in pairwise(runs)):
            raise MalformedError(f"{RUNS}: must be in ascending order")
        return [(begin, {k: v for k, v in run.items() if k != BEGIN}) for begin, run in runs]

    def entered(self, begin: int, end: int | None) -> Iterator[tuple[Row, bytes | None]]:
        """The rows of cells of any grid with a result, of those that were entered after `begin` others."""
        return self._with_lines(self.db.execute(sql.ENTERED, (begin, end)))

    def _entered(self) -> int:
        """How many cells were entered so far."""
        return int(self.db.execute(sql.LAST_ENTERED).fetchone()[0])

    def plain_grid(self) -> set[bytes]:
        """Digests of the settings of the grid's cells."""
        return {plain_settings(row[0]) for row in self.db.execute(sql.WANTED)}

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

    def computed(self, *, failed: bool) -> Iterator[str]:
        """The ids of cells that have a result; `failed`: those whose result is a failure among them."""
        for cell, status in self.db.execute(sql.COMPUTED):
            if failed or status == Status.OK:
                yield text_of(cell, "id")

    def plan_work(self, *, retry_failed: bool, only: Sequence[str] | None = None) -> int:
        """Put in order what is to be computed, and count it; `todo` then goes through it.

        Args:
            only: ids that it is limited to.
        """
        with self.db:
            self.db.execute(sql.TODO)
            self.db.execute(sql.CLEAR_TODO)
            self.db.execute(sql.FILL_TODO, (retry_failed, None if only is None else json.dumps(only)))
        return int(self.db.execute(sql.TODO_SIZE).fetchone()[0])

    def todo(self) -> Iterator[Listed]:
        """The cells that were to be computed when that was put in order."""
        place = 0
        while some := self.db.execute(sql.SOME_TODO, (place, TOGETHER)).fetchall():
            yield from (Listed(*row[1:]) for row in some)
            place = some[-1][0]

    def of_other_code(self) -> int:
        """How many cells of the grid were computed before by other code, the package's or the user's.

        They are other cells then, since the code is part of a cell's id.
        """
        unwanted = {plain_settings(row[0]) for row in self.db.execute(sql.UNWANTED)}
        if not unwanted:
            return 0
        return len(
            {found for row in self.db.execute(sql.WANTED) if (found := plain_settings(row[0])) in unwanted}
        )

    def add(self, outcomes: Packed | Iterable[Outcome]) -> None:
        """Write the outcomes of tasks in one transaction.

        Raises:
            FolderGoneError: if they would be written into a file that nobody finds.
        """
        self.require_folder()
        found = outcomes if isinstance(outcomes, Packed) else packed(outcomes)
        with self.db:
            for shard in found.shards:
                number = self.db.execute(sql.ADD_SHARD, (shard.content,)).lastrowid
                self.db.executemany(
                    sql.ADD_RESULT,
                    (
                        (h.id, h.status, h.seconds, h.attempts, number, line, h.curves)
                        for line, h in enumerate(shard.heads)
                    ),
                )

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
        ((row, line),) = self._with_lines(self.db.execute(sql.RESULT, (cell,)))
        found = stored_cell(row, line).outcome.get("gradient_error")
        return float("nan") if found is None else float(found)

    def size(self) -> int:
        """How many cells the grid has, those that are left out among them."""
        return int(self.db.execute(sql.GRID_SIZE).fetchone()[0])

    def rows(
        self, condition: str = "TRUE", values: Sequence[str] = (), *, curves: bool = False
    ) -> Iterator[tuple[Row, bytes | None]]:
        """The rows of the grid's cells, in its order, each with its line of a shard; not checked yet.

        Args:
            condition: one of those in `sql`, or with a question mark for each of the values.
            curves: whether the curves are the last column; else that is null.
        """
        query = sql.ROWS.format(condition=condition, curves="curves" if curves else "NULL")
        return self._with_lines(self.db.execute(query, values))

    def rows_of(self, ids: Iterable[str], *, curves: bool = False) -> Iterator[tuple[Row, bytes | None]]:
        """The rows of some of the grid's cells, in its order where the ids are; curves as in `rows`."""
        for some in batched(ids, FEW):
            yield from self.rows(f"id IN ({', '.join('?' * len(some))})", some, curves=curves)

    def settings(self) -> Iterator[dict[str, Value]]:
        """The settings of the grid's cells."""
        for row in self.db.execute(sql.SETTINGS):
            yield settings_of(row[0])

    def result(self, cell: str) -> tuple[Row, bytes | None] | None:
        """The row of a cell of any grid and its line of a shard; None where the cell is not known."""
        return next(self._with_lines(self.db.execute(sql.RESULT, (cell,))), None)

    def _with_lines(self, cursor: sqlite3.Cursor) -> Iterator[tuple[Row, bytes | None]]:
        """Rows with their lines; a shard is unpacked once for all of its cells that are near one another."""
        while rows := cursor.fetchmany(AT_ONCE):
            wanted: dict[object, list[object]] = {}
            for row in rows:
                if row[7] is not None:
                    wanted.setdefault(row[7], []).append(row[8])
            found = {at: line for each in wanted.items() for at, line in self._lines(*each)}
            for row in rows:
                yield row, found.get((row[7], row[8]))

    def _lines(
        self, shard: object, numbers: Iterable[object]
    ) -> Iterator[tuple[tuple[object, object], bytes]]:
        """Some lines of a shard by shard and number; the others are not kept."""
        row = self.db.execute(sql.SHARD, (shard,)).fetchone()
        if row is None:
            raise MalformedError(f"shard: {printable(str(shard))[:20]} is missing")
        lines = lines_of(row[0])
        for number in numbers:
            if not isinstance(number, int) or not 0 <= number < len(lines):
                raise MalformedError(f"line: {printable(str(number))[:20]} is not in its shard")
            yield (shard, number), lines[number]

    def stored_cells(self, *, pending: bool = False) -> Iterator[StoredCell]:
        """The grid's cells; those to come on request."""
        for row, line in self.rows("TRUE" if pending else sql.NOT_PENDING):
            yield stored_cell(row, line)

    def cells(self, *, pending: bool = False) -> pd.DataFrame:
        """The grid's cells: `cell`, a column per setting, then the results; those to come on request."""
        from backproof.sweeps.table import as_table

        refined, experiment = self.refined(), self.record("experiment")
        if TUNE not in experiment:
            return as_table(self.stored_cells(pending=pending), refined)
        from backproof.sweeps.tuning import marked, marks_of

        # What is still to come keeps a choice from being made.
        every = as_table(self.stored_cells(pending=True), refined)
        table = marked(every, marks_of(experiment, every))
        return table if pending else table[table["status"] != Status.PENDING].reset_index(drop=True)

    def tensors(self) -> pd.DataFrame:
        """What the check concludes of every weight tensor of the grid's cells, one row each."""
        from backproof.sweeps.table import tensors_table

        return tensors_table(stored_tensors(row[0], line) for row, line in self.rows(sql.COMPUTED_ROWS))

    def curves(self) -> pa.Table:
        """The curves of the grid's cells, long: cell, series, step, value."""
        from backproof.sweeps.curves import as_table

        cursor = self.db.execute(sql.ROWS.format(condition=sql.WITH_CURVES, curves="curves"))
        return as_table(stored_curves(row[0], row[9]) for row in cursor)


def _of_run(about: Mapping[str, object]) -> dict[str, object]:
    """What of a provenance tells runs apart; commands may be long."""
    return {key: value for key, value in about.items() if key != "command"}


def plain_settings(settings: object) -> bytes:
    """A digest of a cell's settings without the names of code."""
    plain = {k: v for k, v in settings_of(settings).items() if is_public(k)}
    return blake2b(json.dumps(plain).encode(), digest_size=16).digest()


def _status(found: object) -> Status:
    try:
        return Status(text_of(found, "status"))
    except ValueError as error:
        raise MalformedError(str(error)) from error


def read_only(folder: Path) -> Store:
    """The store of an existing results folder, to read from.

    Raises:
        ConfigurationError: if there is none.
    """
    if not (folder / FILE).is_file():
        raise ConfigurationError(f"{folder}: holds no sweep ({FILE} is missing)")
    return Store(folder, readonly=True)
