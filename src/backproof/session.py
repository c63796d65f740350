"""The application: sweep, plan, check, report and compare on typed input, with typed answers.

The command line, the Hydra plugin and the Python interface adapt to this and print; nothing is printed here.
Notes and progress go to a `Listener`.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backproof import paths
from backproof.errors import ConfigurationError, FolderGoneError, FunctionError, ResultsError
from backproof.reports import drawers
from backproof.reports.lengths import inches
from backproof.requests import MergeResult, PlanResult, ReportResult, Request, SweepResult
from backproof.sweeps import experiment as experiments
from backproof.sweeps.columns import RESULTS
from backproof.sweeps.composition import Composition, composed, study_of
from backproof.sweeps.database import FILE as STORE_FILE
from backproof.sweeps.description import Description
from backproof.sweeps.engines import engine_of, processes
from backproof.sweeps.execution import Engine
from backproof.sweeps.experiment import Experiment
from backproof.sweeps.grid import Grid
from backproof.sweeps.interruption import interruptible
from backproof.sweeps.launching import Launcher, Listener, Looking, Silence, on_engine, on_launcher
from backproof.sweeps.listing import Cell, unit_of
from backproof.sweeps.locking import alone
from backproof.sweeps.merging import merge, require_sweeps
from backproof.sweeps.one_case import check_cell
from backproof.sweeps.optimisation import Best, Optimisation, require_optuna
from backproof.sweeps.overrides import is_public
from backproof.sweeps.points import Points
from backproof.sweeps.provenance import changed_since
from backproof.sweeps.refinement import Refinement, expected_cells, refinement_of
from backproof.sweeps.refining import Adding, extending, halving, planned
from backproof.sweeps.status import Status
from backproof.sweeps.store import Store, read_only
from backproof.sweeps.tasks import tasks_of
from backproof.sweeps.tuning import Tuning, most_extensions, tuning_of
from backproof.sweeps.work import compute
from backproof.verdicts.check import Check

if TYPE_CHECKING:
    from backproof.reports.compared import ComparisonResult
    from backproof.reports.history_page import HistoryResult
    from backproof.reports.several import SeveralResult

DEFAULT_NAME = "sweep"
"""The folder of a sweep without a name and an experiment."""

LEAST_EARLY = 200
"""Points of a grid that takes so long to be looked at that workers start meanwhile."""

FILE = "file://"
"""How the address of a folder begins."""


@dataclass(frozen=True)
class Asked:
    """A request, composed and validated.

    Attributes:
        added: the cells that a refinement or tuning adds and that come next, in place of the grid's.
    """

    folder: Path
    engine: Engine
    experiment: Experiment | None
    grid: Grid
    composition: Composition
    refinement: Refinement | None = None
    tuning: Tuning | None = None
    added: tuple[Cell, ...] = ()

    @property
    def cells(self) -> Sequence[Cell]:
        """The cells that may be computed now."""
        return self.added or self.grid.cells


@dataclass
class _StartsEarly:
    """Starts an engine's workers once a grid of many points begins to be looked at."""

    engine: Engine
    experiment: Experiment | None
    looking: Looking
    started: bool = False

    def __call__(self, done: int, points: int) -> None:
        """So many of so many points have been looked at."""
        if not self.started and points >= LEAST_EARLY:
            self.started = True
            content = self.experiment.content if self.experiment else {}
            figures = drawers.expected_figures(content, points)
            self.engine.start_early(drawers.load_tables, drawers.drawing_processes(figures, points))
        self.looking(done, points)

    @contextmanager
    def unless_wrong(self) -> Iterator[None]:
        """Within, an error ends what was started, which else the program would wait for."""
        try:
            yield
        except BaseException:
            if self.started:
                processes.stop()
            raise


