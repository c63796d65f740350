"""A figure's files: SVG, PDF and PNG, its numbers as CSV, and what the page needs of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from backproof.files import csv, write
from backproof.reports.figures import draw
from backproof.reports.heatmaps import rendered
from backproof.reports.page import Picture
from backproof.reports.panels import panels

ENDINGS = ("svg", "png", "pdf")
POINTS = 96
"""Pixels of a page to an inch."""


def keep(
    folder: Path, position: int, figure: Mapping[str, Any], cells: pd.DataFrame, curves: pa.Table
) -> Picture:
    """Draw a figure and write its files, named by its position and title."""
    drawn = draw(figure, cells, curves)
    stem = f"{position:02d}-{_slug(drawn.title)}"
    picture = Picture(drawn.title, drawn.caption, drawn.alt, stem, problem=drawn.problem)
    if drawn.figure is None:
        return picture
    for ending in ENDINGS:
        content = rendered(drawn.figure, ending)
        write(folder / f"{stem}.{ending}", content)
        if ending == "svg":
            picture.source = "data:image/svg+xml;base64," + base64.b64encode(content).decode()
    picture.panels = panels(drawn)
    width, height = drawn.figure.get_size_inches()
    picture.size = (round(width * POINTS), round(height * POINTS))
    if drawn.data is not None:
        write(folder / f"{stem}.csv", csv(drawn.data))
    return picture


def _slug(title: str) -> str:
    """A title as part of a file's name: a few whole words."""
    words = re.findall(r"[a-z0-9]+", title.lower().replace("'", ""))
    while len("-".join(words)) > 40:
        words.pop()
    return "-".join(words) or "figure"
