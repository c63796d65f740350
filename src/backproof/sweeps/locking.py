"""One sweep at a time in a results folder."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backproof.errors import ConfigurationError
from backproof.files import open_plain


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system drops it with the process, however that ends.

    Raises:
        ConfigurationError: if another process holds it.
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
