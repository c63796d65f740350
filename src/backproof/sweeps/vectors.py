"""Values of a column or of an expression, null-aware: what expressions are evaluated to, and with."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from backproof.sweeps.settings import shown

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
