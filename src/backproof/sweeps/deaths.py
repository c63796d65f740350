"""What is known of a worker process that died, and the row of the cell that it died of."""

from __future__ import annotations

import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from backproof.sweeps.limits import STARTED
from backproof.sweeps.listing import Unit
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.status import Status
from backproof.targets.source import PACKAGE

LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})

UNKNOWN = "out of memory, or in compiled code"


@dataclass(frozen=True)
class Death:
    """The last words of a process, and how it ended.

    Attributes:
        started: whether it had begun to compute.
        timed_out: whether it ended because compiled code did not return in time.
        reason: what happened, in words.
        location: the file and line where it happened; empty where unknown.
        dump: where all its threads were; empty where it left none.
    """

    started: bool
    timed_out: bool
    reason: str
    location: str = ""
    dump: str = ""

    @classmethod
    def of(cls, log: Path, error: BaseException) -> Death:
        """From the worker's log and the error that the executor made of its end."""
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        words, _, dump = text.partition("\n")
        fatal = re.search(r"Fatal Python error: (.+)", dump)
        codes = re.search(r"\{(.+?)\}", str(error))
        reason = fatal[1] if fatal else codes[1] if codes else UNKNOWN
        frames = re.findall(r'File "(.+?)", line (\d+)', dump)
        custom = [f for f in frames if not f[0].startswith((*LIBRARIES, PACKAGE))] or frames
        location = ":".join(custom[0]) if custom else ""
        return cls(words == STARTED, dump.startswith("Timeout"), reason, location, dump)

    def outcome(self, case: Unit, attempts: int, seconds: float | None) -> Outcome:
        """The row of the cell that it died of; `seconds` is what the cell was allowed."""
        if self.timed_out:
            status, error = Status.TIMEOUT, f"took longer than {seconds:g} s (engine.timeout)"
            error += ", in code that cannot be interrupted"
        else:
            status, error = Status.KILLED, f"the process that computed it died: {self.reason}"
        at = f", at {self.location}" if self.location else ""
        return Outcome(case.id, status, error + at, self.dump or None, attempts=attempts)
