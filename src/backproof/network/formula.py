"""Functions from expressions, `z * tanh(log1p(exp(z)))` or `(y - t)**2`, with derivatives by SymPy.

The grammar is arithmetic and a few functions; nothing of the text is executed. The functions keep their
digits where a textbook's formula would lose them: 1 − tanh² is never formed.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from backproof.network.activations import sigmoid, softplus, tanh
from backproof.network.arrays import Array, FloatType, magnitude

Symbolic = Any
"""An expression of SymPy, which has no types."""

LONGEST, MOST_NODES, LARGEST_POWER = 1000, 250, 64
"""Characters and operations of an expression, and the largest power of constants: they bound SymPy's work."""

WIDER: dict[FloatType, FloatType] = {
    np.float16: np.float32,
    np.float32: np.float64,
    np.float64: np.longdouble,
}
"""The precision in which a value is computed again that overflows on the way."""


def _where(condition: Array, x: Array, y: Array) -> Array:
    return np.asarray(np.where(condition, x, y))


def _maximum(x: Array, y: Array) -> Array:
    """The larger one; of complex numbers by their real parts, the first where these are equal."""
    if np.iscomplexobj(x) or np.iscomplexobj(y):
        return np.asarray(np.where(np.real(x) < np.real(y), y, x))
    return np.asarray(np.maximum(x, y))


NUMERIC: dict[str, Callable[..., Array]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt,
    "sin": np.sin, "cos": np.cos, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "arctan": np.arctan,
    "sigmoid": sigmoid.value, "softplus": softplus.value, "sech2": tanh.derivative,
    "abs": magnitude, "maximum": _maximum, "minimum": lambda x, y: -_maximum(-x, -y), "sign": np.sign,
    "step": lambda x: np.heaviside(x, 0.5),
    "where": _where,
}  # fmt: skip
"""The functions of an expression, and of derivatives."""

ARGUMENTS = {"where": 3, "maximum": 2, "minimum": 2}
NAMES = tuple(sorted({*NUMERIC, *ARGUMENTS} - {"sech2", "step"}))
CONSTANTS = {"pi": "pi", "e": "E"}

OPERATORS: dict[type[ast.AST], Callable[..., Symbolic]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
}  # fmt: skip


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
    if base.is_number and exponent.is_number and abs(exponent) > LARGEST_POWER:
        raise ValueError(f"powers of constants end at {LARGEST_POWER}; not {exponent}")
    return base**exponent


class Formula:
    """An expression in variables and named parameters: as a function of arrays, and its derivative.

    The derivative is that with respect to the first variable.

    Raises:
        ValueError: in one line, if the text is not an expression of this grammar.
    """

    def __init__(
        self, text: str, parameters: Mapping[str, float], variables: tuple[str, ...] = ("z",)
    ) -> None:
        self.text, self.parameters, self.variables = text, dict(parameters), variables
        if len(text) > LONGEST:
            raise ValueError(f"expressions have at most {LONGEST} characters; not {len(text)}")
        clash = next((name for name in variables if name in self.parameters), None)
        if clash is not None:
            raise ValueError(f"'{clash}' is a variable, and no parameter may have its name")
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ValueError(f"'{text}' is not an expression ({type(error).__name__})") from error
        import sympy as sp

        nodes = sum(isinstance(node, ast.expr) for node in ast.walk(tree))
        if nodes > MOST_NODES:
            raise ValueError(f"expressions have at most {MOST_NODES} operations and operands; not {nodes}")
        self.symbols = {name: sp.Symbol(name, real=True) for name in variables}
        self.expression = self._read(tree)

    @property
    def used(self) -> frozenset[str]:
        """The variables that are in it."""
        return frozenset(str(symbol) for symbol in self.expression.free_symbols)

    def _read(self, node: ast.AST) -> Symbolic:
        import sympy as sp

        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return sp.Integer(node.value) if type(node.value) is int else sp.Float(repr(node.value), 17)
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            return _power(self._read(node.left), self._read(node.right))
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](self._read(node.left), self._read(node.right))
        if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](self._read(node.operand))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in OPERATORS:
            return OPERATORS[type(node.ops[0])](self._read(node.left), self._read(node.comparators[0]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, [self._read(a) for a in node.args])
        raise ValueError(
            f"'{ast.unparse(node)}' is not allowed in an expression in {', '.join(self.variables)}"
        )

    def _name(self, name: str) -> Symbolic:
        import sympy as sp

        if name in self.symbols:
            return self.symbols[name]
        if name in self.parameters:
            value = self.parameters[name]
            return sp.Integer(value) if isinstance(value, int) else sp.Float(repr(value), 17)
        if name in CONSTANTS:
            return getattr(sp, CONSTANTS[name])
        known = ", ".join([*self.variables, *self.parameters, *CONSTANTS])
        raise ValueError(f"'{name}' is unknown in '{self.text}'; names are {known}")

    def _call(self, name: str, given: list[Symbolic]) -> Symbolic:
        if name not in NAMES:
            raise ValueError(f"'{name}' is not a known function; those are {', '.join(NAMES)}")
        if len(given) != ARGUMENTS.get(name, 1):
            raise ValueError(f"{name} takes {ARGUMENTS.get(name, 1)} arguments; not {len(given)}")
        functions = _symbolic()
        if name == "where":
            return _where_symbolic(*given)
        if len(given) == 2:
            return functions[name](*given)
        (x,) = given
        if name == "log1p" and getattr(x, "func", None) == functions["exp"]:
            return functions["softplus"](x.args[0])  # exp(z) overflows where log1p of it is z
        return functions[name](x)

    def value(self) -> Evaluated:
        """The function of arrays, in their precision."""
        return Evaluated(self.text, tuple(self.parameters.items()), self.variables, derivative=False)

    def derivative(self) -> Evaluated:
        """Its derivative; at a kink, one of the two one-sided ones or a number between them."""
        return Evaluated(self.text, tuple(self.parameters.items()), self.variables, derivative=True)


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
    return compiled(formula.expression.diff(symbols[0]) if of.derivative else formula.expression, symbols)


@cache
def compiled(expression: Symbolic, symbols: tuple[Symbolic, ...]) -> Callable[..., Array | float]:
    """A program over NumPy's functions."""
    import sympy as sp

    modules = [NUMERIC, "numpy"]
    made: Callable[..., Array | float] = sp.lambdify(symbols, expression, modules=modules, cse=True)
    return made


KINKED = ("abs", "sign", "step")
"""Functions whose derivative, or which themselves, jump where their argument is zero."""


@cache
def switches(of: Evaluated) -> tuple[Callable[..., Array | float], ...]:
    """Programs that are zero where the expression may have a kink or a jump."""
    import sympy as sp

    formula = formula_of(of)
    symbols, found = tuple(formula.symbols.values()), []
    for node in sp.preorder_traversal(formula.expression):
        if isinstance(node, sp.core.relational.Relational):
            found.append(node.lhs - node.rhs)
        elif node.func.__name__ in ("maximum", "minimum"):
            found.append(node.args[0] - node.args[1])
        elif node.func.__name__ in KINKED:
            found.append(node.args[0])
    return tuple(compiled(expression, symbols) for expression in dict.fromkeys(found))
