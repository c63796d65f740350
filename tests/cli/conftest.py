"""The program run in this process, in an empty folder."""

from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from without_report import report_left_out

from backproof.interfaces.cli import main
from backproof.sweeps.store import read_only

TINY = ("data=xor", "network.hidden=[3]", "training=none", "engine=serial")
"""A sweep of milliseconds."""


class Done(NamedTuple):
    """What a command left: its exit status and both streams."""

    status: int
    out: str
    err: str


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def drawn():
    """Asked for by a test that looks into a report; for others none is drawn, which would take longest."""


@pytest.fixture
def program(here, capfd, request):  # noqa: ARG001
    """Run the program with arguments."""

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        status = main(list(arguments))
        return Done(status, *capfd.readouterr())

    with nullcontext() if "drawn" in request.fixturenames else report_left_out():
        yield run


@pytest.fixture
def tiny(program):
    """Run a sweep or plan over tiny cells."""

    def run(command: str, *arguments: str) -> Done:
        return program(command, *TINY, *arguments)

    return run


@pytest.fixture
def table(here):
    """The cells of a results folder, without what differs from run to run."""

    def read(name: str = "sweep") -> pd.DataFrame:
        with read_only(here / "results" / name) as store:
            return store.cells().drop(columns=["seconds"])

    return read