@dataclass(frozen=True)
class Session:
    """Where things are: the folder of all results, and folders of configuration files beside our own.

    Attributes:
        searchpath: as Hydra writes it: `file:///home/me/conf`, `pkg://mine.conf`.
    """

    results: Path = paths.RESULTS
    searchpath: tuple[str, ...] = ()
    listener: Listener = field(default_factory=Silence)

    def folder_of(self, name: str) -> Path:
        """The folder of the results of that name.

        Raises:
            ConfigurationError: if it is no plain name.
        """
        if not paths.is_plain(name):
            raise ConfigurationError(
                f"name: must be a folder name of letters, digits, '.', '_' and '-'; not '{name}'"
            )
        return self.results / name

    def plan(self, request: Request) -> PlanResult:
        """What `sweep` would do with the same request; runs nothing and writes nothing."""
        asked = self._asked(request)
        grid, measured, known, refinement = asked.grid, None, set[str](), 0
        if (asked.folder / STORE_FILE).is_file():
            with read_only(asked.folder) as store:
                known, measured = set(store.computed(failed=not request.retry_failed)), store.mean_seconds()
                if asked.refinement is not None:
                    stored = store.cells(pending=True)
                    refinement = expected_cells(asked.refinement, planned(grid.cells, stored))
        elif asked.refinement is not None:
            refinement = expected_cells(asked.refinement, planned(grid.cells))
        self._note_idle(grid)
        wanted = grid.size - grid.excluded.total()
        done = sum(c.id in known for c in grid.listed() if c.excluded is None) if known else 0
        sample = [c for c in grid.sample if c.excluded is None]
        todo = [unit_of(c) for c in sample if c.id not in known]
        tasks, workers = tasks_of(todo), asked.engine.workers
        share = len(sample) / wanted if sample else 1.0
        each = measured or sum(task.seconds for task in tasks) / max(len(todo), 1)
        return PlanResult(
            folder=asked.folder,
            requested=grid.requested,
            duplicates=grid.duplicates,
            excluded=grid.excluded,
            done=done,
            to_run=wanted - done,
            tasks=round(len(tasks) / share),
            workers=workers,
            seconds=each * (wanted - done + refinement) / workers,
            refinement=refinement,
            tuning=most_extensions(asked.tuning, planned(grid.cells)) if asked.tuning else 0,
        )

    def check(self, request: Request) -> Check:
        """Check and train one case.

        Raises:
            ConfigurationError: if the request names an experiment or spans several cells, or the function
                under test does what no loss or gradient does.
        """
        try:
            return check_cell(self.cell(request))
        except FunctionError as error:
            raise ConfigurationError(str(error)) from error

    def cell(self, request: Request) -> Cell:
        """The one cell of a request.

        Raises:
            ConfigurationError: if it names an experiment, or spans several cells.
        """
        composition = self._composed(request, one_case=True)
        if composition.experiment is not None:
            raise ConfigurationError("experiment: check takes one case, not an experiment; use sweep or plan")
        cells = composition.grid().cells
        if len(cells) != 1:
            raise ConfigurationError(f"check takes one case; these arguments span {len(cells)} (use sweep)")
        return cells[0]

    def cells(self, request: Request) -> list[Cell]:
        """Every cell of a request, excluded ones too; runs nothing.

        Raises:
            ConfigurationError: if anything about any cell is wrong.
        """
        return self._asked(request).grid.cells

    def sweep(self, request: Request, launcher: Launcher | None = None) -> SweepResult:
        """Compute the cells that the results lack, on the engine or a launcher, then write tables and report.

        Raises:
            ConfigurationError: if anything about any cell is wrong, or another sweep runs in that folder.
            ResultsError: if the sweep cannot go on.
        """
        asked = self._asked(request, begins=launcher is None)
        grid, folder, listener = asked.grid, asked.folder, self.listener
        with Store(folder) as store, alone(folder), interruptible(asked.engine.grace):
            if store.note:
                listener.note(f"note: {store.note}")
            store.announce(grid.listed())
            todo = store.plan_work(retry_failed=request.retry_failed)
            self._note_start(store, asked, todo)
            self._description(request, asked).keep(store, folder)

            def action() -> None:
                self._run(todo, request, asked, store, launcher)
                if not store.pending():
                    self._add(request, asked, store, launcher)

            return self._finished(store, folder, self._interrupted(action))

    def _interrupted(self, action: Callable[[], None]) -> bool:
        """Whether an action was; where it was, or the engine failed, what is stored can be shown."""
        try:
            action()
        except KeyboardInterrupt:
            self.listener.note(
                "interrupted: what is finished is kept, and the same command goes on from here"
            )
            return True
        except FolderGoneError:
            raise
        except ResultsError as error:
            self.listener.note(f"stopped: {error}; what is finished is kept")
        return False

    def optimise(self, request: Request) -> tuple[SweepResult, Best | None]:
        """Compute the trials that Optuna asks for, as cells, then write tables and report; and the best one.

        Raises:
            ConfigurationError: if Optuna is not installed, or anything about study or trials is wrong.
            ResultsError: if it cannot go on.
        """
        require_optuna()
        study, overrides = study_of(request.overrides)
        asked = self._asked_to_optimise(replace(request, overrides=overrides))
        space, fixed = asked.composition.space()
        every = Experiment(name="")
        optimisation = Optimisation(
            study, space, fixed, lambda each: asked.composition.cells(each, every, ())
        )
        cells = optimisation.ask()
        optimisation.require_objective(cells)
        with Store(asked.folder) as store, alone(asked.folder), interruptible(asked.engine.grace):
            store.announce([])
            self._description(request, asked).keep(store, asked.folder)

            def action() -> None:
                asks = cells
                while asks:
                    self._trials(asks, request, asked, store)
                    optimisation.tell(store.cells(pending=True))
                    asks = optimisation.ask()

            interrupted = self._interrupted(action)
            result = self._finished(store, asked.folder, interrupted)
        return result, optimisation.best

    def _trials(self, cells: Sequence[Cell], request: Request, asked: Asked, store: Store) -> None:
        """Compute those of the trials' cells that are not there."""
        distinct = list({cell.case.id: cell for cell in cells}.values())
        store.announce(distinct, append=True)
        todo = store.plan_work(retry_failed=request.retry_failed, only=[cell.case.id for cell in distinct])
        self._run(todo, request, asked, store, None)

    def _asked_to_optimise(self, request: Request) -> Asked:
        composition = self._composed(request)
        if composition.experiment is not None:
            raise ConfigurationError(
                "experiment: has a grid of its own, and hydra/sweeper=optuna chooses cells"
            )
        folder = self.folder_of(request.name or composition.named or DEFAULT_NAME)
        return Asked(folder, engine_of(composition.engine), None, Grid(Points((), ())), composition)

    def _run(
        self, todo: int, request: Request, asked: Asked, store: Store, launcher: Launcher | None
    ) -> None:
        """Compute the cells that the store has put in order."""
        if todo and launcher is not None:
            wanted = {cell.id for cell in store.todo()}
            cells = [cell for cell in asked.cells if cell.case.id in wanted]
            on_launcher(cells, launcher, asked.folder.name, self.listener)
        elif todo:
            on_engine(store.todo(), todo, asked.engine, store, self.listener, fail_fast=request.fail_fast)

    def _add(self, request: Request, asked: Asked, store: Store, launcher: Launcher | None) -> None:
        """Add the cells of a refinement or of tuning, round by round, and compute them."""
        adding = _adding(asked, store)
        if adding is None:
            return
        while found := adding.round():
            todo = store.plan_work(retry_failed=request.retry_failed, only=[cell.case.id for cell in found])
            if todo:
                s, axis = "s" if todo != 1 else "", adding.axis
                refining, tuning = f"{todo} edge{s} to halve", f"{todo} cell{s} beyond the grid"
                self.listener.note(
                    f"refining {axis}: {refining}" if adding.refined else f"tuning {axis}: {tuning}"
                )
            self._run(todo, request, replace(asked, added=tuple(found)), store, launcher)

    def _finished(self, store: Store, folder: Path, interrupted: bool) -> SweepResult:
        page: Path | None = None
        answer: tuple[str, ...] = ()
        store.require_folder()
        try:
            page, answer = _write_report(store, folder)
        except KeyboardInterrupt:
            interrupted = True
            self.listener.note(f"interrupted: `backproof report {folder}` writes tables and report")
        except OSError as error:
            raise ResultsError(
                f"{folder}: the report cannot be written ({error}); the cells are stored,"
                f" and `backproof report {folder}` writes it"
            ) from error
        return SweepResult(folder, page, store.size(), store.failed(), store.pending(), interrupted, answer)

    def compute(self, cell: Cell, name: str) -> float:
        """Compute and store one cell, a job of Hydra's; returns its gradient error."""
        with Store(self.folder_of(name)) as store:
            store.announce([cell], append=True)
            if store.statuses([cell.case.id])[cell.case.id] is Status.PENDING:
                store.add(compute([cell.case]))
            return store.gradient_error(cell.case.id)

    def report(self, folder: Path, width: str | None = None) -> ReportResult:
        """Rebuild tables, figures and report from what is stored, also while a sweep runs.

        Args:
            width: of every figure, as 85mm or 3.35in; by default its content chooses it.

        Raises:
            ConfigurationError: if the folder holds no sweep, or the width is none.
            OSError: if the report cannot be written.
        """
        across = inches("width", width) if width is not None else None
        with read_only(folder) as store:
            page, answer = _write_report(store, folder, across)
            return ReportResult(page, store.pending(), store.failed(), answer)

    def index(self, folder: Path) -> Path | None:
        """An index of the sweeps in a folder, which is no sweep itself; None where it is one, or holds none.

        Raises:
            OSError: if it cannot be written.
        """
        from backproof.reports.index import holds_sweeps, write_index  # Jinja2: only where needed

        return write_index(folder) if holds_sweeps(folder) else None

    def merge(self, folders: Sequence[Path], name: str) -> MergeResult:
        """The cells of several results folders in a new one, with tables and a report.

        Raises:
            ConfigurationError: if a folder holds no sweep, or the new one is there already.
            OSError: if the report cannot be written.
        """
        target = self.folder_of(name)
        require_sweeps(folders, target)
        try:
            with Store(target) as store:
                found = merge(folders, store)
                page, _ = _write_report(store, target)
                counts = store.pending(), store.failed()
        except BaseException:  # a part of it would pass for the whole
            shutil.rmtree(target, ignore_errors=True)
            raise
        return MergeResult(page, found.cells, found.shared, found.differing, *counts)

    def compare(self, a: Path, b: Path) -> ComparisonResult:
        """What changed from sweep A to sweep B, cell by cell; writes a page into B's folder.

        Raises:
            ConfigurationError: if there is no sweep in one of the folders.
            OSError: if the page cannot be written.
        """
        from backproof.reports.compared import compare_folders  # pandas: only where needed

        return compare_folders(a, b)

    def compare_several(self, folders: Sequence[Path]) -> SeveralResult:
        """What changed in sweeps against the first one; writes a page into the last folder.

        Raises:
            ConfigurationError: if there is no sweep in one of the folders, or they are too many.
            OSError: if the page cannot be written.
        """
        from backproof.reports.several import MOST_SWEEPS, compare_several

        if len(folders) > MOST_SWEEPS:
            raise ConfigurationError(
                f"compare: takes {MOST_SWEEPS} results folders at most; not {len(folders)}"
            )
        return compare_several(folders)

    def history(self, folders: Sequence[Path], output: Path | None = None) -> HistoryResult:
        """The steps in a sweep over commits; writes a page into `output`, else into the last folder.

        Raises:
            ConfigurationError: if a folder holds no sweep, or they hold less than two results together.
            OSError: if the page cannot be written.
        """
        from backproof.reports.history_page import write_history

        return write_history(folders, output)

    def make_importable(self) -> None:
        """Let modules in the working directory and in folders of configuration files be imported.

        A `_target_` may be one of them. Afterwards they stay importable, as workers need them too.
        """
        folders = [Path(p.removeprefix(FILE)) for p in self.searchpath if p.startswith(FILE)]
        for folder in (Path.cwd(), *folders):
            if str(folder) not in sys.path:
                sys.path.append(str(folder))

    def _composed(self, request: Request, *, one_case: bool = False) -> Composition:
        self.make_importable()
        return composed(request.overrides, request.config_name, self.searchpath, one_case=one_case)

    def _asked(self, request: Request, *, begins: bool = False) -> Asked:
        """A request, composed and validated; where a sweep `begins` with it, its workers start meanwhile.

        They do not where there are results, which may be complete.
        """
        composition = self._composed(request)
        name = request.name or composition.named or DEFAULT_NAME
        folder, engine, experiment = self.folder_of(name), engine_of(composition.engine), None
        if composition.experiment is not None:
            known = paths.experiment_folders(composition.folders)
            others = composition.composer.options("experiment")
            experiment = experiments.load(experiments.find(composition.experiment, known, others))
            experiment = experiment.unrefined() if composition.unrefined else experiment
        starts = _StartsEarly(engine, experiment, Looking(self.listener))
        begins = begins and not (folder / STORE_FILE).is_file()
        with starts.unless_wrong():
            grid = composition.grid(experiment, starts if begins else starts.looking)
            refinement = tuning = None
            if experiment:
                _validate_report(experiment, grid)
                if experiment.refine is not None:
                    refinement = refinement_of(experiment.refine, planned(grid.cells))
                if experiment.tune is not None:
                    tuning = tuning_of(experiment.tune, planned(grid.cells))
        return Asked(folder, engine, experiment, grid, composition, refinement, tuning)

    def _note_start(self, store: Store, asked: Asked, todo: int) -> None:
        self._note_idle(asked.grid)
        other = store.of_other_code()
        if other:
            changed = ", ".join(changed_since(store.record("provenance"))) or "modules of your own"
            self.listener.note(
                f"note: {other} of these cells are there by other code too (changed since: {changed});"
                " that is kept, and not mixed in"
            )
        grid = asked.grid
        there = grid.size - grid.excluded.total() - todo
        self.listener.note(f"{asked.folder}: {_count(grid)}; {there} already there, {todo} to run")

    def _note_idle(self, grid: Grid) -> None:
        for key in grid.idle:
            self.listener.note(f"note: {key} makes no difference to any of these cells")

    def _description(self, request: Request, asked: Asked) -> Description:
        experiment = asked.experiment
        return Description(
            command=shlex.join(["backproof", "sweep", *asked.composition.options, *request.overrides]),
            name=request.name or asked.composition.named,
            experiment=experiment.content if experiment else None,
            defaults=asked.composition.composer.base,
            overrides=request.overrides,
            engine=asked.composition.engine,
        )


