"""What changed between two sweeps: two tables of cells in, tables out; nothing is drawn, read or written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backproof.reports.axes import axes_of, varying
from backproof.reports.paired import paired
from backproof.sweeps.case import ordered
from backproof.sweeps.columns import CELLS, RESULTS, Of, names_of

INCIDENTAL = names_of(c for c in CELLS if c.of is Of.RUN)
"""Results that may differ between two runs of the same code."""

MOST_VALUES = 8
"""How many values of a setting are listed."""

NOTHING = "–"
"""Stands where one side has nothing."""


@dataclass(frozen=True)
class Alignment:
    """The cells of two sweeps side by side.

    Attributes:
        axes: the settings by which they are aligned.
        a, b: the cells that both sweeps have; line i of one and line i of the other are a pair.
        only_a, only_b: the cells that the other sweep does not have.
        alike_a, alike_b: cells left out, since a sweep has several with these settings.
    """

    axes: list[str]
    a: pd.DataFrame
    b: pd.DataFrame
    only_a: pd.DataFrame
    only_b: pd.DataFrame
    alike_a: pd.DataFrame
    alike_b: pd.DataFrame

    @property
    def complete(self) -> bool:
        """Whether every cell of each sweep has its pair."""
        return not any(map(len, (self.only_a, self.only_b, self.alike_a, self.alike_b)))


@dataclass(frozen=True)
class Comparison:
    """All that differs between sweep A and sweep B.

    Attributes:
        statuses, verdicts: the cells in which they changed, as from `changes`.
        differing: result -> number of pairs that differ in it, to the bit; those with none left out.
        settings, code: what differs in configuration and in code and versions; columns what, A, B.
        overall, combinations: paired differences, as from `paired`.
    """

    alignment: Alignment
    statuses: pd.DataFrame
    verdicts: pd.DataFrame
    differing: dict[str, int]
    settings: pd.DataFrame
    code: pd.DataFrame
    overall: pd.DataFrame
    combinations: pd.DataFrame

    @property
    def same_results(self) -> bool:
        """Whether every cell has its pair, with results that are equal to the bit."""
        return self.alignment.complete and not self.differing

    @property
    def unchanged(self) -> bool:
        """Whether every cell has its pair, with the same status and verdict."""
        return self.alignment.complete and not len(self.statuses) and not len(self.verdicts)


def compare(
    a: pd.DataFrame,
    b: pd.DataFrame,
    settings: Sequence[Mapping[str, Any]] = ({}, {}),
    code: Sequence[Mapping[str, Any]] = ({}, {}),
) -> Comparison:
    """Compare two tables of cells, and what is known beside them of their configuration and code."""
    alignment = align(a, b)
    overall, combinations = paired(alignment.a, alignment.b, alignment.axes)
    return Comparison(
        alignment,
        changes(alignment, "status", "error"),
        changes(alignment, "verdict", "causes"),
        differing_results(alignment),
        pd.concat([differing_settings(a, b), differing_entries(*settings)], ignore_index=True),
        differing_entries(*code),
        overall,
        combinations,
    )


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
    at_a, at_b = places((a, b), axes)
    others = [s for s in known if s not in axes]
    if telling := {*_telling(a, at_a, others), *_telling(b, at_b, others)}:
        axes = ordered({*axes, *telling})
        at_a, at_b = places((a, b), axes)
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


def places(tables: Sequence[pd.DataFrame], axes: Sequence[str]) -> list[np.ndarray[Any, Any]]:
    """Per table and row a number from 0; the same number means the same values along the axes."""
    ends = np.cumsum([len(t) for t in tables])
    place = np.zeros(ends[-1], int)
    for axis in axes:
        codes = _codes(np.concatenate([t[axis].to_numpy(object) for t in tables]))
        place = pd.factorize(place * (codes.max(initial=0) + 1) + codes)[0]
    return np.split(place, ends[:-1])


def _codes(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A number per distinct value, 0 for null; `1`, `1.0` and the text `1` are the same."""
    codes, distinct = pd.factorize(values)
    merged, _ = pd.factorize(np.array([_number(v) for v in distinct], object))
    return np.append(merged, -1)[codes] + 1


