"""The store: what goes in comes out, whole or not at all, and what is no store is refused in one line."""

import sqlite3
import zlib
from dataclasses import replace

import numpy as np
import pytest

from backproof.errors import ConfigurationError, ResultsError
from backproof.sweeps.columns import RESULTS
from backproof.sweeps.database import FILE, PAGE_BYTES
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.store import Store, read_only


@pytest.fixture
def cells(grid):
    return grid("data=xor", "training=none", "network.hidden=[3]", "seed=0,1,2").cells


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "results") as opened:
        yield opened


def outcome(cell, **more):
    values = {"verdict": "agrees", "gradient_error": 0.1, "touched": 2, "loss_value": float("nan")}
    loss = (np.arange(3), np.array([1.0, np.nan, np.inf]))
    return Outcome(cell.case.id, values=values, curves={"loss": loss}, seconds=0.5, **more)


def test_announced_cells_are_pending_and_in_no_table(store, cells):
    store.announce(cells)
    assert set(store.statuses(c.case.id for c in cells).values()) == {"pending"}
    assert store.pending() == 3
    assert len(store.cells()) == 0
    assert len(store.curves()) == 0


def test_a_row_comes_back_as_it_went_in(store, cells):
    store.announce(cells)
    store.add([outcome(cells[1])])
    table = store.cells()
    (row,) = table.to_dict("records")
    assert row["cell"] == cells[1].case.id
    assert row["status"] == "ok"
    assert row["verdict"] == "agrees"
    assert row["gradient_error"] == 0.1
    assert np.isnan(row["loss_value"])
    assert (row["touched"], row["attempts"], row["seconds"]) == (2, 1, 0.5)
    assert (row["seed"], row["data"], row["network.hidden"]) == (1, "xor", "[3]")
    assert row["command"] == cells[1].command
    assert store.pending() == 2


def test_the_columns_are_the_id_the_settings_and_the_results(store, cells):
    store.announce(cells)
    store.add([outcome(c) for c in cells])
    columns = list(store.cells().columns)
    assert columns[0] == "cell"
    assert columns[-len(RESULTS) :] == list(RESULTS)
    assert {"data", "network.hidden", "activation", "clip.eps", "seed"} <= set(columns)
    assert not any("_target_" in c for c in columns)


def test_types_of_the_columns(store, cells):
    store.announce(cells)
    store.add([outcome(c) for c in cells])
    types = store.cells().dtypes.astype(str)
    assert (types["seed"], types["clip.eps"], types["touched"]) == ("Int64", "float64", "Int64")
    assert types["diverged_at"] == "Int64", "also where every value is missing"


def test_curves_come_back_to_the_last_bit(store, cells):
    steps, values = np.arange(50), np.random.default_rng(0).standard_normal(50)
    store.announce(cells)
    store.add(
        [replace(outcome(cells[0]), curves={"loss": (steps, values), "cosine": (steps[::2], values[::2])})]
    )
    table = store.curves().to_pandas()
    assert set(table.columns) == {"cell", "series", "step", "value"}
    assert set(table["cell"]) == {cells[0].case.id}
    loss = table[table["series"] == "loss"]
    assert loss["step"].tolist() == steps.tolist()
    assert loss["value"].to_numpy().tobytes() == values.tobytes()
    assert table[table["series"] == "cosine"]["step"].tolist() == steps[::2].tolist()


def test_curves_of_a_run_that_is_not_finite(store, cells):
    store.announce(cells)
    store.add([outcome(cells[0])])
    one, nan, infinite = store.curves()["value"].to_pylist()
    assert (one, infinite) == (1.0, float("inf"))
    assert nan != nan


def test_announcing_again_keeps_what_is_there(tmp_path, cells):
    with Store(tmp_path) as store:
        store.announce(cells)
        store.add([outcome(cells[0])])
    with Store(tmp_path) as store:
        store.announce(cells)
        assert store.statuses(c.case.id for c in cells)[cells[0].case.id] == "ok"
        assert store.pending() == 2
        assert len(store.cells()) == 1


def test_attempts_are_counted(store, cells):
    store.announce(cells)
    store.add([outcome(cells[0], status="failed", error="ValueError: no")])
    assert store.failed() == 1
    assert store.cells()["error"].tolist() == ["ValueError: no"]
    store.add([outcome(cells[0])])
    assert store.failed() == 0
    assert store.cells()["attempts"].tolist() == [2]


def test_tables_show_the_last_grid_and_keep_the_rest_for_later(store, cells):
    store.announce(cells[:2])
    store.add([outcome(c) for c in cells[:2]])
    store.announce(cells[1:])
    assert store.cells()["seed"].tolist() == [1]
    assert set(store.curves()["cell"].to_pylist()) == {cells[1].case.id}
    assert store.pending() == 1
    store.announce(cells)
    assert store.cells()["seed"].tolist() == [0, 1]


def test_appended_cells_join_the_grid(store, cells):
    for cell in (*cells, cells[0]):
        store.announce([cell], append=True)
        store.add([outcome(cell)])
    assert store.cells()["seed"].tolist() == [0, 1, 2]


def test_excluded_cells_have_a_row_with_the_reason_and_no_numbers(store, cells):
    store.announce(cells)
    store.add([outcome(c) for c in cells])
    store.announce([replace(cells[0], excluded="too large"), *cells[1:]])
    row = store.cells().iloc[0]
    assert (row["status"], row["error"], row["attempts"]) == ("excluded", "too large", 0)
    assert row.isna()["gradient_error"]
    assert (store.pending(), store.failed()) == (0, 0)
    assert cells[0].case.id not in store.curves()["cell"].to_pylist()
    store.announce(cells)
    assert store.cells()["status"].tolist() == ["ok"] * 3, "what was computed is still there"


