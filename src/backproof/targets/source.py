"""Where a function comes from, for messages that name its file and line."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Any

UserFunction = Callable[..., Any]
"""A function that a user wrote: what it takes and returns is checked when it is called."""

PACKAGE = str(Path(__file__).parents[1])


def in_one_line(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def shown_as(source: UserFunction) -> Callable[[UserFunction], UserFunction]:
    """Decorates a wrapper so that messages name the file and line of what it wraps."""

    def marked(wrapper: UserFunction) -> UserFunction:
        wrapper.__backproof_source__ = source  # type: ignore[attr-defined]
        return wrapper

    return marked


def named_as(source: UserFunction, names: Sequence[str]) -> Callable[[UserFunction], UserFunction]:
    """The same as a wrapper of its own, whose arguments have these names in messages."""

    def marked(function: UserFunction) -> UserFunction:
        @shown_as(source)
        def wrapper(*args: Any) -> Any:
            return function(*args)

        wrapper.__backproof_names__ = tuple(names)  # type: ignore[attr-defined]
        return wrapper

    return marked


def alike(source: UserFunction) -> Callable[[UserFunction], UserFunction]:
    """The same as a wrapper that has another function's name, arguments and place in messages."""

    def marked(function: UserFunction) -> UserFunction:
        @shown_as(source)
        @wraps(source)
        def wrapper(*args: Any) -> Any:
            return function(*args)

        return wrapper

    return marked


def with_keywords(function: UserFunction, keywords: Mapping[str, Any] | None) -> UserFunction:
    """A function with some of its arguments given by name."""
    return partial(function, **keywords) if keywords else function


def without_auxiliary(function: UserFunction) -> UserFunction:
    """A function that returns (loss, more) as one that returns the loss; what it returns beside is dropped.

    One that returns ((loss, more), gradient) returns (loss, gradient).
    """

    @shown_as(function)
    def alone(*args: Any, **keywords: Any) -> Any:
        found = function(*args, **keywords)
        if not isinstance(found, tuple) or len(found) != 2:
            return found  # and it is said that this is no loss
        first, second = found
        return (first[0], second) if isinstance(first, tuple) and len(first) == 2 else first

    return alone


def _innermost(function: UserFunction) -> Any:
    while isinstance(function, partial):
        function = function.func
    shown = getattr(function, "__backproof_source__", None)
    if shown is not None:
        return _innermost(shown)
    found = inspect.unwrap(function)
    if inspect.ismethod(found):
        # `apply` of an autograd.Function is PyTorch's; the user wrote its forward.
        forward = getattr(found.__self__, "forward", None) if found.__name__ == "apply" else None
        return _innermost(forward) if forward else found.__func__
    if hasattr(found, "__code__") or inspect.isclass(found):
        return found
    if not callable(found):
        return found
    # The `__call__` of a module is PyTorch's; the user wrote its forward.
    kind = type(found)
    return kind.forward if hasattr(kind, "forward") and "__call__" not in vars(kind) else kind.__call__


def defined_at(function: UserFunction) -> str:
    """Where a function is defined, as file:line, and its name."""
    found = _innermost(function)
    name = getattr(found, "__qualname__", type(function).__name__)
    code = getattr(found, "__code__", None)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}, {name}"
    try:
        lines, first = inspect.getsourcelines(found)
        del lines
        return f"{inspect.getsourcefile(found)}:{first}, {name}"
    except (OSError, TypeError):
        return name


def raised_at(error: BaseException, function: UserFunction) -> str:
    """The innermost line of the function's own file that an exception came through, else of any not ours."""
    own = getattr(getattr(_innermost(function), "__code__", None), "co_filename", None)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(PACKAGE)]
    inside = [f for f in frames if f.filename == own] or frames
    if not inside:
        return defined_at(function)
    return f"{inside[-1].filename}:{inside[-1].lineno}, {inside[-1].name}"
