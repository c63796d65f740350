"""What the commands do, once their arguments are parsed: sweep, plan, check, report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.markup import escape

from backproof import paths
from backproof.errors import ConfigurationError
from backproof.files import csv, write
from backproof.interfaces.consoles import OK, SOME_FAILED, err, out
from backproof.interfaces.launch import note_idle, sweep
from backproof.interfaces.request import Request, experiment_of, folder_of, grid_of, missing
from backproof.reports.results import write_results
from backproof.sweeps.case import FunctionCase, NetworkCase
from backproof.sweeps.checking import judged_function
from backproof.sweeps.database import FILE as STORE_FILE
from backproof.sweeps.engines import engine_of
from backproof.sweeps.grid import Cell
from backproof.sweeps.store import Store, read_only
from backproof.sweeps.tasks import tasks_of
from backproof.sweeps.work import compute
from backproof.targets.function import FunctionError


def plan(request: Request, _launcher: Any = None) -> int:
    """Say what `sweep` would do with the same arguments; runs nothing and writes nothing."""
    folder, engine, experiment = folder_of(request), engine_of(request.engine), experiment_of(request)
    grid = grid_of(request, experiment)
    todo, measured = [c for c in grid.cells if not c.excluded], None
    if (folder / STORE_FILE).is_file():
        with read_only(folder) as store:
            todo = missing(store, grid, "retry-failed" in request.flags)
            measured = store.mean_seconds()
    note_idle(grid)
    excluded = [c for c in grid.cells if c.excluded]
    out.print(f"{grid.requested} points in the grid of {folder}")
    out.print(f"  {grid.duplicates} duplicates: equal to another point in every setting that can matter")
    out.print(f"  {len(excluded)} excluded")
    for reason in dict.fromkeys(c.excluded for c in excluded):
        count = sum(c.excluded == reason for c in excluded)
        out.print(f"    {count}: {escape(str(reason))}")
    out.print(f"  {len(grid.cells) - len(excluded) - len(todo)} done")
    tasks = tasks_of(c.case for c in todo)
    seconds = measured * len(todo) if measured else sum(task.seconds for task in tasks)
    out.print(f"  {len(todo)} to run, in {len(tasks)} tasks on {engine.workers} workers")
    out.print(f"expected time: about {_duration(seconds / engine.workers)}")
    return OK


def check(request: Request, _launcher: Any = None) -> int:
    """One case in the terminal: verdict, a table per weight tensor, what training makes of it."""
    if request.experiment is not None:
        raise ConfigurationError("experiment: check takes one case, not an experiment; use sweep or plan")
    grid = grid_of(request, None)
    if len(grid.cells) != 1:
        raise ConfigurationError(f"check takes one case; these arguments span {len(grid.cells)} (use sweep)")
    from backproof.interfaces import terminal

    folder, cell = _check_folder(request), grid.cells[0]
    if isinstance(cell.case, FunctionCase):
        return _check_function(cell, cell.case, request)
    assert isinstance(cell.case, NetworkCase)
    finding = terminal.find(cell.case)
    if "json" in request.flags:
        print(terminal.as_json(finding, cell))
    else:
        terminal.show(finding, cell, out)
    if "plot" in request.flags:
        from backproof.reports.figures.drawing.evidence import write_evidence

        curves, parameters = terminal.curves_of(finding), terminal.parameters_of(finding)
        for path in write_evidence(folder, curves, parameters):
            err.print(f"written: {path}")
    return OK if finding.agrees else SOME_FAILED


def _check_function(cell: Cell, case: FunctionCase, request: Request) -> int:
    """The same for somebody else's function."""
    from backproof.interfaces.python import Check

    try:
        function, judgement = judged_function(case)
    except FunctionError as error:
        raise ConfigurationError(str(error)) from error
    found = Check(judgement, function)
    if "json" in request.flags:
        print(found.as_json(case=case.flat(), command=cell.command))
    else:
        out.print(escape(repr(found)))
        out.print(f"\n{escape(cell.command)}", style="dim")
    if "plot" in request.flags:
        folder = _check_folder(request)
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "parameters.csv", csv(found.parameters()))
        found.plot().savefig(folder / "check.svg")
        err.print(f"written: {folder / 'check.svg'}\nwritten: {folder / 'parameters.csv'}")
    return OK if found.agrees else SOME_FAILED


def _check_folder(request: Request) -> Path:
    folder = paths.results_folder(str(request.name or "check"))
    if folder is None:
        raise ConfigurationError(f"name: must be a folder name; not '{request.name}'")
    return folder


def report(folder: Path) -> int:
    """Rebuild tables, figures and report from what is stored, also while a sweep runs."""
    with read_only(folder) as store:
        write_results(store, folder)
        pending, failed = store.pending(), store.failed()
    if pending:
        err.print(f"{pending} cells are still to come")
    out.print(f"report: {folder / 'report.html'}")
    return SOME_FAILED if failed else OK


RUN: dict[str, Callable[[Request, Any], int]] = {"sweep": sweep, "plan": plan, "check": check}
"""Commands that take a grid, by name."""


def compute_one(cell: Cell, name: str) -> float:
    """Compute and store one cell, a job of a stock Hydra sweeper or launcher; returns its gradient error."""
    folder = paths.results_folder(name)
    if folder is None:
        raise ConfigurationError(f"name: must be a folder name; not '{name}'")
    with Store(folder) as store:
        store.announce([cell], append=True)
        if store.statuses([cell.case.id])[cell.case.id] == "pending":
            store.add(compute([cell.case]))
        return store.gradient_error(cell.case.id)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
