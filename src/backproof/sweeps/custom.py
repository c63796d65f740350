"""Activations of one's own: from an expression, a function or a class; what they leave out is found."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.errors import ConfigurationError
from backproof.estimates.stencils import COMPLEX_STEP, COMPLEX_TYPES, takes_complex
from backproof.network.activations import Activation, Kink
from backproof.network.arrays import Array, Interval
from backproof.network.formula import Formula
from backproof.network.scan import find_kinks, find_range
from backproof.sweeps.case import Value
from backproof.verdicts.component import examine

VALUE, SLOPE = "value", "slope"
"""Keys of a choice that hold expressions: of the function, and where it is given, of its derivative."""


@dataclass(frozen=True)
class ComplexSlope:
    """The derivative of a function that takes complex numbers, Im f(z + ih)/h: exact to rounding."""

    value: Callable[[Array], Array]

    def __call__(self, z: Array) -> Array:
        kind = COMPLEX_TYPES.get(z.dtype.type)
        if kind is None:  # float16 has no complex numbers
            return np.asarray(self(z.astype(np.float32)).astype(z.dtype))
        moved = z + kind(1j) * z.dtype.type(COMPLEX_STEP)
        return np.asarray((self.value(moved).imag / z.dtype.type(COMPLEX_STEP)).astype(z.dtype))


def from_formula(group: str, name: str, given: Mapping[str, Value]) -> Activation:
    """The activation of a choice that has a `value:` instead of a `_target_:`.

    Raises:
        ConfigurationError: naming the key, if an expression cannot be read or the derivative is another's.
    """
    parameters: dict[str, float] = {}
    for key, number in given.items():
        if key in (VALUE, SLOPE):
            continue
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise ConfigurationError(f"{group}.{key}: must be a number; not {number!r}")
        parameters[key] = float(number)
    made = {}
    for key in (VALUE, SLOPE):
        text = given.get(key)
        if text is None:
            continue
        try:
            made[key] = Formula(str(text), parameters)
        except ValueError as error:
            raise ConfigurationError(f"{group}.{key}: {error}") from error
    value = made[VALUE].value()
    slope = made[SLOPE].value() if SLOPE in made else made[VALUE].derivative()
    return completed(group, name, str(given[VALUE]), value, slope)


def is_value_of_z(function: Any, given: Iterable[str]) -> bool:
    """Whether a function is one of an array, not one that makes an activation: it needs one argument."""
    if inspect.isclass(function) or not callable(function):
        return False
    needed = [
        name
        for name, p in inspect.signature(function).parameters.items()
        if p.default is p.empty
        and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        and name not in given
    ]
    return len(needed) == 1


def from_python(group: str, name: str, made: Any) -> Activation:
    """The activation that an object with a `value`, or a function of an array, stands for."""
    value = getattr(made, "value", made if callable(made) else None)
    if not callable(value):
        raise ConfigurationError(f"{group}={name}: must have a `value`, a function of an array")
    slope = getattr(made, "slope", None) or getattr(made, "derivative", None)
    formula = str(getattr(made, "formula", "") or inspect.getdoc(made) or name).strip().splitlines()[0]
    return completed(
        group, name, formula, value, slope, getattr(made, "kinks", None), getattr(made, "range", None)
    )


def completed(
    group: str,
    name: str,
    formula: str,
    value: Callable[[Array], Array],
    slope: Callable[[Array], Array] | None,
    kinks: Any = None,
    within: Any = None,
) -> Activation:
    """An activation, with what it does not declare found, and what it does declare examined.

    Raises:
        ConfigurationError: where there is no derivative to be found, or a declaration is wrong.
    """
    try:
        with np.errstate(all="ignore"):
            found = find_kinks(value)
            if slope is None:
                with warnings.catch_warnings():  # of functions that cast to real numbers
                    warnings.simplefilter("ignore")
                    complex_too = takes_complex(value, np.float64)
                if not complex_too:
                    raise ConfigurationError(
                        f"{group}={name}: has no `slope`, and none can be found, since its value takes no"
                        " complex numbers; give the derivative, or the value as an expression"
                    )
                slope = ComplexSlope(value)
            if kinks is None:
                kinks = found
            given = tuple(k if isinstance(k, Kink) else _kink_at(float(k), found, group, name) for k in kinks)
            limits = find_range(value) if within is None else within
            if not isinstance(limits, Interval):
                limits = Interval(float(limits[0]), float(limits[1]))
            made = Activation(name, formula, value, slope, given, limits)
            wrong = [f for f in examine(made) if f.right is False]
    except ConfigurationError:
        raise
    except Exception as error:  # somebody's own code
        told = " ".join(str(error).split())
        raise ConfigurationError(f"{group}={name}: {type(error).__name__}: {told}") from error
    if wrong:
        raise ConfigurationError(f"{group}={name}: its {wrong[0].what} {wrong[0].remark}")
    return made


def _kink_at(at: float, found: tuple[Kink, ...], group: str, name: str) -> Kink:
    for kink in found:
        if abs(kink.at - at) < 1e-5:
            return Kink(at, kink.left, kink.right)
    raise ConfigurationError(f"{group}={name}: its kinks name z = {at:g}, where its values have none")
