"""Results folders made to do harm: each is refused in one line, in bounded time and memory.

A store is filled honestly, spoiled by one statement, and read in a process of limited memory and time.
"""

import json
import sqlite3
import subprocess
import sys
import zlib

import forked
import numpy as np
import pytest
from stored import rewrite

from backproof.errors import ConfigurationError
from backproof.sweeps import database, table
from backproof.sweeps.curves import decode_curves, encode_curves
from backproof.sweeps.database import FILE
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.rows import MalformedError, settings_of
from backproof.sweeps.store import Store, read_only

MOST_MEMORY, MOST_SECONDS = 3 << 30, 60
"""Of address space, most of it for libraries, and of processor time."""

READ = """
import sys
from pathlib import Path
from backproof.errors import ConfigurationError
from backproof.sweeps.store import read_only
try:
    with read_only(Path(sys.argv[1])) as store:
        store.record("experiment"), store.record("provenance"), store.mean_seconds(), store.of_other_code()
        store.pending(), store.failed(), store.statuses([])
        cells = store.cells(pending=True)
        store.tensors(), store.curves()
    print("read", len(cells), ascii(cells["error"].tolist()))
except ConfigurationError as error:
    print("refused", error)
"""


def python(*words, cwd):
    # The shell sets the limits: a function between fork and exec is not for a process with JAX's threads.
    limits = f"ulimit -c 0 -t {MOST_SECONDS} -v {MOST_MEMORY >> 10}"
    return subprocess.run(
        ["bash", "-c", f'{limits} && exec "$@"', "python", sys.executable, *words],
        cwd=cwd, capture_output=True, text=True, timeout=180,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path, grid):
    """A results folder with three cells that are done and one that failed."""
    cells = grid("data=xor", "training=none", "network.hidden=[3]", "seed=range(0,4)").cells
    tensors = [{"tensor": "W1", "size": 3, "verdict": "agrees", "bound": 1e-9}]
    curves = {"loss": (np.arange(3), np.array([1.0, np.nan, np.inf]))}
    with Store(tmp_path / "received") as store:
        store.announce(cells)
        for cell in cells[:3]:
            values = {"verdict": "agrees", "gradient_error": 0.1, "named": True, "touched": 0}
            store.add([Outcome(cell.case.id, values=values, curves=curves, tensors=tensors, seconds=0.5)])
        store.add([Outcome(cells[3].case.id, status="failed", error="ValueError: no", seconds=0.5)])
        store.set_meta("experiment", json.dumps({"name": "received"}))
        store.set_meta("provenance", "{}")
    return tmp_path / "received"


def spoil(folder, *statements):
    """Run statements on a store whatever they do to it."""
    db = sqlite3.connect(folder / FILE, isolation_level=None)
    for statement in statements:
        if callable(statement):
            rewrite(folder, statement, lambda row: row["status"] == "ok")
            continue
        db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
    db.close()


def read(folder, cwd):
    done = python("-c", READ, str(folder), cwd=cwd)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("\n") == 1
    return done.stdout.strip()


def test_an_honest_store_is_read(folder, tmp_path):
    assert read(folder, tmp_path) == "read 4 [nan, nan, nan, 'ValueError: no']"


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"

STRUCTURES = {
    "a view of endless rows": (
        "ALTER TABLE grid RENAME TO g", f"CREATE VIEW grid AS {ENDLESS} i, i, NULL, i, i FROM n"
    ),
    "an endless version": (
        "DROP TABLE meta", f"CREATE VIEW meta AS {ENDLESS} 'version' AS key, '5' AS value FROM n"
    ),
    "a view of itself": ("ALTER TABLE cells RENAME TO c", "CREATE VIEW cells AS SELECT * FROM c"),
    "a trigger": "CREATE TRIGGER t AFTER UPDATE ON cells BEGIN DELETE FROM cells; END",
    "an index on a computation": "CREATE INDEX i ON cells (hex(zeroblob(1000)))",
    "one table more": "CREATE TABLE other (a)",
    "one column more": "ALTER TABLE cells ADD COLUMN a TEXT GENERATED ALWAYS AS (hex(zeroblob(100000000)))",
    "one column less": "ALTER TABLE cells DROP COLUMN command",
}  # fmt: skip


@pytest.mark.parametrize("statements", STRUCTURES.values(), ids=STRUCTURES)
def test_tables_that_are_not_ours(folder, statements):
    spoil(folder, *([statements] if isinstance(statements, str) else statements))
    with pytest.raises(ConfigurationError, match="is not a store of backproof") as caught:
        read_only(folder)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        Store(folder)


def test_a_store_without_a_grid(folder):
    spoil(folder, "DROP TABLE grid")
    with pytest.raises(ConfigurationError, match=r"not its tables \(grid"):
        read_only(folder)
    with Store(folder) as store:
        assert store.pending() == 0, "it may have been left so when it was made; a sweep goes on from there"


def test_a_view_costs_no_time(folder, tmp_path):
    spoil(folder, *STRUCTURES["a view of endless rows"])
    assert read(folder, tmp_path).startswith(f"refused {folder / FILE}: is not a store of backproof")


