"""Evaluation of expressions over the columns of a table: array arithmetic on null-aware values."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from backproof.errors import ConfigurationError
from backproof.sweeps.overrides import shown

if TYPE_CHECKING:  # pandas takes a quarter of a second to import
    import pandas as pd

Kind = Literal["number", "text", "truth", "nothing"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Vector:
    """Values of one kind, one per row, and where they are null."""

    kind: Kind
    values: NDArray[np.float64] | NDArray[np.object_] | Mask
    null: Mask

    def numbers(self) -> NDArray[np.float64]:
        """The values as numbers, NaN for null; true is 1."""
        return np.where(self.null, np.nan, self.values.astype(float) if self.kind != "nothing" else np.nan)


FUNCTIONS: dict[str, Callable[..., NDArray[np.float64]]] = {
    "abs": np.abs, "sqrt": np.sqrt, "log": np.log, "log10": np.log10, "exp": np.exp,
    "floor": np.floor, "ceil": np.ceil, "min": np.minimum, "max": np.maximum,
}  # fmt: skip
"""Functions of numbers, row by row; min and max take two or more."""

NULLS = ("isnull", "notnull")

ARITHMETIC: dict[type[ast.operator], Callable[..., NDArray[np.float64]]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide, ast.Mod: np.mod, ast.Pow: np.power,
}  # fmt: skip

ORDERINGS: dict[type[ast.cmpop], Callable[..., Mask]] = {
    ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal,
}  # fmt: skip


def vector_of(column: pd.Series) -> Vector:
    """A column as values of one kind: numbers, truth values, or else text."""
    null = column.isna().to_numpy(bool)
    kind = column.dtype.kind
    present = [] if kind in "biuf" else list(column[~null])
    if kind == "b" or (present and all(isinstance(v, bool | np.bool_) for v in present)):
        return Vector("truth", np.where(null, False, column.to_numpy(object)).astype(bool), null)
    if kind in "iuf" or (present and all(isinstance(v, int | float | np.number) for v in present)):
        return Vector("number", np.where(null, np.nan, column.to_numpy(object)).astype(float), null)
    if not present:
        return Vector("nothing", np.zeros(len(null)), null)
    texts = np.full(len(null), None, object)
    texts[~null] = [v if isinstance(v, str) else shown(v) for v in present]
    return Vector("text", texts, null)


def number(function: Callable[..., NDArray[np.float64]], *given: Vector) -> Vector:
    """A function of numbers, row by row; null where its value is not a number."""
    values = function(*(v.numbers() for v in given))
    return Vector("number", values, np.isnan(values))


def equal(a: Vector, b: Vector) -> Vector:
    """Row by row whether two values are equal; text never equals a number."""
    null = a.null | b.null
    if "nothing" in (a.kind, b.kind) or (a.kind == "text") != (b.kind == "text"):
        return Vector("truth", np.zeros(len(null), bool), null)
    if a.kind == "text":
        return Vector("truth", (a.values == b.values).astype(bool), null)
    return Vector("truth", a.numbers() == b.numbers(), null)


def both(a: Vector, b: Vector) -> Vector:
    """Kleene's and: false wherever one is false, else null wherever one is null."""
    x, y = (v.values.astype(bool) for v in (a, b))
    false = (~x & ~a.null) | (~y & ~b.null)
    return Vector("truth", x & y, (a.null | b.null) & ~false)


