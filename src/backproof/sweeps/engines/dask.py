"""Workers of a Dask cluster, on this machine or on others, as a backend of joblib."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from backproof.errors import ConfigurationError

WAIT = 10
"""Seconds that a scheduler may take to answer, and its first worker to appear."""

try:
    import distributed
    from joblib._dask import DaskDistributedBackend
except ImportError as missing:
    raise ConfigurationError(
        f"engine=dask: needs {missing.name}, which is not installed; pip install 'backproof[dask]'"
    ) from missing

DIED = (distributed.KilledWorker,)
"""What Dask says of a task whose workers died several times; it does not mention a single death."""

NAME = "backproof-dask"

# What it warns of, a worker that died, is dealt with.
logging.getLogger("distributed.client").setLevel(logging.ERROR)


class Lost:
    """In the place of a result: the error with which a task ended."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def call(items: Sequence[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]) -> list[Any]:
    """Run a batch of joblib's on a worker."""
    return [function(*args, **more) for function, args, more in items]


class Backend(DaskDistributedBackend):  # type: ignore[misc]
    """joblib's, which hangs when Dask gives up a task, and runs a single worker's tasks in this process."""

    def start_call(self) -> None:
        """Called by joblib before the first batch."""
        super().start_call()
        self.submitted: set[Any] = set()

    def effective_n_jobs(self, n_jobs: int) -> int:
        """The number of workers; at least two, since joblib keeps a single one's tasks in this process."""
        return max(2, int(super().effective_n_jobs(n_jobs)))

    def submit(self, func: Any, callback: Callable[[Any], None]) -> Any:
        """Hand a batch to the scheduler; the callback gets its result, or the error that it ended with."""
        future = self.client.submit(call, func.items, pure=False)
        self.submitted.add(future)

        def told(done: Any) -> None:
            try:
                found = done.result()
            except BaseException as error:
                found = Lost(error)
            self.submitted.discard(done)
            callback(found)

        future.add_done_callback(told)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """The result of a batch, or the error that it ended with."""
        if isinstance(out, Lost):
            raise out.error
        return out

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Let go of what is still to be computed."""
        del ensure_ready  # the workers are not ours to start again
        self.client.cancel(list(self.submitted))


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the scheduler at an address.

    Raises:
        ConfigurationError: if there is none, or it has no worker.
    """
    connect: Any = distributed.Client
    try:
        client = connect(address, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        told = " ".join(str(error).split())
        raise ConfigurationError(f"engine.address: no Dask scheduler at {address} ({told})") from error
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
            told = " ".join(str(error).split()) or type(error).__name__
            raise ConfigurationError(f"engine.address: the cluster at {address} failed ({told})") from error


def registered(client: Any) -> str:
    """The name by which joblib knows this client's workers."""
    from joblib import register_parallel_backend

    register_parallel_backend(NAME, lambda **given: Backend(client=client, **given))
    return NAME
