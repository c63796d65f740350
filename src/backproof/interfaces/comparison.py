"""`backproof compare` in the terminal: what changed between two sweeps."""

from __future__ import annotations

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from backproof.errors import ExitStatus
from backproof.interfaces.terminal import table_console
from backproof.reports.compare import NOTHING, Comparison
from backproof.reports.compare_page import answer
from backproof.reports.compared import ComparisonResult
from backproof.reports.listings import (
    COMMAND,
    Listing,
    of_cells,
    of_combinations,
    overall,
    overrides,
    texts,
    titled,
)
from backproof.reports.paired import MEASURES, leaves_zero_out
from backproof.reports.several import SeveralResult, answer_of
from backproof.sweeps.columns import Column

MOST_KINDS, MOST_CELLS, MOST_ROWS, MOST_ENTRIES = 8, 3, 5, 20
"""How much the terminal shows: kinds of change, cells of each, combinations of a measure, entries that
differ. The page has all."""

MOST_LETTERS = 36
"""How wide a value of configuration or code is shown: two beside each other leave room for its name."""

NUMBERS = ("left\nout", "A", "B", "mean", "95 % interval")
"""Headings of what stands behind the number of pairs or seeds."""


def show_comparison(result: ComparisonResult) -> ExitStatus:
    """Print what changed from sweep A to sweep B.

    Returns:
        OK where every cell is on both sides with the same status and verdict.
    """
    console = table_console()
    if result.same_folder:
        console.print("A and B are the same folder: nothing can differ.")
    _show(result.comparison, console)
    console.print(f"report: {escape(str(result.page))}", soft_wrap=True)
    return ExitStatus.OK if result.comparison.unchanged else ExitStatus.SOME_FAILED


def show_several(result: SeveralResult) -> ExitStatus:
    """Print what each of several sweeps found, and what changed in it against the first.

    Returns:
        OK where every cell of each is in the first too, with the same status and verdict.
    """
    console = table_console()
    for sentence in answer_of(result.rows, result.changes):
        console.print(escape(sentence))
    console.print()
    table = _table("cells", "done", "failed", "verdicts")
    for row in result.rows:
        verdicts = "  ".join(f"{v.symbol} {n:,}" for v, n in row.verdicts.items())
        name = escape(f"{row.letter}: {row.name}")
        table.add_row(name, f"{row.cells:,}", f"{row.done:,}", f"{row.failed:,}", verdicts)
    console.print(table)
    console.print("\n[bold]Against A[/bold]: means of paired differences, with 95 % intervals over seeds")
    table = _table(*(f"{row.letter} − A" for row in result.rows[1:]))
    for name in dict.fromkeys(name for change in result.changes for name in change.measures):
        found = [change.measures.get(name, (NOTHING, NOTHING)) for change in result.changes]
        table.add_row(escape(name), *("\n".join(pair) for pair in found))
    console.print(table)
    console.print(f"report: {escape(str(result.page))}", soft_wrap=True)
    return ExitStatus.OK if result.unchanged else ExitStatus.SOME_FAILED


def _show(found: Comparison, console: Console) -> None:
    for sentence in answer(found):
        console.print(escape(sentence))
    for title, lists in of_cells(found).items():
        _show_cells(title, lists, console)
    if not found.same_results:
        _show_measures(found, console)
    if found.differing:
        counts = ", ".join(f"{name} in {n:,}" for name, n in found.differing.items())
        console.print(f"\n[bold]Results that are not bit-identical:[/bold] {escape(counts)} cells")
    _show_entries("Configuration", found.settings, console)
    _show_entries("Code and versions", found.code, console)
    console.print()


def _show_cells(title: str, lists: list[Listing], console: Console) -> None:
    """Kinds of change with a few cells each: the command names the cell, reasons stand below it."""
    console.print(f"\n[bold]{title}[/bold]")
    for listing in lists[:MOST_KINDS]:
        console.print(f"  {escape(listing.title)}")
        for row in listing.rows[:MOST_CELLS]:
            results = dict(zip(listing.results, row, strict=False))
            for line in results.pop(COMMAND).splitlines():
                console.print(f"    {escape(line)}", soft_wrap=True)
            reasons = [f"{name}: {what}" for name, what in results.items() if what != NOTHING]
            for line in reasons:
                console.print(Padding(escape(line), (0, 0, 0, 6), expand=False), style="dim")
        _and_more(len(listing.rows) - MOST_CELLS, "    ", console)
    _and_more(len(lists) - MOST_KINDS, "  ", console)


def _show_measures(found: Comparison, console: Console) -> None:
    rows = overall(found.overall)
    if not rows:
        return
    console.print(
        "\n[bold]Over everything[/bold]: means of B − A over the pairs of a seed, intervals over seeds"
    )
    table = _table("pairs", "seeds", *NUMBERS)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for measure in MEASURES:
        of_measure = found.combinations[found.combinations["measure"] == measure.name]
        _show_combinations(of_measure, measure, console)


def _show_combinations(rows: pd.DataFrame, measure: Column, console: Console) -> None:
    """The largest differences whose interval leaves zero out; where there are no intervals, the largest."""
    if (rows["n"] > 1).any():
        shown, which = rows[leaves_zero_out(rows)], "intervals without zero, largest first"
    else:
        shown, which = rows[rows["mean"].abs() > 0], "one pair each and no interval, largest first"
    if not len(shown):
        return
    listing = of_combinations(titled(measure), shown.head(MOST_ROWS), measure)
    console.print(f"\n[bold]{listing.title}[/bold]: {which}")
    if listing.shared:
        console.print(f"all with {escape(listing.shared)}", style="dim")
    table = _table("n", *NUMBERS)
    for row in listing.rows:
        numbers, values = row[: len(listing.results)], row[len(listing.results) :]
        settings = overrides(dict(zip(listing.axes, values, strict=True)))
        table.add_row(escape(settings) or "every cell", *numbers)
    console.print(table)
    _and_more(len(shown) - MOST_ROWS, "", console)


def _show_entries(title: str, entries: pd.DataFrame, console: Console) -> None:
    if not len(entries):
        console.print(f"\n[bold]{title}:[/bold] nothing differs")
        return
    console.print(f"\n[bold]{title}[/bold]")
    table = _table()
    for heading in ("A", "B"):
        table.add_column(heading, overflow="ellipsis", no_wrap=True, max_width=MOST_LETTERS)
    for row in texts(entries.head(MOST_ENTRIES)):
        table.add_row(*map(escape, row))
    console.print(table)
    _and_more(len(entries) - MOST_ENTRIES, "", console)


def _table(*numbers: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _and_more(n: int, indent: str, console: Console) -> None:
    if n > 0:
        console.print(f"{indent}… and {n:,} more, all in the report", style="dim")
