"""Functions from expressions, `z * tanh(log1p(exp(z)))` or `(y - t)**2`, with derivatives by SymPy.

The grammar is arithmetic and a few functions; nothing of the text is executed. The functions keep their
digits where a textbook's formula would lose them: 1 − tanh² is never formed.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np

from backproof.network.arrays import Array, FloatType
from backproof.network.effort import limited
from backproof.network.programs import compiled
from backproof.network.syntax import ARITHMETIC, COMPARISONS, MOST_DIGITS, parsed

T = TypeVar("T")

Symbolic = Any
"""An expression of SymPy, which has no types."""

WIDER: dict[FloatType, FloatType] = {
    np.float16: np.float32,
    np.float32: np.float64,
    np.float64: np.longdouble,
}
"""The precision in which a value is computed again that overflows on the way."""


@cache
def _symbolic() -> dict[str, Callable[..., Symbolic]]:
    """SymPy's counterpart of each function, whose derivative consists of these functions again."""
    import sympy as sp

    def function(name: str, derivative: Callable[..., Symbolic]) -> Callable[..., Symbolic]:
        def fdiff(self: Symbolic, _argument: int = 1) -> Symbolic:
            return derivative(self.args[0])

        return type(name, (sp.Function,), {"fdiff": fdiff})

    made: dict[str, Callable[..., Symbolic]] = {
        name: getattr(sp, name) for name in ("exp", "log", "sqrt", "sin", "cos", "sinh", "cosh")
    }
    made["step"] = function("step", lambda _x: sp.Integer(0))
    made["sign"] = function("sign", lambda _x: sp.Integer(0))
    made["sech2"] = function("sech2", lambda x: -2 * made["tanh"](x) * made["sech2"](x))
    made["tanh"] = function("tanh", made["sech2"])
    made["sigmoid"] = function("sigmoid", lambda x: made["sigmoid"](x) * made["sigmoid"](-x))
    made["softplus"] = function("softplus", made["sigmoid"])
    made["expm1"] = function("expm1", sp.exp)
    made["log1p"] = function("log1p", lambda x: 1 / (1 + x))
    made["arctan"] = function("arctan", lambda x: 1 / (1 + x**2))
    made["abs"] = function("abs", made["sign"])
    made["maximum"] = _of_two("maximum", lambda x, y: made["step"](x - y))
    made["minimum"] = _of_two("minimum", lambda x, y: made["step"](y - x))
    return made


def _of_two(name: str, chosen: Callable[..., Symbolic]) -> Callable[..., Symbolic]:
    """One of two arguments; `chosen` is 1 where it is the first, and ½ where they are equal."""
    import sympy as sp

    def fdiff(self: Symbolic, argument: int = 1) -> Symbolic:
        x, y = self.args
        return chosen(x, y) if argument == 1 else chosen(y, x)

    return type(name, (sp.Function,), {"fdiff": fdiff})


def _where_symbolic(condition: Symbolic, x: Symbolic, y: Symbolic) -> Symbolic:
    import sympy as sp

    return sp.Piecewise((x, condition), (y, True))


def _power(base: Symbolic, exponent: Symbolic) -> Symbolic:
    if base.is_Rational and exponent.is_Integer:
        digits = math.log10(2) * max(abs(base.p), base.q).bit_length() * abs(int(exponent))
        if digits > MOST_DIGITS:
            raise ValueError(f"a power of exact numbers has at most {MOST_DIGITS} digits; not {digits:.0f}")
    return base**exponent


