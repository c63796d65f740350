"""The axes of a table of cells: which settings vary, in which order, and which explain the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.sweeps.expressions import Expression
from backproof.sweeps.overrides import OFF, REPLICATE, is_axis, shown
from backproof.sweeps.status import Status

Key = tuple[object, ...]
"""Values along the axes of a side."""

RECORDS = ("check.evidence", "check.baselines", "check.cures")
"""Settings of what a cell keeps beside its results, in which cells may differ and yet be alike."""

LEAST_GAIN = 0.01
"""A third or fourth axis is shown only if it explains so much more."""

MOST_AXES = 4


def axes_of(cells: pd.DataFrame) -> list[str]:
    """The columns that are settings, in the table's order."""
    return [c for c in cells.columns if is_axis(str(c))]


def varying(cells: pd.DataFrame) -> list[str]:
    """The settings that take more than one value (null left aside)."""
    return [c for c in axes_of(cells) if len(cells[c].dropna().unique()) > 1]


def finished(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that have a result."""
    return cells[cells["status"] == Status.OK]


def own(cells: pd.DataFrame, expression: Expression | None = None) -> pd.DataFrame:
    """The grid's own cells, without those of a refinement; all where the expression asks for them by name."""
    if "refined" not in cells or (expression is not None and "refined" in expression.columns):
        return cells
    return cells[~flagged(cells, "refined")]


def flagged(cells: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    """Whether a column of truth values is true of each cell; null is not."""
    return cells[name].map(lambda v: v is not None and v is not pd.NA and bool(v)).to_numpy(bool)


def ran(cells: pd.DataFrame, group: str) -> pd.Series[bool]:
    """Whether each cell had a check or a training run; functions from outside are not trained."""
    if group not in cells:
        return pd.Series(False, cells.index)
    return cells[group].notna() & (cells[group] != OFF)


def expand_nulls(cells: pd.DataFrame, side: Sequence[str]) -> pd.DataFrame:
    """Show a cell wherever it belongs: a null setting stands for every value of its axis.

    Where the other axes of this side leave only null (no eps beside `clip=none`), null stays,
    and the side gets one line instead of many equal ones.
    """
    for axis in side:
        null = cells[axis].isna()
        if not null.any() or null.all():
            continue
        others = [a for a in side if a != axis]
        if others:
            keys = pd.MultiIndex.from_frame(cells[others].astype(object).fillna("∅"))
            null &= pd.Series(keys.isin(keys[~cells[axis].isna()].unique()), index=cells.index)
        values = cells[axis].dropna().unique()
        copies = cells[null].drop(columns=axis).merge(pd.Series(values, name=axis), how="cross")
        copies[axis] = copies[axis].astype(cells[axis].dtype)
        cells = pd.concat([cells[~null], copies[list(cells.columns)]], ignore_index=True)
    return cells


def in_order(values: pd.Series) -> list[object]:
    """Distinct values: numbers ascending, words as the grid first names them, null last."""
    present: list[object] = list(dict.fromkeys(values.drop_duplicates().dropna()))
    if all(isinstance(v, int | float | np.number) for v in present):
        present.sort(key=float)  # type: ignore[arg-type]
    return present + [None] * bool(values.isna().any())


def keys_of(cells: pd.DataFrame, axes: Sequence[str]) -> tuple[list[Key], NDArray[np.intp]]:
    """The keys along a side, sorted axis by axis, and the position of each cell's key among them."""
    orders = [in_order(cells[axis]) for axis in axes]
    joint = np.zeros(len(cells), np.intp)
    for axis, order in zip(axes, orders, strict=True):
        codes, present = pd.factorize(cells[axis])
        at = {v: i for i, v in enumerate(order)}
        places = np.array([*(at[v] for v in present), at.get(None, 0)], np.intp)  # the code of null is -1
        joint = joint * max(len(order), 1) + places[codes]
    used, position = np.unique(joint, return_inverse=True)
    indices = np.unravel_index(used, [len(order) for order in orders]) if axes and len(used) else ()
    keys = [tuple(order[at[k]] for order, at in zip(orders, indices, strict=True)) for k in range(len(used))]
    return keys, position.astype(np.intp)


def label(value: object) -> str:
    """A setting's value as a figure shows it."""
    if value is None or value is pd.NA:
        return "–"
    if isinstance(value, float | np.floating):
        return f"{value:.3g}"
    return value if isinstance(value, str) else shown(value)  # type: ignore[arg-type]


def in_words(axes: Sequence[str]) -> str:
    """Names as a sentence lists them."""
    *others, last = axes
    return f"{', '.join(others)} and {last}" if others else last


def informative_axes(cells: pd.DataFrame) -> tuple[dict[str, float], str]:
    """The axes that together explain most of the verdict, and what is explained; the replicate axis aside.

    Chosen one after another, each as the one that adds most to those before it, with the share
    that is explained once it is known too: of the verdict's Gini impurity, or where there is one
    verdict only, of the variance of the log gradient error. So an axis that matters only together
    with another (delta beside the pair of output and loss) is found, and one that only repeats
    others (`output` where it follows `activation`) is not.
    """
    done = finished(cells)
    left = [a for a in varying(cells) if a != REPLICATE]
    by_verdict = len(done["verdict"].dropna().unique()) > 1
    error = np.log10(done["gradient_error"].clip(lower=1e-20))
    codes = {a: pd.factorize(done[a], use_na_sentinel=False)[0] for a in left}
    chosen: dict[str, float] = {}
    together, distinct = np.zeros(len(done), int), 1
    while left and len(chosen) < MOST_AXES:
        merit = {}
        for axis in left:
            keys = pd.Series(_joint(together, codes[axis]), index=done.index)
            merit[axis] = _of_impurity(done["verdict"], keys) if by_verdict else _of_variance(error, keys)
        best = max(left, key=lambda a: merit[a])
        left.remove(best)
        finer = len(cells[[*chosen, best]].drop_duplicates())
        if finer == distinct:
            continue
        distinct, together = finer, _joint(together, codes[best])
        gained = merit[best] - (list(chosen.values())[-1] if chosen else 0.0)
        if len(chosen) >= 2 and gained < LEAST_GAIN:
            break
        chosen[best] = merit[best]
    return chosen, "verdict" if by_verdict else "gradient error"


def _joint(a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.intp]:
    codes: NDArray[np.intp] = pd.factorize(a * (b.max(initial=0) + 1) + b)[0]
    return codes


def _of_impurity(words: pd.Series, keys: pd.Series) -> float:
    """The share of the Gini impurity of `words` that vanishes once `keys` are known."""
    total = 1 - (words.value_counts(normalize=True) ** 2).sum()
    if not total > 0:
        return 0.0
    tally = pd.crosstab(keys, words)
    sizes = tally.sum(axis=1)
    inside = (1 - ((tally.div(sizes, axis=0)) ** 2).sum(axis=1)) * sizes / sizes.sum()
    return float(max(1 - inside.sum() / total, 0))


def _of_variance(numbers: pd.Series, keys: pd.Series) -> float:
    """The share of the variance of `numbers` that lies between `keys`."""
    numbers = numbers.dropna()
    total = ((numbers - numbers.mean()) ** 2).sum() if len(numbers) else 0.0
    if not total > 0:
        return 0.0
    within = numbers - numbers.groupby(keys.loc[numbers.index]).transform("mean")
    return float(1 - (within**2).sum() / total)
