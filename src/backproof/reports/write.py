"""The report on disk: figures as SVG, PNG and CSV, and one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from backproof.files import plain_folder, write
from backproof.reports import claims
from backproof.reports.choice import choose
from backproof.reports.details import details
from backproof.reports.page import Picture, page
from backproof.reports.validation import CURVES, MAP, STEPS
from backproof.sweeps.engines.processes import count
from backproof.sweeps.engines.processes import starmap as in_processes

OF_CURVES = (CURVES, STEPS, MAP)
"""Figures that need the curves."""

LEAST_SHARED, MOST_SHARED, MOST_PROCESSES = 4, 10_000, 4
"""Fewer figures than these are drawn in this process, and those of more cells; more processes do not pay."""

OURS = re.compile(r"\d\d+-[a-z0-9-]+\.(svg|png|pdf|csv)")
"""Names that figures of ours have; nothing else in the folder is ever removed."""


def write_report(
    folder: Path,
    cells: pd.DataFrame,
    curves: pa.Table,
    tensors: pd.DataFrame,
    experiment: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> None:
    """Write figures/ and report.html into a results folder; each file is whole or not there.

    Args:
        cells: the table of cells, those still to come among them.
        curves, tensors: what belongs to them.
        experiment: name, question, claims and figures as in the experiment's file; all may be missing.
    """
    wanted, chosen = experiment.get("figures") or [], ""
    if not wanted:
        wanted, chosen = choose(cells)
    drawing = _draw_all(plain_folder(folder / "figures"), wanted, cells, curves)
    settled = claims.evaluate(experiment.get("claims") or [], cells)
    told = details(cells, tensors, curves)
    pictures = list(drawing)
    _remove_others(folder / "figures", pictures)
    name = str(experiment.get("name") or folder.name)
    question = str(experiment.get("question") or "")
    text = page(name, question, settled, pictures, chosen, cells, told, provenance)
    write(folder / "report.html", text.encode())


def _draw_all(
    folder: Path, wanted: Sequence[Mapping[str, Any]], cells: pd.DataFrame, curves: pa.Table
) -> Iterator[Picture]:
    """Every figure drawn and kept, by several processes where that pays."""
    nothing = curves.slice(0, 0)
    folder = folder.resolve()  # a process may have been started elsewhere
    tasks = [
        (folder, i, figure, cells, curves if figure["value"] in OF_CURVES else nothing)
        for i, figure in enumerate(wanted, 1)
    ]
    if len(tasks) < LEAST_SHARED or len(cells) > MOST_SHARED:
        return starmap(_draw, tasks)
    return in_processes(_draw, tasks, min(count(-1), MOST_PROCESSES))


def _draw(*task: Any) -> Picture:
    """Draw and keep a figure; where others do it, this process needs no drawing library."""
    from backproof.reports.drawing import keep

    return keep(*task)


def _remove_others(folder: Path, pictures: list[Picture]) -> None:
    """Figures of an earlier report that this one does not have."""
    stems = {p.stem for p in pictures if p.source}
    for path in folder.glob("*"):
        if OURS.fullmatch(path.name) and path.name.partition(".")[0] not in stems:
            path.unlink()
