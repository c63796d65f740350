"""A limit on the work of a library that may go on for ever on a short text."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

MOST_CALLS = 3_000_000
"""Of Python's functions: some seconds. An activation of a textbook's takes SymPy some ten thousand."""


class _TooMuchError(BaseException):
    """The limit is reached. It is no Exception, which the library may catch and go on."""


_inside = threading.local()


def limited(what: str, action: Callable[[], T], most: int = MOST_CALLS) -> T:
    """What an action returns, in which this thread calls at most so many functions of Python.

    Calls are counted, not seconds: so the same text is refused on every machine, however busy, and in the
    workers as where it was first read. An alarm would reach the main thread alone. May be nested: the outer
    one counts. What is counted is Python's; numbers of any size must be kept away from C beforehand.

    Raises:
        ValueError: in one line, once there were more.
    """
    if getattr(_inside, "active", False):
        return action()
    left, before = most, sys.gettrace()

    def count(_frame: FrameType, _event: str, _argument: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise _TooMuchError

    _inside.active = True
    sys.settrace(count)
    try:
        return action()
    except _TooMuchError:
        raise ValueError(f"{what} takes more than {most:,} steps to work out; make it simpler") from None
    finally:
        sys.settrace(before)
        _inside.active = False
