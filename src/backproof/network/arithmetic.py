"""How a network's numbers are rounded: formats that NumPy has no arithmetic for, on a carrier that it has.

A rounded network computes with arrays of a carrier, float32 or float64, that hold numbers of a narrower
format only. Every operation of the forward and backward pass is evaluated in the carrier and rounded once, to
the nearest number of the format, ties to the even one. An operation is what a library has one kernel for: a
matrix product, which sums in the carrier as tensor cores do; an activation; the loss's terms; a derivative; a
product of arrays; an optimiser's update. The sum of the loss's terms stays in the carrier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from backproof.network.activations import Activation
from backproof.network.arrays import Array, DType, transpose, unit_roundoff
from backproof.network.losses import Loss
from backproof.network.number_formats import BFLOAT16, NumberFormat
from backproof.network.outputs import Output, Softmax


class BiasAdd(StrEnum):
    """How a bias is added to a matrix product."""

    FUSED = "fused"
    """Inside the product's sum, before that is rounded."""
    UNFUSED = "unfused"
    """To the rounded product, and the result is rounded again."""


@dataclass(frozen=True)
class Arithmetic:
    """How the results of operations are rounded.

    Attributes:
        format: None is that of the arrays, in NumPy's own arithmetic.
    """

    format: NumberFormat | None = None
    bias_add: BiasAdd = BiasAdd.FUSED

    def rounded(self, x: Array) -> Array:
        """The result of an operation as the format has it; the array itself in NumPy's own arithmetic."""
        return x if self.format is None else self.format.rounded(x)

    def pre_activation(self, entering: Array, w: Array) -> Array:
        """z of a layer: (..., N, in + 1) with the bias's 1 as last column, and (..., out, in + 1)."""
        if self.bias_add is BiasAdd.FUSED:
            return self.rounded(entering @ transpose(w))
        product = self.rounded(entering[..., :-1] @ transpose(w[..., :-1]))
        return self.rounded(product + w[..., None, :, -1])

    def spacing_at_zero(self, bias: Array) -> Array:
        """How far apart the values of z are near zero, where the sum that it is cancels but for the bias.

        The last thing added to the sum is the bias, and what is left of two equal numbers is a multiple of
        their spacing. Inside a product it is that of the sum, which float16 has in float32, as formats have
        it in their carrier; then nothing but the smallest number of the format is rounded to zero.
        """
        if self.bias_add is BiasAdd.UNFUSED or (self.format is None and bias.dtype != np.float16):
            return self.spacing(bias)
        within_sum = np.abs(np.spacing(bias.astype(np.float32) if self.format is None else bias))
        return np.asarray(np.maximum(within_sum, self.smallest(bias.dtype)))

    def unit_roundoff(self, dtype: DType) -> float:
        """The largest relative error of one rounding, for arrays of a type."""
        return unit_roundoff(dtype) if self.format is None else self.format.unit_roundoff

    def smallest(self, dtype: DType) -> Any:
        """The smallest positive number, in the arrays' type."""
        if self.format is None:
            return np.finfo(dtype).smallest_subnormal
        return self.format.carrier(self.format.smallest)

    def largest(self, dtype: DType) -> float:
        """The largest finite number."""
        return float(np.finfo(dtype).max) if self.format is None else self.format.largest

    def spacing(self, x: Array) -> Array:
        """The distance from |x| to the next larger number."""
        return np.abs(np.spacing(x)) if self.format is None else self.format.spacing(x)

    def beside(self, x: Array, direction: float) -> Array:
        """The number next to x towards ±infinity, or, down from a power of two, the one after that."""
        if self.format is None:
            return np.asarray(np.nextafter(x, x.dtype.type(direction)))
        return self.format.rounded(x + np.copysign(self.format.spacing(x), x.dtype.type(direction)))


NATIVE = Arithmetic()
"""NumPy's own, with the bias inside the product."""


@dataclass(frozen=True)
class Rounded:
    """A function whose results are rounded to a format."""

    function: Callable[..., Array]
    format: NumberFormat

    def __call__(self, *given: Any) -> Array:
        return self.format.rounded(np.asarray(self.function(*given)))


@dataclass(frozen=True)
class RoundedSoftmax(Softmax):
    """Softmax, and its pullback, rounded as one operation each."""

    format: NumberFormat = BFLOAT16

    def value(self, z: Array) -> Array:
        """The value, rounded once."""
        return self.format.rounded(super().value(z))

    def pullback(self, y: Array, g: Array) -> Array:
        """The pullback, rounded once."""
        return self.format.rounded(super().pullback(y, g))


def rounded_output(output: Output, to: NumberFormat) -> Output:
    """An output activation whose results are numbers of a format."""
    if isinstance(output, Softmax):
        return RoundedSoftmax(format=to)
    return rounded_activation(output, to)


def rounded_activation(activation: Activation, to: NumberFormat) -> Activation:
    """An activation whose values and derivatives are numbers of a format."""
    if isinstance(activation.value, Rounded):
        return activation
    value, derivative = Rounded(activation.value, to), Rounded(activation.derivative, to)
    return replace(activation, value=value, derivative=derivative)


def rounded_loss(loss: Loss, to: NumberFormat) -> Loss:
    """A loss whose terms and derivatives are numbers of a format."""
    if isinstance(loss.terms, Rounded):
        return loss
    return replace(loss, terms=Rounded(loss.terms, to), derivative=Rounded(loss.derivative, to))


def unrounded(function: Callable[..., Array]) -> Callable[..., Array]:
    """A function before its rounding; any other as it is."""
    return function.function if isinstance(function, Rounded) else function


def exact_activation(activation: Activation) -> Activation:
    """An activation before its rounding."""
    value, derivative = unrounded(activation.value), unrounded(activation.derivative)
    return replace(activation, value=value, derivative=derivative)


EXACT_SOFTMAX = Softmax()


def exact_output(output: Output) -> Output:
    """An output activation before its rounding; of softmax the same one each time."""
    return EXACT_SOFTMAX if isinstance(output, Softmax) else exact_activation(output)


def exact_loss(loss: Loss) -> Loss:
    """A loss before its rounding."""
    return replace(loss, terms=unrounded(loss.terms), derivative=unrounded(loss.derivative))
