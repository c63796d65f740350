"""Choices: functions that make a record, found by importing every file of a package.

To add a choice, add a function to a file of its package:

    @choice
    def leaky_relu(slope: float = 0.01) -> Activation:
        '''z for z > 0, slope·z below.'''
        return Activation("leaky_relu", …)

Its name is the choice's name, its first docstring line the help, its parameters the settings and their
defaults. Nothing else lists it.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, update_wrapper
from importlib import import_module
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Choice(Generic[P, R_co]):
    """A named function that makes a record; equal arguments give the same record, so records compare by `is`.

    Attributes:
        name: as on the command line.
        summary: one line of help.
        parameters: name → default.
        descriptions: name → what the docstring's Args section states.
        target: the dotted path under which it can be imported.

    Raises:
        TypeError: if the function lacks a docstring, or a parameter its annotation or default.
    """

    def __init__(self, make: Callable[P, R_co], described_by: Callable[..., object] | None = None) -> None:
        function = described_by or make
        update_wrapper(self, function)
        self.__signature__ = _signature(function)
        self.name = function.__name__
        self.target = f"{function.__module__}.{function.__qualname__}"
        self.summary = summary_of(function)
        self.descriptions = descriptions_of(function)
        self.parameters = {name: p.default for name, p in self.__signature__.parameters.items()}
        self._make = lru_cache(maxsize=None, typed=True)(make)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        given = self.__signature__.bind(*args, **kwargs)
        given.apply_defaults()
        return self._make(**given.arguments)

    def __reduce__(self) -> str:
        return self.target.removeprefix(
            f"{self.__module__}."
        )  # pickled as a function is: by the path under which it is imported

    def __repr__(self) -> str:
        return f"<choice {self.target}>"


def summary_of(function: Callable[..., object]) -> str:
    """The first line of a function's docstring, without its full stop.

    Raises:
        TypeError: if it has none.
    """
    summary = (inspect.getdoc(function) or "").partition("\n")[0].removesuffix(".")
    if not summary:
        raise TypeError(f"{function.__qualname__}: needs a docstring, whose first line is the help")
    return summary


def descriptions_of(described: object) -> dict[str, str]:
    """What a docstring's Args or Attributes section states about each name."""
    section = re.search(
        r"^(?:Args|Attributes):\n((?: +.*\n?)+)", inspect.getdoc(described) or "", re.MULTILINE
    )
    entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section[1], re.MULTILINE) if section else []
    return {name: " ".join(text.split()).removesuffix(".") for name, text in entries}


def choice(make: Callable[P, R_co]) -> Choice[P, R_co]:
    """Turn a function into a choice. All of its parameters need an annotation and a default."""
    for name, parameter in inspect.signature(make).parameters.items():
        if parameter.default is parameter.empty:
            raise TypeError(f"{make.__module__}.{make.__qualname__}: parameter {name} needs a default")
    return Choice(make)


def _signature(function: Callable[..., object]) -> inspect.Signature:
    """The parameters that are settings: those with a default."""
    whole = inspect.signature(function)
    settings = [p for p in whole.parameters.values() if p.default is not p.empty]
    for parameter in settings:
        if parameter.annotation is parameter.empty:
            raise TypeError(f"{function.__qualname__}: parameter {parameter.name} needs an annotation")
    return whole.replace(parameters=settings)


class Choices(Mapping[str, Choice[..., R_co]]):
    """The choices of one kind, by name."""

    def __init__(self, choices: Mapping[str, Choice[..., R_co]]) -> None:
        self._choices = dict(choices)

    def __getitem__(self, name: str) -> Choice[..., R_co]:
        return self._choices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)

    def records(self) -> list[R_co]:
        """The record of each choice with its default parameters, in order."""
        return [each() for each in self.values()]


def discover(package: str) -> Choices[R]:
    """Import every file of a package; the choices defined there, by file name and then as defined.

    Raises:
        TypeError: if two choices have one name.
    """
    found: dict[str, Choice[..., R]] = {}
    for file in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
        for item in vars(import_module(file.name)).values():
            if isinstance(item, Choice) and item.__module__ == file.name:
                if item.name in found:
                    raise TypeError(f"{item.target} and {found[item.name].target} have the same name")
                found[item.name] = item
    return Choices(found)
