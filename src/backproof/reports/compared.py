"""Two results folders, compared: from their stores to the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from backproof.files import write
from backproof.reports.compare import Comparison, compare
from backproof.reports.compare_figures import draw_compared
from backproof.reports.compare_page import page
from backproof.reports.figure_files import keep_all
from backproof.reports.stored import StoredExperiment, stored_experiment
from backproof.sweeps.store import read_only

CONFIGURES = ("name", "question", "claims", "figures")
"""The entries of an experiment that are about its report, and do not configure its cells."""

OF_THE_RUN = ("command", "started")
"""The entries of provenance that are neither code nor version."""


@dataclass(frozen=True)
class ComparisonResult:
    """What changed from one sweep to another, and the page that shows it."""

    comparison: Comparison
    page: Path
    same_folder: bool


@dataclass(frozen=True)
class Side:
    """A results folder, as it is compared."""

    folder: Path
    cells: pd.DataFrame
    about: Mapping[str, object]
    experiment: Mapping[str, object]

    @property
    def asked(self) -> StoredExperiment:
        """Question, claims and figures."""
        return stored_experiment(self.experiment)

    @property
    def configuration(self) -> dict[str, object]:
        """The experiment but for what is about its report."""
        return {k: v for k, v in self.experiment.items() if k not in CONFIGURES}

    @property
    def code(self) -> dict[str, object]:
        """Code and versions."""
        return {k: v for k, v in self.about.items() if k not in OF_THE_RUN}

    @property
    def name(self) -> str:
        """The folder's own name, also of `.`."""
        return self.folder.resolve().name or "root"

    def page_entry(self) -> dict[str, object]:
        """What the page states of it."""
        return {"name": self.name, "folder": self.folder} | {k: self.about.get(k) for k in OF_THE_RUN}


def compare_folders(a: Path, b: Path) -> ComparisonResult:
    """Compare two sweeps, and write the page into B's folder, its figures into a folder beside it.

    Raises:
        ConfigurationError: if there is no sweep in one of the folders.
        OSError: if the page cannot be written.
    """
    before, after = side_of(a), side_of(b)
    found = compare_sides(before, after)
    figures = draw_compared(
        found.alignment, (before.asked, after.asked), (plain_name(before.name), plain_name(after.name))
    )
    path = b / f"compare-with-{plain_name(before.name)}.html"
    pictures = keep_all(path.with_suffix(""), figures.drawn)
    written = page(before.page_entry(), after.page_entry(), found, path.stem, pictures, figures)
    write(path, written.encode())
    return ComparisonResult(found, path, a.resolve() == b.resolve())


def compare_sides(a: Side, b: Side) -> Comparison:
    """What changed from one to the other."""
    return compare(a.cells, b.cells, (a.configuration, b.configuration), (a.code, b.code))


def side_of(folder: Path) -> Side:
    """What is compared of a results folder.

    Raises:
        ConfigurationError: if there is no sweep in it.
    """
    with read_only(folder) as store:
        about, experiment = map(store.record, ("provenance", "experiment"))
        return Side(folder, store.cells(pending=True), about, experiment)


def plain_name(name: str) -> str:
    """A name as part of a file's, and in a figure."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:100]