def cell(column, value):
    return lambda row: row.update({column: value})


def shard(content):
    return ("UPDATE shards SET content = ?", (content,))


def meta(key, value):
    return ("UPDATE meta SET value = ? WHERE key = ?", (value, key))


DEEP = "[" * 1_000_000

ROWS = {
    "settings that are no JSON": (cell("settings", "{"), "settings: not readable as JSON"),
    "settings nested deeply": (cell("settings", DEEP), "settings: not readable as JSON"),
    "settings that are a list": (cell("settings", "[]"), "settings: must be a mapping"),
    "a setting that is a mapping": (cell("settings", '{"seed": {}}'), "settings: seed: must be text"),
    "a setting named as a result": (cell("settings", '{"verdict": 1}'), "settings: verdict is no setting"),
    "a number of many digits": (cell("settings", f'{{"seed": 1{"0" * 10_000}}}'), "settings: not readable"),
    "a number beyond 64 bits": (cell("outcome", f'{{"touched": {1 << 63}}}'), "must be a number of 64 bits"),
    "an outcome of unknown columns": (cell("outcome", '{"colour": 1}'), "outcome: colour: no such column"),
    "an outcome of other kinds": (cell("outcome", '{"touched": "x"}'), "outcome: touched: must be a whole"),
    "a truth for a number": (cell("outcome", '{"touched": true}'), "outcome: touched: must be a whole"),
    "an outcome that is a list": (cell("outcome", "[]"), "outcome: must be a mapping"),
    "an outcome that is no JSON": (cell("outcome", "{"), "outcome: not readable as JSON"),
    "an outcome nested deeply": (cell("outcome", DEEP[:60_000]), "outcome: not readable as JSON"),
    "an error that is a list": (cell("error", "[]"), "error: must be text; is list"),
    "a shard that is text": (shard("{}"), "shard: must be bytes"),
    "a shard that is not packed": (shard(b"[null, null, {}, null]"), "shard: cannot be unpacked"),
    "a shard that is cut off": (shard(zlib.compress(b"[null, null, {}, null]")[:-4]), "shard: is cut off"),
    "a shard of many bytes": (shard(zlib.compress(bytes(1 << 24))), "shard: is cut off, or unpacks to more"),
    "a shard of other bytes": (shard(zlib.compress(b"\x80\x04.")), "outcome: not readable as text"),
    "a line of three": (shard(zlib.compress(b"[null, null, {}]")), "outcome: must be a list of four"),
    "a line that is not there": ("UPDATE results SET line = 7", "line: 7 is not in its shard"),
    "a line in words": ("UPDATE results SET line = 'first'", "line: first is not in its shard"),
    "a shard that is not there": ("UPDATE results SET shard = 70", "shard: 70 is missing"),
    "a status of its own": (cell("status", "great"), "'great' is not a valid Status"),
    "seconds in words": (cell("seconds", "long"), "seconds: must be a number"),
    "tensors that are a mapping": (cell("tensors", "{}"), "tensors: must be a list"),
    "tensors of unknown columns": (cell("tensors", '[{"colour": 1}]'), "tensors: colour: no such column"),
    "curves of ten billion points": (cell("curves", b'{"loss": 10000000000}\n'), "curves of 10000000000"),
    "curves of negative length": (cell("curves", b'{"a": -1, "b": 2}\n' + b"x" * 12), "the header"),
    "curves without a header": (cell("curves", b"\x80\x04."), "curves: "),
    "curves nested deeply": (cell("curves", DEEP.encode()), "curves: "),
    "curves that are text": (cell("curves", "{}"), "curves: must be bytes"),
    "an experiment that is no JSON": (meta("experiment", "{"), "experiment: not readable as JSON"),
    "an experiment that is a list": (meta("experiment", "[]"), "experiment: must be a mapping"),
    "a provenance nested deeply": (meta("provenance", DEEP), "provenance: not readable as JSON"),
}  # fmt: skip


def read_all(folder):
    with read_only(folder) as store:
        store.record("experiment"), store.record("provenance"), store.mean_seconds(), store.of_other_code()
        return store.cells(pending=True), store.tensors(), store.curves()


@pytest.mark.parametrize(("statement", "says"), ROWS.values(), ids=ROWS)
def test_rows_that_are_malformed(folder, statement, says):
    spoil(folder, statement)
    with pytest.raises(ConfigurationError) as caught:
        read_all(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / FILE}: ")
    assert says in message
    assert "\n" not in message and len(message) < 400


def test_a_value_that_is_too_large(folder, monkeypatch):
    monkeypatch.setattr(database, "MOST_BYTES", 100_000)
    spoil(folder, "UPDATE results SET curves = zeroblob(200000) WHERE status = 'ok'")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_all(folder)


def test_more_columns_than_a_table_can_have(folder, monkeypatch):
    monkeypatch.setattr(table, "MOST_COLUMNS", 60)
    spoil(folder, cell("settings", json.dumps({f"data.a{i}": i for i in range(100)})))
    with pytest.raises(ConfigurationError, match="different names; at most 60"):
        read_all(folder)