def _number(value: Any) -> Any:
    """A number that is a text in one sweep, where it stands beside words, and not in the other."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _telling(table: pd.DataFrame, at: np.ndarray[Any, Any], settings: Sequence[str]) -> list[str]:
    """The settings that differ among rows in the same place."""
    several = table[np.bincount(at)[at] > 1] if len(at) else table
    if not len(several):
        return []
    counts = several[list(settings)].groupby(at[several.index]).nunique(dropna=False)
    return [s for s in settings if (counts[s] > 1).any()]


def changes(alignment: Alignment, column: str, why: str) -> pd.DataFrame:
    """The pairs that differ in a column: the axes, `from`, `to`, and reason and command on both sides.

    A verdict is compared where both cells have finished; the status says where they have not.
    """
    a, b = alignment.a, alignment.b
    changed = _differ(a[column], b[column])
    if column != "status":
        changed &= ((a["status"] == "ok") & (b["status"] == "ok")).to_numpy(bool)
    sides = {"from": a[column], "to": b[column]}
    for name in (why, "command"):
        sides |= {f"{name}_a": a[name], f"{name}_b": b[name]}
    table = pd.DataFrame({name: s.astype(object).where(s.notna(), NOTHING) for name, s in sides.items()})
    return pd.concat([a[alignment.axes], table], axis=1)[changed].reset_index(drop=True)


def transitions(changed: pd.DataFrame) -> pd.DataFrame:
    """How many cells changed from what to what: columns from, to, cells; the most frequent first."""
    counts = changed.groupby(["from", "to"], sort=False).size().rename("cells").reset_index()
    return counts.sort_values("cells", ascending=False, kind="stable", ignore_index=True)


def differing_results(alignment: Alignment) -> dict[str, int]:
    """In how many pairs each result differs, to the bit; what differs from run to run is left out."""
    found = {
        name: int(_differ(alignment.a[name], alignment.b[name]).sum())
        for name in RESULTS
        if name not in INCIDENTAL
    }
    return {name: n for name, n in found.items() if n}


def _differ(a: pd.Series[Any], b: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Row by row whether two columns differ; numbers to the bit, null and null alike."""
    if pd.api.types.is_float_dtype(a) and pd.api.types.is_float_dtype(b):
        x, y = (np.where(s.isna(), np.nan, s.to_numpy(float)).view(np.int64) for s in (a, b))
        return np.asarray(x != y)
    x, y = (s.astype(object).where(s.notna(), None).to_numpy(object) for s in (a, b))
    return np.asarray(x != y, bool)


def differing_settings(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """The settings that take other values in A than in B: columns what, A, B; null left aside."""
    rows = []
    for setting in ordered({*axes_of(a), *axes_of(b)}):
        values = [list(t[setting].dropna().unique()) if setting in t else [] for t in (a, b)]
        if {*map(_number, values[0])} != {*map(_number, values[1])}:
            rows.append((setting, *map(_listed, values)))
    return pd.DataFrame(rows, columns=["what", "A", "B"], dtype=object)


def _listed(values: Sequence[Any]) -> str:
    words = [str(v) for v in values[:MOST_VALUES]]
    more = [f"… ({len(values)} values)"] if len(values) > MOST_VALUES else []
    return ", ".join(words + more) or NOTHING


def differing_entries(a: Mapping[str, Any], b: Mapping[str, Any]) -> pd.DataFrame:
    """The entries, inner ones too, that differ between two mappings of plain data: columns what, A, B."""
    flat_a, flat_b = _flat(a), _flat(b)
    rows = [
        (key, flat_a.get(key, NOTHING), flat_b.get(key, NOTHING))
        for key in dict.fromkeys((*flat_a, *flat_b))
        if flat_a.get(key) != flat_b.get(key)
    ]
    return pd.DataFrame(rows, columns=["what", "A", "B"], dtype=object)


def _flat(entries: Mapping[str, Any]) -> dict[str, str]:
    """Entries as text under their whole names; null is as good as missing."""
    (flat,) = pd.json_normalize(dict(entries), sep=" ").to_dict("records") or [{}]
    return {
        str(key): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in flat.items()
        if value is not None
    }