class Formula:
    """An expression in variables and named parameters: as a function of arrays, and its derivative.

    The derivative is that with respect to the first variable.

    Raises:
        ValueError: in one line, if the text is not an expression of this grammar, has no finite value, or
            takes SymPy too long.
    """

    def __init__(
        self, text: str, parameters: Mapping[str, float], variables: tuple[str, ...] = ("z",)
    ) -> None:
        self.text, self.parameters, self.variables = text, dict(parameters), variables
        tree = parsed(text, self.parameters, variables)
        import sympy as sp

        self.symbols = {name: sp.Symbol(name, real=True) for name in variables}
        self.expression = worked_out(text, lambda: self._read(tree))

    @property
    def used(self) -> frozenset[str]:
        """The variables that are in it."""
        return frozenset(str(symbol) for symbol in self.expression.free_symbols)

    def _read(self, node: ast.AST) -> Symbolic:
        """A part of the tree, which is known to be in the grammar, as SymPy's."""
        match node:
            case ast.Constant(value=int() | float() as value):
                return _exact(value)
            case ast.Name(id=name):
                return self._named(name)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return _power(self._read(left), self._read(right))
            case ast.BinOp(left=left, op=op, right=right):
                return ARITHMETIC[type(op)](self._read(left), self._read(right))
            case ast.UnaryOp(op=op, operand=operand):
                return ARITHMETIC[type(op)](self._read(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return COMPARISONS[type(op)](self._read(left), self._read(right))
            case ast.Call(func=ast.Name(id=name), args=given):
                return _called(name, [self._read(each) for each in given])
        raise AssertionError(f"{node} is not in the grammar")

    def _named(self, name: str) -> Symbolic:
        import sympy as sp

        if name in self.symbols:
            return self.symbols[name]
        if name in self.parameters:
            return _exact(self.parameters[name])
        return {"pi": sp.pi, "e": sp.E}[name]

    def value(self) -> Evaluated:
        """The function of arrays, in their precision."""
        return self._evaluated(derivative=False)

    def derivative(self) -> Evaluated:
        """Its derivative; at a kink, one of the two one-sided ones or a number between them."""
        return self._evaluated(derivative=True)

    def _evaluated(self, *, derivative: bool) -> Evaluated:
        made = Evaluated(self.text, tuple(self.parameters.items()), self.variables, derivative)
        _program(made)  # what SymPy cannot do is refused here, not where a cell is computed
        return made


def _exact(value: float) -> Symbolic:
    import sympy as sp

    return sp.Integer(value) if isinstance(value, int) else sp.Float(repr(value), 17)


def _called(name: str, given: list[Symbolic]) -> Symbolic:
    functions = _symbolic()
    if name == "where":
        return _where_symbolic(*given)
    if name == "log1p" and given[0].func == functions["exp"]:
        return functions["softplus"](given[0].args[0])  # exp(z) overflows where log1p of it is z
    return functions[name](*given)


def worked_out(text: str, action: Callable[[], T]) -> T:
    """What SymPy makes of an expression; `text` is for messages.

    Raises:
        ValueError: in one line, if it takes too long, or SymPy cannot do it.
    """
    short = f"'{text if len(text) < 60 else text[:60] + '…'}'"
    try:
        return limited(short, action)
    except ValueError:
        raise
    except Exception as error:  # SymPy's own, of many kinds: of recursion, overflow, comparison
        raise ValueError(f"{short} cannot be worked out ({type(error).__name__})") from error


@dataclass(frozen=True)
class Evaluated:
    """A formula that can be pickled: it is compiled anew in each process."""

    text: str
    parameters: tuple[tuple[str, float], ...]
    variables: tuple[str, ...]
    derivative: bool

    def __call__(self, *arrays: Array) -> Array:
        program = _program(self)
        shape, dtype = np.broadcast_shapes(*(a.shape for a in arrays)), np.result_type(*arrays)
        with np.errstate(all="ignore"):
            found = np.broadcast_to(np.asarray(program(*arrays), dtype), shape).copy()
            wider = WIDER.get(dtype.type)
            if wider is None:
                return found
            lost = ~np.isfinite(found)
            for a in arrays:
                lost &= np.isfinite(a)
            if lost.any():  # exp(z)/(1 + exp(z)) overflows on the way to 1
                again = (np.broadcast_to(a, shape)[lost].astype(wider) for a in arrays)
                found[lost] = self(*again).astype(dtype)
        return found


@cache
def formula_of(of: Evaluated) -> Formula:
    """The formula that is evaluated, read once."""
    return Formula(of.text, dict(of.parameters), of.variables)


@cache
def _program(of: Evaluated) -> Callable[..., Array | float]:
    """The expression, or its derivative, as a program."""
    formula = formula_of(of)
    symbols = tuple(formula.symbols.values())

    def program() -> Callable[..., Array | float]:
        expression = formula.expression
        found = compiled(expression.diff(symbols[0]) if of.derivative else expression, symbols)
        with np.errstate(all="ignore"):
            found(
                *(np.ones(1) for _ in symbols)
            )  # of constants that SymPy has moved together, one may overflow
        return found

    return worked_out(of.text, program)


KINKED = ("abs", "Abs", "sign", "step")
"""Functions whose derivative, or which themselves, jump where their argument is zero."""


@cache
def switches(of: Evaluated) -> tuple[Callable[..., Array | float], ...]:
    """Programs that are zero where the expression may have a kink or a jump."""
    return worked_out(of.text, lambda: tuple(_switches(formula_of(of))))


def _switches(formula: Formula) -> Iterator[Callable[..., Array | float]]:
    import sympy as sp

    symbols, found = tuple(formula.symbols.values()), []
    for node in sp.preorder_traversal(formula.expression):
        if isinstance(node, sp.core.relational.Relational):
            found.append(node.lhs - node.rhs)
        elif node.func.__name__ in ("maximum", "minimum"):
            found.append(node.args[0] - node.args[1])
        elif node.func.__name__ in KINKED:
            found.append(node.args[0])
    yield from (compiled(expression, symbols) for expression in dict.fromkeys(found))
