"""One page of many checks, as the test suite of a library makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backproof.files import printable, write
from backproof.reports.templates import environment


def write_checks(checks: Sequence[Mapping[str, Any]], answer: str, path: Path) -> None:
    """Write the page.

    Args:
        checks: with `test`, `verdict`, `agrees`, `digits` and `text`, in the order in which they are shown.
        answer: what is said of all of them.
    """
    page = environment().get_template("checks.html.j2").render(checks=checks, answer=answer)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, printable(page).encode())
