"""A sweep from its first cell to its report, through interrupts, failures and full disks."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.markup import escape

from backproof.errors import ConfigurationError, ResultsError
from backproof.files import open_plain, printable, write
from backproof.interfaces.cli import as_typed, of_function
from backproof.interfaces.consoles import INTERRUPTED, OK, SOME_FAILED, err, out
from backproof.interfaces.progress import progress
from backproof.interfaces.request import Request, experiment_of, folder_of, grid_of, missing
from backproof.reports.results import write_results
from backproof.sweeps.engines import engine_of
from backproof.sweeps.execution import Engine, run
from backproof.sweeps.experiment import Experiment
from backproof.sweeps.grid import Cell, Grid
from backproof.sweeps.interruption import interruptible
from backproof.sweeps.provenance import provenance
from backproof.sweeps.store import Store


def sweep(request: Request, launcher: Any = None) -> int:
    """Run what is missing of a grid, then write the tables and the report."""
    folder, engine, experiment = folder_of(request), engine_of(request.engine), experiment_of(request)
    grid = grid_of(request, experiment)
    with Store(folder) as store, _alone(folder), interruptible():
        if store.note:
            err.print(f"note: {escape(store.note)}")
        store.announce(grid.cells)
        todo = missing(store, grid, "retry-failed" in request.flags)
        _describe(store, folder, grid, experiment, request)
        _say_what_there_is(store, folder, grid, todo)
        interrupted, status = False, OK
        try:
            if launcher is None:
                _run_on_engine(store, todo, engine, "fail-fast" in request.flags)
            elif todo:
                _launch(launcher, todo, folder)
        except KeyboardInterrupt:
            interrupted = True
            err.print("interrupted: what is finished is kept, and the same command goes on from here")
        try:
            status = _finish(store, folder, grid)
        except KeyboardInterrupt:
            interrupted = True
            err.print(f"interrupted: `backproof report {folder}` writes tables and report")
        except OSError as error:
            raise ResultsError(
                f"{folder}: the report cannot be written ({error}); the cells are stored,"
                f" and `backproof report {folder}` writes it"
            ) from error
    return INTERRUPTED if interrupted else status


def _say_what_there_is(store: Store, folder: Path, grid: Grid, todo: Sequence[Cell]) -> None:
    note_idle(grid)
    other = store.of_other_code()
    if other:
        err.print(f"note: {other} of these cells are there by other code too; that is kept, and not mixed in")
    excluded = sum(c.excluded is not None for c in grid.cells)
    there = len(grid.cells) - excluded - len(todo)
    err.print(f"{folder}: {_count(grid)}; {there} already there, {len(todo)} to run")


def note_idle(grid: Grid) -> None:
    for key in grid.idle:
        err.print(f"note: {key} makes no difference to any of these cells")


def _count(grid: Grid) -> str:
    words = [f"{len(grid.cells)} cell{'s' if len(grid.cells) != 1 else ''}"]
    if grid.duplicates:
        words.append(f"{grid.duplicates} duplicate{'s' if grid.duplicates != 1 else ''}")
    excluded = sum(c.excluded is not None for c in grid.cells)
    if excluded:
        words.append(f"{excluded} excluded")
    return ", ".join(words)


def _run_on_engine(store: Store, todo: Sequence[Cell], engine: Engine, fail_fast: bool) -> None:
    if not todo:
        return
    with progress(len(todo)) as advance, closing(run([c.case for c in todo], engine, store.add)) as found:
        for outcomes in found:
            failed = [o for o in outcomes if o.status != "ok"]
            advance(done=len(outcomes), failed=len(failed))
            if failed and fail_fast:
                err.print(
                    f"stopped at the first failure (--fail-fast): {escape(printable(str(failed[0].error)))}"
                )
                return


def _launch(launcher: Any, todo: Sequence[Cell], folder: Path) -> None:
    """Hand the cells to a launcher of Hydra's, which gives up when one of its processes dies."""
    try:
        launcher.launch([[*map(of_function, c.overrides), f"name={folder.name}"] for c in todo], 0)
    except ConfigurationError:
        raise
    except Exception as error:  # any launcher's own
        told = " ".join(str(error).split())[:200]
        err.print(f"the launcher gave up ({type(error).__name__}: {escape(told)}); what is finished is kept")


def _describe(
    store: Store, folder: Path, grid: Grid, experiment: Experiment | None, request: Request
) -> None:
    """Keep with the results what they are results of."""
    about = {
        **provenance(shlex.join([*sys.argv[0].split(), *map(as_typed, sys.argv[1:])])),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    content = {"name": request.name or request.experiment, **(experiment.content if experiment else {})}
    config = {
        "defaults": grid.defaults,
        "overrides": request.arguments,
        "engine": request.engine,
        "experiment": content if experiment else None,
    }
    store.set_meta("provenance", json.dumps(about))
    store.set_meta("experiment", json.dumps(content, default=str))  # YAML has dates
    write(folder / "provenance.json", (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode())
    write(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode())


def _finish(store: Store, folder: Path, grid: Grid) -> int:
    write_results(store, folder)
    statuses = store.statuses(c.case.id for c in grid.cells)
    failed = [c for c in grid.cells if statuses[c.case.id] in ("failed", "killed", "timeout")]
    pending = sum(statuses[c.case.id] == "pending" and not c.excluded for c in grid.cells)
    if pending:
        err.print(f"{pending} of {len(grid.cells)} cells are still to come")
    if failed:
        why = f"why is in {folder / 'cells.csv'}, column 'error'"
        err.print(f"{len(failed)} of {len(grid.cells)} cells failed; {why}")
    out.print(f"report: {folder / 'report.html'}")
    return SOME_FAILED if failed or pending else OK


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that no second sweep runs into it at the same time.

    The system drops the lock with the process, however it ends.
    """
    import fcntl

    with open_plain(folder / ".lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise ConfigurationError(
                f"{folder}: another sweep is running there ({lock.read().strip()})"
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {platform.node()} since {time.strftime('%H:%M:%S')}")
        lock.flush()
        yield
