"""A figure's files: SVG, PDF and PNG, its numbers as CSV, and what the page needs of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from backproof.files import csv, write
from backproof.reports.edges import Edges
from backproof.reports.figures import draw
from backproof.reports.figures.kind import Drawn, FigureSpec

ENDINGS = ("svg", "png", "pdf")
PIXELS = 96
"""Pixels of a page to an inch."""


@dataclass(frozen=True)
class Picture:
    """A figure in the page: its SVG as a data address, or the reason why there is none.

    Attributes:
        stem: what its files are named. size: pixels across and down.
        overlay: what the page's script needs of it; None where it answers for nothing.
    """

    title: str
    caption: str
    finding: str
    stem: str
    pooled: str = ""
    source: str = ""
    problem: str = ""
    size: tuple[int, int] = (0, 0)
    overlay: Mapping[str, object] | None = None


def keep(
    folder: Path,
    position: int,
    wanted: FigureSpec | Drawn,
    cells: pd.DataFrame,
    curves: pa.Table,
    edges: Edges | None,
    positions: NDArray[np.intp] | None = None,
) -> Picture:
    """Draw a figure and write its files, named by its position and title.

    `positions`: of each cell in the page, -1 where that does not hold it; by default they all are there.
    """
    drawn = wanted if isinstance(wanted, Drawn) else draw(wanted, cells, curves, edges)
    stem, caption = f"{position:02d}-{_slug(drawn.title)}", drawn.caption
    if drawn.drawing is None:
        return Picture(drawn.title, caption, "", stem, problem=drawn.problem)
    from backproof.reports.figures.drawing.style import rendered

    figure = drawn.drawing.figure
    contents = {ending: rendered(figure, ending) for ending in ENDINGS}
    for ending, content in {**contents, "csv": csv(drawn.drawing.data)}.items():
        write(folder / f"{stem}.{ending}", content)
    width, height = figure.get_size_inches()
    overlay = drawn.drawing.overlay
    return Picture(
        drawn.title, caption, drawn.finding, stem, drawn.pooled,
        source="data:image/svg+xml;base64," + base64.b64encode(contents["svg"]).decode(),
        size=(round(width * PIXELS), round(height * PIXELS)),
        overlay=_of_page(overlay(), positions) if overlay else None,
    )  # fmt: skip


def _of_page(overlay: Mapping[str, object], positions: NDArray[np.intp] | None) -> Mapping[str, object]:
    """The same with the cells of its tiles by their positions in the page."""
    parts = overlay.get("parts")
    if positions is None or not isinstance(parts, list):
        return overlay
    return {**overlay, "parts": [{**part, **_held(part, positions)} for part in parts]}


def _held(part: Mapping[str, Sequence[int]], positions: NDArray[np.intp]) -> dict[str, list[int]]:
    """The cells of a part's tiles that the page holds, tile after tile, and where each tile begins."""
    cells = positions[np.asarray(part["cells"], np.intp)]
    before = np.concatenate([[0], np.cumsum(cells >= 0)])
    return {
        "cells": cells[cells >= 0].tolist(),
        "starts": before[np.asarray(part["starts"], np.intp)].tolist(),
    }


def _slug(title: str) -> str:
    """A title as part of a file's name: a few whole words."""
    words = re.findall(r"[a-z0-9]+", title.lower().replace("'", ""))
    while len("-".join(words)) > 40:
        words.pop()
    return "-".join(words) or "figure"