def either(a: Vector, b: Vector) -> Vector:
    """Kleene's or: true wherever one is true, else null wherever one is null."""
    x, y = (v.values.astype(bool) for v in (a, b))
    true = (x & ~a.null) | (y & ~b.null)
    return Vector("truth", true, (a.null | b.null) & ~true)


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of an expression over the rows of a table.

    Attributes:
        key, text: of the expression, for messages.
        names: the columns that plain names stand for, where they were in backticks.
    """

    key: str
    text: str
    names: Mapping[str, str]
    table: pd.DataFrame

    def vector(self, node: ast.expr) -> Vector:
        """The values of a node of the syntax tree, every node of which is on the list of `expressions`."""
        match node:
            case ast.Constant(value=value):
                return self._constant(value)
            case ast.Name(id=name):
                return self._column(self.names.get(name, name))
            case ast.BoolOp(op=op, values=values):
                joined = either if isinstance(op, ast.Or) else both
                return reduce(joined, (self._truth(v) for v in values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                found = self._truth(operand)
                return Vector("truth", ~found.values.astype(bool), found.null)
            case ast.UnaryOp(op=op, operand=operand):
                sign = np.negative if isinstance(op, ast.USub) else np.positive
                return number(sign, self.number_of(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return number(ARITHMETIC[type(op)], self.number_of(left), self.number_of(right))
            case ast.Compare():
                return reduce(both, self._comparisons(node))
            case ast.Call(func=ast.Name(id=name), args=[operand]) if name in NULLS:
                null = self.vector(operand).null
                return Vector("truth", null if name == "isnull" else ~null, np.zeros(len(null), bool))
            case ast.Call(func=ast.Name(id=name), args=[first, *rest]):
                start = number(FUNCTIONS[name], self.number_of(first)) if not rest else self.number_of(first)
                return reduce(lambda a, b: number(FUNCTIONS[name], a, self.number_of(b)), rest, start)
        raise self._misfit("a list may only follow `in`")

    def _constant(self, value: object) -> Vector:
        null = np.zeros(len(self.table), bool)
        if isinstance(value, bool):
            return Vector("truth", np.full(len(null), value), null)
        if isinstance(value, str):
            return Vector("text", np.full(len(null), value, object), null)
        return Vector("number", np.full(len(null), value, float), null)

    def _column(self, name: str) -> Vector:
        if name not in self.table:  # a setting that the grid names and that no stored cell has
            return Vector("nothing", np.zeros(len(self.table)), np.ones(len(self.table), bool))
        return vector_of(self.table[name])

    def _comparisons(self, node: ast.Compare) -> Iterator[Vector]:
        lefts = [node.left, *node.comparators[:-1]]
        for left, operator, right in zip(lefts, node.ops, node.comparators, strict=True):
            if isinstance(right, ast.List | ast.Tuple) and isinstance(operator, ast.In | ast.NotIn):
                chosen = self.vector(left)
                same = reduce(either, (equal(chosen, self.vector(value)) for value in right.elts))
            elif isinstance(operator, ast.Eq | ast.NotEq):
                same = equal(self.vector(left), self.vector(right))
            else:
                yield self._ordering(ORDERINGS[type(operator)], self.vector(left), self.vector(right))
                continue
            negated = isinstance(operator, ast.NotEq | ast.NotIn)
            yield Vector("truth", same.values.astype(bool) ^ negated, same.null)

    def _ordering(self, compare: Callable[..., Mask], a: Vector, b: Vector) -> Vector:
        null = a.null | b.null
        if "nothing" in (a.kind, b.kind):
            return Vector("truth", np.zeros(len(null), bool), null)
        if (a.kind == "text") != (b.kind == "text"):
            raise self._misfit(f"a {a.kind} is compared with a {b.kind}")
        if a.kind == "text":
            x, y = (np.where(null, "", v.values).astype(object) for v in (a, b))
            return Vector("truth", compare(x, y).astype(bool), null)
        return Vector("truth", compare(a.numbers(), b.numbers()), null)

    def _truth(self, node: ast.expr) -> Vector:
        found = self.vector(node)
        if found.kind == "nothing":
            return Vector("truth", np.zeros(len(found.null), bool), found.null)
        if found.kind != "truth":
            raise self._misfit(f"a {found.kind} stands where true or false is needed")
        return found

    def number_of(self, node: ast.expr) -> Vector:
        found = self.vector(node)
        if found.kind == "text":
            raise self._misfit("text stands where a number is needed")
        return found

    def _misfit(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self.key}: {what}, in '{self.text}'")
