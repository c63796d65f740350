"""The tables of a store, and every statement that is put to them."""

from __future__ import annotations

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

OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_schema"

KIND = "SELECT type FROM sqlite_schema WHERE name = ?"

META = "SELECT value FROM meta WHERE key = ?"
SET_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
SET_VERSION = "INSERT OR IGNORE INTO meta VALUES ('version', ?)"

ADD_CELL = """
INSERT INTO cells (id, settings, command) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, command = excluded.command
"""
CLEAR_GRID = "DELETE FROM grid"
ADD_TO_GRID = "INSERT OR IGNORE INTO grid (id, excluded) VALUES (?, ?)"
ADD_OUTCOME = """
UPDATE cells SET status = ?, error = ?, traceback = ?, outcome = ?, tensors = ?, curves = ?, seconds = ?,
    attempts = attempts + ? WHERE id = ?
"""

STATUSES = "SELECT id, status FROM cells"
WITH_STATUS = "SELECT count(*) FROM grid JOIN cells USING (id) WHERE excluded IS NULL AND status = ?"
COMPUTED_OR_WANTED = """
SELECT id IN (SELECT id FROM grid), settings FROM cells
WHERE id IN (SELECT id FROM grid) OR status != 'pending'
"""
MEAN_SECONDS = "SELECT avg(seconds) FROM cells WHERE status = 'ok'"
OUTCOME = "SELECT outcome FROM cells WHERE id = ?"

CELLS = """
SELECT id, settings, iif(excluded IS NULL, status, 'excluded'), coalesce(excluded, error),
    iif(excluded IS NULL, traceback, NULL), iif(excluded IS NULL, outcome, '{}'),
    iif(excluded IS NULL, seconds, NULL), iif(excluded IS NULL, attempts, 0), command
FROM grid JOIN cells USING (id) WHERE ? OR excluded IS NOT NULL OR status != 'pending' ORDER BY position
"""
TENSORS = """
SELECT id, tensors FROM grid JOIN cells USING (id)
WHERE excluded IS NULL AND tensors IS NOT NULL ORDER BY position
"""
CURVES = """
SELECT id, curves FROM grid JOIN cells USING (id)
WHERE excluded IS NULL AND curves IS NOT NULL ORDER BY position
"""

WHOLE_CELLS = """
SELECT id, settings, status, error, traceback, outcome, seconds, attempts, command, tensors, curves, excluded
FROM grid JOIN cells USING (id) ORDER BY position
"""
"""Of `ADD_WHOLE_CELL` the order, but for `excluded`."""

ADD_WHOLE_CELL = """
INSERT OR REPLACE INTO cells
    (id, settings, status, error, traceback, outcome, seconds, attempts, command, tensors, curves)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
GRID_SIZE = "SELECT count(*) FROM grid"
RESULT = "SELECT status, outcome FROM cells WHERE id = ?"
