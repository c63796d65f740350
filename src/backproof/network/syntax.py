"""The grammar of expressions: arithmetic, a few functions, and conditions inside of `where`.

A text is checked whole before SymPy sees any of it: its size and depth, every name, and every part that is
a constant, which must be a finite number. SymPy works with exact numbers, where `9**9**9` never ends.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.network.functions import ARGUMENTS, CONSTANTS, NAMES, NUMERIC

LONGEST, MOST_NODES, MOST_DEPTH = 1000, 250, 40
"""Characters, operations and operands, and how deep they may be nested; a sum of many terms is one level."""

MOST_DIGITS = 3000
"""Of a power of exact numbers, as fractions are written out."""

ARITHMETIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip

COMPARISONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
}  # fmt: skip


def parsed(text: str, parameters: Mapping[str, float], variables: tuple[str, ...]) -> ast.expr:
    """The syntax tree of an expression in variables and parameters, which is a number.

    Raises:
        ValueError: in one line, if the text is not an expression of this grammar.
    """
    if len(text) > LONGEST:
        raise ValueError(f"expressions have at most {LONGEST} characters; not {len(text)}")
    clash = next((name for name in variables if name in parameters), None)
    if clash is not None:
        raise ValueError(f"'{clash}' is a variable, and no parameter may have its name")
    try:
        tree = ast.parse(" ".join(text.split()), mode="eval").body  # which a file may have on several lines
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"'{text}' is not an expression ({type(error).__name__})") from error
    nodes, depth = _extent(tree)
    if nodes > MOST_NODES:
        raise ValueError(f"expressions have at most {MOST_NODES} operations and operands; not {nodes}")
    if depth > MOST_DEPTH:
        raise ValueError(f"expressions are nested at most {MOST_DEPTH} deep; not {depth}")
    _Checked(text, parameters, variables).number(tree)
    return tree


def _extent(tree: ast.expr) -> tuple[int, int]:
    """The number of nodes, and their depth; counted level by level, without recursion."""
    nodes, depth, level = 0, 0, [(tree, 1)]
    while level:
        nodes, depth = nodes + len(level), max(depth, *(deep for _, deep in level))
        level = [
            (child, deep + (not _continues(node, child)))
            for node, deep in level
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.expr)
        ]
    return nodes, depth


def _continues(node: ast.expr, child: ast.expr) -> bool:
    """Whether a child is the beginning of the sum or product that the node ends: SymPy makes one of both."""
    if not isinstance(node, ast.BinOp) or not isinstance(child, ast.BinOp) or child is not node.left:
        return False
    return any(isinstance(node.op, k) and isinstance(child.op, k) for k in (_SUM, _PRODUCT))


_SUM, _PRODUCT = (ast.Add, ast.Sub), (ast.Mult, ast.Div)


@dataclass(frozen=True)
class _Checked:
    """A walk through a tree that refuses what is not in the grammar."""

    text: str
    parameters: Mapping[str, float]
    variables: tuple[str, ...]

    def number(self, node: ast.AST) -> float | None:
        """The value of a part that is a constant; None where it depends on a variable."""
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self._finite(node, lambda: float(value))
            case ast.Name(id=name):
                return self._named(name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return self._made(node, ARITHMETIC[type(op)], left, right)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in ARITHMETIC:
                return self._made(node, ARITHMETIC[type(op)], operand)
            case ast.Call(func=ast.Name(id=name), args=given, keywords=[]):
                return self._call(node, name, given)
            case ast.Compare():
                raise ValueError(f"'{ast.unparse(node)}' is true or false; it belongs into where(…, a, b)")
        raise ValueError(
            f"'{ast.unparse(node)}' is not allowed in an expression in {', '.join(self.variables)}"
        )

    def _named(self, name: str) -> float | None:
        if name in self.variables:
            return None
        if name in self.parameters or name in CONSTANTS:
            return float({**CONSTANTS, **self.parameters}[name])
        known = ", ".join([*self.variables, *self.parameters, *CONSTANTS])
        raise ValueError(f"'{name}' is unknown in '{self.text}'; names are {known}")

    def _call(self, node: ast.Call, name: str, given: list[ast.expr]) -> float | None:
        if name not in NAMES:
            raise ValueError(f"'{name}' is not a known function; those are {', '.join(NAMES)}")
        if len(given) != ARGUMENTS.get(name, 1):
            raise ValueError(f"{name} takes {ARGUMENTS.get(name, 1)} arguments; not {len(given)}")
        if name != "where":
            return self._made(node, NUMERIC[name], *given)
        holds = self._condition(given[0])
        chosen = [self.number(each) for each in given[1:]]
        return None if holds is None else chosen[0 if holds else 1]

    def _condition(self, node: ast.AST) -> bool | None:
        """Whether a comparison holds, where that is a constant."""
        match node:
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                a, b = self.number(left), self.number(right)
                return None if a is None or b is None else bool(COMPARISONS[type(op)](a, b))
        raise ValueError(f"'{ast.unparse(node)}' is no condition; one compares two numbers by <, <=, > or >=")

    def _made(self, node: ast.AST, function: Callable[..., Any], *given: ast.expr) -> float | None:
        values = [self.number(each) for each in given]
        known = [np.array([value]) for value in values if value is not None]
        return self._finite(node, lambda: function(*known)[0]) if len(known) == len(values) else None

    def _finite(self, node: ast.AST, value: Callable[[], Any]) -> float:
        try:
            with np.errstate(all="ignore"):
                found = float(value())
        except OverflowError:  # a whole number of very many digits
            found = np.inf
        if not np.isfinite(found):
            part = ast.unparse(node)
            raise ValueError(f"'{part if len(part) < 60 else part[:60] + '…'}' is not a finite number")
        return found
