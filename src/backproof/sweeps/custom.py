"""Custom choices, expressions or an activation's function or class; what they do not declare is found."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproof.errors import ConfigurationError
from backproof.estimates.stencils import COMPLEX_STEPS, COMPLEX_TYPES, takes_complex
from backproof.network.activations import Activation, Kink
from backproof.network.arrays import Array, Interval
from backproof.network.clips import Clip
from backproof.network.clips.expression import VARIABLES as CLIP_VARIABLES
from backproof.network.clips.expression import clip_of
from backproof.network.deltas import Delta
from backproof.network.deltas.expression import VARIABLES as DELTA_VARIABLES
from backproof.network.deltas.expression import delta_of
from backproof.network.formula import Formula
from backproof.network.losses import Loss
from backproof.network.losses.expression import VARIABLES as LOSS_VARIABLES
from backproof.network.losses.expression import loss_of
from backproof.network.scan import find_kinks, find_range
from backproof.sweeps.overrides import Value
from backproof.verdicts.component import examine

VALUE, DERIVATIVE = "value", "derivative"
"""Keys of a choice that hold expressions: of the function, and where it is given, of its derivative."""

SAME_KINK = 1e-5
"""A declared kink and one that is found are the same within this."""


@dataclass(frozen=True)
class Declared:
    """What the user states about an activation; None for what is to be found.

    Attributes:
        kinks: where the derivative jumps, or the kinks themselves.
        limits: the lower and upper limit of the values.
    """

    formula: str
    value: Callable[[Array], Array]
    derivative: Callable[[Array], Array] | None = None
    kinks: Sequence[Kink | float] | None = None
    limits: Interval | tuple[float, float] | None = None


VARIABLES = {
    "activation": ("z",),
    "output": ("z",),
    "loss": LOSS_VARIABLES,
    "clip": CLIP_VARIABLES,
    "delta": DELTA_VARIABLES,
}
"""The groups whose choices may be expressions, and what these are expressions in."""


def from_formula(group: str, name: str, given: Mapping[str, Value]) -> Activation | Loss | Clip | Delta:
    """The record of a choice that has a `value:` instead of a `_target_:`.

    Raises:
        ConfigurationError: naming the key, if an expression cannot be read, or the derivative is wrong.
    """
    keys = (VALUE,) if group in ("clip", "delta") else (VALUE, DERIVATIVE)
    texts = {key: str(given[key]) for key in keys if given.get(key) is not None}
    parameters = {key: _number(f"{group}.{key}", v) for key, v in given.items() if key not in texts}
    try:
        return _of_formulas(group, name, texts, parameters)
    except ValueError as error:
        raise ConfigurationError(f"{group}={name}: {error}") from error


def _of_formulas(
    group: str, name: str, texts: Mapping[str, str], parameters: Mapping[str, float]
) -> Activation | Loss | Clip | Delta:
    formulas = {key: _formula(f"{group}.{key}", t, parameters, VARIABLES[group]) for key, t in texts.items()}
    value = formulas[VALUE]
    if group == "delta":
        return delta_of(name, value)
    if group == "clip":
        return clip_of(name, value)
    if group == "loss":
        return loss_of(name, value, formulas.get(DERIVATIVE))
    derivative = formulas[DERIVATIVE].value() if DERIVATIVE in formulas else value.derivative()
    return completed(group, name, Declared(texts[VALUE], value.value(), derivative))


def _number(key: str, value: Value) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ConfigurationError(f"{key}: must be a number; not {value!r}")
    return float(value)


def _formula(key: str, text: str, parameters: Mapping[str, float], variables: tuple[str, ...]) -> Formula:
    try:
        return Formula(text, dict(parameters), variables)
    except ValueError as error:
        raise ConfigurationError(f"{key}: {error}") from error


def is_value_of_z(function: object, given: Iterable[str]) -> bool:
    """Whether a function is one of an array, not one that makes an activation: it needs one argument."""
    if inspect.isclass(function) or not callable(function):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty and p.kind in positional]
    return len(set(needed) - set(given)) == 1


def from_python(group: str, name: str, made: Any) -> Activation:
    """The activation that an object with a `value`, or a function of an array, stands for."""
    value = getattr(made, "value", made if callable(made) else None)
    if not callable(value):
        raise ConfigurationError(f"{group}={name}: must have a `value`, a function of an array")
    formula = str(getattr(made, "formula", "") or inspect.getdoc(made) or name).strip().splitlines()[0]
    found = (getattr(made, attribute, None) for attribute in ("derivative", "kinks", "range"))
    return completed(group, name, Declared(formula, value, *found))


def completed(group: str, name: str, declared: Declared) -> Activation:
    """An activation, with what it does not declare found, and what it does declare examined.

    Raises:
        ConfigurationError: where no derivative can be found, or a declaration is wrong.
    """
    try:
        with np.errstate(all="ignore"):
            kinks, limits = _kinks_of(declared), _limits_of(declared)
            derivative = declared.derivative or _derivative_of(declared.value)
            made = Activation(name, declared.formula, declared.value, derivative, kinks, limits)
            wrong = [finding for finding in examine(made) if finding.right is False]
    except ConfigurationError as error:
        raise ConfigurationError(f"{group}={name}: {error}") from error
    except Exception as error:  # the user's code
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{group}={name}: {type(error).__name__}: {reason}") from error
    if wrong:
        raise ConfigurationError(f"{group}={name}: its {wrong[0].what} {wrong[0].remark}")
    return made


@dataclass(frozen=True)
class ComplexDerivative:
    """The derivative of a function that takes complex numbers, Im f(z + ih)/h: exact to rounding."""

    value: Callable[[Array], Array]

    def __call__(self, z: Array) -> Array:
        kind = COMPLEX_TYPES.get(z.dtype.type)
        if kind is None:  # float16 has no complex numbers
            return np.asarray(self(z.astype(np.float32)).astype(z.dtype))
        step = z.dtype.type(COMPLEX_STEPS[z.dtype.type])
        return np.asarray((self.value(z + kind(1j) * step).imag / step).astype(z.dtype))


def _derivative_of(value: Callable[[Array], Array]) -> ComplexDerivative:
    with warnings.catch_warnings():  # of functions that cast to real numbers
        warnings.simplefilter("ignore")
        if takes_complex(value, np.float64):
            return ComplexDerivative(value)
    raise ConfigurationError(
        "has no `derivative`, and none can be found, since its value takes no complex numbers;"
        " give the derivative, or the value as an expression"
    )


def _kinks_of(declared: Declared) -> tuple[Kink, ...]:
    found = find_kinks(declared.value)
    if declared.kinks is None:
        return found
    return tuple(k if isinstance(k, Kink) else _kink_at(float(k), found) for k in declared.kinks)


def _kink_at(at: float, found: tuple[Kink, ...]) -> Kink:
    for kink in found:
        if abs(kink.at - at) < SAME_KINK:
            return Kink(at, kink.left, kink.right)
    raise ConfigurationError(f"its kinks name z = {at:g}, where its values have none")


def _limits_of(declared: Declared) -> Interval:
    limits = declared.limits
    if limits is None:
        return find_range(declared.value)
    return limits if isinstance(limits, Interval) else Interval(float(limits[0]), float(limits[1]))
