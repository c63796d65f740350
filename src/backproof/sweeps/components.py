"""From the groups of a case to the objects that compute: what a choice or a user's `_target_` stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from backproof.data import Source
from backproof.errors import ConfigurationError, nearest
from backproof.network.activations import Activation
from backproof.network.clips import Clip
from backproof.network.deltas import Delta
from backproof.network.faults import Fault
from backproof.network.losses import Loss
from backproof.network.outputs import Output, Softmax
from backproof.sweeps.case import Code
from backproof.sweeps.custom import VALUE, VARIABLES, from_formula, from_python, is_value_of_z
from backproof.sweeps.groups import CHOICES
from backproof.sweeps.modules import find, imported_digest, remembered
from backproof.sweeps.overrides import TARGET, Value
from backproof.sweeps.settings import ClipSettings, ComponentSettings, DataSettings, LossSettings, Parameters
from backproof.training.optimisers import Optimiser

T = TypeVar("T")
C = TypeVar("C", bound=ComponentSettings)

FUNCTIONS = ("activation", "output")
"""Groups whose choices may be a function of an array, or any object that has a `value`."""


def activation(component: ComponentSettings) -> Activation:
    """The hidden layers' activation."""
    return _built("activation", component, Activation)


def output(component: ComponentSettings) -> Output:
    """The last layer's."""
    found = _made("output", component)
    if isinstance(found, Softmax):
        return found
    return _built("output", component, Activation)


def loss(component: LossSettings) -> Loss:
    """The loss."""
    return _built("loss", component, Loss)


def clip(component: ClipSettings) -> Clip:
    """The clip."""
    return _built("clip", component, Clip)


def delta(component: ComponentSettings) -> Delta:
    """The delta rule at the output."""
    return _built("delta", component, Delta)


def fault(component: ComponentSettings) -> Fault:
    """The planted fault."""
    return _built("fault", component, Fault)


def source(component: DataSettings) -> Source:
    """Where the data come from."""
    return _built("data", component, Source)


def optimiser(component: ComponentSettings) -> Optimiser:
    """The optimiser of the training run."""
    return _built("training", component, Optimiser)


def _built(key: str, component: ComponentSettings, kind: type[T]) -> T:
    found = _made(key, component)
    if not isinstance(found, kind):
        wanted = f"{kind.__name__} or Softmax" if key == "output" else kind.__name__
        raise ConfigurationError(
            f"{key}.{TARGET}: {component.target} must give {wanted}; not {type(found).__name__}"
        )
    return found


@remembered()
def _made(key: str, component: ComponentSettings) -> Any:
    """Whatever a choice makes: an expression's activation, or what its target is or returns."""
    given = dict(component.parameters)
    if is_formula(key, component):
        return from_formula(key, component.name, given)
    found = found_by(key, component)
    if key in FUNCTIONS and is_value_of_z(found, given):
        return from_python(key, component.name, partial(found, **given) if given else found)
    if not callable(found):
        return found
    try:
        made = found(**given)
        strange = key in FUNCTIONS and not isinstance(made, Activation | Softmax) and hasattr(made, "value")
        return from_python(key, component.name, made) if strange else made
    except ConfigurationError:
        raise
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{key}: {error}") from error
    except Exception as error:  # the user's code
        raise ConfigurationError(
            f"{key}: {component.target} raises {type(error).__name__}: {error}"
        ) from error


def is_custom(key: str, component: ComponentSettings) -> bool:
    """Whether the choice is the user's own code or expression."""
    if component.target is None:
        return component.name not in CHOICES[key].choices
    return not component.target.startswith("backproof.")


def is_formula(key: str, component: ComponentSettings) -> bool:
    """Whether the choice is given by an expression."""
    return key in VARIABLES and component.target is None and VALUE in dict(component.parameters)


def found_by(key: str, component: ComponentSettings) -> Any:
    """What a choice names: the package's own of that name, or the code of a `_target_`.

    Raises:
        ConfigurationError: if there is neither, or the target cannot be imported.
    """
    if component.target is not None:
        return find(component.target, f"{key}.{TARGET}")
    if component.name in CHOICES[key].choices:
        return CHOICES[key].choices[component.name]
    wanted = f"a `{TARGET}:` that names code"
    if key in VARIABLES:
        wanted += f", or a `{VALUE}:`, an expression in {', '.join(VARIABLES[key])}"
    raise ConfigurationError(f"{key}={component.name}: its file needs {wanted}")


def without_own_target(key: str, component: C) -> C:
    """The same, with no target where it is that of the package's own choice of this name."""
    own = CHOICES[key].choices.get(component.name)
    return component.changed(target=None) if own and component.target == own.target else component


# --- parameters ------------------------------------------------------------------------------------


def declared(key: str, component: ComponentSettings) -> Parameters:
    """A component's parameters as its signature declares them: 1 is 1.0 where it takes a float.

    Raises:
        ConfigurationError: naming the parameter that it does not have, or the kind that one must be.
    """
    if is_formula(key, component):
        return tuple((name, _as_float(value)) for name, value in component.parameters)
    target = component.target or component.name
    accepted = _accepted(key, component)
    return tuple(
        (name, _checked(f"{key}.{name}", value, _annotation(f"{key}.{name}", accepted, target)))
        for name, value in component.parameters
    )


@remembered()
def _accepted(key: str, component: ComponentSettings) -> dict[str, str] | None:
    """The annotations of the parameters that a component takes; None where it is no function."""
    found = found_by(key, component)
    if not callable(found):
        return None
    try:
        accepted = {k: str(p.annotation) for k, p in inspect.signature(found).parameters.items()}
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{key}.{TARGET}: {component.target} is not a function of known parameters"
        ) from error
    if key in FUNCTIONS and is_value_of_z(found, dict(component.parameters)):
        accepted.pop(next(iter(accepted)), None)  # z
    return accepted


def _annotation(key: str, accepted: dict[str, str] | None, target: str) -> str:
    if accepted is None:
        raise ConfigurationError(f"{key}: {target} takes no parameters")
    name = key.partition(".")[2]
    if name not in accepted:
        raise ConfigurationError(f"{key}: unknown{nearest(name, accepted)}")
    return accepted[name]


def _is_number(value: Value, kind: type | tuple[type, ...] = (int, float)) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


KINDS: dict[str, tuple[str, Callable[[Value], bool]]] = {
    "float": ("a number", _is_number),
    "int": ("a whole number", lambda v: isinstance(v, int) and _is_number(v) and abs(v) < 2**63),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "str": ("text", lambda v: isinstance(v, str)),
    "str | None": ("text or null", lambda v: v is None or isinstance(v, str)),
}
"""What a parameter must be by its annotation; others are left to the component."""


def _checked(key: str, value: Value, annotation: str) -> Value:
    if annotation in KINDS:
        words, fits = KINDS[annotation]
        if not fits(value):
            raise ConfigurationError(f"{key}: must be {words}; not {value!r}")
    return _as_float(value) if annotation == "float" else value


def _as_float(value: Value) -> Value:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


# --- users' code ----------------------------------------------------------------------------------


@remembered()
def code_of(targets: tuple[str, ...]) -> Code:
    """The user's modules among targets, each with the digest that it had when it was imported."""
    custom = {target for target in targets if not target.startswith("backproof.")}
    return tuple((target, imported_digest(target)) for target in sorted(custom))
