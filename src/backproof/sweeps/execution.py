"""What an engine is, and a sweep's cases computed on one."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import ClassVar

from backproof.errors import ConfigurationError, not_one_of
from backproof.sweeps.interruption import GRACE_SECONDS
from backproof.sweeps.limits import Limits
from backproof.sweeps.listing import Unit
from backproof.sweeps.shards import Packed
from backproof.sweeps.tasks import Task, tasks_from


@dataclass(frozen=True)
class Engine(ABC):
    """Where tasks run. Subclasses are frozen dataclasses whose fields are the options, as `engine.FIELD`.

    Attributes:
        name: the choice of `engine=`.
        can_stop: whether a cell that takes too long can be stopped; such an engine has the option `timeout`.
        isolates: whether a cell that ends its process costs no other cell.
        grace: seconds in which an interrupted sweep stores, writes its report and leaves.
    """

    grace: float = field(default=GRACE_SECONDS, kw_only=True)

    name: ClassVar[str]
    can_stop: ClassVar[bool]
    isolates: ClassVar[bool]

    def __post_init__(self) -> None:
        """Refuse options that cannot be; a subclass refuses its own besides."""
        if not _is_time(self.grace):
            raise ConfigurationError(f"engine.grace: must be seconds > 0; not {self.grace!r}")

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many tasks run at the same time.

        Raises:
            ConfigurationError: if the workers are elsewhere and cannot be reached.
        """

    def start_early(self, function: Callable[[], None], number: int) -> None:  # noqa: B027
        """Start what tasks will run on, while the grid is looked at; nothing, where nothing can be saved.

        Args:
            function: what up to so many of this machine's processes are to call as well.
        """

    @abstractmethod
    def outcomes(self, tasks: Iterable[Task]) -> Generator[Packed, None, None]:
        """Compute tasks, taken as workers need them; yields their outcomes as they arrive, in any order.

        Raises:
            ConfigurationError: if the workers are elsewhere and cannot be reached.
            ResultsError: if a worker cannot start, or has other code than the cells' ids stand for.
        """


def run(
    cases: Iterable[Unit], engine: Engine, write: Callable[[Packed], None]
) -> Generator[Packed, None, None]:
    """Compute all cases; yields their outcomes task by task, once they are written.

    One BLAS thread per worker: workers do not compete for cores, and sums are formed in one order.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), closing(engine.outcomes(tasks_from(cases))) as found:
        for outcomes in found:
            write(outcomes)
            yield outcomes


def require_jobs(jobs: int) -> None:
    """Refuse what is no number of workers; a negative one counts from the machine's cores, -1 being all."""
    if not isinstance(jobs, int) or isinstance(jobs, bool) or jobs == 0:
        raise ConfigurationError(f"engine.jobs: must be a whole number other than 0; not {jobs!r}")


def limits_of(timeout: float | None, memory: int | str | None, isolate: str) -> Limits:
    """What bounds the computation of a cell, by an engine's options."""
    return Limits(timeout, _bytes_of(memory), isolate != "none")


def _bytes_of(memory: int | str | None) -> int | None:
    """The bytes that a cell may take, from a number or such a text as 2GB; None for any number."""
    if memory is None:
        return None
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        size = int(TypeAdapter(ByteSize).validate_python(memory)) if not isinstance(memory, bool) else 0
    except ValidationError:
        size = 0
    if size <= 0:
        raise ConfigurationError(f"engine.memory: must be null or a size, as 2GB; not {memory!r}")
    if sys.platform != "linux":
        raise ConfigurationError("engine.memory: limits a process's data, which only Linux does")
    return size


def require_isolate(isolate: str, allowed: Iterable[str]) -> None:
    """Refuse a way of keeping code from outside apart that an engine does not have."""
    if isolate not in allowed:
        raise not_one_of("engine.isolate", repr(isolate), allowed)


def require_timeout(seconds: float | None) -> None:
    """Refuse what is neither null nor a time."""
    if seconds is not None and not _is_time(seconds):
        raise ConfigurationError(f"engine.timeout: must be null or seconds > 0; not {seconds!r}")


def _is_time(seconds: object) -> bool:
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return number and 0 < seconds < math.inf  # type: ignore[operator]
