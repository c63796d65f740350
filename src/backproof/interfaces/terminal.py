"""A check in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from backproof.verdicts.check import Check

STYLES = {"normal": "", "strong": "bold", "soft": "dim"}


def show(check: Check, console: Console) -> None:
    """Print the lines of a check; rich adds nothing but their weight."""
    for line in check.lines():
        console.print(Text(line.text, STYLES[line.weight]))
