"""Tasks on an executor whose processes may die: every other cell keeps its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import islice

from backproof.errors import ResultsError
from backproof.sweeps.deaths import Death
from backproof.sweeps.listing import Unit
from backproof.sweeps.shards import Packed, joined, packed
from backproof.sweeps.tasks import Task

Submit = Callable[[Sequence[Unit]], Future[Packed]]
"""Hands cases to a worker."""

MOST_STARTS = 30
"""So many workers may die before they begin to compute; then there is no use in starting another."""


@dataclass(frozen=True)
class Pool:
    """Workers, and how they are given work.

    Attributes:
        submit: hands over a task among others.
        at_once: how many tasks are handed over before the first is done.
        submit_alone: hands over a task with nothing beside it; its last words are kept.
        died: the errors which report that a worker died with its task.
        death: what is known of the latest death, from the error which reports it.
        attempts: how often a cell is computed before it is blamed for the death of its process, which may
            have been killed from outside as well, for memory that another one took.
        seconds: how long a cell may take; for its row if it takes longer.
    """

    submit: Submit
    at_once: int
    submit_alone: Submit
    died: tuple[type[BaseException], ...] = ()
    death: Callable[[BaseException], Death] = lambda error: Death(True, False, str(error))
    attempts: int = 3
    seconds: float | None = None

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[Packed]:
        """Outcomes of the tasks as they arrive, of all together that are there at a time.

        A process that dies, of memory or in compiled code of the user's, may take all tasks in flight with
        it; those are then computed one at a time, so that only the cell to blame is lost.
        """
        waiting, suspects = (task.cases for task in tasks), list[list[Unit]]()
        running: dict[Future[Packed], list[Unit]] = {}
        try:
            while True:
                if not suspects:
                    for cases in islice(waiting, self.at_once - len(running)):
                        running[_submitted(self.submit, cases)] = cases
                if not running:
                    break
                done = list[Packed]()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    cases = running.pop(future)
                    try:
                        done.append(future.result())
                    except self.died:
                        suspects.append(cases)
                if done:
                    yield joined(done)
                while suspects and not running:
                    yield from self._alone(suspects.pop(0))
        finally:
            for future in running:
                future.cancel()

    def _alone(self, cases: list[Unit]) -> Iterator[Packed]:
        """A task with nothing beside it; if its process dies again, cell by cell."""
        attempts = starts = 0
        while True:
            try:
                outcomes = _submitted(self.submit_alone, cases).result()
            except self.died as error:
                death = self.death(error)
                attempts, starts = attempts + death.started, starts + (not death.started)
                if starts >= MOST_STARTS:
                    raise ResultsError(f"engine: its processes do not start ({death.reason})") from error
                if death.started and len(cases) > 1:
                    for case in cases:
                        yield from self._alone([case])
                    return
                if death.started and (death.timed_out or attempts >= self.attempts):
                    yield packed([death.outcome(cases[0], attempts, self.seconds)])
                    return
            else:
                yield outcomes.with_attempts(attempts)
                return


def _submitted(submit: Submit, cases: list[Unit]) -> Future[Packed]:
    """The future of a task; of one that failed where the executor broke before it took the task."""
    try:
        return submit(cases)
    except Exception as error:
        failed: Future[Packed] = Future()
        failed.set_exception(error)
        return failed
