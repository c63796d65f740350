"""A backward pass in low precision beside the derivative of its forward pass in double precision.

The numbers of the inputs are the same in double precision. There the forward pass, or a reference that the
user gives, is evaluated; the backward pass runs on arrays of its own formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array
from backproof.targets.container import Container, leaves_of, mapped
from backproof.targets.dithered import Dithered, Formatted, dithered, rounded_to, unit_of
from backproof.targets.double_pass import with_double
from backproof.targets.formats import in_double, is_low
from backproof.targets.function import Function
from backproof.targets.leaves import Leaf
from backproof.targets.low_passes import (
    Formats,
    Kernel,
    Passes,
    doubles_of,
    formats_of,
    made_of,
    not_double,
    with_doubles_of,
)
from backproof.targets.source import UserFunction, defined_at, shown_as
from backproof.targets.vector import Cotangents, Forward, Rows
from backproof.targets.vjp import Backward, Pullback, pullback

LEAST, MOST = -0.5, 1.0
"""Between these a cotangent is drawn: with a mean, so that sums over it do not vanish by chance."""

MOVE, TINY = 2.0**-8, 2.0**-30
"""Relative moves by which it is seen whether a function computes in double precision."""

ASKED, COARSEST = 96.0, 0.9
"""The relative error that must not go unseen, in units of round-off, and what it is at most."""

NEAR_ZERO = 2.0**-6
"""What inputs are multiplied with to be where little is saturated; at 0 itself there may be no value."""

ONE_PRECISION = (
    "the backward pass does not run in double precision as well: rounding that is the same in every run, "
    "where outputs are saturated, looks like a mistake"
)


def in_low_precision(inputs: Any) -> bool:
    """Whether inputs hold arrays of 16 bits or fewer."""
    return any(is_low(part) for part in leaves_of(inputs))


def resolution_of(inputs: Any) -> float:
    """The relative error that a check in the precision of the inputs must be able to see."""
    units = [each.unit_roundoff for each in formats_of(inputs) if each is not None]
    return min(ASKED * max(units, default=0.0), COARSEST)


class LowPrecisionRows(Rows):
    """Products of cotangents with the Jacobian, whose gradients a pass in low precision makes.

    A gradient is the mean of runs beside its point; what rounding may have made of it is `row_error`.
    """

    def __init__(self, pull: Pullback, passes: Passes, derived: UserFunction, seed: int) -> None:
        self.pull, self.seed = pull, seed
        self.in_double: Backward | None = Backward(passes.in_double, None)
        self.inputs_formatted = formatted(pull.inputs, passes.formats)
        self.outputs_formatted = formatted(pull.forward.outputs, passes.upstream)
        self._found = dict[int, Dithered]()
        super().__init__(pull.forward, pull.x, pull.cotangents, _row_at, derived)

    def values_at(self, points: Array) -> Array | None:  # noqa: ARG002
        """Every product is measured on its own, as what rounding makes of its gradient is."""
        return None

    @property
    def precision(self) -> str:
        """The coarsest format of the inputs and outputs."""
        return max(
            (*self.inputs_formatted, *self.outputs_formatted), key=lambda each: each.format.unit_roundoff
        ).format.name

    @property
    def unit_roundoff(self) -> float:
        """That of this format."""
        return unit_of((*self.inputs_formatted, *self.outputs_formatted))

    def row_error(self, number: int) -> Array:
        """What rounding may have made of the gradient of one product."""
        return self.dithered(number).error

    def dithered(self, number: int) -> Dithered:
        """The gradient of one product, by runs beside the point."""
        if number not in self._found:
            generator = np.random.default_rng((self.seed, number))
            cotangent = self.cotangents.rows[number]
            found = dithered(
                self.run, self.x, cotangent, self.inputs_formatted, self.outputs_formatted, generator
            )  # fmt: skip
            again, gradients = self.run(self.x, cotangent)
            double = self.double(cotangent)
            if double is not None:
                change = self._change(cotangent)
                found = with_double(found, double, self.x, gradients, self.unit_roundoff, change)
            if not np.array_equal(again, found.at_point, equal_nan=True):
                self.note("the gradient differs between two calls; that is taken for rounding")
            self._found[number] = found
        return self._found[number]

    def _change(self, cotangent: Array) -> float:
        """‖cotangent · (F(x) − F(near zero))‖₂, with no term larger than that of F(x)."""
        here = self.forward.at(self.x)
        try:
            near = self.forward.at(self.x * NEAR_ZERO)
        except FunctionError:  # as of a function that has no value there
            near = np.zeros_like(here)
        return float(np.linalg.norm(cotangent * np.fmin(np.abs(here - near), np.abs(here))))

    def double(self, cotangent: Array) -> Array | None:
        """The gradient that the pass makes in double precision; None where it does not compute in that."""
        if self.in_double is None:
            return None
        try:
            parts = self.in_double.parts(self.pull.inputs, self.pull.forward.outputs, cotangent, self.x)
            return self.flat_gradient(parts, self.pull.inputs.varying)
        except FunctionError:  # as of a kernel that is compiled for its own formats
            self.in_double = None
            self.note(ONE_PRECISION)
            return None

    def run(self, x: Array, cotangent: Array) -> tuple[Array, Sequence[Formatted]]:
        """The gradient of one run in double precision, and the formats in which it was returned."""
        parts = self.pull.parts(cotangent, x)
        leaves = self.pull.inputs.varying
        flat = self.flat_gradient([in_double(part) for part in parts], leaves)
        of_each = zip(leaves, formats_of(parts), strict=True)
        return flat, [Formatted(leaf.tensor.block, each) for leaf, each in of_each if each is not None]


def _row_at(rows: Rows, number: int, at: Array) -> Array:
    """The gradient of one product; at the starting point and so near it that no format tells them apart."""
    assert isinstance(rows, LowPrecisionRows)
    if np.array_equal(rounded_to(at, rows.inputs_formatted), rows.x):
        return rows.dithered(number).mean.copy()
    return rows.run(at, rows.cotangents.rows[number])[0]


def low_precision_vjp(
    forward: UserFunction,
    backward: UserFunction | None,
    inputs: tuple[Any, ...],
    *,
    reference: UserFunction | None = None,
    residuals: bool = False,
    cotangents: Any = None,
    seed: int = 0,
    wide: Kernel | None = None,
) -> Function:
    """The products of cotangents with the Jacobian in double precision, and their gradients in low precision.

    Args:
        reference: inputs → outputs, called instead of forward with the inputs in double precision.
        cotangents: a list of them, each like the outputs; by default one that is drawn.
        wide: both passes as they are called in double precision, if these differ.

    The other arguments are those of `vjp`.

    Raises:
        FunctionError: if one of the functions does what no such function does; it names the file and line.
    """
    generator = np.random.default_rng(seed)

    def choose(function: Forward, values: Array, parameters: int) -> Cotangents:  # noqa: ARG001
        return _cotangents(function, values, passes.upstream, cotangents, generator)

    with np.errstate(all="ignore"):  # what over- or underflows is seen by its values
        passes = Passes(forward, backward, inputs, reference, residuals=residuals, wide=wide)
        pull = pullback(passes.reference, passes.backward, passes.inputs, choose=choose)
        _require_double(pull, reference or forward, generator)
    rows = LowPrecisionRows(pull, passes, backward or forward, seed)
    function = rows if len(rows.rows) > 1 else rows.rows[0][0]
    function.notes = rows.notes
    pull.note_what_is_held(function)
    return function


def low_precision_loss(
    f: UserFunction,
    w: Any,
    args: Sequence[Any] = (),
    *,
    df: UserFunction | None = None,
    reference: UserFunction | None = None,
    seed: int = 0,
) -> Function:
    """A loss in double precision, and its gradient in low precision.

    Args:
        f: (W, *args) → the loss.
        df: (W, *args) → the gradient; None where W's library makes it.
        reference: (W, *args) → the loss, called instead of f with all of them in double precision.

    Raises:
        FunctionError: if one of the functions does what no loss or gradient does.
    """
    doubles = doubles_of(formats_of(args))
    with with_doubles_of(doubles):
        wide = made_of(mapped(in_double, tuple(args)), doubles)

    @shown_as(f)
    def loss(W: Any) -> Any:  # as it is called in messages and tables
        return f(W, *args)

    @shown_as(reference or f)
    def in_doubles(W: Any) -> Any:
        return (reference or f)(W, *wide)

    @shown_as(df or f)
    def gradient(_: Any, W: Any) -> Any:
        assert df is not None
        return df(W, *args)

    @shown_as(f)
    def wide_loss(W: Any) -> Any:
        return f(W, *wide)

    @shown_as(df or f)
    def wide_gradient(_: Any, W: Any) -> Any:
        assert df is not None
        return df(W, *wide)

    backward, wide_backward = (gradient, wide_gradient) if df is not None else (None, None)
    return low_precision_vjp(
        loss, backward, (w,), reference=in_doubles, cotangents=[np.ones(())], seed=seed,
        wide=(wide_loss, wide_backward),
    )  # fmt: skip


def formatted(container: Container, formats: Formats) -> list[Formatted]:
    """Where the numbers of each array of a container lie, and its format."""
    of_each = zip(container.leaves, formats, strict=True)
    return [
        Formatted(leaf.tensor.block, f) for leaf, f in of_each if isinstance(leaf, Leaf) and f is not None
    ]


def _cotangents(
    function: Forward, values: Array, formats: Formats, given: Any, generator: np.random.Generator
) -> Cotangents:
    """Those that were given, or one that is drawn, as the formats of the outputs have them."""
    outputs = function.outputs
    if len(outputs.leaves) != len(formats):
        what = f"{len(outputs.leaves)} arrays where the forward pass returns {len(formats)}"
        raise FunctionError(f"{defined_at(function.function)}: returns {what}")
    names: tuple[str, ...] = (outputs.name,)
    if given is None:
        rows = generator.uniform(LEAST, MOST, (1, len(values)))
    else:
        of_each = [mapped(in_double, each) for each in given]
        labels = (f"cotangents[{k}] of {defined_at(function.function)}" for k in range(len(of_each)))
        rows = np.array([outputs.numbers(*pair) for pair in zip(of_each, labels, strict=True)], float)
        names = tuple(f"(cotangent {k} · {outputs.name})" for k in range(len(rows)))
    in_formats = formatted(outputs, formats)
    return Cotangents(np.array([rounded_to(row, in_formats) for row in rows]), names)


def _require_double(pull: Pullback, function: UserFunction, generator: np.random.Generator) -> None:
    """Refuse a function that rounds to low precision although its inputs are in double precision."""
    x, ways = pull.x, generator.choice([-1.0, 1.0], len(pull.x))
    near, far = (pull.forward.at(x * (1 + ways * move)) for move in (TINY, MOVE))
    here = pull.forward.at(x)
    if np.array_equal(near, here) and not np.array_equal(far, here):
        raise not_double(function, "rounds to low precision although its inputs are in float64")
