"""Progress in the terminal: cells done and failed, the rate, the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from backproof.files import printable
from backproof.sweeps.launching import Advance


class Terminal:
    """Hears of a sweep and prints it on the error stream."""

    def note(self, text: str) -> None:
        """Print the note."""
        print(printable(text), file=sys.stderr, flush=True)

    def progress(self, cells: int) -> AbstractContextManager[Advance]:
        """Show how many are done."""
        return progress(cells)


@contextmanager
def progress(total: int) -> Iterator[Advance]:
    """A bar on a terminal; elsewhere (a log file, CI) a line every ten seconds."""
    console = Console(stderr=True)
    with _bar(console, total) if console.is_terminal else _lines(total) as advance:
        yield advance


@contextmanager
def _bar(console: Console, total: int) -> Iterator[Advance]:
    columns = (
        TextColumn("cells"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TextColumn("{task.fields[rate]:.1f}/s"),
        TimeRemainingColumn(),
    )
    start = time.monotonic()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("cells", total=total, failed=0, rate=0.0)
        counts = {"done": 0, "failed": 0}

        def advance(done: int, failed: int) -> None:
            counts["done"] += done
            counts["failed"] += failed
            rate = counts["done"] / max(time.monotonic() - start, 1e-9)
            bar.update(task, completed=counts["done"], failed=counts["failed"], rate=rate)

        yield advance


@contextmanager
def _lines(total: int) -> Iterator[Advance]:
    start = last = time.monotonic()
    done = failed = 0

    def say() -> None:
        elapsed = max(time.monotonic() - start, 1e-9)
        rate = done / elapsed
        left = f"{(total - done) / rate:.0f} s left" if rate else "time left unknown"
        print(f"cells {done}/{total}, {failed} failed, {rate:.1f}/s, {left}", file=sys.stderr, flush=True)

    def advance(done_now: int, failed_now: int) -> None:
        nonlocal done, failed, last
        done += done_now
        failed += failed_now
        if time.monotonic() - last > 10 or done == total:
            last = time.monotonic()
            say()

    yield lambda done, failed: advance(done, failed)
