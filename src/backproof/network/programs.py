"""Expressions of SymPy's as programs over NumPy's functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, reduce
from typing import Any

from backproof.network.arrays import Array
from backproof.network.functions import NUMERIC

MOST_EXACT = 2**53
"""Whole numbers up to this are exact in float64."""


@cache
def compiled(expression: Any, symbols: tuple[Any, ...]) -> Callable[..., Array | float]:
    """A program over NumPy's functions.

    Raises:
        ValueError: if the expression has no finite value anywhere.
    """
    import sympy as sp

    if expression.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        raise ValueError(f"'{expression}' is not a finite number")
    # A whole number or fraction of more digits than a float has, which NumPy's functions do not take.
    many = [a for a in expression.atoms(sp.Rational) if max(abs(a.p), a.q) > MOST_EXACT]
    expression = expression.xreplace({each: sp.Float(each, 17) for each in many}) if many else expression
    made: Callable[..., Array | float] = sp.lambdify(
        symbols, expression, modules=[NUMERIC, "numpy"], printer=_printer(), cse=True
    )
    return made


@cache
def _printer() -> Any:
    """SymPy's for NumPy, but for conditions: its own take arrays of one shape, and no constants."""
    from sympy.printing.numpy import NumPyPrinter

    class Printer(NumPyPrinter):  # type: ignore[misc]
        def _print_Piecewise(self, expression: Any) -> str:
            text = "nan"
            for value, condition in reversed(expression.args):
                text = f"where({self._print(condition)}, {self._print(value)}, {text})"
            return text

        def _print_And(self, expression: Any) -> str:
            return self._joined("logical_and", expression.args)

        def _print_Or(self, expression: Any) -> str:
            return self._joined("logical_or", expression.args)

        def _joined(self, name: str, conditions: Sequence[Any]) -> str:
            first, *rest = map(self._print, conditions)
            return reduce(lambda a, b: f"{name}({a}, {b})", rest, str(first))

    known = {name: name for name in NUMERIC}
    return Printer({"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True,
                    "user_functions": known})  # fmt: skip
