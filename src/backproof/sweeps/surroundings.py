"""What code from outside may change in the process that it shares with other cells and with the check itself.

Functions that were replaced, as by `np.sqrt = mine`, are found by comparing modules with what they held
before any such code was imported; they are put back, and the cell fails, since the check computes with them.
State that is meant to be set (the handling of floating-point errors, the generators of random numbers, the
working directory) is put back without a word. What C code keeps to itself is not seen;
`engine.isolate=cell` is for that.
"""

from __future__ import annotations

import builtins
import cmath
import functools
import itertools
import math
import operator
import os
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np

LIBRARIES = (builtins, math, cmath, operator, functools, itertools, random)
"""Modules of the standard library that the check computes with."""

NAMED = ("numpy", "scipy.special", "scipy.sparse", "scipy.optimize", "scipy.linalg")
"""Libraries, with what is below them, that it computes with."""

INPUT_AND_OUTPUT = ("print", "input", "open", "help", "exit", "quit", "breakpoint", "__import__", "display")
"""Built-in functions that others may have a reason to replace, and that no number depends on."""

OURS = tuple(
    f"backproof.{part}" for part in ("network", "targets", "estimates", "verdicts", "training", "data")
)


class TamperedError(Exception):
    """Code from outside replaced what the check computes with."""


@lru_cache(maxsize=1)
def _original() -> Mapping[ModuleType, Mapping[str, object]]:
    """What the modules held when this was called first, before any code from outside was imported."""
    found = {name: m for name, m in sys.modules.items() if _computes(name)}
    held = {m: {k: v for k, v in vars(m).items() if callable(v)} for m in {*LIBRARIES, *found.values()}}
    for name in INPUT_AND_OUTPUT:
        held[builtins].pop(name, None)
    return held


def _computes(name: str) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in (*NAMED, *OURS))


def put_back() -> list[str]:
    """Restore every function that was replaced or deleted since; their names."""
    replaced = []
    for module, held in _original().items():
        now = vars(module)
        for name, value in held.items():
            if now.get(name) is not value:
                replaced.append(f"{module.__name__}.{name}")
                setattr(module, name, value)
    return replaced


@contextmanager
def guarded(who: str, seed: int) -> Iterator[None]:
    """Run code from outside, with the global generators seeded by the case; afterwards all is as before.

    Raises:
        TamperedError: naming `who` ran and the functions that it replaced.
    """
    put_back()  # what a sweep left that was not guarded
    with np.errstate(), np.printoptions(), _kept_state():
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 (theirs, not ours)
        try:
            yield
        finally:
            replaced = put_back()
            if replaced:
                raise TamperedError(f"{who}: {words_for(replaced)}")


def words_for(replaced: list[str]) -> str:
    """What was done to functions of these names."""
    more = f" and {len(replaced) - 3} more" if len(replaced) > 3 else ""
    return f"replaces {', '.join(replaced[:3])}{more}, which the check computes with"


@contextmanager
def _kept_state() -> Iterator[None]:
    """Generators, environment, folder and the like, put back afterwards."""
    folder, environment, depth = Path.cwd(), dict(os.environ), sys.getrecursionlimit()
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 (theirs, not ours)
    torch = sys.modules.get("torch")
    of_torch = (torch.get_rng_state(), torch.get_default_dtype()) if torch else None
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        if torch and of_torch:
            torch.set_rng_state(of_torch[0])
            torch.set_default_dtype(of_torch[1])
        sys.setrecursionlimit(depth)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        with suppress(OSError):
            if Path.cwd() != folder:
                os.chdir(folder)
