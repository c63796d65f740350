"""The figures of a report, drawn by several processes where that pays."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import starmap
from pathlib import Path

import pandas as pd
import pyarrow as pa

from backproof.reports.edges import Edges
from backproof.reports.figures import kinds
from backproof.reports.figures.kind import Drawn, FigureSpec
from backproof.reports.labels import Labels
from backproof.reports.pictures import Picture, keep
from backproof.sweeps.engines import processes

LEAST_SHARED, MOST_SHARED, MOST_PROCESSES = 4, 10_000, 4
"""Fewer figures than these are drawn in this process, and those of more cells; more processes do not pay."""

LOADED = (
    "backproof.reports.pictures",
    "backproof.reports.figures.drawing.lines",
    "backproof.reports.figures.drawing.style",
    "backproof.reports.figures.drawing.tiles",
)
"""What most figures are drawn with: pandas, pyarrow, matplotlib, seaborn and fontTools come with it."""


def prepare(figures: Collection[object], cells: int) -> None:
    """Let the processes load what they will draw with, while the tables are made.

    Args:
        figures: of an experiment; none where they are yet to be chosen.
    """
    if cells <= MOST_SHARED and (not figures or len(figures) >= LEAST_SHARED):
        processes.prepare(_number(), *LOADED)


def drawn(
    folder: Path,
    wanted: Sequence[FigureSpec | Drawn],
    cells: pd.DataFrame,
    curves: pa.Table,
    edges: Edges | None,
    labels: Labels,
) -> Iterator[Picture]:
    """Every figure drawn and kept, in their order; several processes begin at once."""
    none = curves.slice(0, 0)
    folder = folder.resolve()  # a process may have been started elsewhere
    tasks = [
        (folder, i, figure, cells, curves if _reads_curves(figure) else none, edges, labels)
        for i, figure in enumerate(wanted, 1)
    ]
    if len(tasks) < LEAST_SHARED or len(cells) > MOST_SHARED:
        return starmap(keep, tasks)
    return processes.starmap(keep, tasks, _number())


def _number() -> int:
    return min(processes.count(-1), MOST_PROCESSES)


def _reads_curves(figure: FigureSpec | Drawn) -> bool:
    return isinstance(figure, FigureSpec) and kinds()[figure.value].curves
