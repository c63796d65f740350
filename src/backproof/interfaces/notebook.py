"""Results of a sweep in a notebook: the same tables and the same figures as in its report.

results = backproof.load("results/thread")
results.cells.groupby("output")["gradient_error"].median()
results.figure("clipping")
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from backproof.errors import ConfigurationError, nearest
from backproof.reports import claims, figures
from backproof.reports.choice import choose
from backproof.reports.figures import Drawn
from backproof.reports.validation import validate_figures
from backproof.sweeps.store import read_only


@dataclass(frozen=True, repr=False)
class Results:
    """A sweep as its store has it now, also while it runs.

    Attributes:
        cells: a row a cell, those still to come among them; the columns of cells.parquet.
        curves: long: cell, series, step, value.
        tensors: a row a weight tensor of a checked cell.
        experiment: question, claims and figures as they were asked for.
        provenance: code, versions, machine, configuration.
    """

    folder: Path
    cells: pd.DataFrame
    curves: pd.DataFrame
    tensors: pd.DataFrame
    experiment: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @cached_property
    def claims(self) -> pd.DataFrame:
        """A row a claim: id, says, verdict, n, holding, problem."""
        settled = claims.evaluate(self.experiment.get("claims") or [], self.cells)
        names = ("id", "says", "verdict", "n", "holding", "problem")
        return pd.DataFrame(
            [{name: getattr(c, name) for name in names} for c in settled], columns=list(names)
        )

    @cached_property
    def figures(self) -> tuple[Mapping[str, Any], ...]:
        """What its report draws, as an experiment's file says it."""
        wanted = self.experiment.get("figures") or choose(self.cells)[0]
        return tuple(wanted)

    def figure(self, which: int | str | Mapping[str, Any]) -> Drawn:
        """Draw a figure of the report, or one of one's own; a notebook shows it.

        Args:
            which: its number in the report, from 1; a part of its title, in any case; or a mapping as
                in an experiment's `figures`, such as {"value": "excess", "rows": ["output"]}.

        Raises:
            ConfigurationError: if there is no such figure, or the mapping is wrong; it says what is there.
        """
        if isinstance(which, Mapping):
            validate_figures([which], list(self.cells.columns))
            chosen: Mapping[str, Any] = which
        else:
            chosen = self._named(which)
        return figures.draw(chosen, self.cells, pa.Table.from_pandas(self.curves, preserve_index=False))

    def _named(self, which: int | str) -> Mapping[str, Any]:
        titles = [str(f.get("title") or f["value"]) for f in self.figures]
        if isinstance(which, int):
            if not 1 <= which <= len(titles):
                raise ConfigurationError(f"figure: must be 1 to {len(titles)}; not {which}")
            return self.figures[which - 1]
        fits = [f for f, t in zip(self.figures, titles, strict=True) if which.lower() in t.lower()]
        if not fits:
            raise ConfigurationError(f"figure: no title has {which!r}{nearest(which, titles)}")
        return fits[0]

    def __repr__(self) -> str:
        """Folder, question, counts and claims, a line each."""
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in self._lines())
        return lines + (self.claims.to_html(index=False) if len(self.claims) else "")

    def _lines(self) -> list[str]:
        counts = self.cells["status"].value_counts()
        settled = self.claims["verdict"].value_counts()
        return [
            f"{self.folder}: {', '.join(f'{n} {status}' for status, n in counts.items()) or 'no cells'}",
            *filter(None, [" ".join(str(self.experiment.get("question") or "").split())]),
            *([f"claims: {', '.join(f'{n} {v}' for v, n in settled.items())}"] if len(settled) else []),
            *(f"figure {i}: {f.get('title') or f['value']}" for i, f in enumerate(self.figures, 1)),
        ]


def load(folder: str | Path) -> Results:
    """A sweep's tables, claims and figures, read from its store.

    Args:
        folder: as in "results/thread".

    Raises:
        ConfigurationError: if there is no sweep in it, or another version wrote it.
    """
    path = Path(folder)
    with read_only(path) as store:
        experiment, about = map(store.record, ("experiment", "provenance"))
        cells, curves, tensors = store.cells(pending=True), store.curves().to_pandas(), store.tensors()
    return Results(path, cells, curves, tensors, experiment, about)
