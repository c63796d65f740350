"""A figure's files: SVG, PDF and PNG, its numbers as CSV, and what the page needs of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from backproof.files import csv, write
from backproof.reports.edges import Edges
from backproof.reports.figures import draw
from backproof.reports.figures.kind import Drawn, FigureSpec
from backproof.reports.labels import Labels
from backproof.reports.live import WORDLESS, LiveText

ENDINGS = ("svg", "png", "pdf")
OURS = re.compile(r"\d\d+-[a-z0-9-]+\.(svg|png|pdf|csv)")
"""Names that figures of ours have; nothing else in the folder is ever removed."""

PIXELS = 96
"""Pixels of a page to an inch."""


@dataclass(frozen=True)
class Live:
    """A figure as a page's script draws it.

    Attributes:
        drawn: as in `Drawing.live`.
        cells: the positions of its cells in the table.
    """

    drawn: Mapping[str, object]
    cells: Sequence[int]
    caption: LiveText = WORDLESS


@dataclass(frozen=True)
class Picture:
    """A figure in the page: its SVG as a data address, or the reason why there is none.

    Attributes:
        stem: what its files are named. size: pixels across and down.
        live: what the page's script draws it from; None where the page shows the picture alone.
    """

    title: str
    caption: str
    finding: str
    stem: str
    pooled: str = ""
    source: str = ""
    problem: str = ""
    size: tuple[int, int] = (0, 0)
    live: Live | None = None


def keep(
    folder: Path,
    position: int,
    wanted: FigureSpec | Drawn,
    cells: pd.DataFrame,
    curves: pa.Table,
    edges: Edges | None,
    labels: Labels | None = None,
) -> Picture:
    """Draw a figure and write its files, named by its position and title."""
    drawn = wanted if isinstance(wanted, Drawn) else draw(wanted, cells, curves, edges, labels)
    stem, caption = f"{position:02d}-{_slug(drawn.title)}", drawn.caption
    if drawn.drawing is None:
        return Picture(drawn.title, caption, "", stem, problem=drawn.problem)
    from backproof.reports.figures.drawing.style import rendered, sheet_of

    figure, dots = drawn.drawing.figure, sheet_of(drawn.spec.width).dots
    contents = {ending: rendered(figure, ending, dots) for ending in ENDINGS}
    for ending, content in {**contents, "csv": csv(drawn.drawing.data)}.items():
        write(folder / f"{stem}.{ending}", content)
    width, height = figure.get_size_inches()
    live = drawn.drawing.live
    return Picture(
        drawn.title, caption, drawn.finding, stem, drawn.pooled,
        source="data:image/svg+xml;base64," + base64.b64encode(contents["svg"]).decode(),
        size=(round(width * PIXELS), round(height * PIXELS)),
        live=Live(live, drawn.cells, drawn.spec.caption) if live else None,
    )  # fmt: skip


def remove_others(folder: Path, pictures: Sequence[Picture]) -> None:
    """Remove the figures of an earlier page that this one does not have."""
    stems = {p.stem for p in pictures if p.source}
    for path in folder.glob("*"):
        if OURS.fullmatch(path.name) and path.name.partition(".")[0] not in stems:
            path.unlink()


def _slug(title: str) -> str:
    """A title as part of a file's name: a few whole words."""
    words = re.findall(r"[a-z0-9]+", title.lower().replace("'", ""))
    while len("-".join(words)) > 40:
        words.pop()
    return "-".join(words) or "figure"
