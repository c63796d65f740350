"""What a report of a large sweep takes from its table: some columns of all cells, and all of some cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from backproof.network.arrays import evenly_spaced
from backproof.reports.figures import kinds
from backproof.sweeps.columns import BY_NAME, CELLS, DIVERGED, REACHED
from backproof.sweeps.overrides import REPLICATE, shown
from backproof.sweeps.status import FAILURES, Status
from backproof.sweeps.table import Layout
from backproof.verdicts.verdict import RIGHT

MOST_WHOLE = 50_000
"""Cells of a sweep that a report takes whole."""

MOST_IN_PAGE = 20_000
"""Cells of a larger one that its page holds."""

ALWAYS = (
    "cell", "status", "error", "verdict", "cause", "gradient_error", "noise", "accuracy", REACHED.name,
    DIVERGED.name, "final_loss", "refined", "tuned", "tuned_at_edge", "check", "training", "precision",
    REPLICATE,
)  # fmt: skip
"""Columns that the answer, the claims' summaries and the counts of a page are made from."""

HEAVY = ("command", "traceback")
"""Columns whose text is another one in every cell."""


@dataclass(frozen=True)
class Excerpt:
    """The cells of a large sweep that its page holds.

    Attributes:
        cells: with all columns; `curves` and `tensors` are theirs.
        places: the positions of these cells in the table of all.
        constants: the settings that all cells share, the table of all having none of them.
    """

    cells: pd.DataFrame
    curves: pa.Table
    tensors: pd.DataFrame
    places: NDArray[np.intp]
    constants: Mapping[str, object]

    def positions(self, number: int) -> NDArray[np.intp]:
        """Of each of so many cells its position in the page; -1 where it is not there."""
        found = np.full(number, -1)
        found[self.places] = np.arange(len(self.places))
        return found


def needed(experiment: Mapping[str, object], layout: Layout) -> list[str] | None:
    """The columns that claims and figures are made from; None for all of them.

    Whatever the experiment mentions is among them, in expressions too. A refinement looks at all settings.
    """
    if experiment.get("refine") is not None:
        return None
    text, figures = json.dumps(experiment, default=str), experiment.get("figures")
    asked = [f.get("value") for f in figures if isinstance(f, Mapping)] if isinstance(figures, list) else []
    others = [value for value in asked if value in kinds() and value not in BY_NAME]
    results = [
        c.name
        for c in CELLS
        if c.name not in HEAVY and (others or c.name in (*ALWAYS, *asked) or c.name in text or c.figure)
    ]
    varying = set(layout.varying)
    return ["cell", *(k for k in layout.kinds if k in varying or k in ALWAYS or k in text), *results]


def narrow(columns: Sequence[str]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """What leaves a table's columns but some out; of equal texts one object is kept."""
    same: dict[object, object] = {}

    def narrowed(table: pd.DataFrame) -> pd.DataFrame:
        table = table[[*columns]].copy()
        table["error"] = table["error"].where(table["status"] == Status.EXCLUDED)  # the reasons, few
        for name in columns:
            if table[name].dtype == object:
                table[name] = pd.Series([same.setdefault(v, v) for v in table[name]], table.index, object)
        return table

    return narrowed


def places_in_page(cells: pd.DataFrame) -> NDArray[np.intp]:
    """The positions of cells that a page holds: failed ones, some not right, and the rest spread evenly."""
    failed = cells["status"].isin(FAILURES).to_numpy(bool)
    wrong = (
        ~failed & (cells["status"] == Status.OK).to_numpy(bool) & ~cells["verdict"].isin(RIGHT).to_numpy(bool)
    )
    chosen = np.zeros(len(cells), bool)
    for group, most in (
        (failed, MOST_IN_PAGE // 4),
        (wrong, MOST_IN_PAGE // 2),
        (~failed & ~wrong, MOST_IN_PAGE),
    ):
        places = np.flatnonzero(group)
        room = min(most, MOST_IN_PAGE - int(chosen.sum()))
        chosen[places[evenly_spaced(len(places), room)]] = True
    return np.flatnonzero(chosen)


def constants_of(layout: Layout) -> dict[str, object]:
    """The settings that all cells share, as a table has them."""
    return {k: shown(v) if isinstance(v, bool | tuple) else v for k, v in layout.constants.items()}
