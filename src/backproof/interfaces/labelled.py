"""A table of cells as labelled arrays: a dimension for every setting that varies, the seeds among them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backproof.errors import ConfigurationError
from backproof.reports.axes import axes_of, in_order, varying
from backproof.sweeps.columns import RESULTS

if TYPE_CHECKING:
    from xarray import Dataset

MOST_ENTRIES = 10**8
"""Of one array; where a grid is a union of small ones, the product of all axes may be far larger than it."""

KEPT = ("cell", *(name for name in RESULTS if name not in ("traceback", "command")))


def to_dataset(cells: pd.DataFrame) -> Dataset:
    """Cells as an xarray dataset.

    A cell that a setting cannot affect stands at each of that setting's values; where no cell is, numbers are
    NaN and texts empty. Settings that all cells share are attributes.

    Raises:
        ConfigurationError: if xarray is not installed, or the arrays would be too large.
    """
    try:
        from xarray import Dataset
    except ImportError as error:
        raise ConfigurationError(
            "to_xarray: needs xarray, which is not installed; pip install 'backproof[xarray]'"
        ) from error
    names = varying(cells)
    labels = {name: [v for v in in_order(cells[name]) if v is not None] for name in names}
    shape = tuple(len(values) for values in labels.values())
    if math.prod(shape) > MOST_ENTRIES:
        raise ConfigurationError(
            f"to_xarray: {' × '.join(map(str, shape))} entries are too many; select cells first, as in"
            " load(folder).select(\"activation == 'relu'\").to_xarray()"
        )
    at = _positions(cells, labels)
    variables = {name: (names, _filled(cells[name], at, shape)) for name in KEPT if name in cells}
    shared = {name: cells[name].iloc[0] for name in axes_of(cells) if name not in names and len(cells)}
    attributes = {
        k: v.item() if isinstance(v, np.generic) else v for k, v in shared.items() if not pd.isna(v)
    }
    return Dataset(variables, coords=labels, attrs=attributes)


def _positions(cells: pd.DataFrame, labels: dict[str, list[object]]) -> list[tuple[int | slice, ...]]:
    """Where each cell stands along every axis; a slice where its setting is null."""
    columns: list[list[int | slice]] = []
    for name, values in labels.items():
        number = {value: i for i, value in enumerate(values)}
        columns.append([slice(None) if pd.isna(v) else number[v] for v in cells[name]])
    return list(zip(*columns, strict=True)) if columns else [()] * len(cells)


def _filled(
    column: pd.Series, at: list[tuple[int | slice, ...]], shape: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """A column's values in an array, those whose position is wide first, so that exact ones win."""
    numbers = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    found = np.full(shape, np.nan if numbers else "", float if numbers else object)
    values = (
        column.to_numpy(float, na_value=np.nan) if numbers else ["" if pd.isna(v) else str(v) for v in column]
    )
    for i in sorted(range(len(at)), key=lambda i: -sum(isinstance(p, slice) for p in at[i])):
        found[at[i]] = values[i]
    return found if numbers else found.astype(str)
