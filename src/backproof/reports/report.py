"""What a report's page is made from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from backproof.reports.axes import axes_of
from backproof.reports.claims import Settled
from backproof.reports.details import Details
from backproof.reports.edges import Edges
from backproof.reports.excerpt import Excerpt
from backproof.reports.labels import Labels, shipped
from backproof.reports.pictures import Picture
from backproof.reports.summary import Answer
from backproof.sweeps.status import Status


@dataclass(frozen=True)
class Report:
    """Everything that a page says and holds.

    Attributes:
        answer: to the question.
        axes_chosen: how the axes of its figures were chosen, where the experiment names none.
        cells: those still to come among them.
        excerpt: the cells that the page holds, where those are not all.
    """

    name: str
    question: str
    answer: Answer
    claims: Sequence[Settled]
    pictures: Sequence[Picture]
    axes_chosen: str
    cells: pd.DataFrame
    details: Details
    provenance: Mapping[str, object]
    labels: Labels = field(default_factory=shipped)
    edges: Edges | None = None
    excerpt: Excerpt | None = None

    @property
    def held(self) -> pd.DataFrame:
        """The cells that the page holds."""
        return self.excerpt.cells if self.excerpt else self.cells

    @property
    def constants(self) -> dict[str, str]:
        """The settings that all cells share."""
        if self.excerpt:
            return {axis: significant(value, 6) for axis, value in self.excerpt.constants.items()}
        cells = self.cells[self.cells["status"] != Status.PENDING]
        values = {axis: cells[axis].dropna().unique() for axis in axes_of(cells)}
        return {axis: significant(v[0], 6) for axis, v in values.items() if len(v) == 1}


def significant(x: object, digits: int = 3) -> str:
    """A number in few digits; what is no number as it is."""
    if x is None or x is pd.NA or (isinstance(x, float) and math.isnan(x)):
        return "–"
    if isinstance(x, bool | np.bool_) or not isinstance(x, int | float | np.number):
        return str(x)
    return f"{x:,}" if isinstance(x, int | np.integer) else f"{x:.{digits}g}"
