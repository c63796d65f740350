"""The cells of a sweep, computed on an engine of ours or a launcher of Hydra's; a listener hears of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Protocol

from backproof.errors import ConfigurationError
from backproof.sweeps.execution import Engine, run
from backproof.sweeps.grid import Cell, is_keyword
from backproof.sweeps.store import Store


class Advance(Protocol):
    """Called when cells are done."""

    def __call__(self, done: int, failed: int) -> None: ...


class Listener(Protocol):
    """What hears of a sweep while it runs."""

    def note(self, text: str) -> None:
        """Something that the user should know, in one line."""
        ...

    def progress(self, cells: int) -> AbstractContextManager[Advance]:
        """So many cells are about to be computed."""
        ...


class Silence:
    """A listener that does nothing."""

    def note(self, text: str) -> None:
        """Drop the note."""

    def progress(self, cells: int) -> AbstractContextManager[Advance]:  # noqa: ARG002
        """Count nothing."""
        return nullcontext(self._advance)

    def _advance(self, done: int, failed: int) -> None:
        """Drop the counts."""


class Launcher(Protocol):
    """A launcher of Hydra's, which runs each cell as a job of its own."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> object:
        """Run one job for each list of overrides."""
        ...


def on_engine(
    cells: Sequence[Cell], engine: Engine, store: Store, listener: Listener, *, fail_fast: bool
) -> None:
    """Compute the cells; each is stored as it comes."""
    with (
        listener.progress(len(cells)) as advance,
        closing(run([cell.case for cell in cells], engine, store.add)) as tasks,
    ):
        for outcomes in tasks:
            failed = [outcome for outcome in outcomes if outcome.status != "ok"]
            advance(done=len(outcomes), failed=len(failed))
            if failed and fail_fast:
                listener.note(f"stopped at the first failure (--fail-fast): {failed[0].error}")
                return


def on_launcher(cells: Sequence[Cell], launcher: Launcher, name: str, listener: Listener) -> None:
    """Hand the cells to a launcher of Hydra's, which gives up when one of its processes dies."""
    jobs = [[*map(_for_job, cell.overrides), f"name={name}"] for cell in cells]
    try:
        launcher.launch(jobs, 0)
    except ConfigurationError:
        raise
    except Exception as error:  # any launcher's own
        reason = " ".join(str(error).split())[:200]
        listener.note(f"the launcher gave up ({type(error).__name__}: {reason}); what is finished is kept")


def _for_job(override: str) -> str:
    """An override as Hydra takes it: keywords of a function from outside are in no file, and are added."""
    return f"++{override}" if is_keyword(override.partition("=")[0]) else override
