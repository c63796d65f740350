"""What fails where a piece of work takes more instructions than on record."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def history(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "benchmarks"))
    monkeypatch.delitem(sys.modules, "history", raising=False)
    import history

    return history


def test_thirty_percent_more_is_a_loss_and_less_is_none(history):
    before = {"check": 1000, "training": 1000}
    assert history.losses(before, {"check": 1300, "training": 900}) == []
    (lost,) = history.losses(before, {"check": 1301, "training": 1000})
    assert lost.startswith("check: ")
    assert "+30%" in lost


def test_a_piece_that_is_new_has_nothing_to_lose_against(history):
    assert history.losses({}, {"check": 5}) == []


def test_every_piece_of_work_is_on_record(history):
    from short_works import works

    last = history.on_record()[-1]
    assert set(history.instructions_of(last)) == set(works())
