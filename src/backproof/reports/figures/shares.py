"""Shares of cells laid out as tiles; what the figures of alarms and of causes have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.reports.aggregation import COUNTS, NUMBERS, OTHER_COUNTS, Tiles
from backproof.sweeps.columns import Column, Of


def share_column(name: str, unit: str) -> Column:
    """The column that a figure of shares shows; it is computed for the figure alone."""
    return Column(name, "number", Of.CHECK, unit, title=unit, unit=unit, scale="share", format="percent")


def share_tiles(
    column: Column,
    rows: tuple[str, Sequence[str]],
    columns: tuple[str, Sequence[str]],
    shares: NDArray[np.float64],
    counts: NDArray[np.int_],
) -> Tiles:
    """Tiles of shares, each with the number of cells that it is a share of; rows and columns by name."""
    stats = pd.DataFrame(np.nan, index=range(shares.size), columns=list(NUMBERS))
    stats = stats.assign(**dict.fromkeys(("value", "least", "greatest"), shares.ravel()))
    stats = stats.assign(**dict.fromkeys((*COUNTS, *OTHER_COUNTS), 0)).assign(
        **dict.fromkeys(("n", "agreeing", "finished"), counts.ravel())
    )
    none = np.zeros(0, np.intp)
    return Tiles(
        column, "share", (rows[0],), (columns[0],), [(r,) for r in rows[1]], [(c,) for c in columns[1]],
        stats, none, none,
    )  # fmt: skip
