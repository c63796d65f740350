"""What changed between two sweeps: two tables of cells in, tables out; nothing is drawn, read or written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backproof.reports.alignment import Alignment, align, number_of
from backproof.reports.axes import axes_of
from backproof.reports.paired import paired
from backproof.sweeps.columns import CELLS, RESULTS, Of, names_of
from backproof.sweeps.overrides import ordered

INCIDENTAL = names_of(c for c in CELLS if c.of is Of.RUN)
"""Results that may differ between two runs of the same code."""

MOST_VALUES = 8
"""How many values of a setting are listed."""

NOTHING = "–"
"""Stands where one side has nothing."""


@dataclass(frozen=True)
class Comparison:
    """All that differs between sweep A and sweep B.

    Attributes:
        statuses, verdicts: the cells in which they changed, as from `changes`.
        differing: result → number of pairs that are not bit-identical in it; without those of none.
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
        """Whether every cell has its pair, with bit-identical results."""
        return self.alignment.complete and not self.differing

    @property
    def unchanged(self) -> bool:
        """Whether every cell has its pair, with the same status and verdict."""
        return self.alignment.complete and not len(self.statuses) and not len(self.verdicts)


def compare(
    a: pd.DataFrame,
    b: pd.DataFrame,
    settings: Sequence[Mapping[str, object]] = ({}, {}),
    code: Sequence[Mapping[str, object]] = ({}, {}),
) -> Comparison:
    """Compare two tables of cells, and pairs of their configuration and of their code."""
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


def changes(alignment: Alignment, column: str, why: str) -> pd.DataFrame:
    """The pairs that differ in a column: the axes, `from`, `to`, and reason and command on both sides.

    A verdict is compared where both cells have finished; the status tells where they have not.
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
    """In how many pairs each result is not bit-identical; what differs from run to run is left out."""
    found = {
        name: int(_differ(alignment.a[name], alignment.b[name]).sum())
        for name in RESULTS
        if name not in INCIDENTAL
    }
    return {name: n for name, n in found.items() if n}


def _differ(a: pd.Series, b: pd.Series) -> NDArray[np.bool_]:
    """Row by row whether two columns differ; numbers bit by bit, null equal to null."""
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
        if {*map(number_of, values[0])} != {*map(number_of, values[1])}:
            rows.append((setting, *map(_listed, values)))
    return pd.DataFrame(rows, columns=["what", "A", "B"], dtype=object)


def _listed(values: Sequence[object]) -> str:
    words = [str(v) for v in values[:MOST_VALUES]]
    more = [f"… ({len(values)} values)"] if len(values) > MOST_VALUES else []
    return ", ".join(words + more) or NOTHING


def differing_entries(a: Mapping[str, object], b: Mapping[str, object]) -> pd.DataFrame:
    """The entries, inner ones too, that differ between two mappings of plain data: columns what, A, B."""
    flat_a, flat_b = _flat(a), _flat(b)
    rows = [
        (key, flat_a.get(key, NOTHING), flat_b.get(key, NOTHING))
        for key in dict.fromkeys((*flat_a, *flat_b))
        if flat_a.get(key) != flat_b.get(key)
    ]
    return pd.DataFrame(rows, columns=["what", "A", "B"], dtype=object)


def _flat(entries: Mapping[str, object]) -> dict[str, str]:
    """Entries as text under their whole names; null is as good as missing."""
    (flat,) = pd.json_normalize(dict(entries), sep=" ").to_dict("records") or [{}]
    return {
        str(key): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in flat.items()
        if value is not None
    }
