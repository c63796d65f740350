"""The file of a store: opened, known as ours and of this version, and set aside where it is damaged."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from pathlib import Path

from backproof.errors import ConfigurationError

FILE = "sweep.sqlite"
VERSION = 3

APPLICATION = int.from_bytes(b"bprf")
"""What the header of our files says; of those of version 2 and older it says nothing."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cells (
    id TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    error TEXT,
    traceback TEXT,
    outcome TEXT NOT NULL DEFAULT '{}',
    tensors TEXT,
    curves BLOB,
    seconds REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    command TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS grid (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE REFERENCES cells (id),
    excluded TEXT
);
"""
"""`cells` holds every cell that was ever asked for; `grid` which of them the last sweep asked for, in its
order. Tables and report show the grid, so that cells of an earlier grid or of older code do not mix in."""


DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is to blame, and not the disk or another process."""
    return getattr(error, "sqlite_errorcode", None) in DAMAGED


def set_aside(path: Path) -> Path:
    """Give a damaged store and its journal another name, which is returned; nothing is overwritten."""
    number = 1
    while (kept := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    for ending in ("", "-wal", "-shm"):
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
    ended_badly = path.with_name(path.name + "-wal").exists()
    db = sqlite3.connect(path, timeout=60)
    with ExitStack() as undo:
        undo.callback(db.close)
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        (application,) = db.execute("PRAGMA application_id").fetchone()
        if names and application != APPLICATION:
            raise ConfigurationError(
                f"{path}: is another program's, or an older version's; use another name=, or move it away"
            )
        if names and ended_badly:  # a power cut in the middle of a write may have left anything
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise _damage(found)
        if "grid" not in names:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(f"PRAGMA application_id={APPLICATION}")
            db.executescript(SCHEMA)
        with db:
            db.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (str(VERSION),))
        _check_version(path, db)
        undo.pop_all()
    return db


def _damage(found: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _check_version(path: Path, db: sqlite3.Connection) -> None:
    row = db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    if row != (str(VERSION),):
        found = row[0] if row else "none"
        raise ConfigurationError(
            f"{path}: written by another version of backproof (store version {found}, here {VERSION});"
            " use another name=, or move it away"
        )


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Open a store to read from, also while a sweep writes to it.

    Raises:
        ConfigurationError: if it is none of ours, another version's, or damaged.
    """
    # Beside a running sweep its journal is read as well, which needs an index in the same folder; where
    # there is no journal nobody writes, and a file taken as it stands leaves no trace.
    problem: Exception | None = None
    running = path.with_name(path.name + "-wal").exists()
    for mode in ("mode=ro", "immutable=1") if running else ("immutable=1",):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=60)
        with ExitStack() as undo:
            undo.callback(db.close)
            try:
                _check_version(path, db)
                db.execute("SELECT 1 FROM grid JOIN cells USING (id) LIMIT 1")
            except sqlite3.Error as error:
                problem = error
                continue
            undo.pop_all()
            return db
    raise ConfigurationError(f"{path}: is not a store of backproof, or damaged ({problem})")
