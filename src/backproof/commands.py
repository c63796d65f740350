"""What the commands do, once their arguments are parsed: sweep, plan, check, report."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape

from backproof import paths
from backproof.cli import as_typed, of_function
from backproof.differences.function import FunctionError
from backproof.interruption import interruptible
from backproof.progress import progress
from backproof.sweeps import experiment as experiments
from backproof.sweeps.columns import EXTRA, RESULTS
from backproof.sweeps.database import FILE as STORE_FILE
from backproof.sweeps.engine import BACKENDS, Engine, run, tasks_of
from backproof.sweeps.experiment import Experiment
from backproof.sweeps.grid import Cell, Grid, expand
from backproof.sweeps.provenance import provenance
from backproof.sweeps.settings import ConfigurationError, ResultsError, is_public, nearest
from backproof.sweeps.store import Store, read_only
from backproof.sweeps.subject import is_function
from backproof.sweeps.work import compute, judged_function

OK, SOME_FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: all cells are there; some cell failed; wrong arguments, nothing ran; interrupted."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Request:
    """A grid as the command line asks for it.

    Attributes:
        loader: Hydra's, which composes configurations.
        arguments: overrides, those of Hydra itself left out.
        folders: configuration folders, searched for experiments.
    """

    loader: Any
    config_name: str
    arguments: list[str]
    name: str | None
    experiment: str | None
    engine: dict[str, Any]
    folders: list[str]
    flags: frozenset[str] = frozenset()


def experiment_of(request: Request) -> Experiment | None:
    """The experiment that the request names, if it names one."""
    if request.experiment is None:
        return None
    folders = paths.experiment_folders([Path(f) for f in request.folders])
    return experiments.load(experiments.find(str(request.experiment), folders))


def folder_of(request: Request) -> Path:
    """results/NAME for this request."""
    name = str(request.name or request.experiment or "sweep")
    folder = paths.results_folder(name)
    if folder is None:
        raise ConfigurationError(
            f"name: must be a folder name of letters, digits, '.', '_' and '-'; not '{name}'"
        )
    return folder


def engine_of(request: Request) -> Engine:
    """The engine that the request configures."""
    backend, jobs = request.engine.get("backend"), request.engine.get("jobs")
    if backend not in BACKENDS:
        hint = nearest(str(backend), BACKENDS)
        raise ConfigurationError(
            f"engine.backend: must be one of {', '.join(BACKENDS)}; not {backend!r}{hint}"
        )
    if not isinstance(jobs, int) or isinstance(jobs, bool) or jobs == 0:
        raise ConfigurationError(f"engine.jobs: must be a whole number other than 0; not {jobs!r}")
    timeout = request.engine.get("timeout")
    if timeout is not None:
        number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
        if not number or not 0 < timeout < float("inf"):
            raise ConfigurationError(f"engine.timeout: must be null or seconds > 0; not {timeout!r}")
        if backend in ("threading", "dask"):
            raise ConfigurationError("engine.timeout: threads cannot be stopped; use engine=loky or serial")
    address = request.engine.get("address")
    if backend == "dask" and not re.fullmatch(r"([a-z]+://)?[^/\s]+:\d+", str(address)):
        raise ConfigurationError(
            f"engine.address: must be that of a Dask scheduler, as tcp://127.0.0.1:8786; not {address!r}"
        )
    return Engine(str(backend), jobs, timeout, str(address))


def sweep(request: Request, launcher: Any = None) -> int:
    """Run what is missing of a grid, then write the tables and the report."""
    folder, engine, experiment = folder_of(request), engine_of(request), experiment_of(request)
    grid = _grid(request, experiment)
    with Store(folder) as store, _alone(folder), interruptible():
        if store.note:
            err.print(f"note: {escape(store.note)}")
        store.announce(grid.cells)
        todo = _missing(store, grid, "retry-failed" in request.flags)
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
    _note_idle(grid)
    other = store.of_other_code()
    if other:
        err.print(f"note: {other} of these cells are there by other code too; that is kept, and not mixed in")
    excluded = sum(c.excluded is not None for c in grid.cells)
    there = len(grid.cells) - excluded - len(todo)
    err.print(f"{folder}: {_count(grid)}; {there} already there, {len(todo)} to run")


def plan(request: Request, _launcher: Any = None) -> int:
    """Say what `sweep` would do with the same arguments; runs nothing and writes nothing."""
    folder, engine, experiment = folder_of(request), engine_of(request), experiment_of(request)
    grid = _grid(request, experiment)
    todo, measured = [c for c in grid.cells if not c.excluded], None
    if (folder / STORE_FILE).is_file():
        with read_only(folder) as store:
            todo = _missing(store, grid, "retry-failed" in request.flags)
            measured = store.mean_seconds()
    _note_idle(grid)
    excluded = [c for c in grid.cells if c.excluded]
    out.print(f"{grid.requested} points in the grid of {folder}")
    out.print(f"  {grid.duplicates} duplicates: equal to another point in every setting that can matter")
    out.print(f"  {len(excluded)} excluded")
    for reason in dict.fromkeys(c.excluded for c in excluded):
        count = sum(c.excluded == reason for c in excluded)
        out.print(f"    {count}: {escape(str(reason))}")
    out.print(f"  {len(grid.cells) - len(excluded) - len(todo)} done")
    tasks = tasks_of(c.case for c in todo)
    seconds = measured * len(todo) if measured else sum(seconds for seconds, _ in tasks)
    out.print(f"  {len(todo)} to run, in {len(tasks)} tasks on {engine.workers} workers")
    out.print(f"expected time: about {_duration(seconds / engine.workers)}")
    return OK


def check(request: Request, _launcher: Any = None) -> int:
    """One case in the terminal: verdict, a table per weight tensor, what training makes of it."""
    if request.experiment is not None:
        raise ConfigurationError("experiment: check takes one case, not an experiment; use sweep or plan")
    grid = _grid(request, None)
    if len(grid.cells) != 1:
        raise ConfigurationError(f"check takes one case; these arguments span {len(grid.cells)} (use sweep)")
    from backproof import terminal

    folder, cell = _check_folder(request), grid.cells[0]
    if is_function(cell.case.values):
        return _check_function(cell, request)
    finding = terminal.find(cell)
    if "json" in request.flags:
        print(terminal.as_json(finding, cell))
    else:
        terminal.show(finding, cell, out)
    if "plot" in request.flags:
        from backproof.reports.evidence import write_evidence

        curves, parameters = terminal.curves_of(finding, cell), terminal.parameters_of(finding, cell)
        for path in write_evidence(folder, curves, parameters):
            err.print(f"written: {path}")
    return OK if finding.agrees else SOME_FAILED


def _check_function(cell: Cell, request: Request) -> int:
    """The same for somebody else's function."""
    from backproof.api import Check

    try:
        function, judgement = judged_function(cell.case)
    except FunctionError as error:
        raise ConfigurationError(str(error)) from error
    found = Check(judgement, function)
    if "json" in request.flags:
        print(found.as_json(case=cell.case.values, command=cell.command))
    else:
        out.print(escape(repr(found)))
        out.print(f"\n{escape(cell.command)}", style="dim")
    if "plot" in request.flags:
        folder = _check_folder(request)
        folder.mkdir(parents=True, exist_ok=True)
        found.parameters().to_csv(folder / "parameters.csv", index=False)
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
        _write_results(store, folder)
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


