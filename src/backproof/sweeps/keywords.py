"""Keywords of a subject: every parameter of a function from outside is an axis."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from backproof.errors import ConfigurationError, FunctionError, nearest
from backproof.sweeps.modules import find
from backproof.sweeps.settings import Parameters
from backproof.targets.source import UserFunction, alike, in_one_line, raised_at


@dataclass(frozen=True)
class Keywords:
    """What functions from outside are given by name, those of it that each has parameters for.

    Attributes:
        own: the subject's.
        usual: what every case has, its seed and its precision.
    """

    own: Mapping[str, Any]
    usual: Mapping[str, Any]

    def accepted(self, function: UserFunction) -> dict[str, Any]:
        """Those that a function takes."""
        names, every = parameters_of(function)
        given = {**self.usual, **self.own}
        return {k: v for k, v in given.items() if k in names or (every and k in self.own)}

    def bound(self, function: UserFunction) -> UserFunction:
        """A function with its keywords given; messages show the function itself."""
        given = self.accepted(function)
        return alike(function)(partial(function, **given)) if given else function

    def call(self, function: UserFunction, blamed: UserFunction | None = None) -> Any:
        """What a function of nothing but keywords returns.

        Raises:
            FunctionError: if it raises; it names the line of what is blamed, by default the function.
        """
        try:
            return function(**self.accepted(blamed or function))
        except FunctionError:
            raise
        except Exception as error:
            raise FunctionError(
                f"{raised_at(error, blamed or function)}: raises {in_one_line(error)}"
            ) from error


def function_named(target: object, key: str) -> UserFunction:
    """The function that a dotted name stands for; `key` is the setting that names it.

    Raises:
        ConfigurationError: if it names none, or cannot be imported.
    """
    if not isinstance(target, str):
        given = "" if target is None else f"; not {target!r}"
        raise ConfigurationError(f"{key}: must name a function, as in my_module.my_function{given}")
    found = find(target, key)
    if not callable(found):
        raise ConfigurationError(f"{key}: {target} is no function but {type(found).__name__}")
    function: UserFunction = found
    return function


def parameters_of(function: UserFunction) -> tuple[tuple[str, ...], bool]:
    """Names that may be given as keywords, and whether any name may."""
    try:
        found = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return (), True
    named = (p.name for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return tuple(named), any(p.kind is p.VAR_KEYWORD for p in found)


def check_keywords(
    keywords: Parameters, functions: Sequence[UserFunction], target: str, settings: Iterable[str] = ()
) -> None:
    """Refuse a keyword that no function has a parameter for.

    Args:
        settings: what else the subject has, which may have been meant.

    Raises:
        ConfigurationError: naming it, and the nearest that there is.
    """
    if any(parameters_of(f)[1] for f in functions):
        return
    accepted = dict.fromkeys(name for f in functions for name in parameters_of(f)[0])
    for name, _ in keywords:
        if name not in accepted:
            hint = nearest(name, (*accepted, *settings))
            raise ConfigurationError(f"subject.{name}: {target} has no such parameter{hint}")
