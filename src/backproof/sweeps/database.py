"""The file of a store: opened, known as ours and of this version, and set aside where it is damaged."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

from backproof.errors import ConfigurationError
from backproof.files import printable
from backproof.sweeps import sql

FILE = "sweep.sqlite"
VERSION = 5

APPLICATION = int.from_bytes(b"bprf")
"""The application id in the header of our files; version 2 and older left it empty."""

MOST_STEPS = 10**9
"""Instructions of SQLite's machine that a statement may take when a store is read, some ten seconds; a grid
of two million cells takes a tenth of them."""

STEPS_AT_ONCE = 10**6

MOST_BYTES = 1 << 28
"""Bytes of a single value; curves of a million steps take a tenth of them."""

PAGE_BYTES = 1 << 14
"""Of a new store: shards are some hundred kilobytes each, and fewer pages take less time."""

ENDINGS = ("", "-wal", "-shm", "-journal")
"""Of the names of a store's files: the database, and what SQLite keeps beside it."""

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is to blame, and not the disk or another process."""
    return getattr(error, "sqlite_errorcode", None) in DAMAGED


def set_aside(path: Path) -> Path:
    """Give a damaged store and its journal another name, which is returned; nothing is overwritten."""
    number = 1
    while (kept := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    for ending in ENDINGS:
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(kept.with_name(kept.name + ending))
    return kept


def connect(path: Path) -> sqlite3.Connection:
    """Open or create a store to write to.

    Raises:
        ConfigurationError: if it is another program's, or another version's.
        sqlite3.Error: if it cannot be opened, or is damaged.
    """
    _check_links(path)
    ended_badly = path.with_name(path.name + "-wal").exists()
    db = sqlite3.connect(path, timeout=60)
    with ExitStack() as undo:
        undo.callback(db.close)
        names = {name for _, name, _, _ in db.execute(sql.OBJECTS)}
        (application,) = db.execute("PRAGMA application_id").fetchone()
        if names and application != APPLICATION:
            raise ConfigurationError(
                f"{path}: is another program's, or an older version's; use another name=, or move it away"
            )
        if names and ended_badly:  # a power cut in the middle of a write may have left anything
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise _damage(found)
        db.execute("PRAGMA trusted_schema=OFF")
        if "grid" not in names:
            db.execute(f"PRAGMA page_size={PAGE_BYTES}")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(f"PRAGMA application_id={APPLICATION}")
            db.executescript(sql.SCHEMA)
        with db:
            db.execute(sql.SET_VERSION, (str(VERSION),))
        _check_version(path, db)
        _check_tables(path, db)
        undo.pop_all()
    return db


def _damage(found: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _check_version(path: Path, db: sqlite3.Connection) -> None:
    if db.execute(sql.KIND, ("meta",)).fetchone() != ("table",):
        return  # nothing to be read; `_check_tables` refuses it
    row = db.execute(sql.META, ("version",)).fetchone()
    if row != (str(VERSION),):
        found = printable(str(row[0]))[:20] if row else "none"
        raise ConfigurationError(
            f"{path}: written by another version of backproof (store version {found}, here {VERSION});"
            " use another name=, or move it away"
        )


def _check_tables(path: Path, db: sqlite3.Connection) -> None:
    """Refuse a file whose tables are not exactly ours: a view or a trigger in it would be run."""
    with closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(sql.SCHEMA)
        expected = set(ours.execute(sql.OBJECTS))
    found = set(db.execute(sql.OBJECTS).fetchmany(2 * len(expected)))
    if found != expected:
        strange = ", ".join(sorted(printable(str(name))[:40] for _, name, _, _ in found ^ expected)[:3])
        raise ConfigurationError(f"{path}: is not a store of backproof: not its tables ({strange})")


class Steps:
    """Ends a statement that takes more than `MOST_STEPS`."""

    def __init__(self) -> None:
        self.left = MOST_STEPS

    def start(self, _statement: str) -> None:
        """Count a new statement's; SQLite's trace callback."""
        self.left = MOST_STEPS

    def over(self) -> bool:
        """Whether the statement has taken too many; SQLite's progress handler, every `STEPS_AT_ONCE`."""
        self.left -= STEPS_AT_ONCE
        return self.left < 0


def _harden(db: sqlite3.Connection) -> None:
    """Bound what a store may do that was received from somewhere."""
    steps = Steps()
    db.set_trace_callback(steps.start)
    db.set_progress_handler(steps.over, STEPS_AT_ONCE)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
    db.execute("PRAGMA trusted_schema=OFF")
    db.execute("PRAGMA query_only=ON")


def _check_links(path: Path) -> None:
    """Refuse links: SQLite would write through them, outside the folder."""
    for ending in ENDINGS:
        part = path.with_name(path.name + ending)
        if part.is_symlink():
            raise ConfigurationError(f"{part}: is a link; it must be a file")


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Open a store to read from, also while a sweep writes to it.

    Raises:
        ConfigurationError: if it is none of ours, another version's, or damaged.
    """
    _check_links(path)
    # Beside a running sweep its journal is read as well, which needs an index in the same folder; where
    # there is no journal nobody writes, and a file taken as it stands leaves no trace.
    problem: Exception | None = None
    running = path.with_name(path.name + "-wal").exists()
    for mode in ("mode=ro", "immutable=1") if running else ("immutable=1",):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=60)
        with ExitStack() as undo:
            undo.callback(db.close)
            try:
                _harden(db)
                _check_version(path, db)
                _check_tables(path, db)
            except sqlite3.Error as error:
                problem = error
                continue
            undo.pop_all()
            return db
    raise ConfigurationError(f"{path}: is not a store of backproof, or damaged ({problem})")
