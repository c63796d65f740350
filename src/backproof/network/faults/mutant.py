"""Mutants: one random edit of the backward pass's arithmetic, where the other faults are known mistakes.

A check that only ever met the faults it was written for could have learned them by heart. A mutant is drawn
by a number, which chooses a line of the pass and, with the components of the case, an edit of it. Which names
are true of the edit follows from the line alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from types import CodeType
from typing import Any

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array, DType, over_units, transpose
from backproof.network.faults.fault import Fault, Here, Operation, Setting
from backproof.network.faults.lines import LINES, Line
from backproof.network.faults.written import Written


class Identified(StrEnum):
    """How a cause fits the line that was edited."""

    NAMED = "named"
    """Its name is true of an edit of the line."""
    LOCATED = "located"
    """It has no name, and its location is right."""
    MISNAMED = "misnamed"
    """It is about something else."""


UNNAMED = "not identified"
"""How the names of causes end that are locations alone."""


@dataclass(frozen=True, kw_only=True)
class Mutant(Fault):
    """A line of the backward pass with one edit.

    Attributes:
        line: the edited one.
        drawn: chooses among its edits, of which each pair of components has its own number.
    """

    line: Line
    drawn: int

    def at(self, operation: Operation, right: Array, here: Here) -> Array:
        """The result of an operation with the edit in it.

        It is the correct one where the edit does not fit the shapes: the line is run for every layer, and may
        fit some of them.
        """
        _, edited = self.texts(Written.of(here.problem, here.rule, len(here.weights)))
        if operation is not self.operation or not edited:
            return right
        try:
            found = np.asarray(value_of(edited, self.line.values(here), right.dtype))
            return np.asarray(self.line.result(found, right, here), right.dtype)
        except (ValueError, TypeError, IndexError, NameError):
            return right

    def texts(self, written: Written) -> tuple[str, str]:
        """The line before and after the edit; empty where the pass has no such line."""
        edits = self.line.edits(written)
        return (self.line.text(written), edits[self.drawn % len(edits)]) if edits else ("", "")

    def described(self, written: Written) -> str:
        """The edit in words, as in "hidden derivative: 1 - a * a → 1 + a * a"."""
        text, edited = self.texts(written)
        return f"{self.line.name}: {text} → {edited}" if text else ""

    def identified_by(self, cause: str) -> Identified:
        """How the name of a cause fits."""
        if cause.endswith(UNNAMED):
            return Identified.LOCATED if cause.startswith(self.line.locations) else Identified.MISNAMED
        return Identified.NAMED if cause.startswith(self.line.true) else Identified.MISNAMED

    def named_by(self, cause: str) -> bool:
        """Whether a cause's name is true of the edit."""
        return self.identified_by(cause) is Identified.NAMED


@choice
def mutant(mutation: int = 0) -> Mutant:
    """one random edit of the backward pass's arithmetic

    Args:
        mutation: the number that draws the edit, a seed.

    Raises:
        ValueError: if `mutation` is negative.
    """
    if mutation < 0:
        raise ValueError(f"mutation must be at least 0; not {mutation}")
    draw = np.random.default_rng(mutation)
    line = LINES[draw.integers(len(LINES))]

    def matters(s: Setting) -> bool:
        return bool(line.text(Written.before(s)))

    return Mutant(
        "mutant", f"the {line.name} edited at random", f"mutant: {line.name}", line.operation,
        matters=matters, line=line, drawn=int(draw.integers(2**32)),
    )  # fmt: skip


# --- the value of a text ----------------------------------------------------------------------------

_AXES = {"samples": -2, "units": -1}


def _total(axis: int, x: Array) -> Array:
    """The sum over samples or over units, that axis kept; the same bits in every batch."""
    if axis == _AXES["units"]:
        return over_units(np.add, x)
    return transpose(over_units(np.add, transpose(x)))


def _where(dtype: DType, condition: Array, x: Array | float, y: Array | float) -> Array:
    """In the precision of the pass, also where both values are constants."""
    return np.where(condition, x, y).astype(dtype)


FUNCTIONS = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "roll": np.roll, "total": _total,
    "pi": float(np.pi), **_AXES, "__builtins__": {},
}  # fmt: skip


def value_of(text: str, names: Mapping[str, Any], dtype: DType) -> Any:
    """The value of an expression over arrays and the functions above.

    Only the texts of `lines` and their edits come here: nothing that a user types, no file's content.
    """
    functions = {**FUNCTIONS, "where": partial(_where, dtype)}
    return eval(_compiled(text), functions, dict(names))


@cache
def _compiled(text: str) -> CodeType:
    return compile(text, "<a line of the backward pass>", "eval")
