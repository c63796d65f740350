"""The user's own data: a CSV with a header, or an NPZ with arrays X and y."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np

from backproof import paths
from backproof.data.dataset import (
    TEST_SHARE,
    VALIDATION_SHARE,
    DataError,
    Dataset,
    check_shares,
    one_hot,
    split,
)
from backproof.data.npz import MOST_NUMBERS, numbers_in, opened, require_modest
from backproof.data.source import source
from backproof.network.arrays import Array

KINDS = ("labels", "values")

MOST_COLUMNS, MOST_HEADER = 10_000, 1 << 20
"""Columns of a CSV, and bytes of its first line: pandas spends a second on a million, whatever they hold."""


@source(classes=False)
def file(
    generator: np.random.Generator,
    path: str | None = None,
    target: str | None = None,
    kind: str = "labels",
    standardise: bool = True,
    test_share: float = TEST_SHARE,
    validation_share: float = VALIDATION_SHARE,
) -> Dataset:
    """your own CSV or NPZ: data=file data.path=my.csv

    Nothing in it is ever executed (NPZ without pickle).

    Args:
        path: .csv (all columns numeric) or .npz (X (N, features); y (N,), or (N, m) for values).
        target: the CSV's column of labels; by default the last one.
        kind: "labels" makes one output per class, "values" takes the target as it is.
        standardise: subtract the training part's mean and divide by its deviation, column by column.
        test_share: the part that is kept for the test.
        validation_share: of what is left, the part that settings are chosen by.

    Raises:
        DataError: if the file cannot be used; the message names it and the line or column.
        ValueError: if `kind` or a share is none of what is allowed.
    """
    if path is None:
        raise DataError("data.path is needed with data=file: a .csv or an .npz")
    check_shares(test_share=test_share, validation_share=validation_share)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; not {kind}")
    where = paths.at_home(path)
    inputs, raw = _read(str(where), _changed(where), target)
    targets = _as_classes(where, raw) if kind == "labels" else np.atleast_2d(raw.T).T.astype(float)
    dataset = split(inputs, targets, test_share, validation_share, generator)
    return dataset.standardised() if standardise else dataset


def _changed(path: Path) -> int:
    if not paths.is_file(path):
        raise DataError(f"data.path={path}: no such file")
    return path.stat().st_mtime_ns


@lru_cache(maxsize=4)
def _read(path: str, _changed: int, target: str | None) -> tuple[Array, Array]:
    kinds = {".csv": _read_csv, ".npz": _read_npz}
    reader = kinds.get(Path(path).suffix.lower())
    if reader is None:
        raise DataError(f"data.path={path}: must be a .csv or an .npz")
    require_modest(Path(path), f"data.path={path}")
    inputs, targets = reader(Path(path), target)
    if len(inputs) < 4 or inputs.shape[1] < 1:
        raise DataError(f"data.path={path}: needs at least 4 rows and 1 feature; has {inputs.shape}")
    if len(targets) != len(inputs):
        raise DataError(f"data.path={path}: X has {len(inputs)} rows, y has {len(targets)}")
    for name, array in (("X", inputs), ("y", targets)):
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            raise DataError(f"data.path={path}: {name} is not a finite number in row {bad[0][0]}")
    return inputs, targets


def _read_csv(path: Path, target: str | None) -> tuple[Array, Array]:
    import pandas as pd

    _check_header(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            table = pd.read_csv(path, low_memory=False, index_col=False)
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        raise DataError(f"data.path={path}: not a readable CSV ({str(error).splitlines()[0]})") from error
    if len(table.columns) and all(_is_number(str(column)) for column in table.columns):
        raise DataError(f"data.path={path}: line 1 must be a header with the columns' names; not numbers")
    for column in table.columns:
        numbers = pd.to_numeric(table[column], errors="coerce")
        bad = np.flatnonzero(~np.isfinite(numbers.to_numpy(float)))
        if len(bad):
            given = table[column].iloc[bad[0]]
            # Line 1 of the file is the header.
            raise DataError(
                f"data.path={path}: column '{column}', line {bad[0] + 2}: "
                f"must be a finite number; not {given.item() if hasattr(given, 'item') else given!r}"
            )
    name = table.columns[-1] if target is None and len(table.columns) else target
    if name not in table.columns:
        columns = ", ".join(map(str, table.columns))
        raise DataError(f"data.target={name}: must be one of {columns}")
    return table.drop(columns=[name]).to_numpy(float), table[name].to_numpy(float)


def _check_header(path: Path) -> None:
    """Refuse a CSV of more columns than a table can have, before it is read."""
    with path.open("rb") as stream:
        header = stream.readline(MOST_HEADER)
    columns = header.count(b",") + 1
    if columns > MOST_COLUMNS or len(header) == MOST_HEADER:
        raise DataError(f"data.path={path}: line 1 must name at most {MOST_COLUMNS:,} columns")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_npz(path: Path, _target: str | None) -> tuple[Array, Array]:
    try:
        with opened(path) as arrays:
            missing = [key for key in ("X", "y") if key not in arrays]
            if missing:
                raise DataError(f"needs arrays X and y; has {', '.join(arrays) or 'none'}")
            inputs, targets = (numbers_in(arrays, key) for key in ("X", "y"))
    except DataError as error:
        raise DataError(f"data.path={path}: {error}") from error.__cause__
    if inputs.ndim != 2 or targets.ndim not in (1, 2):
        raise DataError(f"data.path={path}: X must be (N, features) and y (N,) or (N, m)")
    return inputs.astype(float), targets.astype(float)


def _as_classes(path: Path, raw: Array) -> Array:
    if raw.ndim == 2:
        if raw.shape[1] > 1:
            raise DataError(f"data.path={path}: y has {raw.shape[1]} columns; use data.kind=values")
        raw = raw[:, 0]
    classes, labels = np.unique(raw, return_inverse=True)
    if not 2 <= len(classes) <= max(2, len(raw) // 2):
        raise DataError(
            f"data.path={path}: {len(classes)} different labels in {len(raw)} rows; "
            "for a target that is a number use data.kind=values"
        )
    if len(classes) * len(raw) > MOST_NUMBERS:
        raise DataError(f"data.path={path}: {len(classes)} classes of {len(raw)} rows are too many")
    return one_hot(labels, len(classes))