def test_a_statement_that_takes_too_long(folder, monkeypatch):
    monkeypatch.setattr(database, "MOST_STEPS", 0)
    monkeypatch.setattr(database, "STEPS_AT_ONCE", 10)
    with pytest.raises(ConfigurationError, match="interrupted"):
        read_all(folder)


def test_nothing_is_written_to_what_is_read(folder):
    with read_only(folder) as store, pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.db.execute("DELETE FROM cells")
        pytest.fail("a reader must not write")


def test_text_reaches_no_terminal_as_it_is(folder):
    spoil(
        folder,
        cell("error", json.dumps("\x1b]0;owned\x07\u202etxt")),
        cell("outcome", '{"notes": "\\u001b[2J \\ud800"}'),
        meta("experiment", '{"name": "\\u001b[2J"}'),
    )  # fmt: skip
    cells, _, _ = read_all(folder)
    assert cells["error"].iloc[0] == r"\x1b]0;owned\x07\u202etxt"
    assert cells["notes"].iloc[0] == r"\x1b[2J \ud800"
    with read_only(folder) as store:
        assert store.record("experiment") == {"name": r"\x1b[2J"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": "plain", "b": [1, "x"]}', {"a": "plain", "b": (1, "x")}),
        ('{"a": "\u202e"}', {"a": r"\u202e"}),
        ('{"a": "\\u001b[2J"}', {"a": r"\x1b[2J"}),
        ('{"\\u001b": 1}', {r"\x1b": 1}),
        ('{"b": ["x", ["\\u202e", 2]]}', {"b": ("x", (r"\u202e", 2))}),
        ('{"a": "\\\\n"}', {"a": r"\n"}),
    ],
)
def test_settings_are_made_printable(text, found):
    assert settings_of(text) == found


@pytest.mark.parametrize("text", ['{"verdict": 1, "a": 2, "cell": 3}', '{"a": {}}', '{"a": [{}]}'])
def test_settings_that_are_none(text):
    with pytest.raises(MalformedError, match=r"settings: (verdict is no setting|a: must be text)"):
        settings_of(text)


def test_a_message_that_no_file_can_hold_is_a_row(tmp_path, grid):
    (only,) = grid("data=xor", "training=none").cells
    with Store(tmp_path / "a") as store:
        store.announce([only])
        store.add(
            [Outcome(only.case.id, status="failed", error="no \ud800\x1b[2J", traceback="\udcff\n  at")]
        )
        row = store.cells().iloc[0]
    assert (row["error"], row["traceback"]) == (r"no \ud800\x1b[2J", "\\udcff\n  at")


# --- links


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_a_store_that_is_a_link(folder, tmp_path, ending):
    path = folder / (FILE + ending)
    outside = tmp_path / "outside"
    if path.exists():
        path.rename(outside)
    else:
        outside.write_text("precious")
    before = outside.read_bytes()
    path.symlink_to(outside)
    for opener in (read_only, Store):
        with pytest.raises(ConfigurationError, match="is a link"):
            opener(folder)
    assert outside.read_bytes() == before


def test_a_report_writes_and_deletes_nothing_outside(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "01-mine.svg").write_text("precious")
    (folder / "figures").symlink_to(outside)
    done = forked.program("report", str(folder), cwd=tmp_path, left_out="figures")
    assert done.returncode == 2
    assert done.stderr.endswith(f"{folder / 'figures'}: is a link; it must be a folder\n")
    assert "Traceback" not in done.stderr
    assert [p.name for p in outside.iterdir()] == ["01-mine.svg"]


def test_a_link_in_the_place_of_a_table_is_replaced(folder, tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_text("precious")
    (folder / "cells.csv").symlink_to(outside)
    done = forked.program("report", str(folder), cwd=tmp_path, left_out="figures")
    assert done.returncode == 1, "a cell failed"
    assert outside.read_text() == "precious"
    assert not (folder / "cells.csv").is_symlink()


# --- curves


def test_curves_are_as_they_were():
    curves = {"loss": (np.arange(4), np.array([0.1, np.nan, -np.inf, 5e-324])), "empty": ([], [])}
    found = decode_curves(encode_curves(curves))
    assert found.counts == {"loss": 4, "empty": 0}
    assert found.steps.tolist() == [0, 1, 2, 3]
    assert found.values.tobytes() == curves["loss"][1].tobytes()
    assert encode_curves({}) is None


@pytest.mark.parametrize(
    "experiment",
    [
        {"figures": 5, "claims": "x", "question": {}, "name": []},
        {"figures": [3, {}, {"value": []}], "claims": [3, {}, {"statement": 1, "where": {}, "holds": []}]},
        {"figures": [{"value": "verdict", "rows": ["__class__"]}], "claims": [{"where": "().__class__"}]},
    ],
    ids=["of other kinds", "of empty entries", "of names that lead elsewhere"],
)
def test_a_report_of_an_experiment_that_is_none(folder, tmp_path, experiment):
    spoil(folder, meta("experiment", json.dumps(experiment)))
    done = forked.program("report", str(folder), cwd=tmp_path, left_out="")
    assert done.returncode in (1, 2), "a cell failed, or the experiment is refused"
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
