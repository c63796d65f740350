"""A new process for every call, forked from a server that has imported nothing of the user's."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import ParamSpec, TypeVar

from backproof.sweeps.engines.processes import ONE_THREAD
from backproof.sweeps.parents import end_with_pipe, heed_no_signals, signals_wait

P = ParamSpec("P")
Result = TypeVar("Result")


class DiedError(Exception):
    """A process ended before it had a result; the message says how, in braces."""


class OwnProcesses:
    """So many calls at once, each in a process of its own."""

    def __init__(self, number: int) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["backproof.sweeps.workers"])
        resource_tracker.ensure_running()  # which lets signals through again once it has started
        with _environment(ONE_THREAD), signals_wait():
            forkserver.ensure_running()
        self._waiting = ThreadPoolExecutor(number)
        self._at_work: set[BaseProcess] = set()

    def submit(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Future[Result]:
        """Call a function in a new process.

        Raises:
            DiedError: by the future, if the process ends without a result.
        """
        return self._waiting.submit(self._result, function, args, kwargs)

    def stop(self) -> None:
        """End all of them, also those at work."""
        self._waiting.shutdown(wait=False, cancel_futures=True)
        for process in list(self._at_work):
            process.kill()

    def _result(self, function: Callable[..., Result], args: tuple[object, ...], kwargs: object) -> Result:
        receiver, sender = self._context.Pipe(duplex=False)
        # Nothing is ever written here: the system signals its reader when this process ends, however it does.
        lifeline, alive = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_send, args=(lifeline, sender, function, args, kwargs))
        process.start()
        sender.close()
        lifeline.close()
        self._at_work.add(process)
        try:
            found, error = receiver.recv()
        except EOFError:
            process.join()
            raise DiedError(f"{{{_how(process.exitcode or 0)}}}") from None
        finally:
            process.join()
            self._at_work.discard(process)
            receiver.close()
            alive.close()
        if error is not None:
            raise error
        return found  # type: ignore[no-any-return]


def _send(
    lifeline: Connection,
    sender: Connection,
    function: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    """In the new process: the result or the error of a call."""
    heed_no_signals()
    end_with_pipe(lifeline.fileno())
    answer: tuple[object, Exception | None]
    try:
        answer = (function(*args, **kwargs), None)
    except Exception as error:
        answer = (None, error)
    sender.send(answer)


def _how(code: int) -> str:
    return f"{signal.Signals(-code).name}({code})" if code < 0 else f"EXIT({code})"


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """With these variables, for a process that is started within."""
    kept = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
