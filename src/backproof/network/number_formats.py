"""Floating-point formats that a network can compute in: those of NumPy, and narrower ones on a carrier.

Formats with a name round and overflow as ml_dtypes does, bit for bit. A format that is only a number of
mantissa bits has the exponents of float64, so that it differs from it in its spacing alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np

from backproof.network.arrays import Array, DType, FloatType, Precision, unit_roundoff


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


MANTISSAS = f"{MANTISSA}{MANTISSA_BITS[0]} to {MANTISSA}{MANTISSA_BITS[-1]}"
"""Their names, in words."""


def mantissa(bits: int) -> NumberFormat:
    """The format of so many mantissa bits with the exponents of float64."""
    return NumberFormat(f"{MANTISSA}{bits}", bits, -1022, (2 - 2.0**-bits) * 2.0**1023, np.inf, np.float64)


FORMATS = {each.name: each for each in (BFLOAT16, FLOAT8_E4M3FN, FLOAT8_E5M2, *map(mantissa, MANTISSA_BITS))}
"""The formats that a network can be rounded to, by name."""


def unit_roundoff_of(name: str) -> float:
    """The largest relative error of one rounding in a format, or in a type of NumPy's, by its name."""
    return FORMATS[name].unit_roundoff if name in FORMATS else unit_roundoff(np.dtype(name))


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
        return [*(str(each.value) for each in cls), MANTISSAS]

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
