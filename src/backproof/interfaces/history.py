"""`backproof history` in the terminal: the steps of a sweep over commits."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from backproof.errors import ExitStatus
from backproof.interfaces.terminal import table_console
from backproof.reports.history_page import HistoryResult, answer_of, step_entry

MOST_ROWS = 20
"""How many steps the terminal shows; the page has all."""


def show_history(result: HistoryResult) -> ExitStatus:
    """Print the steps that were found.

    Returns:
        OK where there is none.
    """
    console = table_console()
    found = result.history
    if not result.in_order:
        console.print("Some results have no time on record: they are taken in the order given.")
    for sentence in answer_of(found, in_order=result.in_order):
        console.print(escape(sentence))
    if found.steps:
        console.print()
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("measure", "at", "from → to", "settings"):
            table.add_column(heading, overflow="fold")
        for step in found.steps[:MOST_ROWS]:
            entry = step_entry(found, step)
            table.add_row(*(escape(entry[k]) for k in ("measure", "at", "change", "settings")))
        console.print(table)
        if len(found.steps) > MOST_ROWS:
            console.print(f"… and {len(found.steps) - MOST_ROWS:,} more, in the report", style="dim")
    console.print(f"report: {escape(str(result.page))}", soft_wrap=True)
    return ExitStatus.SOME_FAILED if found.steps else ExitStatus.OK
