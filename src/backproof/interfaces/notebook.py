"""Results of a sweep in a notebook: the same tables and the same figures as in its report.

results = backproof.load("results/thread")
results.cells.groupby("output")["gradient_error"].median()
results.figure("clipping")
results.to_xarray()["gradient_error"].sel(output="softmax").median("seed")
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from backproof.errors import ConfigurationError, nearest
from backproof.interfaces.labelled import to_dataset
from backproof.reports import claims
from backproof.reports.contrasts import Difference
from backproof.reports.edges import edges_found
from backproof.reports.figures import draw
from backproof.reports.figures.kind import Drawn, FigureSpec
from backproof.reports.specification import figure_spec
from backproof.reports.stored import figures_of, stored_experiment
from backproof.sweeps.expressions import parse
from backproof.sweeps.store import read_only

if TYPE_CHECKING:
    from xarray import Dataset


MEASURED = ("difference", "low", "high", "p", "power", "seeds_needed")
"""Columns of claims on a difference."""


@dataclass(frozen=True, repr=False)
class Results:
    """A sweep as its store has it now, also while it runs.

    Attributes:
        cells: one row per cell, those still to come among them; the columns of cells.parquet.
        curves: long: cell, series, step, value.
        tensors: one row per weight tensor of a checked cell.
        experiment: question, claims and figures as they were asked for.
        provenance: code, versions, machine, configuration.

    Example:
        >>> import backproof
        >>> settings = ["network=small", "data=gaussian", "output=sigmoid", "training=none", "seed=0,1"]
        >>> table = backproof.sweep(settings, name="seeds")
        >>> results = backproof.load("results/seeds")
        >>> len(results.cells), len(results.select("seed == 1").cells)
        (2, 1)
        >>> print(results.figure({"value": "verdict", "rows": ["seed"]}).title)
        Verdict by seed
    """

    folder: Path
    cells: pd.DataFrame
    curves: pd.DataFrame
    tensors: pd.DataFrame
    experiment: Mapping[str, object]
    provenance: Mapping[str, object]

    @cached_property
    def claims(self) -> pd.DataFrame:
        """One row per claim: id, statement, status, n, holding and problem.

        Of a contrast its `difference` as well, with `low` and `high`, p, power and the `seeds_needed` for a
        power of 0.8: the mean, where something is expected, and else the median.
        """
        asked = stored_experiment(self.experiment)
        settled = claims.evaluate(asked.claims, self.cells, asked.tunes)
        names = ("id", "statement", "status", "n", "holding", "problem")
        rows = [{n: getattr(c, n) for n in names} | _measured(c.difference) for c in settled]
        return pd.DataFrame(rows, columns=[*names, *MEASURED])

    @cached_property
    def figures(self) -> tuple[FigureSpec | Drawn, ...]:
        """What its report draws; one that cannot be read is there as what could not be drawn."""
        return tuple(figures_of(stored_experiment(self.experiment), self.cells)[0])

    def select(self, where: str) -> Results:
        """The sweep with some of its cells alone, in the language of claims: "activation == 'relu'".

        Raises:
            ConfigurationError: if it is no condition on these columns.
        """
        kept = self.cells[parse("where", where, list(self.cells.columns)).truth(self.cells)]
        chosen = set(kept["cell"])
        curves, tensors = (table[table["cell"].isin(chosen)] for table in (self.curves, self.tensors))
        return replace(self, cells=kept.reset_index(drop=True), curves=curves, tensors=tensors)

    def to_xarray(self) -> Dataset:
        """The cells as labelled arrays, a dimension for every setting that varies.

        Raises:
            ConfigurationError: if xarray is not installed, or the arrays would be too large.
        """
        return to_dataset(self.cells)

    def figure(self, which: int | str | Mapping[str, object]) -> Drawn:
        """Draw a figure of the report, or a new one; a notebook shows it.

        Args:
            which: its number in the report, from 1; a part of its title, in any case; or a mapping as
                in an experiment's `figures`, such as {"value": "excess", "rows": ["output"]}.

        Raises:
            ConfigurationError: if there is no such figure, or the mapping is wrong; naming what there is.
        """
        if isinstance(which, Mapping):
            spec: FigureSpec | Drawn = figure_spec("figure", which, list(self.cells.columns))
        else:
            spec = self._named(which)
        if isinstance(spec, Drawn):
            return spec
        curves = pa.Table.from_pandas(self.curves, preserve_index=False)
        return draw(spec, self.cells, curves, edges_found(self.experiment, self.cells))

    def _named(self, which: int | str) -> FigureSpec | Drawn:
        titles = [f.title for f in self.figures]
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
        question = stored_experiment(self.experiment).question
        counts = _counted(self.cells["status"])
        settled = _counted(self.claims["status"])
        return [
            f"{self.folder}: {counts or 'no cells'}",
            *([question] if question else []),
            *([f"claims: {settled}"] if settled else []),
            *(f"figure {i}: {f.title}" for i, f in enumerate(self.figures, 1)),
        ]


def _measured(difference: Difference | None) -> dict[str, float | int | None]:
    """A contrast as columns."""
    if difference is None:
        return {}
    found, test = difference, difference.test
    if test is None:
        return dict(zip(MEASURED, (found.median, found.low, found.high, found.p), strict=False))
    values = (test.mean, test.low, test.high, test.corrected, test.power, test.needed)
    return dict(zip(MEASURED, values, strict=True))


def _counted(values: pd.Series) -> str:
    """As in "8 ok, 1 failed"."""
    return ", ".join(f"{n} {value}" for value, n in values.value_counts().items())


def load(folder: str | Path) -> Results:
    """A sweep's tables, claims and figures, read from its store.

    Args:
        folder: as in "results/thread".

    Raises:
        ConfigurationError: if there is no sweep in it, or another version wrote it.

    Example:
        >>> import backproof
        >>> table = backproof.sweep(["network=small", "data=gaussian", "training=none"], name="one")
        >>> backproof.load("results/one").cells["status"].tolist()
        ['ok']
    """
    path = Path(folder)
    with read_only(path) as store:
        experiment, about = map(store.record, ("experiment", "provenance"))
        cells, curves, tensors = store.cells(pending=True), store.curves().to_pandas(), store.tensors()
    return Results(path, cells, curves, tensors, experiment, about)
