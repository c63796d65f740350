"""The report on disk: figures as SVG, PNG, PDF and CSV, and one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa

from backproof.files import plain_folder, write
from backproof.reports import claims
from backproof.reports.details import details
from backproof.reports.drawers import draw_all
from backproof.reports.edges import Edges
from backproof.reports.excerpt import Excerpt
from backproof.reports.figures.kind import FigureSpec
from backproof.reports.index import ANSWER
from backproof.reports.page import page
from backproof.reports.pictures import remove_others
from backproof.reports.report import Report
from backproof.reports.stored import figures_of, stored_experiment
from backproof.reports.summary import Answer, answer_of


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
    drawing = draw_all(plain_folder(folder / "figures"), wanted, cells, curves, edges, asked.labels)
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
