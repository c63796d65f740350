"""The tables of a store, and every statement that is put to them."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cells (
    cell INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL,
    command TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS grid (
    position INTEGER PRIMARY KEY,
    cell INTEGER NOT NULL UNIQUE REFERENCES cells,
    excluded TEXT,
    family INTEGER NOT NULL,
    share INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS shards (
    shard INTEGER PRIMARY KEY,
    content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS results (
    cell INTEGER PRIMARY KEY REFERENCES cells,
    status TEXT NOT NULL,
    seconds REAL,
    attempts INTEGER NOT NULL,
    shard INTEGER NOT NULL REFERENCES shards,
    line INTEGER NOT NULL,
    curves BLOB
);
"""
"""`cells` holds every cell that was ever asked for; `grid` which of them the last sweep asked for, in its
order. Tables and report show the grid, so that cells of an earlier grid or of older code do not mix in.
`results` says of a cell that is computed how that ended and in which line of which shard the rest is."""

OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_schema"

KIND = "SELECT type FROM sqlite_schema WHERE name = ?"

META = "SELECT value FROM meta WHERE key = ?"
SET_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
SET_VERSION = "INSERT OR IGNORE INTO meta VALUES ('version', ?)"

ADD_CELL = """
INSERT INTO cells (id, settings, command) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, command = excluded.command
"""
PLANNED = """
CREATE TEMP TABLE IF NOT EXISTS planned (
    position INTEGER PRIMARY KEY, cell INTEGER NOT NULL, excluded TEXT, family INTEGER, share INTEGER
)
"""
CLEAR_PLANNED = "DELETE FROM planned"
ADD_TO_PLANNED = """
INSERT INTO planned (cell, excluded, family, share) SELECT cell, ?, ?, ? FROM cells WHERE id = ?
"""
CLEAR_GRID = "DELETE FROM grid"
PLANNED_TO_GRID = """
INSERT OR IGNORE INTO grid (cell, excluded, family, share)
SELECT cell, excluded, family, share FROM planned ORDER BY position
"""

ADD_SHARD = "INSERT INTO shards (content) VALUES (?)"
ADD_RESULT = """
INSERT INTO results (cell, status, seconds, attempts, shard, line, curves)
VALUES ((SELECT cell FROM cells WHERE id = ?), ?, ?, ?, ?, ?, ?)
ON CONFLICT (cell) DO UPDATE SET status = excluded.status, seconds = excluded.seconds,
    attempts = attempts + excluded.attempts, shard = excluded.shard, line = excluded.line,
    curves = excluded.curves
"""
SHARD = "SELECT content FROM shards WHERE shard = ?"

TODO = """
CREATE TEMP TABLE IF NOT EXISTS todo (
    place INTEGER PRIMARY KEY, cell INTEGER NOT NULL, family INTEGER NOT NULL, share INTEGER NOT NULL
)
"""
CLEAR_TODO = "DELETE FROM todo"
FILL_TODO = """
INSERT INTO todo (cell, family, share) SELECT cell, family, share FROM (
    SELECT cell, family, share, position, min(position) OVER (PARTITION BY share) AS first
    FROM grid LEFT JOIN results USING (cell)
    WHERE excluded IS NULL AND (status IS NULL OR (?1 AND status != 'ok'))
        AND (?2 IS NULL OR cell IN (SELECT cell FROM cells WHERE id IN (SELECT value FROM json_each(?2))))
) ORDER BY first, position
"""
"""Cells that share a numerical gradient follow one another, also where the grid has them far apart."""
SOME_TODO = """
SELECT place, id, settings, family, share FROM todo JOIN cells USING (cell)
WHERE place > ? ORDER BY place LIMIT ?
"""
TODO_SIZE = "SELECT count(*) FROM todo"

STATUSES = "SELECT id, coalesce(status, 'pending') FROM cells LEFT JOIN results USING (cell)"
COMPUTED = "SELECT id, status FROM cells JOIN results USING (cell)"
WITH_STATUS = """
SELECT count(*) FROM grid LEFT JOIN results USING (cell)
WHERE excluded IS NULL AND coalesce(status, 'pending') = ?
"""
UNWANTED = """
SELECT settings FROM cells JOIN results USING (cell) WHERE cell NOT IN (SELECT cell FROM grid)
"""
SETTINGS = "SELECT settings FROM grid JOIN cells USING (cell) ORDER BY position"
WANTED = "SELECT settings FROM cells JOIN grid USING (cell)"
MEAN_SECONDS = "SELECT avg(seconds) FROM results WHERE status = 'ok'"

ROWS = """
SELECT id, settings, command, excluded, status, seconds, attempts, shard, line, {curves}
FROM grid JOIN cells USING (cell) LEFT JOIN results USING (cell)
WHERE {condition} ORDER BY position
"""
NOT_PENDING = "(excluded IS NOT NULL OR status IS NOT NULL)"
COMPUTED_ROWS = "(excluded IS NULL AND status IS NOT NULL)"
WITH_CURVES = "(excluded IS NULL AND curves IS NOT NULL)"
RESULT = """
SELECT id, settings, command, NULL, status, seconds, attempts, shard, line, curves
FROM cells LEFT JOIN results USING (cell) WHERE id = ?
"""
ENTERED = """
SELECT id, settings, command, NULL, status, seconds, attempts, shard, line, NULL
FROM cells JOIN results USING (cell) WHERE cell > ?1 AND (?2 IS NULL OR cell <= ?2) ORDER BY cell
"""
LAST_ENTERED = "SELECT coalesce(max(cell), 0) FROM cells"
GRID_SIZE = "SELECT count(*) FROM grid"
