"""The cells of two sweeps side by side, aligned by their settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.reports.axes import axes_of, varying
from backproof.sweeps.columns import RESULTS
from backproof.sweeps.overrides import ordered


@dataclass(frozen=True)
class Alignment:
    """The cells of two sweeps side by side.

    Attributes:
        axes: the settings by which they are aligned.
        a, b: the cells that both sweeps have; line i of one and line i of the other are a pair.
        only_a, only_b: the cells that the other sweep does not have.
        repeated_a, repeated_b: cells left out, since a sweep has several with these settings.
    """

    axes: list[str]
    a: pd.DataFrame
    b: pd.DataFrame
    only_a: pd.DataFrame
    only_b: pd.DataFrame
    repeated_a: pd.DataFrame
    repeated_b: pd.DataFrame

    @property
    def complete(self) -> bool:
        """Whether every cell of each sweep has its pair."""
        return not any(map(len, (self.only_a, self.only_b, self.repeated_a, self.repeated_b)))


def align(a: pd.DataFrame, b: pd.DataFrame) -> Alignment:
    """Pair the cells by the settings that vary within A or within B.

    A setting that each sweep holds constant is no part of the key, so that sweeps under two
    configurations can be compared; one that a sweep does not have is null there. Null beside a
    single value (no `clip.eps` for squared error) is settled by the other settings; only where
    it tells cells apart (`check.step=null,1e-5`) it joins the key.
    """
    known = ordered({*axes_of(a), *axes_of(b)})
    rest = ["cell", *RESULTS]
    a, b = (t.reindex(columns=[*known, *rest]).reset_index(drop=True) for t in (a, b))
    axes = ordered({*varying(a), *varying(b)})
    at_a, at_b = positions((a, b), axes)
    others = [s for s in known if s not in axes]
    if more := {*distinguishing(a, at_a, others), *distinguishing(b, at_b, others)}:
        axes = ordered({*axes, *more})
        at_a, at_b = positions((a, b), axes)
    size = 1 + max(at_a.max(initial=-1), at_b.max(initial=-1))
    count_a, count_b = (np.bincount(at, minlength=size) for at in (at_a, at_b))
    several = (count_a > 1) | (count_b > 1)
    both = (count_a == 1) & (count_b == 1)
    row_of_b = np.zeros(size, int)
    row_of_b[at_b] = np.arange(len(b))
    return Alignment(
        axes,
        a[both[at_a]].reset_index(drop=True),
        b.iloc[row_of_b[at_a[both[at_a]]]].reset_index(drop=True),
        a[(count_b[at_a] == 0) & ~several[at_a]],
        b[(count_a[at_b] == 0) & ~several[at_b]],
        a[several[at_a]],
        b[several[at_b]],
    )


def positions(tables: Sequence[pd.DataFrame], axes: Sequence[str]) -> list[NDArray[np.intp]]:
    """Per table and row a number from 0; the same number means the same values along the axes."""
    ends = np.cumsum([len(t) for t in tables])
    position = np.zeros(ends[-1], np.intp)
    for axis in axes:
        codes = _codes(np.concatenate([t[axis].to_numpy(object) for t in tables]))
        position = pd.factorize(position * (codes.max(initial=0) + 1) + codes)[0]
    return np.split(position, ends[:-1])


def _codes(values: NDArray[np.object_]) -> NDArray[np.intp]:
    """A number per distinct value, 0 for null; `1`, `1.0` and the text `1` are the same."""
    codes, distinct = pd.factorize(values)
    merged, _ = pd.factorize(np.array([number_of(v) for v in distinct], object))
    found: NDArray[np.intp] = np.append(merged, -1)[codes] + 1
    return found


def number_of(value: object) -> object:
    """A number, also where it is text in one sweep since the column holds words there."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def distinguishing(table: pd.DataFrame, at: NDArray[np.intp], settings: Sequence[str]) -> list[str]:
    """The settings that differ among rows at the same position."""
    several = table[np.bincount(at)[at] > 1] if len(at) else table
    if not len(several):
        return []
    counts = several[list(settings)].groupby(at[several.index]).nunique(dropna=False)
    return [s for s in settings if (counts[s] > 1).any()]
