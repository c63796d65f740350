"""A task in a worker: what is done around `compute` there, and what becomes of cells whose process died."""

from __future__ import annotations

import os
import re
import signal
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backproof.errors import ResultsError
from backproof.sweeps import components
from backproof.sweeps.case import Case, fingerprint
from backproof.sweeps.limits import STARTED, last_words
from backproof.sweeps.work import Outcome, compute

LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


@dataclass(frozen=True)
class Home:
    """Where a sweep was started: the code that is to compute its cells, and where that is found.

    Attributes:
        fingerprint: of the package's computing code.
        folder: the working directory, which relative paths of data start from.
        path: where somebody's own modules are looked for.
    """

    fingerprint: str
    folder: str
    path: tuple[str, ...]

    @classmethod
    def here(cls) -> Home:
        """That of this process."""
        known = (sys.prefix, sys.base_prefix)
        path = [str(Path(p).absolute()) for p in sys.path if not p.startswith(known)]
        return cls(fingerprint(), str(Path.cwd()), tuple(path))


def in_thread(number: int, cases: Sequence[Case], timeout: float | None) -> tuple[int, list[Outcome]]:
    """Compute a task in a thread of the sweep's own process."""
    return number, compute(cases, timeout)


def in_process(
    number: int, cases: Sequence[Case], timeout: float | None, home: Home, log: Path | None = None
) -> tuple[int, list[Outcome]]:
    """Compute a task in a process that may die of it; `log` is where its last words go.

    Raises:
        ResultsError: if it would be computed by other code than the cells' ids say.
    """
    # An interrupt reaches every process of the terminal; the parent is the one to act on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with last_words(log):
        settle(home, cases)
        return number, compute(cases, timeout)


def elsewhere(
    number: int, cases: Sequence[Case], timeout: float | None, home: Home
) -> tuple[int, list[Outcome]]:
    """Compute a task on a worker that is not ours, on this machine or another.

    Raises:
        ResultsError: if it would be computed by other code than the cells' ids say.
    """
    from threadpoolctl import threadpool_limits

    settle(home, cases)
    with threadpool_limits(1):
        return number, compute(cases, timeout)


def settle(home: Home, cases: Sequence[Case]) -> None:
    """Find modules and files as the sweep's home does, and see to it that they are the same.

    A worker outlives the sweep: it may know a module as an earlier one had it, or may be on a machine that
    has another.
    """
    node = os.uname().nodename
    if fingerprint() != home.fingerprint:
        raise ResultsError(
            f"a worker on {node} has another version of backproof ({fingerprint()}, not {home.fingerprint})"
        )
    if Path(home.folder).is_dir() and Path.cwd() != Path(home.folder):
        os.chdir(home.folder)
    sys.path[:] = [*filter(os.path.exists, home.path), *(p for p in sys.path if p not in home.path)]
    for case in cases:
        if _differing(case):
            components.forget(components.targets_of(case.values).values())
            for target in _differing(case):
                raise ResultsError(
                    f"{target}: its module on {node} is not what it was when the sweep began; run it again"
                )


def _differing(case: Case) -> list[str]:
    """Code of somebody's own that this process has otherwise than the case's id says."""
    targets = components.targets_of(case.values)
    return [targets[key] for key, digest in components.code_of(case.values).items() if digest != case[key]]


@dataclass(frozen=True)
class Death:
    """What is known of a process that died: its last words, and how it ended.

    Attributes:
        started: whether it had begun to compute.
        timed_out: whether it ended because compiled code did not come back in time.
        told: what happened, in words.
        dump: where all its threads stood; empty where nothing could be said.
    """

    started: bool
    timed_out: bool
    told: str
    dump: str

    @classmethod
    def of(cls, log: Path | None, error: BaseException) -> Death:
        """From the worker's log, where it has one, and the error that the executor made of its end."""
        if log is None:
            workers = getattr(error, "allowed_failures", 0) + 1
            return cls(True, False, f"{workers} workers, one after another", "")
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        words, _, dump = text.partition("\n")
        fatal = re.search(r"Fatal Python error: (.+)", dump)
        codes = re.search(r"\{(.+?)\}", str(error))
        how = fatal[1] if fatal else codes[1] if codes else "of memory or in compiled code"
        frames = re.findall(r'File "(.+?)", line (\d+)', dump)
        own = [f for f in frames if not f[0].startswith(LIBRARIES)] or frames
        at = f", at {own[0][0]}:{own[0][1]}" if own else ""
        return cls(words == STARTED, dump.startswith("Timeout"), how + at, dump)

    def outcome(self, case: Case, attempts: int, timeout: float | None) -> Outcome:
        """The row of the cell that it died of."""
        if self.timed_out:
            told = f"took longer than {timeout:g} s (engine.timeout), in code that cannot be interrupted"
            _, _, at = self.told.partition(", ")
            return Outcome(case.id, "timeout", f"{told}, {at}", self.dump, attempts=attempts)
        told = f"the process that computed it died: {self.told}"
        return Outcome(case.id, "killed", told, self.dump or None, attempts=attempts)
