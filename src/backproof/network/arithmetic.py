"""How a network's numbers are rounded: formats that NumPy has no arithmetic for, on a carrier that it has.

A rounded network computes with arrays of a carrier, float32 or float64, that hold numbers of a narrower
format only. Every operation of the forward and backward pass is evaluated in the carrier and rounded once, to
the nearest number of the format, ties to the even one. An operation is what a library has one kernel for: a
matrix product, which sums in the carrier as tensor cores do; an activation; the loss's terms; a derivative; a
product of arrays; an optimiser's update. The sum of the loss's terms stays in the carrier.

Formats with a name round and overflow as ml_dtypes does, bit for bit. A format that is only a number of
mantissa bits has the exponents of float64, so that it differs from it in its spacing alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np

from backproof.network.activations import Activation
from backproof.network.arrays import Array, DType, FloatType, Precision, transpose, unit_roundoff
from backproof.network.losses import Loss
from backproof.network.outputs import Output, Softmax


@dataclass(frozen=True)
class NumberFormat:
    """A binary floating-point format narrower than its carrier.

    Attributes:
        bits: of the mantissa, the leading 1 not counted.
        least: the exponent of the smallest normal number; below it numbers are evenly spaced.
        largest: the largest finite number.
        beyond: what is larger becomes: infinity, or NaN in a format without.
        carrier: the type of the arrays that hold its numbers.
    """

    name: str
    bits: int
    least: int
    largest: float
    beyond: float
    carrier: FloatType

    @property
    def unit_roundoff(self) -> float:
        """The largest relative error of one rounding."""
        return float(2.0 ** -(self.bits + 1))

    @property
    def smallest(self) -> float:
        """The smallest positive number."""
        return float(np.ldexp(1.0, self.least - self.bits))

    def rounded(self, x: Array) -> Array:
        """The nearest numbers of the format, ties to even; the same shape, order in memory and type.

        Raises:
            TypeError: for arrays of another type than the carrier.
        """
        x = np.asarray(x)
        if x.dtype != self.carrier:
            raise TypeError(f"{self.name} is carried by {np.dtype(self.carrier)}; not {x.dtype}")
        found = self._with_fewer_bits(x)
        info = np.finfo(self.carrier)
        if self.least > info.minexp:  # the carrier's exponents end lower: its own subnormals are finer
            found = self._evenly_spaced(x, found)
        if self.largest < float(info.max) / 2:
            too_large = np.abs(found) > self.carrier(self.largest)
            if too_large.any():
                found[too_large] = np.copysign(self.carrier(self.beyond), x[too_large])
        return found

    def _with_fewer_bits(self, x: Array) -> Array:
        """The carrier's mantissa cut to `bits`, by adding half of what is cut, and less than that at a tie to
        an even number. A carry moves on into the exponent, up to infinity, as it should.
        """
        drop, whole = self._cut
        raw = x.view(whole.type)
        up = ((raw >> drop) & whole.type(1)) + whole.type((1 << (int(drop) - 1)) - 1)
        up += raw
        up &= ~whole.type((1 << int(drop)) - 1)
        found = up.view(self.carrier)
        nan = x != x
        if nan.any():  # whose bits are no number to add to
            found[nan] = x[nan]
        return np.asarray(found)

    @cached_property
    def _cut(self) -> tuple[Any, DType]:
        """How many bits of the carrier's mantissa are cut, and the whole numbers of its size."""
        whole = np.dtype(np.uint32 if self.carrier is np.float32 else np.uint64)
        return whole.type(np.finfo(self.carrier).nmant - self.bits), whole

    def _evenly_spaced(self, x: Array, found: Array) -> Array:
        """The same where |x| is below the smallest normal number: a sum with what has its spacing rounds."""
        size = np.abs(x)
        small = (size < self.carrier(np.ldexp(1.0, self.least))) & (size > 0)
        if small.any():
            top = self.carrier(np.ldexp(1.0, int(np.finfo(self.carrier).nmant) + self.least - self.bits))
            found[small] = np.copysign((size[small] + top) - top, x[small])
        return found

    def spacing(self, x: Array) -> Array:
        """The distance from |x| to the next larger number; of 0 the smallest one."""
        exponent = np.where(x == 0, self.least, np.frexp(x)[1] - 1)
        return np.asarray(np.ldexp(self.carrier(1), np.maximum(exponent, self.least) - self.bits))


BFLOAT16 = NumberFormat("bfloat16", 7, -126, (2 - 2.0**-7) * 2.0**127, np.inf, np.float32)
FLOAT8_E4M3FN = NumberFormat("float8_e4m3fn", 3, -6, 448.0, np.nan, np.float32)
FLOAT8_E5M2 = NumberFormat("float8_e5m2", 2, -14, 57344.0, np.inf, np.float32)

MANTISSA = "mantissa"
MANTISSA_BITS = range(1, 52)
"""Numbers of bits that may be asked for; float64 itself has 52."""


def mantissa(bits: int) -> NumberFormat:
    """The format of so many mantissa bits with the exponents of float64."""
    return NumberFormat(f"{MANTISSA}{bits}", bits, -1022, (2 - 2.0**-bits) * 2.0**1023, np.inf, np.float64)


FORMATS = {each.name: each for each in (BFLOAT16, FLOAT8_E4M3FN, FLOAT8_E5M2, *map(mantissa, MANTISSA_BITS))}
"""The formats that a network can be rounded to, by name."""


def unit_roundoff_of(name: str) -> float:
    """The largest relative error of one rounding in a format, or in a type of NumPy's, by its name."""
    return FORMATS[name].unit_roundoff if name in FORMATS else unit_roundoff(np.dtype(name))


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


def exact_output(output: Output) -> Output:
    """An output activation before its rounding."""
    return Softmax() if isinstance(output, Softmax) else exact_activation(output)


def exact_loss(loss: Loss) -> Loss:
    """A loss before its rounding."""
    return replace(loss, terms=unrounded(loss.terms), derivative=unrounded(loss.derivative))


class NetworkPrecision(StrEnum):
    """The number formats that a network can compute in; mantissas are members too, once they are asked for.

    Those without a format of `FORMATS` are in NumPy's own arithmetic.
    """

    FLOAT8_E4M3FN = "float8_e4m3fn"
    FLOAT8_E5M2 = "float8_e5m2"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    LONGDOUBLE = "longdouble"

    @classmethod
    def _missing_(cls, value: object) -> NetworkPrecision | None:
        """A number of mantissa bits as a member of its own."""
        if value not in FORMATS:
            return None
        member = str.__new__(cls, value)
        member._name_, member._value_ = str(value).upper(), str(value)
        cls._value2member_map_[value] = member
        return member

    def __reduce_ex__(self, _protocol: object) -> tuple[type[NetworkPrecision], tuple[str]]:
        return type(self), (self.value,)

    @classmethod
    def words(cls) -> list[str]:
        """What a user may write."""
        first, last = MANTISSA_BITS[0], MANTISSA_BITS[-1]
        return [*(str(each.value) for each in cls), f"{MANTISSA}{first} to {MANTISSA}{last}"]

    @property
    def rounds_to(self) -> NumberFormat | None:
        """What results are rounded to; None where the arrays' own arithmetic does that."""
        return FORMATS.get(self.value)

    @property
    def dtype(self) -> FloatType:
        """The type of the arrays."""
        return Precision(self.value).dtype if self.rounds_to is None else self.rounds_to.carrier

    @property
    def unit_roundoff(self) -> float:
        """The largest relative error of one rounding."""
        return unit_roundoff_of(self.value)
