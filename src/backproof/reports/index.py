"""The index of a folder of sweeps: each with its question, its answer and what of it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backproof.errors import ConfigurationError, ResultsError
from backproof.files import printable, write
from backproof.reports.stored import stored_experiment
from backproof.reports.templates import environment
from backproof.sweeps.database import FILE
from backproof.sweeps.store import read_only

ANSWER = "answer.txt"
"""The file in a results folder that holds the sentences its report begins with, a line each."""

MOST_CHARACTERS = 20_000
"""Of an answer that are shown; a folder may come from anybody."""


@dataclass(frozen=True)
class Entry:
    """A sweep in the index.

    Attributes:
        reported: whether it has a report.
        problem: why it cannot be read; empty if it was.
    """

    name: str
    question: str = ""
    answer: tuple[str, ...] = ()
    cells: int = 0
    failed: int = 0
    pending: int = 0
    started: str = ""
    reported: bool = False
    problem: str = ""


def holds_sweeps(folder: Path) -> bool:
    """Whether a folder is no sweep itself, and folders in it are."""
    return not (folder / FILE).exists() and next(_sweeps(folder), None) is not None


def write_index(folder: Path) -> Path:
    """Write `index.html` into a folder of sweeps, the latest first; returns its path."""
    entries = sorted(map(_entry, _sweeps(folder)), key=lambda entry: entry.started, reverse=True)
    page = environment().get_template("index.html.j2").render(folder=folder.resolve().name, entries=entries)
    path = folder / "index.html"
    write(path, printable(page).encode())
    return path


def _sweeps(folder: Path) -> Iterator[Path]:
    """Folders of sweeps; links may lead anywhere, and are left out."""
    if folder.is_dir():
        yield from (
            each for each in sorted(folder.iterdir()) if not each.is_symlink() and (each / FILE).is_file()
        )


def _entry(folder: Path) -> Entry:
    try:
        with read_only(folder) as store:
            experiment = stored_experiment(store.record("experiment"))
            started = str(store.record("provenance").get("started") or "")[:40]
            return Entry(
                folder.name, experiment.question, answer_in(folder),
                store.size(), store.failed(), store.pending(), started, (folder / "report.html").is_file(),
            )  # fmt: skip
    except (ConfigurationError, ResultsError) as error:
        return Entry(folder.name, problem=str(error))


def answer_in(folder: Path) -> tuple[str, ...]:
    """The sentences that a folder's report begins with; none where there is no such file."""
    path = folder / ANSWER
    if path.is_symlink() or not path.is_file():
        return ()
    with path.open(encoding="utf-8", errors="replace") as file:
        return tuple(line for line in file.read(MOST_CHARACTERS).splitlines() if line.strip())
