"""Tables of a store, written some rows at a time: the same as at once, in the memory of some rows."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from backproof.reports import excerpt, tables
from backproof.reports.excerpt import Excerpt, narrow, needed, places_in_page
from backproof.reports.page_data import _held, _runs
from backproof.reports.report import Report
from backproof.sweeps.composition import composed
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.store import Store, read_only
from backproof.sweeps.table import Layout

WORDS = ("data=xor", "network.hidden=[3],[4,2]", "training=none", "loss=squared_error,binary_cross_entropy",
         "output=sigmoid", "clip.eps=1e-7,1e-3")  # fmt: skip


def filled(folder, seeds):
    """A store of cells, every seventh of which failed and every fifth of which is still to come."""
    cells = list(composed((*WORDS, f"seed=range(0,{seeds})")).grid().listed())
    loss = (np.arange(2), np.array([1.0, np.nan]))
    with Store(folder) as store:
        store.announce(cells)
        for i, cell in enumerate(cells):
            if i % 7 == 0:
                store.add(
                    [Outcome(cell.id, status="failed", error="=ValueError", traceback="at", seconds=1.0)]
                )
            elif i % 5:
                values = {"verdict": "agrees" if i % 3 else "incorrect gradient", "gradient_error": i / 9}
                tensors = [{"tensor": "W1", "verdict": "agrees", "size": i}]
                store.add([Outcome(cell.id, values=values, tensors=tensors, curves={"loss": loss})])
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("tables"), 12)


def test_some_rows_at_a_time_are_the_whole(folder, monkeypatch):
    with read_only(folder) as store:
        cells, curves, tensors = store.cells(pending=True), store.curves(), store.tensors()
        monkeypatch.setattr(tables, "TOGETHER", 7)
        layout = Layout.of(store.settings())
        found = tables.joined(tables.write_tables(store, folder, layout))
    pd.testing.assert_frame_equal(found.cells, cells)
    pd.testing.assert_frame_equal(found.curves.to_pandas(), curves.to_pandas(), check_exact=True)
    pd.testing.assert_frame_equal(found.tensors, tensors)
    there = cells[cells["status"] != "pending"].reset_index(drop=True)
    assert 0 < len(there) < len(cells)
    there.to_parquet(folder / "at-once.parquet")
    once, written = (pd.read_parquet(folder / f"{name}.parquet") for name in ("at-once", "cells"))
    pd.testing.assert_frame_equal(written, once)
    lines = (folder / "cells.csv").read_text().splitlines()
    assert len(lines) == len(there) + 1
    assert "'=ValueError" in lines[1]


def test_a_store_without_rows_has_tables_with_columns(tmp_path):
    with Store(tmp_path) as store:
        (part,) = tables.write_tables(store, tmp_path, Layout())
    assert not len(part.cells)
    assert list(pd.read_csv(tmp_path / "cells.csv").columns) == list(part.cells.columns)
    assert "verdict" in pd.read_parquet(tmp_path / "cells.parquet")


def peak(folder):
    with read_only(folder) as store:
        layout = Layout.of(store.settings())
        tracemalloc.start()
        for _ in tables.write_tables(store, folder, layout):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found


def test_memory_does_not_grow_with_the_table(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(tables, "TOGETHER", 30)
    monkeypatch.setattr("backproof.sweeps.store.AT_ONCE", 30)
    few, many = peak(folder), peak(filled(tmp_path / "many", 72))
    assert many < 1.2 * few


def test_kinds_of_columns_are_of_all_rows():
    layout = Layout.of(
        [
            {"data": "a", "seed": 0, "loss.l2": 1, "check.step": 1.0},
            {"seed": 1, "loss.l2": 0.5, "data": "a"},
            {"seed": 1, "data": "a", "check.step": "x"},
        ]
    )
    assert layout.kinds == {"check.step": "text", "data": "text", "loss.l2": "float64", "seed": "Int64"}
    assert layout.constants == {"data": "a"}


# --- excerpts


def test_columns_that_an_experiment_mentions_are_needed(folder):
    with read_only(folder) as store:
        layout = Layout.of(store.settings())
    plain = needed({}, layout)
    assert {"cell", "status", "verdict", "seed", "clip.eps", "loss", "network.hidden"} <= set(plain)
    assert not {"command", "traceback", "data", "evaluations"} & set(plain)
    claims = {"claims": [{"where": "data == 'xor'", "holds": "evaluations > 3"}]}
    assert {"data", "evaluations"} <= set(needed(claims, layout))
    assert "planted" in needed({"figures": [{"value": "confusion"}]}, layout)
    assert needed({"refine": "clip.eps"}, layout) is None


def test_an_excerpt_has_what_failed_and_what_is_not_right_first(folder, monkeypatch):
    with read_only(folder) as store:
        cells = store.cells(pending=True)
    monkeypatch.setattr(excerpt, "MOST_IN_PAGE", 16)
    places = places_in_page(cells)
    chosen = cells.iloc[places]
    assert len(places) == 16 and (np.diff(places) > 0).all()
    assert (chosen["status"] == "failed").sum() == 4
    assert ((chosen["status"] == "ok") & (chosen["verdict"] != "agrees")).sum() == 8
    assert len(places_in_page(cells.head(5))) == 5


def test_equal_texts_are_one_object(folder):
    with read_only(folder) as store:
        cells = store.cells(pending=True)
    narrowed = narrow(["cell", "status", "error", "loss"])
    found = pd.concat([narrowed(cells.head(20)), narrowed(cells.tail(20))])
    assert list(found.columns) == ["cell", "status", "error", "loss"]
    assert found["error"].isna().all(), "reasons of exclusions are kept, errors are in the page's own cells"
    assert len({id(v) for v in found["loss"]}) == found["loss"].nunique() == 2


def test_cells_are_named_by_where_the_page_holds_them():
    excerpt = Excerpt(pd.DataFrame(index=range(3)), None, None, np.array([1, 2, 5]), {})
    report = Report("", "", None, (), (), "", pd.DataFrame(index=range(6)), None, {}, excerpt=excerpt)
    held = _held([0, 1, 3, 5], report)
    assert held == [0, 2]
    assert _runs(held, 3) == [0, 1, 1, 1]  # none left out, one there, one left out, one there
    assert _runs([], 3) == []
    assert _runs([1, 2], 3) == [1, 2]
