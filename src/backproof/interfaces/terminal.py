"""What is printed: a check, and the console of tables."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from backproof.verdicts.check import Check

STYLES = {"normal": "", "strong": "bold", "soft": "dim"}


class Output(Console):
    """The output stream. Where nobody reads it any more, that is an error as any: rich would end the program
    with a status of its own.
    """

    def on_broken_pipe(self) -> None:
        """Called as the error is handled."""
        raise


def table_console() -> Console:
    """Where tables are printed: in a file or a log, a line has the width that they are laid out for."""
    return Output(highlight=False, width=None if sys.stdout.isatty() else 100)


def show(check: Check) -> None:
    """Print the lines of a check; rich adds nothing but their weight."""
    console = Output(highlight=False, soft_wrap=True)
    for line in check.lines():
        console.print(Text(line.text, STYLES[line.weight]))
