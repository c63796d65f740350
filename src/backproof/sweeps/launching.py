"""The cells of a sweep, computed on an engine of ours or a launcher of Hydra's; a listener hears of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from backproof.errors import ConfigurationError
from backproof.sweeps.execution import Engine, run
from backproof.sweeps.listing import Cell, Listed, unit_of
from backproof.sweeps.products import is_keyword
from backproof.sweeps.status import Status
from backproof.sweeps.store import Store

NOTE_SECONDS = 10
"""Between two notes on a grid that takes long to be looked at."""


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


@dataclass
class Looking:
    """Notes every ten seconds how far a large grid has been looked at."""

    listener: Listener
    started: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    def __call__(self, done: int, number: int) -> None:
        """So many of so many points have been."""
        now = time.monotonic()
        if now - self.last < NOTE_SECONDS or not done:
            return
        self.last, rate = now, done / (now - self.started)
        left = (number - done) / rate
        self.listener.note(f"grid: {done:,} of {number:,} points looked at, {rate:,.0f}/s, {left:.0f} s left")


class Launcher(Protocol):
    """A launcher of Hydra's, which runs each cell as a job of its own."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> object:
        """Run one job for each list of overrides."""
        ...


def on_engine(
    cells: Iterable[Listed], number: int, engine: Engine, store: Store, listener: Listener, *, fail_fast: bool
) -> None:
    """Compute so many cells; each is stored as it comes."""
    with (
        listener.progress(number) as advance,
        closing(run(map(unit_of, cells), engine, store.add)) as tasks,
    ):
        for outcomes in tasks:
            advance(done=len(outcomes), failed=outcomes.failed)
            if outcomes.failed and fail_fast:
                why = next(outcome.error for outcome in outcomes if outcome.status != Status.OK)
                listener.note(f"stopped at the first failure (--fail-fast): {why}")
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
