"""What a session is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backproof.errors import ExitStatus
from backproof.sweeps.composition import CONFIG_NAME


@dataclass(frozen=True)
class Request:
    """A grid, and how it is run.

    Attributes:
        overrides: in Hydra's syntax, with one value or several: `activation=relu,tanh`, `engine=serial`.
        name: the folder for the results; the override `name=…` does the same.
        config_name: the primary configuration.
        retry_failed: whether cells that failed are computed again.
        fail_fast: whether to stop at the first cell that fails.
    """

    overrides: tuple[str, ...] = ()
    name: str | None = None
    config_name: str = CONFIG_NAME
    retry_failed: bool = False
    fail_fast: bool = False


@dataclass(frozen=True)
class PlanResult:
    """What a sweep would do.

    Attributes:
        requested: points of the grid; `duplicates` are equal to another in all that matters.
        excluded: how many cells each reason leaves out.
        done, to_run: cells that the results hold, and cells that they lack.
        tasks, workers: into how many tasks those are cut, and how many run at a time.
        seconds: the expected time, the refinement's included.
        refinement: about how many cells a refinement adds: to rows that are computed what their edges take,
            to others as if each had one.
        tuning: how many cells tuning adds at most to one side, where its best values lie at the ends of the
            grid; the expected time leaves them out.
    """

    folder: Path
    requested: int
    duplicates: int
    excluded: Mapping[str, int]
    done: int
    to_run: int
    tasks: int
    workers: int
    seconds: float
    refinement: int = 0
    tuning: int = 0


@dataclass(frozen=True)
class SweepResult:
    """How a sweep ended.

    Attributes:
        page: the report, and `answer` the sentences that it begins with.
        cells: how many cells the grid has; `failed` and `pending` of them have no result.
        interrupted: whether it was stopped before it was done.
    """

    folder: Path
    page: Path | None
    cells: int
    failed: int
    pending: int
    interrupted: bool
    answer: tuple[str, ...] = ()

    @property
    def status(self) -> ExitStatus:
        """The exit status of the program."""
        if self.interrupted:
            return ExitStatus.INTERRUPTED
        return ExitStatus.SOME_FAILED if self.failed or self.pending else ExitStatus.OK


@dataclass(frozen=True)
class ReportResult:
    """A report, rebuilt, with its answer, and how many cells of its sweep are pending or failed."""

    page: Path
    pending: int
    failed: int
    answer: tuple[str, ...] = ()


@dataclass(frozen=True)
class MergeResult:
    """Folders, merged.

    Attributes:
        cells: in the merged grid; `pending` and `failed` of them have no result.
        shared: cells of which several folders hold results; `differing` of them other ones.
    """

    page: Path
    cells: int
    shared: int
    differing: int
    pending: int
    failed: int