def _adding(asked: Asked, store: Store) -> Adding | None:
    """What adds cells to a sweep's grid; None where nothing does."""
    experiment = asked.experiment
    if experiment is None or (asked.refinement is None and asked.tuning is None):
        return None
    cells = list(asked.grid.cells)
    known = {key for cell in cells for key in cell.case.flat() if is_public(key)}

    def compose(overrides: Sequence[Sequence[str]]) -> list[Cell]:
        return asked.composition.cells(overrides, experiment, known)

    if asked.refinement is not None:
        axis, wanted = asked.refinement.axis, halving(asked.refinement)
        return Adding(experiments.REFINE, axis, wanted, True, store, cells, compose)
    assert asked.tuning is not None, "one of the two adds cells"
    axis, wanted = asked.tuning.axis, extending(asked.tuning, cells)
    return Adding(experiments.TUNE, axis, wanted, False, store, cells, compose)


def _count(grid: Grid) -> str:
    words = [f"{grid.size} cell{'s' if grid.size != 1 else ''}"]
    if grid.duplicates:
        words.append(f"{grid.duplicates} duplicate{'s' if grid.duplicates != 1 else ''}")
    if grid.excluded:
        words.append(f"{grid.excluded.total()} excluded")
    return ", ".join(words)


def _validate_report(experiment: Experiment, grid: Grid) -> None:
    from backproof.reports.claims import claims_of, require_figures  # pandas: only where needed
    from backproof.reports.labels import shipped
    from backproof.reports.live import live_text
    from backproof.reports.specification import figure_specs

    settings = {key for key in grid.keys if is_public(key)}
    columns = [*settings, "cell", *RESULTS]
    live_text("answer", experiment.answer, columns)
    labels = shipped().with_those_of(experiment.axes, settings)
    figures = [figure.title for figure in figure_specs(experiment.figures, columns, labels)]
    require_figures(claims_of(experiment.claims, columns), figures)


def _write_report(store: Store, folder: Path, width: float | None = None) -> tuple[Path, tuple[str, ...]]:
    """The page, once it is written, and the sentences of its answer."""
    from backproof.reports.results import write_results  # pandas: only once there is something to write

    answer = write_results(store, folder, width)
    return folder / "report.html", answer
