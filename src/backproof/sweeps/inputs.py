"""The arrays at which a derivative is checked, drawn or read from the user's file."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from backproof import paths
from backproof.data.captured import captured
from backproof.data.dataset import DataError
from backproof.data.npz import MOST_NUMBERS
from backproof.errors import ConfigurationError, nearest
from backproof.network.arrays import Array
from backproof.sweeps.construction import generator
from backproof.sweeps.modules import file_digest
from backproof.sweeps.settings import DerivativeSettings, Shape
from backproof.targets.adapters import library
from backproof.targets.formats import FloatName, Format
from backproof.targets.source import UserFunction


@dataclass(frozen=True)
class Parameters:
    """The parameters of a function that are inputs.

    Attributes:
        needed: names of those without a default.
        more: of those that follow.
        named: whether the function has names for them at all.
    """

    needed: tuple[str, ...]
    more: tuple[str, ...]
    named: bool = True

    @classmethod
    def of(cls, function: UserFunction, keywords: Sequence[str]) -> Parameters:
        """Of a function; what it is given by name is no input."""
        try:
            found = list(inspect.signature(function).parameters.values())
        except (ValueError, TypeError):
            return cls((), (), named=False)
        if any(p.kind is p.VAR_POSITIONAL for p in found):
            return cls((), (), named=False)
        inputs = [p for p in found if p.kind is not p.KEYWORD_ONLY and p.kind is not p.VAR_KEYWORD]
        needed = [p.name for p in inputs if p.default is p.empty and p.name not in keywords]
        more = [p.name for p in inputs if p.default is not p.empty and p.name not in keywords]
        return cls(tuple(needed), tuple(more))


def shapes_of(subject: DerivativeSettings, parameters: Parameters) -> list[Shape]:
    """The shape of every input that is drawn.

    Raises:
        ConfigurationError: if there are too few or too many, or they have too many numbers.
    """
    given: Any = subject.shape
    several = any(isinstance(each, tuple) for each in given)
    if several:
        shapes = list(given)
        least, most = len(parameters.needed), len(parameters.needed) + len(parameters.more)
        if parameters.named and not least <= len(shapes) <= most:
            names = ", ".join(parameters.needed)
            raise ConfigurationError(
                f"subject.shape: must have {least} shapes, one for each of {names}; not {len(shapes)}"
            )
    else:
        shapes = [given] * (len(parameters.needed) if parameters.named else 1)
    if not shapes:
        raise ConfigurationError(f"subject._target_: {subject.target} takes no input")
    numbers = sum(map(math.prod, shapes))
    if not 0 < numbers <= MOST_NUMBERS or not all(map(math.prod, shapes)):
        raise ConfigurationError(
            f"subject.shape: must have sizes from 1 on and at most {MOST_NUMBERS:,} numbers; not {numbers:,}"
        )
    return shapes


def drawn(subject: DerivativeSettings, parameters: Parameters, seed: int) -> list[Array]:
    """Inputs from a seed, in double precision: those of every precision start from the same numbers."""
    assert subject.distribution and subject.input_scale, "settings of inputs that are drawn"
    stream = generator(seed, "inputs")
    shapes = shapes_of(subject, parameters)
    return [subject.distribution.drawn(shape, stream) * subject.input_scale for shape in shapes]


def read(subject: DerivativeSettings, parameters: Parameters) -> list[Array]:
    """Inputs from the user's file, by the names of the function's parameters, or else in NumPy's order.

    Raises:
        ConfigurationError: if the file cannot be used, lacks an input, or is another than the case's.
    """
    assert subject.inputs, "settings of inputs that are in a file"
    if digest_of(subject.inputs) != subject.content:
        raise ConfigurationError(f"subject.inputs: {subject.inputs} has changed since the sweep was planned")
    try:
        found = captured(subject.inputs)
    except DataError as error:
        raise ConfigurationError(f"subject.inputs: {error}") from error
    numbered = [f"arr_{k}" for k in range(len(found))]
    if sorted(found) == sorted(numbered):  # as np.savez names what it is given without names
        return _in_order([found[name] for name in numbered], subject, parameters)
    if not parameters.named:
        raise ConfigurationError(
            f"subject.inputs: {subject.inputs} must hold arr_0, arr_1, …, since {subject.target} names "
            "no parameters"
        )
    return _by_name(found, subject, parameters)


def _by_name(found: Mapping[str, Array], subject: DerivativeSettings, parameters: Parameters) -> list[Array]:
    for name in parameters.needed:
        if name not in found:
            raise ConfigurationError(
                f"subject.inputs: {subject.inputs} must hold {', '.join(parameters.needed)}; "
                f"not {', '.join(sorted(found))}{nearest(name, found)}"
            )
    known = (*parameters.needed, *parameters.more)
    for name in found:
        if name not in known:
            raise ConfigurationError(
                f"subject.inputs: {name} of {subject.inputs} is no parameter of {subject.target}"
                f"{nearest(name, known)}"
            )
    given = [name for name in known if name in found]
    if given != list(known[: len(given)]):
        left_out = next(name for name in known if name not in found)
        raise ConfigurationError(
            f"subject.inputs: {subject.inputs} must hold {left_out}, too, since {given[-1]} comes after it"
        )
    return [found[name] for name in given]


def _in_order(arrays: list[Array], subject: DerivativeSettings, parameters: Parameters) -> list[Array]:
    least, most = len(parameters.needed), len(parameters.needed) + len(parameters.more)
    if parameters.named and not least <= len(arrays) <= most:
        raise ConfigurationError(
            f"subject.inputs: {subject.inputs} must hold {least} arrays, "
            f"{', '.join(parameters.needed)}; holds {len(arrays)}"
        )
    return arrays


def digest_of(path: str) -> str | None:
    """A digest of the user's file, so that a cell's id changes when it does."""
    file = paths.at_home(path)
    return file_digest(str(file), file.stat().st_mtime_ns) if paths.is_file(file) else None


def made_as(inputs: Sequence[Array], precision: FloatName, arrays: str) -> tuple[Any, ...]:
    """Inputs as arrays of a library in a precision; whole numbers keep their type.

    Raises:
        FunctionError: if the library has no such numbers.
    """
    by = None if arrays == "numpy" else arrays
    kind = precision.of_library(by)
    with _doubles(by):
        return tuple(_made(array, kind) for array in inputs)


def _made(array: Array, kind: Format) -> Any:
    if array.dtype.kind == "f":
        return kind.made_of(array)
    if kind.by is None:
        return array
    return library("torch").tensor(array) if kind.by == "torch" else library("jax").numpy.asarray(array)


def _doubles(by: str | None) -> Any:
    """Where arrays of JAX have 64 bits."""
    if by != "jax":
        return nullcontext()
    from backproof.targets.jax import doubles

    return doubles()
