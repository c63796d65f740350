"""The program run in this process, in an empty folder."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from backproof.files import write
from backproof.interfaces.cli import main
from backproof.reports import write as writing
from backproof.reports.summary import Answer
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


def _blank(folder: Path, *_: object) -> Answer:
    write(folder / "report.html", b"")
    return Answer("", ())


@pytest.fixture
def program(here, capfd, monkeypatch, request):  # noqa: ARG001
    """Run the program with arguments."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(writing, "write_report", _blank)

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        status = main(list(arguments))
        return Done(status, *capfd.readouterr())

    return run


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
