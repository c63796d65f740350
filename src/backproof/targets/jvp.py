"""Products of the Jacobian of a vector function with tangents, as forward mode makes them (JVP)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array, root_mean_square
from backproof.targets.calling import called
from backproof.targets.container import Container, container_of
from backproof.targets.jacobian import remembered
from backproof.targets.layout import Layout, Tensor
from backproof.targets.leaves import Leaf, what_it_is
from backproof.targets.source import UserFunction, defined_at
from backproof.targets.vector import WHOLE, Forward, Rows, chosen_cotangents
from backproof.targets.vjp import argument_names

DRAWN = 4
"""Random tangents of functions of many parameters."""


@dataclass(frozen=True)
class TangentTensor(Tensor):
    """How far the inputs are moved along each tangent."""

    names: tuple[str, ...] = ()

    def entry(self, offset: int) -> str:
        """The tangent's name; of a basis, the parameter's."""
        return self.names[offset]


def jvp(
    function: UserFunction,
    pushforward: UserFunction,
    inputs: Sequence[Any],
    *,
    primals: bool = False,
    tangents: Sequence[Any] | None = None,
    generator: np.random.Generator,
) -> Rows:
    """The products of the Jacobian with tangents, as the Jacobian of t ↦ F(x + Σₖ tₖ vₖ) at t = 0.

    Args:
        function: inputs → outputs, in any container.
        pushforward: (tangent, *inputs) → the tangent of the outputs; the tangent is like the input, or a
            tuple of several inputs' own. With `primals`, (inputs, tangents) → (outputs, their tangent), both
            arguments tuples, as the rule of JAX's `custom_jvp`.
        tangents: a list of them, each like the input or a tuple for several; by default every parameter alone
            where the Jacobian has at most 2,500 entries, or else four that are drawn.

    Raises:
        FunctionError: if one of the functions does what no such function does; it names the file and line.
    """
    container, x = container_of(tuple(inputs), argument_names(function, len(inputs)))
    values = Forward(function, container, lambda seen: function(*seen)).at(x)
    columns, names = _tangents(container, x, len(values), tangents, len(inputs), generator)
    count = len(names)

    def moved(t: Array) -> Array:
        return np.asarray(x + columns @ t).astype(t.dtype)

    moving = ", ".join(tensor.name for tensor in container.layout.tensors)
    lengths = TangentTensor(moving, (count,), slice(0, count), names=names)
    along = Container(0, (Leaf(lengths, x.dtype),), Layout((lengths,)), x.dtype, "t")
    forward = Forward(function, along, lambda t: function(*container.filled(moved(t))))
    forward.at(np.zeros(count, x.dtype))
    rule = Pushforward(pushforward, container, forward.outputs, primals=primals)
    matrix_at = remembered(lambda t: np.column_stack([rule.at(moved(t), v) for v in columns.T]))
    chosen = chosen_cotangents(forward, values, count, None, generator)

    def row_at(rows: Rows, number: int, t: Array) -> Array:
        found = np.asarray(chosen.rows[number] @ matrix_at(t))
        return found.astype(np.promote_types(found.dtype, rows.dtype))

    return Rows(forward, np.zeros(count, x.dtype), chosen, row_at, pushforward)


class Pushforward:
    """Forward mode: tangents of inputs to tangents of outputs, both flat."""

    def __init__(
        self, function: UserFunction, inputs: Container, outputs: Container, *, primals: bool
    ) -> None:
        self.function, self.inputs, self.outputs, self.primals = function, inputs, outputs, primals

    def at(self, x: Array, tangent: Array) -> Array:
        """The tangent of the outputs at x.

        Raises:
            FunctionError: if the function raises, or returns no tangent like the outputs.
        """
        arguments, moves = self.inputs.filled(x.copy()), self.inputs.filled(tangent.astype(x.dtype))
        found = called(self.function, self._returned, arguments, moves)
        return self.outputs.numbers(found, defined_at(self.function), "the tangent of ")

    def _returned(self, arguments: tuple[Any, ...], moves: tuple[Any, ...]) -> Any:
        if not self.primals:
            return self.function(moves[0] if len(moves) == 1 else moves, *arguments)
        found = self.function(arguments, moves)
        if not isinstance(found, tuple) or len(found) != 2:
            where = defined_at(self.function)
            raise FunctionError(f"{where}: must return (outputs, their tangent); not {what_it_is(found)}")
        return found[1]


def _tangents(
    container: Container,
    x: Array,
    outputs: int,
    given: Sequence[Any] | None,
    inputs: int,
    generator: np.random.Generator,
) -> tuple[Array, tuple[str, ...]]:
    """Directions as columns (parameters, tangents), and their names."""
    size = np.abs(x.astype(float))
    size = np.where(size > 0, size, root_mean_square(size) or 1.0)
    if given is None and outputs * len(x) <= WHOLE:
        return np.diag(np.exp2(np.round(np.log2(size)))), tuple(map(container.layout.location, range(len(x))))
    if given is None:
        moves = generator.choice([-1.0, 1.0], (len(x), DRAWN)) * generator.uniform(0.5, 1, (len(x), DRAWN))
        return moves * size[:, None], tuple(f"draw {k}" for k in range(DRAWN))
    columns = []
    for number, tangent in enumerate(given):
        label = f"tangents[{number}]"
        columns.append(container.numbers(tangent if inputs > 1 else (tangent,), label))
    return np.array(columns, float).T, tuple(f"tangent {k}" for k in range(len(columns)))
