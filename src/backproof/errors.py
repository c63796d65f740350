"""Errors whose message is one line for the user, the hint that goes with a wrong name, and exit statuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from enum import IntEnum


class ExitStatus(IntEnum):
    """How the program ends.

    Attributes:
        sentence: what it means.
    """

    sentence: str

    # The default is never used; with it a type checker accepts the look-up ExitStatus(2).
    def __new__(cls, value: int, sentence: str = "") -> ExitStatus:
        member = int.__new__(cls, value)
        member._value_, member.sentence = value, sentence
        return member

    OK = 0, "all cells are there"
    SOME_FAILED = 1, "some are not"
    WRONG = 2, "wrong arguments, nothing ran"
    INTERRUPTED = 130, "interrupted"
    UNREAD = 141, "the output is closed, as by head"


NUMBERED = re.compile(r"(.*?)([1-9][0-9]*)")
"""A name that ends in a number."""

LISTED = 12
"""So many names that differ in a number alone are listed; of more, the first and the last."""


class FunctionError(Exception):
    """A function from outside does what no loss or gradient does; the message is one line that says where.

    Example:
        >>> import numpy as np
        >>> import backproof
        >>> try:
        ...     backproof.check(np.sum, np.ones(3), df=lambda w: np.ones(2))
        ... except backproof.FunctionError as error:
        ...     print(error)
        <...>:2, <lambda>: dW has shape (2,), and W has (3,)
    """


class ConfigurationError(Exception):
    """Arguments or configuration are wrong; the message is one line and names the key."""


class ResultsError(Exception):
    """A sweep cannot go on; the message is one line and states why and what to do."""


class FolderGoneError(ResultsError):
    """The results folder was moved or removed under a sweep."""


def nearest(given: str, allowed: Iterable[str]) -> str:
    """A hint such as `; did you mean 'relu'?`, or nothing."""
    close = get_close_matches(given, list(allowed), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def first_line(error: BaseException) -> str:
    """The first line of an error's message; the name of its class where it has none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def not_one_of(key: str, given: str, allowed: Iterable[str]) -> ConfigurationError:
    """The error of a key that takes one of several names; `given` as the user would write it."""
    allowed = list(allowed)
    hint = nearest(given.strip("'"), allowed)
    return ConfigurationError(f"{key}: must be one of {', '.join(_shortened(allowed))}; not {given}{hint}")


def _shortened(names: Iterable[str]) -> Iterator[str]:
    """Names; of many that differ in a number alone, the first and the last."""
    numbered: dict[str, list[int]] = {}
    for name in names:
        if found := NUMBERED.fullmatch(name):
            numbered.setdefault(found[1], []).append(int(found[2]))
    for name in names:
        found = NUMBERED.fullmatch(name)
        stem, number = (found[1], int(found[2])) if found else (name, 0)
        if len(numbered.get(stem, ())) <= LISTED:
            yield name
        elif number == min(numbered[stem]):
            yield f"{name} to {stem}{max(numbered[stem])}"
