"""Two results folders, compared: from their stores to the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from backproof.files import write
from backproof.reports.compare import Comparison, compare
from backproof.reports.compare_page import page
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
class _Side:
    """A results folder, as it is compared."""

    folder: Path
    cells: pd.DataFrame
    about: Mapping[str, object]
    experiment: Mapping[str, object]

    @property
    def name(self) -> str:
        """The folder's own name, also of `.`."""
        return self.folder.resolve().name or "root"

    def page_entry(self) -> dict[str, object]:
        """What the page states of it."""
        return {"name": self.name, "folder": self.folder} | {k: self.about.get(k) for k in OF_THE_RUN}


def compare_folders(a: Path, b: Path) -> ComparisonResult:
    """Compare two sweeps, and write the page into B's folder.

    Raises:
        ConfigurationError: if there is no sweep in one of the folders.
        OSError: if the page cannot be written.
    """
    before, after = _side(a), _side(b)
    found = compare(
        before.cells,
        after.cells,
        [{k: v for k, v in s.experiment.items() if k not in CONFIGURES} for s in (before, after)],
        [{k: v for k, v in s.about.items() if k not in OF_THE_RUN} for s in (before, after)],
    )
    path = b / f"compare-with-{re.sub(r'[^A-Za-z0-9._-]+', '-', before.name)[:100]}.html"
    write(path, page(before.page_entry(), after.page_entry(), found).encode())
    return ComparisonResult(found, path, a.resolve() == b.resolve())


def _side(folder: Path) -> _Side:
    with read_only(folder) as store:
        about, experiment = map(store.record, ("provenance", "experiment"))
        return _Side(folder, store.cells(pending=True), about, experiment)
