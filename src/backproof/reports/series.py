"""Curves of cells: which series there are, and how they are joined to the cells they belong to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backproof.reports.axes import expand_nulls, finished, in_order, label
from backproof.verdicts.evidence import MAP, STEPS

if TYPE_CHECKING:
    from backproof.reports.figures.kind import Tables

MOST_POINTS = 200
"""Beyond so many steps, only every so many-th is drawn."""


@dataclass(frozen=True)
class Series:
    """A series of the curves.

    Attributes:
        title: what its values are; log: whether they are drawn on a logarithmic scale.
        x: what its steps are; `exponents` where they are exponents of two.
        sparse: whether it has few points, all of which are drawn.
    """

    name: str
    title: str
    log: bool = False
    x: str = "step"
    exponents: bool = False
    sparse: bool = False


TRAINING = (
    Series("loss", "training loss per sample", log=True),
    Series("accuracy", "training accuracy"),
    Series("cosine", "cosine to the exact gradient", sparse=True),
)
"""The curves of a training run, in the order in which they are drawn."""

TELEMETRY = (
    Series("cosine_per_sample", "mean cosine of single samples' gradients", sparse=True),
    Series("gradient_norm", "norm of the gradient per sample", log=True, sparse=True),
    Series("kink_hits", "pre-activations on a kink", sparse=True),
    Series("saturated_outputs", "share of saturated outputs", sparse=True),
    Series("verdict", "severity of the verdict", sparse=True),
)
"""What else is measured while a network trains."""

OF_A_CELL = (
    Series(STEPS, "gradient error against the step h", log=True, x="h", exponents=True),
    *TRAINING,
    *TELEMETRY,
)
"""The curves that the page shows of a cell."""


@dataclass(frozen=True)
class Curves:
    """Curves by lines and panels.

    Attributes:
        long: cell, series, step, value, line, panel; lines and panels by the settings as overrides have them.
        names: of lines and panels, readable.
        line_axes: the axes along which lines differ, readable; empty where there is one line.
    """

    long: pd.DataFrame
    names: Mapping[str, str]
    line_axes: str = ""


def lines_and_panels(
    tables: Tables, lines: Sequence[str], panels: Sequence[str], series: Collection[str]
) -> Curves:
    """The curves of these cells."""
    cells = expand_nulls(expand_nulls(finished(tables.cells), list(lines)), list(panels))
    wanted = pc.and_(
        pc.is_in(tables.curves["cell"], value_set=pa.array(cells["cell"].unique(), pa.string())),
        pc.is_in(tables.curves["series"], value_set=pa.array(list(series))),
    )
    long = tables.curves.filter(wanted).to_pandas()
    long = long[np.isfinite(long["value"])]
    stride = max(1, int(long["step"].max() + 1) // MOST_POINTS) if len(long) else 1
    sparse = [s.name for s in TRAINING if s.sparse]
    long = long[long["series"].isin(sparse) | (long["step"] % stride == 0)]
    labels = tables.labels
    line, line_names = _names(cells, lines, labels.value)
    panel, panel_names = _names(cells, panels, labels.setting)
    named = cells[["cell"]].assign(line=line, panel=panel)
    names = {**panel_names, **line_names}
    return Curves(named.merge(long, on="cell"), names, labels.headings(lines) if lines else "")


def _names(
    cells: pd.DataFrame, axes: Sequence[str], readable: Callable[[str, object], str]
) -> tuple[pd.Categorical[str], dict[str, str]]:
    """A name for each cell along some axes, ordered axis by axis, and readable ones by these."""
    if not axes:
        return pd.Categorical(["all"] * len(cells)), {"all": "all"}
    orders = [{v: i for i, v in enumerate(in_order(cells[a]))} for a in axes]
    keys = [
        tuple(None if pd.isna(v) else v for v in row)
        for row in cells[list(axes)].itertuples(index=False, name=None)
    ]
    ranked = sorted(set(keys), key=lambda k: tuple(o[v] for o, v in zip(orders, k, strict=True)))

    def name(key: tuple[object, ...]) -> str:
        return ", ".join(f"{a}={label(v)}" for a, v in zip(axes, key, strict=True))

    shown = {name(k): ", ".join(readable(a, v) for a, v in zip(axes, k, strict=True)) for k in ranked}
    return pd.Categorical([name(k) for k in keys], list(shown)), shown


def matrices(series: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Series named as `error of W1 (100 units)`, flat values each, as matrices by tensor."""
    found = {}
    for name, values in series.items():
        if match := MAP.fullmatch(name):
            found[match["tensor"]] = np.asarray(values, float).reshape(int(match["units"]), -1)
    return found
