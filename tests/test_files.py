"""Files that are whole or not there, and tables that no spreadsheet evaluates."""

import pandas as pd
import pytest

from backproof.files import csv, write


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a.txt"
    write(path, b"one")
    write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_fails_leaves_nothing_and_keeps_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write(path, b"one")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(path, b"two")
    assert path.read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text):
    table = pd.DataFrame({"name": [text, "plain", None], "number": [-1.5, 2.0, 3.0], "whole": [-1, 2, 3]})
    lines = csv(table).decode()
    assert f"'{text}" in lines
    assert "plain,2.0,2" in lines
    assert ",-1.5,-1" in lines, "numbers are as they are"
