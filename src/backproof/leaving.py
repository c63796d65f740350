"""How a process of ours ends: once all else is done, without freeing what it holds.

To take tables and libraries apart, object by object, takes half a second, in which whoever waits for it waits
for nothing. mypy ends in the same way.
"""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress

_statuses: list[int] = []


def without_freeing(status: int) -> None:
    """Let this process end so, with a status."""
    _statuses.append(status)


@atexit.register  # what is registered later is called before, so whoever uses this imports it first
def _leave() -> None:
    if not _statuses:
        return
    with suppress(OSError, ValueError):  # whoever read may be gone; the interpreter says so, as ever
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(_statuses[-1])
