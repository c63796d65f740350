"""The figures of a report, drawn by several processes where that pays."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
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
"""Fewer figures, or figures of more cells, are drawn in this process; more than four processes do not pay."""


def drawing_processes(figures: int, cells: int) -> int:
    """How many processes draw so many figures of so many cells; 0 where this one does."""
    shared = figures >= LEAST_SHARED and cells <= MOST_SHARED
    return min(processes.count(-1), MOST_PROCESSES) if shared else 0


def expected_figures(experiment: Mapping[str, object], cells: int) -> int:
    """How many figures there will be, as far as the content of an experiment says.

    One that names none, as a sweep without an experiment, has some for each measure of several cells.
    """
    named = experiment.get("figures")
    if not isinstance(named, list) or not named:
        return LEAST_SHARED if cells >= LEAST_SHARED else 0
    return len(named) + (experiment.get("refine") is not None)


def load_tables() -> None:
    """Called in a process before it computes cells, if it will draw: a part of what it draws with.

    A process of loky's ends itself once it holds 300 MB more than after its first call, which cells and all
    that figures are drawn with come near to. To load all of it would keep the cells waiting for a second.
    """
    import pandas as pd  # noqa: F401
    import pyarrow as pa  # noqa: F401


def load_drawing() -> None:
    """Called in a process before it draws; what cells of a sweep took is given back to the system."""
    from backproof.reports import pictures  # noqa: F401
    from backproof.reports.figures.drawing import lines, style, tiles  # noqa: F401

    give_back_memory()
    if not gc.get_freeze_count():
        gc.freeze()  # to look through libraries for garbage takes a tenth of a second each time


def draw_all(
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
    workers = drawing_processes(len(tasks), len(cells))
    return processes.starmap(keep, tasks, workers) if workers else starmap(keep, tasks)


def _reads_curves(figure: FigureSpec | Drawn) -> bool:
    from backproof.reports.figures import kinds
    from backproof.reports.figures.kind import FigureSpec

    return isinstance(figure, FigureSpec) and kinds()[figure.value].curves
