"""What the commands print, and the exit status with which they end."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.errors import ConfigurationError, ExitStatus, ResultsError
from backproof.files import printable

if TYPE_CHECKING:
    from backproof.requests import MergeResult, PlanResult, ReportResult, SweepResult
    from backproof.sweeps.optimisation import Best
    from backproof.verdicts.check import Check


OPEN = "--open"
"""The flag that shows the report; sweepers know nothing of it."""

WIDTH = 100
"""Characters of a line of text."""

UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of writing to a stream: nobody reads it, or its disk is full or broken."""


def ended(action: Callable[[], ExitStatus]) -> ExitStatus:
    """The exit status of an action; what is wrong is printed in one line."""
    try:
        status = action()
        sys.stdout.flush()
        return status
    except ConfigurationError as error:
        return wrong(str(error))
    except ResultsError as error:
        wrong(str(error))
        return ExitStatus.SOME_FAILED  # something ran
    except KeyboardInterrupt:
        print("backproof: interrupted", file=sys.stderr)
        return ExitStatus.INTERRUPTED
    except OSError as error:
        if error.filename is not None or error.errno not in UNWRITABLE:
            raise  # it is no stream's, and nobody expected it
        _print_no_more()
        if error.errno == errno.EPIPE:
            return ExitStatus.UNREAD
        wrong(f"the output cannot be written ({error.strerror})")
        return ExitStatus.SOME_FAILED


def _print_no_more() -> None:
    """Let what is left of the output go nowhere; else the interpreter would try again as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def wrong(message: str) -> ExitStatus:
    """One line on the error stream, and the status of wrong input."""
    print("backproof: " + " ".join(message.split()), file=sys.stderr)
    return ExitStatus.WRONG


def show_plan(plan: PlanResult) -> ExitStatus:
    """Print what a sweep would do."""
    print(f"{plan.requested} points in the grid of {plan.folder}")
    print(f"  {plan.duplicates} duplicates: equal to another point in every setting that can matter")
    print(f"  {sum(plan.excluded.values())} excluded")
    for reason, count in plan.excluded.items():
        print(f"    {count}: {reason}")
    print(f"  {plan.done} done")
    print(f"  {plan.to_run} to run, in {plan.tasks} tasks on {plan.workers} workers")
    if plan.refinement:
        print(f"  + about {plan.refinement} cells of refinement, if each row that is to run has one edge")
    if plan.tuning:
        print(f"  + up to {plan.tuning} cells of tuning, if every best value lies at an end of the grid")
    print(f"expected time: about {_duration(plan.seconds)}")
    return ExitStatus.OK


def show_sweep(sweep: SweepResult) -> ExitStatus:
    """Print what a sweep has left undone, and where its report is."""
    if sweep.page is None:
        return sweep.status
    if sweep.pending:
        print(f"{sweep.pending} of {sweep.cells} cells are still to come", file=sys.stderr)
    if sweep.failed:
        why = f"why is in {sweep.folder / 'cells.csv'}, column 'error'"
        print(f"{sweep.failed} of {sweep.cells} cells failed; {why}", file=sys.stderr)
    _show_answer(sweep.answer)
    print(f"report: {sweep.page}")
    return sweep.status


def _show_answer(sentences: Iterable[str]) -> None:
    """Print what a report begins with, each sentence or paragraph on lines of its own."""
    import textwrap

    for sentence in sentences:
        print(textwrap.fill(printable(sentence), WIDTH))


def open_page(page: Path) -> None:
    """Show a report in the browser."""
    import webbrowser  # subprocess with it: only where it is asked for

    if not webbrowser.open(page.resolve().as_uri()):
        print("backproof: no browser is found; open the report yourself", file=sys.stderr)


def show_best(best: Best | None) -> None:
    """Print the best trial of an optimisation."""
    if best is not None:
        print(f"best: {best.value:.6g} in trial {best.number}: {' '.join(best.overrides)}")
        print(f"  {best.command}")


def show_check(check: Check, *, as_json: bool, plots: Path | None) -> ExitStatus:
    """Print a check, for people or for programs, and draw it where a folder is given."""
    if as_json:
        print(check.as_json())
    else:
        from backproof.interfaces.terminal import show

        show(check)
    if plots:
        _written(_drawn(check, plots))
    off = not check.agrees and check.verdict != "not checked"
    return ExitStatus.SOME_FAILED if off else ExitStatus.OK


def _drawn(check: Check, folder: Path) -> list[Path]:
    """Figures and the table of parameters; returns the files."""
    from backproof.files import csv, write
    from backproof.reports.figures.drawing.check import plot_check
    from backproof.reports.figures.drawing.evidence import write_evidence

    if check.curves:
        return write_evidence(folder, check.curves, check.parameters())
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "parameters.csv", csv(check.parameters()))
    plot_check(check.parameters(), check.verdict).savefig(folder / "check.svg")
    return [folder / "check.svg", folder / "parameters.csv"]


def _written(paths: Iterable[Path]) -> None:
    for path in paths:
        print(f"written: {path}", file=sys.stderr)


def show_report(report: ReportResult) -> ExitStatus:
    """Print where a report is."""
    if report.pending:
        print(f"{report.pending} cells are still to come", file=sys.stderr)
    _show_answer(report.answer)
    print(f"report: {report.page}")
    return ExitStatus.SOME_FAILED if report.failed else ExitStatus.OK


def show_merge(merged: MergeResult) -> ExitStatus:
    """Print what was merged, and where the report is."""
    other = f"{merged.differing} of those with other results"
    print(f"{merged.cells} cells; {merged.shared} in several folders, {other}")
    if merged.pending:
        print(f"{merged.pending} cells are still to come", file=sys.stderr)
    print(f"report: {merged.page}")
    off = merged.failed or merged.pending or merged.differing
    return ExitStatus.SOME_FAILED if off else ExitStatus.OK


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
