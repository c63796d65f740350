"""Expressions over the columns of a table: the language of claims, figures and exclusions.

A results folder may come from anybody, so its expressions are data: the text is parsed, every node of the
syntax tree must be on a short list, and evaluation is array arithmetic over columns. There are no
attributes, no calls but of the functions below, and nothing is ever executed.

    verdict == 'agrees' and `clip.eps` >= 1e-7 and activation in ['relu', 'tanh']

Null propagates as in SQL: what is computed from null or compared with it is null, `and` and `or` follow
Kleene's logic, and null counts as false where a truth value is asked for. `isnull(x)` is true of null alone,
`notnull(x)` of all else.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backproof.errors import ConfigurationError, nearest
from backproof.sweeps.evaluation import ARITHMETIC, FUNCTIONS, NULLS, ORDERINGS, Evaluation, Mask, Vector

if TYPE_CHECKING:  # pandas takes a quarter of a second to import
    import pandas as pd

MOST_CHARACTERS, MOST_NODES, MOST_DEPTH = 4000, 1000, 40
"""Limits on the text and on its syntax tree; ten times what a long claim needs."""

GREATEST_EXPONENT = 64

_QUOTED = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|`([^`]*)`""")
_COLUMN = "column_in_backticks_{}"


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes:
        text: as it was written, on one line; key: where it stands, for messages.
        columns: the columns that it reads.
    """

    key: str
    text: str
    columns: frozenset[str]
    _tree: ast.expr = field(repr=False, compare=False)
    _names: dict[str, str] = field(repr=False, compare=False)

    def truth(self, table: pd.DataFrame) -> Mask:
        """Row by row whether it is true; null is false.

        Raises:
            ConfigurationError: if it is neither true nor false, or does not fit the table.
        """
        found = self._evaluate(table)
        if found.kind not in ("truth", "nothing"):
            raise ConfigurationError(f"{self.key}: '{self.text}' is a {found.kind}, not true or false")
        return (
            np.zeros(len(table), bool) if found.kind == "nothing" else found.values.astype(bool) & ~found.null
        )

    def numbers(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Row by row its value as a number, true as 1; NaN for null.

        Raises:
            ConfigurationError: if it is text, or does not fit the table.
        """
        found = self._evaluate(table)
        if found.kind == "text":
            raise ConfigurationError(f"{self.key}: '{self.text}' is text, not a number")
        return found.numbers()

    def _evaluate(self, table: pd.DataFrame) -> Vector:
        with np.errstate(all="ignore"):
            return Evaluation(self.key, self.text, self._names, table).vector(self._tree)


