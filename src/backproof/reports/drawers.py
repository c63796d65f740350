"""The figures of a report, drawn by several processes where that pays."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Sequence
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.network.arrays import give_back_memory
from backproof.sweeps.engines import processes

if TYPE_CHECKING:  # pandas and pyarrow take their time, and a sweep looks here before its first cell
    import pandas as pd
    import pyarrow as pa

    from backproof.reports.edges import Edges
    from backproof.reports.figures.kind import Drawn, FigureSpec
    from backproof.reports.labels import Labels
    from backproof.reports.pictures import Picture

LEAST_SHARED, MOST_SHARED, MOST_PROCESSES = 4, 10_000, 4
"""Fewer figures than these are drawn in this process, and those of more cells; more processes do not pay."""


def number(figures: Collection[object], cells: int) -> int:
    """How many processes will draw; 0 where this one does.

    Args:
        figures: of an experiment; none where they are yet to be chosen.
    """
    if cells > MOST_SHARED or 0 < len(figures) < LEAST_SHARED:
        return 0
    return min(processes.count(-1), MOST_PROCESSES)


def get_ready() -> None:
    """What a process calls before it draws; what cells of a sweep took is given back."""
    from backproof.reports import pictures  # noqa: F401
    from backproof.reports.figures.drawing import lines, style, tiles  # noqa: F401

    give_back_memory()
    gc.freeze()  # to look through libraries for garbage takes a tenth of a second each time


def drawn(
    folder: Path,
    wanted: Sequence[FigureSpec | Drawn],
    cells: pd.DataFrame,
    curves: pa.Table,
    edges: Edges | None,
    labels: Labels,
) -> Iterator[Picture]:
    """Every figure drawn and kept, in their order; several processes begin at once."""
    from backproof.reports.pictures import keep

    none = curves.slice(0, 0)
    folder = folder.resolve()  # a process may have been started elsewhere
    tasks = [
        (folder, i, figure, cells, curves if _reads_curves(figure) else none, edges, labels)
        for i, figure in enumerate(wanted, 1)
    ]
    workers = number(wanted, len(cells)) if tasks else 0
    return processes.starmap(keep, tasks, workers) if workers else starmap(keep, tasks)


def _reads_curves(figure: FigureSpec | Drawn) -> bool:
    from backproof.reports.figures import kinds
    from backproof.reports.figures.kind import FigureSpec

    return isinstance(figure, FigureSpec) and kinds()[figure.value].curves
