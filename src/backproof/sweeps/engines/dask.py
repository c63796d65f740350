"""Workers of a Dask cluster, on this machine or on others."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from backproof.errors import ConfigurationError, ResultsError
from backproof.sweeps.deaths import Death
from backproof.sweeps.execution import Engine
from backproof.sweeps.listing import Unit
from backproof.sweeps.pool import Pool
from backproof.sweeps.shards import Packed
from backproof.sweeps.tasks import Task
from backproof.sweeps.workers import Origin, compute_on_cluster

if TYPE_CHECKING:
    from distributed import Client
    from distributed import Future as DaskFuture

WAIT = 10
"""Seconds that a scheduler may take to answer, and its first worker to appear."""


@dataclass(frozen=True)
class Dask(Engine):
    """Workers of a Dask cluster, on this machine or others; `dask scheduler` and `dask worker` start one.

    Attributes:
        address: the scheduler's, as in tcp://127.0.0.1:8786.
    """

    address: str | None = None

    name: ClassVar = "dask"
    can_stop: ClassVar = False  # the workers compute in threads
    isolates: ClassVar = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"([a-z]+://)?[^/\s]+:\d+", str(self.address)):
            raise ConfigurationError(
                "engine.address: must be that of a Dask scheduler, as tcp://127.0.0.1:8786;"
                f" not {self.address!r}"
            )
        if not find_spec("distributed"):
            raise ConfigurationError(
                "engine=dask: needs distributed, which is not installed; pip install 'backproof[dask]'"
            )

    @property
    def workers(self) -> int:
        """How many threads the cluster has."""
        with connected(str(self.address)) as client:
            return sum(client.ncores().values())

    def outcomes(self, tasks: Iterable[Task]) -> Generator[Packed, None, None]:
        """Compute tasks on the cluster. It mentions a worker's death only if a task killed several."""
        from distributed import KilledWorker

        with connected(str(self.address)) as client:
            origin = Origin.here()

            def submit(cases: Sequence[Unit]) -> Future[Packed]:
                # Not client.get_executor(): of a task that is given up it may never report anything.
                found: Future[Packed] = Future()
                submitted = client.submit(compute_on_cluster, cases, origin, pure=False)
                submitted.add_done_callback(partial(_settle, found))
                return found

            at_once = 2 * max(1, sum(client.ncores().values()))
            yield from Pool(submit, at_once, submit, (KilledWorker,), _death, attempts=1).outcomes(tasks)


def _settle(found: Future[Packed], submitted: DaskFuture[Packed]) -> None:
    """Hand on what became of a task; called in a thread of the client's."""
    if not found.set_running_or_notify_cancel():
        return
    try:
        found.set_result(submitted.result())
    except BaseException as error:
        found.set_exception(error)


def _death(error: BaseException) -> Death:
    workers = getattr(error, "allowed_failures", 0) + 1
    return Death(True, False, f"{workers} workers, one after another")


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the scheduler at an address.

    Raises:
        ConfigurationError: if there is none, or it has no worker.
        ResultsError: if the cluster fails later.
    """
    from distributed import Client

    # The death of a worker or of the scheduler, of which the client warns with tracebacks, is dealt with.
    for name in ("distributed", "distributed.client", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"engine.address: no Dask scheduler at {address} ({reason})") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WAIT)
        except TimeoutError as error:
            raise ConfigurationError(
                f"engine.address: the scheduler at {address} has no worker; `dask worker {address}` is one"
            ) from error
        try:
            yield client
        except (RuntimeError, OSError, CancelledError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ResultsError(f"engine.address: the cluster at {address} failed ({reason})") from error