def parse(key: str, text: object, columns: Iterable[object]) -> Expression:
    """An expression over these columns; `key` is where it stands.

    Raises:
        ConfigurationError: one line that names the key, and the nearest name where one is unknown.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"{key}: must be an expression over columns; not {repr(text)[:80]}")
    if len(text) > MOST_CHARACTERS:
        raise ConfigurationError(
            f"{key}: has {len(text):,} characters; at most {MOST_CHARACTERS:,} are allowed"
        )
    line, names, known = " ".join(text.split()), dict[str, str](), [str(c) for c in columns]
    tree = _syntax_tree(key, _without_backticks(line, names))
    functions = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    read = set()
    for node in ast.walk(tree):
        _allow(key, node)
        if isinstance(node, ast.Name) and id(node) not in functions:
            name = names.get(node.id, node.id)
            if name not in known:
                raise ConfigurationError(f"{key}: unknown name {name[:80]}{nearest(name, known)}")
            read.add(name)
    return Expression(key, line, frozenset(read), tree, names)


def _without_backticks(line: str, names: dict[str, str]) -> str:
    """Names in backticks replaced by plain ones, which `names` maps back; string literals as they are."""

    def plain(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        name = _COLUMN.format(len(names))
        names[name] = match[2]
        return name

    return _QUOTED.sub(plain, line)


def _syntax_tree(key: str, line: str) -> ast.expr:
    try:
        with warnings.catch_warnings(action="ignore"):  # of an escape that Python does not know
            tree = ast.parse(line, mode="eval").body
    except SyntaxError as error:
        raise ConfigurationError(f"{key}: {error.msg}, in {line[:80]!r}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigurationError(f"{key}: cannot be parsed, in {line[:80]!r}") from error
    size, depth = _extent(tree)
    if size > MOST_NODES or depth > MOST_DEPTH:
        raise ConfigurationError(f"{key}: has too many terms, or is nested too deeply, in {line[:80]!r}")
    return tree


def _extent(tree: ast.expr) -> tuple[int, int]:
    """The number of nodes, and their depth; counted level by level, without recursion."""
    size, depth, level = 0, 0, list[ast.AST]([tree])
    while level:
        size, depth = size + len(level), depth + 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return size, depth


_STRUCTURE = (
    ast.Name, ast.Load, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.Compare,
    ast.Eq, ast.NotEq, *ORDERINGS, ast.BinOp, *ARITHMETIC,
)  # fmt: skip


def _allow(key: str, node: ast.AST) -> None:
    """Refuse a node that is not on the list, whatever stands around it."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str()):
            _finite(key, node)
        case ast.Call():
            _allow_call(key, node)
        case ast.Compare():
            _allow_lists(key, node)
        case ast.List() | ast.Tuple() | ast.In() | ast.NotIn():
            pass  # beside `in`, see _allow_lists; elsewhere they have no value
        case ast.BinOp(op=ast.Pow(), right=exponent):
            _allow_exponent(key, exponent)
        case ast.Attribute():
            raise ConfigurationError(f"{key}: a name with a dot must be in backticks, as in `clip.eps`")
        case ast.BitAnd() | ast.BitOr() | ast.Invert():
            raise ConfigurationError(f"{key}: use and, or, not in place of &, |, ~")
        case _ if not isinstance(node, _STRUCTURE):
            raise ConfigurationError(f"{key}: {_described(node)} is not part of an expression")


def _described(node: ast.AST) -> str:
    return repr(node.value)[:40] if isinstance(node, ast.Constant) else f"Python's {type(node).__name__}"


def _finite(key: str, node: ast.Constant) -> None:
    if isinstance(node.value, int) and abs(node.value) > 2**1000:
        raise ConfigurationError(f"{key}: a number of {node.value.bit_length()} bits is too large")


def _allow_call(key: str, call: ast.Call) -> None:
    allowed = (*FUNCTIONS, *NULLS)
    name = call.func.id if isinstance(call.func, ast.Name) else ast.unparse(call.func)[:40]
    if name not in allowed:
        raise ConfigurationError(f"{key}: unknown name {name}{nearest(name, allowed)}")
    several = name in ("min", "max")
    if call.keywords or any(isinstance(a, ast.Starred) for a in call.args) or (len(call.args) > 1) != several:
        raise ConfigurationError(f"{key}: {name} takes {'two or more values' if several else 'one value'}")


def _allow_lists(key: str, comparison: ast.Compare) -> None:
    for operator, right in zip(comparison.ops, comparison.comparators, strict=True):
        if not isinstance(operator, ast.In | ast.NotIn):
            continue
        values = right.elts if isinstance(right, ast.List | ast.Tuple) else []
        if not values or not all(map(_is_literal, values)):
            raise ConfigurationError(f"{key}: `in` takes a list of values, as in loss in ['a', 'b']")


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    )


def _allow_exponent(key: str, node: ast.expr) -> None:
    value = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node
    number = isinstance(value, ast.Constant) and type(value.value) in (int, float)
    if not number or not abs(value.value) <= GREATEST_EXPONENT:  # type: ignore[attr-defined]
        raise ConfigurationError(f"{key}: an exponent must be a number of at most {GREATEST_EXPONENT}")
