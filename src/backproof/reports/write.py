"""The report on disk: figures as SVG, PNG, PDF and CSV, and one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import starmap
from pathlib import Path

import pandas as pd
import pyarrow as pa

from backproof.files import plain_folder, write
from backproof.reports import claims
from backproof.reports.details import details
from backproof.reports.edges import Edges
from backproof.reports.excerpt import Excerpt
from backproof.reports.figures import kinds
from backproof.reports.figures.kind import Drawn, FigureSpec
from backproof.reports.index import ANSWER
from backproof.reports.labels import Labels
from backproof.reports.page import page
from backproof.reports.pictures import Picture, keep, remove_others
from backproof.reports.report import Report
from backproof.reports.stored import figures_of, stored_experiment
from backproof.reports.summary import Answer, answer_of
from backproof.sweeps.engines.processes import count
from backproof.sweeps.engines.processes import starmap as in_processes

LEAST_SHARED, MOST_SHARED, MOST_PROCESSES = 4, 10_000, 4
"""Fewer figures than these are drawn in this process, and those of more cells; more processes do not pay."""


def write_report(
    folder: Path,
    tables: tuple[pd.DataFrame, pa.Table, pd.DataFrame],
    experiment: Mapping[str, object],
    provenance: Mapping[str, object],
    edges: Edges | None = None,
    excerpt: Excerpt | None = None,
    width: float | None = None,
) -> Answer:
    """Write figures/ and report.html into a results folder; each file is whole or not there.

    Returns the answer that the report begins with.

    Args:
        tables: the cells, those still to come among them, their curves and their tensors.
        experiment: name, question, claims and figures as in the experiment's file; all may be missing.
        edges: that a refinement found, if there was one.
        excerpt: the cells that the page holds, where those are not all.
        width: of every figure, in inches; None where its content may choose it.
    """
    cells, curves, tensors = tables
    asked = stored_experiment(experiment)
    figures, axes_chosen = figures_of(asked, cells)
    wanted = [replace(f, width=width) if isinstance(f, FigureSpec) else f for f in figures]
    drawing = _draw_all(plain_folder(folder / "figures"), wanted, cells, curves, edges, asked.labels)
    settled = claims.evaluate(asked.claims, cells, asked.tunes)
    answer = answer_of(asked.answer, settled, cells)
    of_cells = details(excerpt.cells if excerpt else cells, tensors, curves)
    pictures = list(drawing)  # drawn meanwhile
    remove_others(folder / "figures", pictures)
    report = Report(
        asked.name or folder.name,
        asked.question,
        answer,
        settled,
        pictures,
        axes_chosen,
        cells,
        of_cells,
        provenance,
        asked.labels,
        edges,
        excerpt,
    )
    write(folder / "report.html", page(report).encode())
    write(folder / ANSWER, "".join(f"{sentence}\n" for sentence in answer.sentences).encode())
    return answer


def _draw_all(
    folder: Path,
    wanted: Sequence[FigureSpec | Drawn],
    cells: pd.DataFrame,
    curves: pa.Table,
    edges: Edges | None,
    labels: Labels,
) -> Iterator[Picture]:
    """Every figure drawn and kept, by several processes where that pays."""
    none = curves.slice(0, 0)
    folder = folder.resolve()  # a process may have been started elsewhere
    tasks = [
        (folder, i, figure, cells, curves if _reads_curves(figure) else none, edges, labels)
        for i, figure in enumerate(wanted, 1)
    ]
    if len(tasks) < LEAST_SHARED or len(cells) > MOST_SHARED:
        return starmap(keep, tasks)
    return in_processes(keep, tasks, min(count(-1), MOST_PROCESSES))


def _reads_curves(figure: FigureSpec | Drawn) -> bool:
    return isinstance(figure, FigureSpec) and kinds()[figure.value].curves
