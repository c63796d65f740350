"""Calls of the user's functions: whatever they raise is an error that names their file and line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.targets.source import UserFunction, in_one_line, raised_at


def called(function: UserFunction, action: Callable[..., Any], *args: Any) -> Any:
    """What an action returns that calls a user's function.

    Raises:
        FunctionError: if it raises; it names the function's line.
    """
    try:
        with np.errstate():  # how it handles floating-point errors is not how this package does
            return action(*args)
    except FunctionError:
        raise
    except Exception as error:
        raise FunctionError(f"{raised_at(error, function)}: raises {in_one_line(error)}") from error
