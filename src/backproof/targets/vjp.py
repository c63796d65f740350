"""Products of cotangents with the Jacobian of a vector function, as a backward pass makes them (VJP)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array
from backproof.targets.calling import called
from backproof.targets.container import Container, container_of
from backproof.targets.function import Function, Together
from backproof.targets.leaves import what_it_is
from backproof.targets.source import UserFunction, defined_at
from backproof.targets.vector import Cotangents, Forward, RowAt, Rows, chosen_cotangents


class Backward:
    """A backward pass: cotangents to gradients of the inputs, both flat.

    Attributes:
        function: (cotangent, *inputs) → a gradient for each input.
        forward: where backward takes what forward has kept, (residuals, cotangent) as in JAX's `custom_vjp`:
            the user's forward pass, inputs → (outputs, residuals).
        of_all: (cotangents, *inputs) → what the function returns for each of them.
    """

    def __init__(
        self, function: UserFunction, forward: UserFunction | None, of_all: UserFunction | None = None
    ) -> None:
        self.function, self.forward, self.of_all = function, forward, of_all

    def parts(self, inputs: Container, outputs: Container, cotangent: Array, x: Array) -> list[Any]:
        """The gradient of each array of the inputs, as it was returned.

        Raises:
            FunctionError: if the pass raises, changes its arguments, or returns too few gradients.
        """
        arguments = inputs.filled(x.copy())
        given = self._upstream(inputs, outputs, cotangent, x)
        found = called(self.function, self._returned, arguments, outputs.filled(given))
        if not np.array_equal(given, self._upstream(inputs, outputs, cotangent, x), equal_nan=True):
            raise FunctionError(f"{defined_at(self.function)}: changes its cotangent; copy it first")
        return inputs.parts(self._of_each(found, len(arguments)), defined_at(self.function))

    def parts_of_all(
        self, inputs: Container, outputs: Container, cotangents: Array, x: Array
    ) -> list[list[Any]]:
        """The same for several cotangents, (cotangents, outputs), by one call.

        Raises:
            FunctionError: if that raises, or returns too few gradients.
        """
        assert self.of_all is not None
        arguments, where = inputs.filled(x.copy()), defined_at(self.function)
        upstream = [outputs.filled(c) for c in self._upstream(inputs, outputs, cotangents, x)]
        found = called(self.function, self.of_all, upstream, *arguments)
        return [inputs.parts(self._of_each(each, len(arguments)), where) for each in found]

    @staticmethod
    def _upstream(inputs: Container, outputs: Container, cotangents: Array, x: Array) -> Array:
        """Cotangents in the outputs' precision.

        Evaluated in another precision than the user's, what F returns is in that, too.
        """
        kind = outputs.dtype if x.dtype == inputs.dtype else np.promote_types(outputs.dtype, x.dtype)
        return cotangents.astype(kind)

    def _returned(self, arguments: Sequence[Any], upstream: Any) -> Any:
        if self.forward is None:
            return self.function(upstream, *arguments)
        return self.function(output_and_residuals(self.forward, arguments)[1], upstream)

    def _of_each(self, found: Any, inputs: int) -> Any:
        """A gradient for every input; a single one may be returned alone."""
        several = isinstance(found, tuple | list)
        if inputs == 1 and not (several and len(found) == 1):
            return (found,)
        if not several or len(found) != inputs:
            what = f"{len(found)}" if several else what_it_is(found)
            raise FunctionError(
                f"{defined_at(self.function)}: must return {inputs} gradients, one for each input; not {what}"
            )
        return tuple(found)


def output_and_residuals(forward: UserFunction, arguments: Sequence[Any]) -> tuple[Any, Any]:
    """What a forward pass returns that keeps residuals.

    Raises:
        FunctionError: if it does not return a pair.
    """
    found = forward(*arguments)
    if not isinstance(found, tuple) or len(found) != 2:
        what = f"{len(found)} values" if isinstance(found, tuple) else what_it_is(found)
        raise FunctionError(f"{defined_at(forward)}: must return (outputs, residuals); not {what}")
    return found


def vjp(
    forward: UserFunction,
    backward: UserFunction,
    inputs: Sequence[Any],
    *,
    residuals: bool = False,
    cotangents: Any = None,
    together: Together | None = None,
    backward_of_all: UserFunction | None = None,
    generator: np.random.Generator,
) -> Rows:
    """The products of cotangents with the Jacobian, as a function of one vector and its gradient.

    Args:
        forward: inputs → outputs, in any container; with `residuals`, (outputs, residuals).
        backward: (cotangent, *inputs) → a gradient for each input; with `residuals`, (residuals, cotangent).
        cotangents: a list of them, each like the outputs; by default every output alone where the Jacobian
            has at most 2,500 entries, or else four that are drawn.
        together: forward at many points by one call.
        backward_of_all: (cotangents, *inputs) → what backward returns for each of them.

    Raises:
        FunctionError: if one of the functions does what no such function does; it names the file and line.
    """

    def choose(function: Forward, values: Array, parameters: int) -> Cotangents:
        return chosen_cotangents(function, values, parameters, cotangents, generator)

    pull = pullback(
        forward, backward, inputs, residuals=residuals, choose=choose, together=together,
        backward_of_all=backward_of_all,
    )  # fmt: skip

    def row_at(rows: Rows, number: int, at: Array) -> Array:
        return rows.flat_gradient(pull.parts(pull.cotangents.rows[number], at), pull.inputs.varying)

    rows = Rows(pull.forward, pull.x, pull.cotangents, row_at, backward, _Together(pull, row_at))
    pull.note_what_is_held(rows)
    return rows


class _Together:
    """The gradients of all products at one point, by one call where the backward pass allows that.

    Whether it does is found by trying: the last of the first ones is compared with one that is made alone,
    which tells whether the others have left what they share as it was.
    """

    def __init__(self, pull: Pullback, row_at: RowAt) -> None:
        self.pull, self.row_at = pull, row_at
        self.allowed = pull.rule.of_all is not None and len(pull.cotangents.rows) > 1
        self.compared = False

    def __call__(self, rows: Rows, at: Array) -> Array:
        if self.allowed:
            found = self._by_one_call(rows, at)
            if found is not None:
                return found
            self.allowed = False
        return np.array([self.row_at(rows, k, at) for k in range(len(self.pull.cotangents.rows))])

    def _by_one_call(self, rows: Rows, at: Array) -> Array | None:
        """None where that raises or differs."""
        pull = self.pull
        try:
            parts = pull.rule.parts_of_all(pull.inputs, pull.forward.outputs, pull.cotangents.rows, at)
            found = np.array([rows.flat_gradient(each, pull.inputs.varying) for each in parts])
            last = found[-1] if self.compared else self.row_at(rows, len(found) - 1, at)
        except FunctionError:
            return None  # as of a pass that can be made once only; what else it is, is raised again
        if not np.array_equal(found[-1], last, equal_nan=True):
            return None
        self.compared = True
        return found


Choose = Callable[[Forward, Array, int], Cotangents]
"""(function, its outputs, how many parameters) → the cotangents to check with."""


@dataclass(frozen=True)
class Pullback:
    """A backward pass beside its forward pass, at one point.

    Attributes:
        inputs, x: the inputs that have a gradient, and their numbers as a vector.
        held: names of those whose gradient is None.
    """

    rule: Backward
    forward: Forward
    inputs: Container
    x: Array
    cotangents: Cotangents
    held: tuple[str, ...]

    def parts(self, cotangent: Array, at: Array) -> list[Any]:
        """The gradient of each array of the inputs at a point, as it was returned."""
        return self.rule.parts(self.inputs, self.forward.outputs, cotangent, at)

    def note_what_is_held(self, function: Function) -> None:
        """Say which inputs are not checked."""
        for name in self.held:
            function.note(f"{name} is held fixed and not checked: its gradient is None")


def pullback(
    forward: UserFunction,
    backward: UserFunction,
    inputs: Sequence[Any],
    *,
    residuals: bool = False,
    choose: Choose,
    together: Together | None = None,
    backward_of_all: UserFunction | None = None,
) -> Pullback:
    """Both passes evaluated once, with the cotangents chosen and the inputs that have no gradient held.

    Raises:
        FunctionError: if one of the functions does what no such function does; it names the file and line.
    """

    def call(arguments: Sequence[Any]) -> Any:
        return output_and_residuals(forward, arguments)[0] if residuals else forward(*arguments)

    rule = Backward(backward, forward if residuals else None, backward_of_all)
    names = argument_names(forward, len(inputs))
    container, x = container_of(tuple(inputs), names)
    function = Forward(forward, container, call, together=together)
    values = function.at(x)
    chosen = choose(function, values, len(x))
    parts = rule.parts(container, function.outputs, chosen.rows[0], x)
    held = [leaf.name for leaf, part in zip(container.varying, parts, strict=True) if part is None]
    if held and len(held) < len(parts):
        container, x = container_of(tuple(inputs), names, dict.fromkeys(held, "its gradient is None"))
        function = Forward(forward, container, call, together=together)
        function.at(x)
    return Pullback(rule, function, container, x, chosen, tuple(held))


def argument_names(function: UserFunction, count: int) -> tuple[str, ...]:
    """The names of a function's first positional parameters, or numbers where it has none of its own."""
    given: tuple[str, ...] | None = getattr(function, "__backproof_names__", None)
    if given is not None:
        return given
    try:
        found = inspect.signature(function).parameters.values()
        named = [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (ValueError, TypeError):
        named = []
    return tuple([*named, *(f"input{k}" for k in range(len(named), count))][:count])