def _grid(request: Request, experiment: Experiment | None) -> Grid:
    folders = [f for f in request.folders if Path(f) != paths.conf()]
    own = [f"--config-dir={f}" for f in folders[:1]]
    own += [f"hydra.searchpath=[{','.join(folders[1:])}]"] * bool(folders[1:])
    grid = expand(request.loader, request.config_name, request.arguments, experiment, own)
    if experiment:
        from backproof.reports.validation import (  # pandas: only where needed
            validate_claims,
            validate_figures,
        )

        settings = {k for c in grid.cells for k in c.case.values if is_public(k)}
        columns = [*settings, "cell", *RESULTS, *EXTRA]
        validate_claims(experiment.claims, columns)
        validate_figures(experiment.figures, columns)
    return grid


def _note_idle(grid: Grid) -> None:
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


def _missing(store: Store, grid: Grid, retry_failed: bool) -> list[Cell]:
    known = store.statuses(c.case.id for c in grid.cells)
    wanted = {"pending", "failed", "killed", "timeout"} if retry_failed else {"pending"}
    return [c for c in grid.cells if not c.excluded and known.get(c.case.id, "pending") in wanted]


def _run_on_engine(store: Store, todo: Sequence[Cell], engine: Engine, fail_fast: bool) -> None:
    if not todo:
        return
    with progress(len(todo)) as advance, closing(run([c.case for c in todo], engine, store.add)) as found:
        for outcomes in found:
            failed = [o for o in outcomes if o.status != "ok"]
            advance(done=len(outcomes), failed=len(failed))
            if failed and fail_fast:
                err.print(f"stopped at the first failure (--fail-fast): {escape(str(failed[0].error))}")
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
    write_text(folder / "provenance.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def write_text(path: Path, text: str) -> None:
    """Write a file whole: under another name first, so that no half of it is ever seen."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _finish(store: Store, folder: Path, grid: Grid) -> int:
    _write_results(store, folder)
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


def _write_results(store: Store, folder: Path) -> None:
    from backproof.reports.write import write_report  # matplotlib: only once there is something to draw

    cells, curves, tensors = store.cells(), store.curves(), store.tensors()
    _write_tables(folder, cells, curves, tensors)
    about, experiment = (json.loads(store.meta(key) or "{}") for key in ("provenance", "experiment"))
    write_report(folder, cells, curves, experiment, about, store.pending())


def _write_tables(folder: Path, cells: Any, curves: Any, tensors: Any) -> None:
    import pyarrow.parquet as pq

    for name, write in (
        ("cells.parquet", cells.to_parquet),
        ("cells.csv", lambda path: cells.to_csv(path, index=False)),
        ("curves.parquet", lambda path: pq.write_table(curves, path)),
        ("tensors.parquet", tensors.to_parquet),
    ):
        temporary = folder / f"{name}.part"
        write(temporary)
        temporary.replace(folder / name)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that no second sweep runs into it at the same time.

    The system drops the lock with the process, however it ends.
    """
    import fcntl

    with (folder / ".lock").open("a+") as lock:
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


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
