"""Edits of a line of arithmetic: an operator, operand, index, sign or constant becomes another."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from functools import cache

ARRAYS = ("y", "t", "g", "d", "z", "z_below", "a", "w", "delta", "arriving", "derivative")
"""Names of arrays, (..., rows, columns); all other names are numbers, axes or functions."""

NUMBERS = ("scale", "l2", "eps", "slope", "alpha")

AXES = ("samples", "units")

OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div)

INDEXED = (
    "{0}[..., ::-1, :]", "{0}[..., ::-1]", "{0}.mT", "roll({0}, 1, axis=-2)", "roll({0}, 1, axis=-1)",
    "{0}[..., :1, :]", "{0}[..., :1]", "-{0}", "abs({0})",
)  # fmt: skip
"""Other indices of an array, and its signs; a batch's leading axes stay as they are."""


@cache
def edits_of(text: str, alike: tuple[str, ...] = (), operands: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Every text that is one edit away from an expression, each once.

    Args:
        text: the expression.
        alike: names of arrays that may stand for one another.
        operands: the names that are edited, and nothing else is; the whole expression where there are none.
    """
    tree = ast.parse(text, mode="eval")
    found = dict[str, None]()
    for position, node in enumerate(ast.walk(tree)):
        if operands and not (isinstance(node, ast.Name) and node.id in operands):
            continue
        for new in _instead_of(node, alike):
            found[_with(tree, position, new)] = None
    found.pop(ast.unparse(tree), None)
    return tuple(found)


def _with(tree: ast.Expression, position: int, new: ast.expr) -> str:
    """The text of an expression with the node at a position of its walk replaced."""
    changed = copy.deepcopy(tree)
    return ast.unparse(_Replacement(list(ast.walk(changed))[position], new).visit(changed))


class _Replacement(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """The node, or what replaces it."""
        return self.new if node is self.old else self.generic_visit(node)


def _instead_of(node: ast.AST, alike: tuple[str, ...]) -> Iterator[ast.expr]:
    match node:
        case ast.BinOp(left=left, op=operator, right=right) if isinstance(operator, OPERATORS):
            yield from (ast.BinOp(left, other(), right) for other in OPERATORS)
            yield from (left, right)
            if isinstance(operator, ast.Sub | ast.Div):
                yield ast.BinOp(right, operator, left)
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Compare(left=left, ops=[operator], comparators=compared):
            other = ast.Lt() if isinstance(operator, ast.Gt) else ast.Gt()
            yield ast.Compare(left, [other], compared)
        case ast.Constant(value=int() | float() as value):
            yield from (ast.Constant(other) for other in (value + 1, value - 1, 2 * value, 0.5 * value))
        case ast.Name(id=name):
            yield from map(_parsed, _instead_of_name(name, alike))


def _instead_of_name(name: str, alike: tuple[str, ...]) -> Iterator[str]:
    if name in ARRAYS:
        yield from (text.format(name) for text in INDEXED)
    if name in alike:
        yield from (other for other in alike if other != name)
    if name in AXES:
        yield from (other for other in AXES if other != name)
    if name in NUMBERS:
        yield f"-{name}"


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
