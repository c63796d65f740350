"""One random edit of a Python function's arithmetic, or of the gradient that a compiled function returns.

The edits are of the kind that people make: an operator, an operand, a sign, a constant, an index, a
transpose, a term or a statement left out, the arguments of a call in another order.
"""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator

import numpy as np
from cases import Array, Case, Gradient

Edited = tuple[str, Gradient]
"""What was edited, in words, and the gradient that comes of it."""

OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
}

UNCHECKED = {"loss_gradient", "gradient"}
"""Compiled functions that do not check the shapes they are given: their arguments are left alone."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
}


def edited(case: Case, rng: np.random.Generator) -> Edited | None:
    """The gradient of a case with one edit; None if it cannot be evaluated, or that is no gradient."""
    in_source = case.source is not None and rng.random() < 0.75
    try:
        what, df = _source_edited(case, rng) if in_source else _result_edited(case, rng)
        found = np.asarray(df(case.point.copy()))
    except Exception:
        return None  # whatever an edited function does, it is no mutant
    shaped = found.shape == case.point.shape and found.dtype.kind == "f"
    return (what, df) if shaped and bool(np.isfinite(found).all()) else None


def _source_edited(case: Case, rng: np.random.Generator) -> Edited:
    """One edit of the function in which the gradient is computed."""
    source = case.source
    assert source is not None
    tree = ast.parse(textwrap.dedent(inspect.getsource(source.function)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    names = sorted(
        {n.id for n in ast.walk(definition) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    )
    sites = [(node, found) for node in _safe(definition) if (found := list(_alternatives(node, names)))]
    node, alternatives = sites[rng.integers(len(sites))]
    new = alternatives[rng.integers(len(alternatives))]
    before, after = ast.unparse(node), ast.unparse(new) if not isinstance(new, ast.Pass) else "nothing"
    tree = ast.fix_missing_locations(_Replacement(node, new).visit(tree))
    namespace = dict(source.function.__globals__)
    namespace.update(inspect.getclosurevars(source.function).nonlocals)
    exec(compile(tree, f"<edited {source.function.__name__}>", "exec"), namespace)
    what = f"{source.function.__qualname__}: {_short(before)} became {_short(after)}"
    return what, source.gradient(namespace[definition.name])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) < 70 else line[:66] + " ..."


def _safe(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that may be edited."""
    yield node
    call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    if not (call and node.func.attr in UNCHECKED):
        for child in ast.iter_child_nodes(node):
            yield from _safe(child)


class _Replacement(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _alternatives(node: ast.AST, names: list[str]) -> Iterator[ast.AST]:
    """What may stand in a node's place; `names` are the local variables."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            for other in OPERATORS.get(type(op), ()):
                yield ast.BinOp(left, other(), right)
            if not isinstance(op, ast.MatMult | ast.Mod):
                yield left
                yield right
            if isinstance(op, ast.Add | ast.Mult | ast.Div):
                yield ast.UnaryOp(ast.USub(), ast.BinOp(left, op, right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield operand
        case ast.AugAssign(target=target, op=op, value=value):
            for other in OPERATORS.get(type(op), ()):
                yield ast.AugAssign(target, other(), value)
            yield ast.Pass()
        case ast.Constant(value=value) if type(value) in (int, float):
            kind = type(value)
            for other in (value + 1, value - 1, value * 2):
                yield ast.Constant(kind(other))
            if kind is float:
                yield ast.Constant(value * (1 + 10**-3.5))
        case ast.Compare(left=left, ops=[op], comparators=more) if type(op) in COMPARISONS:
            yield ast.Compare(left, [COMPARISONS[type(op)]()], more)
        case ast.Call(func=func, args=[first, second, *rest], keywords=keywords):
            yield ast.Call(func, [second, first, *rest], keywords)
        case ast.Attribute(value=value, attr="T", ctx=ast.Load()):
            yield value
        case ast.Name(id=name, ctx=ast.Load()) if name in names:
            yield from (ast.Name(other, ast.Load()) for other in names if other != name)


def _result_edited(case: Case, rng: np.random.Generator) -> Edited:
    """One edit of the array that the gradient is; the same one at every point."""
    df, n = case.df, case.point.size
    i, j = int(rng.integers(n)), int(rng.integers(n))
    d = float(10 ** rng.uniform(-5, 0) * rng.choice([-1, 1]))
    edits: list[tuple[str, Callable[[Array, Array], Array]]] = [
        (f"entry {i} times {1 + d:.7g}", lambda g, _: _at(g, i, g[i] * (1 + d))),
        (f"entry {i} with another sign", lambda g, _: _at(g, i, -g[i])),
        (f"entry {i} left out", lambda g, _: _at(g, i, 0.0)),
        (f"entry {j} in the place of entry {i}", lambda g, _: _at(g, i, g[j])),
        (f"entries {i} and {j} exchanged", lambda g, _: _at(_at(g, i, g[j]), j, g[i])),
        (f"entry {i} with {d:.3g} of entry {j} added", lambda g, _: _at(g, i, g[i] + d * g[j])),
        (f"all times {1 + d:.7g}", lambda g, _: g * (1 + d)),
        ("all with another sign", lambda g, _: -g),
        ("shifted by one entry", lambda g, _: np.roll(g, 1)),
        (f"entries above {i} left out", lambda g, _: np.where(np.arange(n) > i, 0.0, g)),
        (f"times 1 + {d:.3g} x", lambda g, x: g * (1 + d * x)),
    ]  # fmt: skip
    what, change = edits[rng.integers(len(edits))]

    def wrong(x: Array) -> Array:
        found = np.asarray(df(x))
        return change(found.ravel(), x.ravel()).reshape(found.shape)

    return what, wrong


def _at(g: Array, i: int, value: float) -> Array:
    changed = copy.copy(g)
    changed[i] = value
    return changed
