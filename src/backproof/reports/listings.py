"""What a comparison found, as lists to read: numbers in few digits, what all rows share stated once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from backproof.reports.alignment import Alignment
from backproof.reports.axes import label
from backproof.reports.compare import NOTHING, Comparison, transitions
from backproof.reports.paired import MEASURES, STATISTICS, leaves_zero_out, level, stands_still
from backproof.sweeps.columns import Column
from backproof.verdicts import Verdict

COMMAND = "command"
"""The column that holds what reproduces a cell; on two lines where the sides' commands differ."""


@dataclass(frozen=True)
class Listing:
    """Cells or combinations under a heading.

    Attributes:
        shared: the settings that have one value in all rows, as overrides.
        results, axes: the columns: what the rows have, then the settings that differ between them.
        rows: text, column by column.
        numeric: whether the results are numbers.
    """

    title: str
    shared: str
    results: list[str]
    axes: list[str]
    rows: list[tuple[str, ...]]
    numeric: bool = False


def of_cells(comparison: Comparison) -> dict[str, list[Listing]]:
    """The cells that changed or have no pair, by the heading of their lists; empty lists left out."""
    axes = comparison.alignment.axes
    found = {
        "Statuses that changed": list(changed(comparison.statuses, axes)),
        "Verdicts that changed": list(changed(comparison.verdicts, axes)),
        "Cells without a pair": list(unpaired(comparison.alignment)),
    }
    return {title: lists for title, lists in found.items() if lists}


def changed(cells: pd.DataFrame, axes: Sequence[str]) -> Iterator[Listing]:
    """Changed cells by what changed to what, the most frequent first."""
    for start, end, n in transitions(cells).itertuples(index=False):
        part = cells[(cells["from"] == start) & (cells["to"] == end)]
        reasons = part.drop(columns=[*axes, "from", "to", "command_a", "command_b"])
        reasons.columns = pd.Index([f"{name[:-2]} in {name[-1].upper()}" for name in reasons.columns])
        reasons[COMMAND] = _commands(part)
        yield listing(f"{marked(start)} → {marked(end)}: {cells_of(n)}", part[list(axes)], reasons)


def unpaired(alignment: Alignment) -> Iterator[Listing]:
    """The cells that have no pair, by reason."""
    for title, cells in (
        ("only in A", alignment.only_a),
        ("only in B", alignment.only_b),
        ("several with the same settings, in A", alignment.repeated_a),
        ("several with the same settings, in B", alignment.repeated_b),
    ):
        if len(cells):
            state = cells["verdict"].where(cells["verdict"].notna(), cells["status"])
            results = pd.DataFrame({"verdict or status": state, COMMAND: cells[COMMAND]})
            yield listing(f"{title}: {cells_of(len(cells))}", cells[alignment.axes], results)


def moved(combinations: pd.DataFrame) -> Iterator[Listing]:
    """Per measure the combinations in which something moved; how many did not is in the title."""
    for measure in MEASURES:
        table = combinations[combinations["measure"] == measure.name]
        moving = table[~stands_still(table)]
        if len(table):
            certain, still = int(leaves_zero_out(moving).sum()), len(table) - len(moving)
            summary = (
                f"{len(moving):,} combinations moved, {certain:,} of them with an interval without zero; "
                f"{still:,} did not move"
            )
            yield of_combinations(f"{titled(measure)}: {summary}", moving, measure)


def of_combinations(title: str, rows: pd.DataFrame, measure: Column) -> Listing:
    """Combinations of one measure with their statistics."""
    settings = rows.drop(columns=["measure", *STATISTICS])
    return listing(title, settings, statistics(rows, measure), numeric=True)


def overall(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """A row a measure: what, pairs, seeds, then the other statistics as in `statistics`."""
    rows = []
    for measure in MEASURES:
        row = table[table["measure"] == measure.name]
        for texts_of_row in statistics(row, measure).itertuples(index=False, name=None):
            rows.append((titled(measure), f"{row['pairs'].iloc[0]:,}", *texts_of_row))
    return rows


def statistics(table: pd.DataFrame, measure: Column) -> pd.DataFrame:
    """The statistics of rows as text: n, left out, level in A and B, mean difference, interval."""
    return pd.DataFrame(
        {
            "n": table["n"].map("{:,}".format),
            "left out": table["left_out"].map("{:,}".format),
            f"{level(measure)} in A": [_level(x, measure) for x in table["a"]],
            f"{level(measure)} in B": [_level(x, measure) for x in table["b"]],
            "mean difference": table["mean"].map(_signed),
            "95 % interval": [
                NOTHING if pd.isna(low) else f"{_signed(low)} to {_signed(high)}"
                for low, high in zip(table["low"], table["high"], strict=True)
            ],
        }
    )


def listing(title: str, settings: pd.DataFrame, results: pd.DataFrame, *, numeric: bool = False) -> Listing:
    """Rows of settings and results; settings that all rows share are stated once, empty ones left out."""
    counts = settings.nunique(dropna=False)
    common = list(counts.index[counts == 1]) if len(settings) > 1 else []
    shared = overrides(settings[common].iloc[0].to_dict()) if common else ""
    kept = settings.drop(columns=common).dropna(axis="columns", how="all")
    return Listing(
        title,
        shared,
        [*map(str, results)],
        [*map(str, kept)],
        texts(pd.concat([results, kept], axis="columns")),
        numeric,
    )


def overrides(settings: Mapping[Hashable, object]) -> str:
    """Settings as one writes them, those without a value left out."""
    there = {k: v for k, v in settings.items() if v is not None and v is not pd.NA and v == v}
    return " ".join(f"{k}={v}" for k, v in there.items() if v != NOTHING)


def texts(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """The rows of a table as text, in all digits; null as a dash."""
    columns = [table[c].astype(object).map(str).where(table[c].notna(), NOTHING) for c in table]
    return list(zip(*columns, strict=True))


def marked(word: str) -> str:
    """A verdict with its symbol; another word as it is."""
    return f"{Verdict(word).symbol} {word}" if word in set(Verdict) else word


def titled(measure: Column) -> str:
    """A measure and, where it is no plain difference, what its differences are."""
    return f"{measure.title}, log10(B/A)" if measure.compared == "ratio" else measure.title


def cells_of(n: int) -> str:
    """How many cells."""
    return f"{n:,} cell{'' if n == 1 else 's'}"


def _commands(cells: pd.DataFrame) -> list[str]:
    pairs = zip(cells["command_a"], cells["command_b"], strict=True)
    return [a if a == b else f"A: {a}\nB: {b}" for a, b in pairs]


def _level(x: float, measure: Column) -> str:
    if pd.isna(x):
        return NOTHING
    return f"{x:,.0f}" if measure.compared == "count" else label(x)


def _signed(x: float) -> str:
    return NOTHING if pd.isna(x) else f"{x:+.3g}" if x else "0"
