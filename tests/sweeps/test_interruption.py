"""A signal that asks to stop, in the middle of an import and elsewhere."""

import importlib
import time

import pytest

from backproof.sweeps.interruption import StopRequested, interruptible


@pytest.fixture
def slow_to_import(tmp_path, monkeypatch):
    """A module in whose import a signal comes."""
    (tmp_path / "slow_to_import.py").write_text(
        "import signal\n"
        "try:\n    signal.raise_signal(signal.SIGTERM)\nexcept:  # as libraries do\n    pass\n"
        "done = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "slow_to_import"


def test_a_signal_during_an_import_stops_after_it(slow_to_import):
    with pytest.raises(StopRequested), interruptible(grace=30):
        assert importlib.import_module(slow_to_import).done
        time.sleep(30)


def test_a_program_that_is_itself_imported_is_stopped_at_once(tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text(
        "import signal\nfrom backproof.sweeps.interruption import StopRequested, interruptible\n"
        "try:\n    with interruptible(grace=30):\n        signal.raise_signal(signal.SIGTERM)\n"
        "        stopped = False\nexcept StopRequested:\n    stopped = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("program").stopped
