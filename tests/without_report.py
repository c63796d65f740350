"""Sweeps without a report and without worker processes, which take most of a small sweep's time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch


def in_one_process(words: Sequence[str]) -> list[str]:
    """The same command line; a sweep has no worker processes, whose start takes longer than its cells."""
    own = any(word.startswith(("engine", "--help", "--hydra-help", "--cfg", "--info")) for word in words)
    return [*words] if own or words[0] != "sweep" else [*words, "engine=serial"]


@contextmanager
def report_left_out() -> Iterator[None]:
    """Reports are empty pages."""
    from backproof.files import write
    from backproof.reports.summary import Answer

    def blank(folder: Path, *_: object) -> Answer:
        write(folder / "report.html", b"")
        return Answer("", ())

    with patch("backproof.reports.write.write_report", blank):
        yield
