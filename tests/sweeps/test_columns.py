"""The table of columns: each entry is whole, and nothing else lists columns."""

import re
from pathlib import Path

import pandas as pd
import pytest

from backproof.sweeps.columns import BY_NAME, CELLS, DTYPES, RESULTS, TENSORS
from backproof.sweeps.table import as_table, tensors_table

SOURCE = Path(__file__).parents[2] / "src" / "backproof"

SCRIPT_NAMES = {"cell", "status", "verdict", "cause", "command", "traceback", "error", "refined"}
"""Columns that the page's script knows by name: what identifies a cell, its state and how to reproduce it."""


@pytest.mark.parametrize("column", [*CELLS, *TENSORS], ids=lambda c: c.name)
def test_an_entry_is_whole(column):
    assert re.fullmatch("[a-z][a-z0-9_]*", column.name)
    assert column.about.endswith(".")
    assert column.kind in DTYPES
    assert not (column.null and not column.drawn), "null can only be shown where the column is drawn"
    assert not (column.compared and not column.title)
    assert not (column.unit and column.kind == "text")
    assert not (column.figure and not column.drawn)


def test_names_are_unique():
    assert len(BY_NAME) == len(CELLS) == len(RESULTS)
    assert len({c.name for c in TENSORS}) == len(TENSORS)


def test_empty_tables_have_every_column_with_its_type():
    cells, tensors = as_table([]), tensors_table([])
    for table, columns in ((cells, CELLS), (tensors, TENSORS)):
        for column in columns:
            if column.kind != "text":
                assert str(table[column.name].dtype) == column.dtype, column.name
    assert list(tensors.columns) == ["cell", *(c.name for c in TENSORS)]
    assert isinstance(cells, pd.DataFrame)


def test_the_pages_script_names_no_other_column():
    scripts = [p.read_text(encoding="utf-8") for p in (SOURCE / "reports" / "script").glob("*.js")]
    assert len(scripts) > 10
    words = set(re.findall(r"[\"'.]([a-z_0-9]+)\b", "".join(scripts)))
    assert words & set(BY_NAME) <= SCRIPT_NAMES, words & set(BY_NAME) - SCRIPT_NAMES


def test_a_column_is_named_by_its_entry_and_where_the_terminal_has_words_for_it():
    """Adding a column touches columns.py and the line that computes it; `steps_to_threshold` shows it."""
    naming = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if re.search(r"[\"']steps_to_threshold[\"']", path.read_text(encoding="utf-8"))
    }
    assert naming == {"sweeps/columns.py", "verdicts/rendering.py"}
