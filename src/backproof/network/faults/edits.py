"""Edits of a line of arithmetic: an operator, operand, index, sign or constant becomes another."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div)


@dataclass(frozen=True)
class Vocabulary:
    """What the names in an expression are; those that are not listed are functions, and stay.

    Attributes:
        arrays: each may be indexed otherwise.
        indexed: how; texts with {0} in place of the name.
        numbers: each may change its sign.
        axes: each may become another.
    """

    arrays: tuple[str, ...]
    indexed: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()

    def instead_of(self, name: str, alike: tuple[str, ...]) -> Iterator[str]:
        """What may stand in a name's place; names that are alike may stand for one another."""
        if name in self.arrays:
            yield from (text.format(name) for text in self.indexed)
        for several in (alike, self.axes):
            if name in several:
                yield from (other for other in several if other != name)
        if name in self.numbers:
            yield f"-{name}"


@cache
def edits_of(
    text: str, names: Vocabulary, alike: tuple[str, ...] = (), operands: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Every text that is one edit away from an expression, each once.

    Args:
        text: the expression; names: what its names are.
        alike: names of arrays that may stand for one another.
        operands: the names that are edited, and nothing else is; the whole expression where there are none.
    """
    tree = ast.parse(text, mode="eval")
    found = dict[str, None]()
    for position, node in enumerate(ast.walk(tree)):
        if operands and not (isinstance(node, ast.Name) and node.id in operands):
            continue
        for new in _instead_of(node, names, alike):
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


def _instead_of(node: ast.AST, names: Vocabulary, alike: tuple[str, ...]) -> Iterator[ast.expr]:
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
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            yield from (ast.Constant(other) for other in (value + 1, value - 1, 2 * value, 0.5 * value))
        case ast.Name(id=name):
            yield from map(_parsed, names.instead_of(name, alike))


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
