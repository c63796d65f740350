"""Arrays of floats in any format and library, and the same numbers in double precision.

A format is known by what it does to numbers, so that neither ml_dtypes nor PyTorch is imported for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array, DType
from backproof.targets.adapters import LIBRARIES, library, made_with


class FloatName(StrEnum):
    """Formats of floating-point numbers that an array can be asked for in; not every library has each."""

    FLOAT8_E4M3FN = "float8_e4m3fn"
    FLOAT8_E5M2 = "float8_e5m2"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    LONGDOUBLE = "longdouble"

    @property
    def is_low(self) -> bool:
        """Whether it has 16 bits or fewer."""
        return self.value.startswith(LOW)

    def of_library(self, by: str | None) -> Format:
        """The format in PyTorch ("torch"), JAX ("jax") or NumPy, which has some from ml_dtypes.

        Raises:
            FunctionError: if the library, or ml_dtypes, is not there or has no such numbers.
        """
        if by == "torch":
            dtype = getattr(library("torch"), self.value, None)
        elif by == "jax" and self is FloatName.LONGDOUBLE:
            dtype = None
        else:
            dtype = self._of_numpy()
        if dtype is None:
            raise FunctionError(f"precision: {LIBRARIES[str(by)]} has no {self.value}")
        return Format(by, dtype, "cpu" if by == "torch" else None)

    def _of_numpy(self) -> DType:
        if not self.is_low or self is FloatName.FLOAT16:
            return np.dtype(self.value)
        try:
            found: DType = np.dtype(getattr(import_module("ml_dtypes"), self.value))
        except ImportError as error:
            raise FunctionError(
                f"precision: NumPy's {self.value} needs ml_dtypes: pip install ml_dtypes"
            ) from error
        return found


LOW = ("float16", "bfloat16", "float8_", "float6_", "float4_")
"""How the names of low precisions begin, in NumPy, ml_dtypes, PyTorch and JAX alike."""


def type_name(part: Any) -> str:
    """The name of an array's type of numbers, as in bfloat16; empty of what is no array."""
    return str(getattr(part, "dtype", "")).removeprefix("torch.")


def is_low(part: Any) -> bool:
    """Whether it is an array of floats of 16 bits or fewer."""
    return type_name(part).startswith(LOW)


def is_foreign(part: Any) -> bool:
    """Whether it is one that NumPy itself has no type for."""
    return is_low(part) and type_name(part) != "float16"


def holds_floats(part: Any) -> bool:
    """Whether it is an array of real floats of any format."""
    return type_name(part).startswith(("float", "bfloat", "longdouble"))


def in_double(part: Any) -> Any:
    """The numbers of an array of floats in double precision, which has those of every lower one exactly."""
    if not holds_floats(part):
        return part
    if made_with(None, part) == "torch":
        torch = library("torch")
        part = part.detach().cpu().to(torch.float64).numpy()
    return np.asarray(part).astype(np.float64)


@dataclass(frozen=True)
class Format:
    """A type of floats as one array has it.

    Attributes:
        by: the array's library, "torch" or "jax"; None of an array of NumPy.
        dtype: the library's own type of numbers.
        device: of a tensor of PyTorch, where it lies.
    """

    by: str | None
    dtype: Any
    device: Any = None

    @classmethod
    def of(cls, part: Any) -> Format:
        """That of an array."""
        by = made_with(None, part)
        return cls(by, part.dtype, part.device if by == "torch" else None)

    @property
    def name(self) -> str:
        """As in bfloat16."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def double(self) -> Format:
        """Double precision in the same library."""
        dtype = library("torch").float64 if self.by == "torch" else np.dtype(np.float64)
        return Format(self.by, dtype, self.device)

    def made_of(self, values: Array) -> Any:
        """An array in this format, each number rounded to the nearest one."""
        if self.by == "torch":
            torch = library("torch")
            return torch.tensor(values, dtype=torch.float64, device=self.device).to(self.dtype)
        with np.errstate(all="ignore"):  # what is too large becomes infinite, and is found as such
            found = np.asarray(values).astype(self.dtype)
        return found if self.by is None else library("jax").numpy.asarray(found)

    def rounded(self, values: Array) -> Array:
        """Numbers as this format has them, in double precision."""
        return np.asarray(in_double(self.made_of(values)))

    @cached_property
    def unit_roundoff(self) -> float:
        """The largest relative error of one rounding."""
        powers = np.exp2(-np.arange(1.0, 53.0))
        return float(powers[self.rounded(1 + powers) != 1].min(initial=1.0)) / 2

    @cached_property
    def smallest(self) -> float:
        """The smallest positive number."""
        powers = np.exp2(-np.arange(1074.0))
        return float(powers[self.rounded(powers) > 0].min(initial=1.0))