def test_the_outcomes_of_a_task_are_written_whole_or_not_at_all(store, cells):
    store.announce(cells)
    good, bad = outcome(cells[0]), outcome(cells[1])
    bad.seconds = object()  # SQLite knows no such thing
    with pytest.raises(sqlite3.Error):
        store.add([good, bad])
    assert store.pending() == 3
    assert len(store.cells()) == 0


def test_a_reader_sees_what_is_written_so_far(tmp_path, cells):
    with Store(tmp_path) as writer:
        writer.announce(cells)
        writer.add([outcome(cells[0])])
        with read_only(tmp_path) as reader:
            assert len(reader.cells()) == 1
            writer.add([outcome(cells[1])])
            assert len(reader.cells()) == 2


def test_mean_seconds_and_gradient_errors(store, cells):
    assert store.mean_seconds() is None
    store.announce(cells)
    store.add([outcome(cells[0]), replace(outcome(cells[1]), seconds=1.5, values={})])
    assert store.mean_seconds() == 1.0
    assert store.gradient_error(cells[0].case.id) == 0.1
    assert np.isnan(store.gradient_error(cells[1].case.id))


def test_what_is_kept_beside_the_cells(store):
    assert store.meta("experiment") is None
    store.set_meta("experiment", "ünï")
    store.set_meta("experiment", "code")
    assert store.meta("experiment") == "code"


def test_nothing_stored_is_a_pickle(store, cells):
    store.announce(cells)
    store.add([outcome(c) for c in cells])
    packed = [(zlib.decompress(content),) for (content,) in store.db.execute("SELECT content FROM shards")]
    assert packed
    for query in (
        "SELECT settings, command FROM cells", "SELECT curves FROM results", "SELECT key, value FROM meta"
    ):  # fmt: skip
        for row in (*store.db.execute(query), *packed):
            for value in row:
                assert value is None or isinstance(value, str | bytes)
                content = value if isinstance(value, bytes) else (value or "").encode()
                assert not content.startswith(b"\x80")


# --- what is no store


def refused(make, *says):
    with pytest.raises(ConfigurationError) as caught:
        make()
    message = str(caught.value)
    assert "\n" not in message
    for part in says:
        assert part in message


DAMAGED = [b"this is no database, but long enough to look at" * 50, b"SQLite format 3\0" + bytes(3000)]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_set_aside(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    refused(lambda: read_only(tmp_path), str(tmp_path))
    with Store(tmp_path) as store:
        assert "damaged-1" in store.note and store.cells().empty
    assert (tmp_path / "sweep.damaged-1.sqlite").read_bytes() == content
    with Store(tmp_path) as store:
        assert store.note == ""
    (tmp_path / FILE).write_bytes(content[:200])
    with Store(tmp_path) as store:
        assert "damaged-2" in store.note


@pytest.fixture
def filled(grid):
    """A store of many cells, closed; its file."""

    def fill(folder):
        found = grid("data=xor", "training=none", "network.hidden=[3]", "seed=range(0,60)").cells
        with Store(folder) as store:
            store.announce(found)
            store.add([outcome(c) for c in found])
        return folder / FILE

    return fill


def test_damage_that_shows_later_ends_in_one_line_and_is_set_aside(tmp_path, filled):
    path = filled(tmp_path)
    content = bytearray(path.read_bytes())
    content[8 * PAGE_BYTES :] = b"\xff" * (len(content) - 8 * PAGE_BYTES)
    path.write_bytes(content)
    with pytest.raises(ResultsError, match="damaged") as caught, Store(tmp_path) as store:
        store.cells()
    assert "\n" not in str(caught.value)
    assert not path.exists() and (tmp_path / "sweep.damaged-1.sqlite").read_bytes() == content


def test_a_database_that_was_left_in_the_middle_of_a_write_is_looked_at(tmp_path, filled):
    path = filled(tmp_path)
    content = bytearray(path.read_bytes())
    content[3 * PAGE_BYTES : 4 * PAGE_BYTES] = b"\xff" * PAGE_BYTES
    path.write_bytes(content)
    with Store(tmp_path) as store:
        assert store.note == "", "after a clean end a store is taken as it is"
    path.with_name(FILE + "-wal").write_bytes(b"")
    with Store(tmp_path) as store:
        assert "damaged" in store.note


@pytest.mark.parametrize("opener", [Store, read_only])
def test_a_database_of_another_program(tmp_path, opener):
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("CREATE TABLE cells (colour TEXT)")
    db.execute("CREATE TABLE meta (name TEXT)")
    db.commit()
    db.close()
    refused(lambda: opener(tmp_path), str(tmp_path))


def test_a_store_of_another_version(tmp_path):
    with Store(tmp_path) as store:
        store.set_meta("version", "999")
    refused(lambda: Store(tmp_path), "another version", "999", "name=")


def test_a_file_in_the_folders_place(tmp_path):
    (tmp_path / "results").write_text("")
    refused(lambda: Store(tmp_path / "results" / "a"), "cannot be used as a results folder")
    refused(lambda: Store(tmp_path / "results"), "cannot be used as a results folder")


def test_a_folder_without_a_sweep(tmp_path):
    refused(lambda: read_only(tmp_path), "holds no sweep", FILE)
    refused(lambda: read_only(tmp_path / "none"), "holds no sweep")
    assert list(tmp_path.iterdir()) == [], "looking leaves nothing behind"
