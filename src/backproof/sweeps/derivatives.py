"""Cases about a derivative of a function of arrays, read from settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backproof.errors import ConfigurationError
from backproof.network.arrays import Array
from backproof.sweeps import components, inputs
from backproof.sweeps.case import DerivativeCase
from backproof.sweeps.keywords import Keywords, check_keywords, function_named, parameters_of
from backproof.sweeps.overrides import OFF, TARGET, Value, shown
from backproof.sweeps.reading import Given, chosen, read, read_value
from backproof.sweeps.settings import OF_INPUTS, DerivativeSettings, FunctionCheckSettings
from backproof.sweeps.validation import validated
from backproof.targets.adapters import LIBRARIES
from backproof.targets.formats import FloatName
from backproof.targets.memory import MemoryLayout
from backproof.targets.source import UserFunction


@dataclass(frozen=True)
class Kind:
    """A derivative.

    Attributes:
        needed, optional: keys that name its functions beside that which is differentiated.
        flags: keys that say how these are called.
        sampled: whether a sample of its entries can be checked.
    """

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    sampled: bool = False


KINDS: dict[str, Kind] = {
    "vjp": Kind(optional=("backward", "reference"), flags=("residuals",), sampled=True),
    "jvp": Kind(needed=("pushforward",), flags=("primals",)),
    "jacobian": Kind(needed=("jac",), sampled=True),
    "hessian": Kind(needed=("df", "hessian")),
    "hvp": Kind(needed=("df", "hvp")),
}
"""By `subject.by`; the keys are those of Python's `check_vjp` and so on."""


def derivative_case(given: Given) -> DerivativeCase:
    """The case of settings by group.

    Raises:
        ConfigurationError: if its code cannot be imported, a keyword is none of its parameters, or its inputs
            cannot be made.
    """
    subject = _subject(dict(given["subject"]))
    if chosen(given, "check") == OFF:
        raise ConfigurationError(
            f"check: there is nothing but the check for subject={subject.name}; use full"
        )
    functions, kind = functions_of(subject), KINDS[subject.by]
    settings = (*kind.needed, *kind.optional, *kind.flags, *OF_INPUTS)
    check_keywords(subject.keywords, list(functions.values()), subject.target, settings)
    values: dict[str, Value] = {k: read_value(k, given) for k in ("precision", "seed") if k in given}
    if subject.start is not None and not any(_takes(f, "precision") for f in functions.values()):
        values["precision"] = None  # the inputs' own
    check, code = _check(given, kind), components.code_of(tuple(_names(subject).values()))
    case = validated(DerivativeCase, {"subject": subject, "check": check, "code": code, **values})
    _check_formats(case)
    if subject.start is None:
        arrays_of(case, functions[TARGET])
    return case


def _subject(values: dict[str, Value]) -> DerivativeSettings:
    kind = KINDS[str(values["by"])]
    function_named(values.get(TARGET), f"subject.{TARGET}")
    known: dict[str, Any] = {"name": values.pop(""), "by": values.pop("by"), TARGET: values.pop(TARGET)}
    named = {key: values.pop(key, None) for key in (*kind.needed, *kind.optional)}
    for key, target in named.items():
        if target is not None or key in kind.needed:
            function_named(target, f"subject.{key}")
    flags = {key: values.pop(key, None) or False for key in kind.flags}
    for key, flag in flags.items():
        if not isinstance(flag, bool):
            raise ConfigurationError(f"subject.{key}: must be true or false; not {flag!r}")
    start = values.get("start")
    makers = [function_named(start, "subject.start")] if start is not None else []
    own = {key: values.pop(key, None) for key in OF_INPUTS}
    functions = [function_named(t, f"subject.{k}") for k, t in {TARGET: known[TARGET], **named}.items() if t]
    keywords = {**values, **_keywords_among(own, functions, makers)}
    return validated(
        DerivativeSettings,
        {
            **known,
            "functions": tuple((k, t) for k, t in named.items() if t is not None),
            "flags": tuple(flags.items()),
            "keywords": tuple(sorted((k, v) for k, v in keywords.items() if v is not None)),
            **_of_inputs(own),
        },
        "subject.",
    )


def _keywords_among(
    own: Mapping[str, Value], functions: list[UserFunction], makers: list[UserFunction]
) -> dict[str, Value]:
    """The settings of inputs that are keywords of what makes the inputs, `start`.

    Raises:
        ConfigurationError: for one that has no effect, or that may be meant for the function.
    """
    found: dict[str, Value] = {}
    for key, value in own.items():
        if value is None or key not in MADE:
            continue
        taken = any(_takes(f, key) for f in (*functions, *makers))
        if makers and not taken:
            raise ConfigurationError(
                f"subject.{key}: has no effect, since subject.start makes the inputs and takes no such value"
            )
        if makers:
            found[key] = value
        elif taken:
            raise ConfigurationError(
                f"subject.{key}: is a parameter of the function and says how its inputs are made; "
                "use subject.start, which makes them instead"
            )
    return found


def _of_inputs(own: Mapping[str, Value]) -> dict[str, Any]:
    """The settings of the inputs that are given, None for those that do not apply.

    Raises:
        ConfigurationError: if one has no effect on inputs that are in a file, or a shape is none.
    """
    given = {key: value for key, value in own.items() if value is not None}
    if "start" in given:
        return {**given, **dict.fromkeys(MADE)}
    if "shape" in given and not _is_shape(given["shape"]):
        raise ConfigurationError(
            "subject.shape: must be a list of sizes, as in [8,3], or one such list for each input, "
            f"as in [[8,3],[3]]; not {shown(given['shape'])}"
        )
    if "inputs" not in given:
        return given
    for key in DRAWN:
        if key in given:
            raise ConfigurationError(f"subject.{key}: has no effect on inputs that are in a file")
    path = str(given["inputs"])
    return {**given, **dict.fromkeys(DRAWN), "inputs": path, "content": inputs.digest_of(path)}


DRAWN = ("shape", "distribution", "input_scale")
"""Settings of inputs that are drawn."""

MADE = ("inputs", "arrays", *DRAWN)
"""Settings of inputs that no `start` makes."""


def _is_shape(value: Value) -> bool:
    if not isinstance(value, tuple):
        return False
    sizes = [size for each in value for size in (each if isinstance(each, tuple) else (each,))]
    alike = len({isinstance(each, tuple) for each in value}) <= 1
    return alike and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in sizes)


def _check(given: Given, kind: Kind) -> FunctionCheckSettings:
    kept = ("", "resolution", "rtol", *(("parameters",) if kind.sampled else ()))
    check = tuple((k, v) for k, v in given.get("check", ()) if k in kept)
    return read("check", FunctionCheckSettings, {"check": check} if check else {}).changed(samples=None)


def _check_formats(case: DerivativeCase) -> None:
    """Refuse precisions and layouts that there are not, before any cell runs.

    Raises:
        ConfigurationError: naming the setting.
    """
    subject, precision = case.subject, case.precision
    named = dict(subject.functions)
    low = precision is not None and precision.is_low and precision is not FloatName.FLOAT16
    if low and subject.by != "vjp":
        raise ConfigurationError(f"precision: {precision} is for vjp alone; not for {subject.by}")
    if subject.arrays is None:
        return
    if precision is FloatName.LONGDOUBLE and subject.arrays in LIBRARIES:
        raise ConfigurationError(f"precision: {LIBRARIES[subject.arrays]} has no longdouble")
    if subject.arrays == "jax" and subject.layout is not MemoryLayout.CONTIGUOUS:
        raise ConfigurationError(f"subject.layout: arrays of JAX have none; not {subject.layout}")
    if subject.by == "vjp" and "backward" not in named and subject.arrays not in LIBRARIES:
        raise ConfigurationError(
            "subject.backward: must name a function, unless PyTorch or JAX make the backward pass, "
            "as with subject.arrays=torch"
        )


def arrays_of(case: DerivativeCase, function: UserFunction) -> list[Array]:
    """The inputs of a function whose case has no start: drawn in double precision, or in the user's file.

    Raises:
        ConfigurationError: if they are not as the function takes them.
    """
    given = keywords_of(case).accepted(function)
    parameters = inputs.Parameters.of(function, tuple(given))
    if case.subject.inputs is not None:
        return inputs.read(case.subject, parameters)
    return inputs.drawn(case.subject, parameters, case.seed)


def keywords_of(case: DerivativeCase) -> Keywords:
    """What the functions of a case are given by name."""
    return Keywords(dict(case.subject.keywords), {"seed": case.seed, "precision": case.precision})


def functions_of(subject: DerivativeSettings) -> dict[str, UserFunction]:
    """Its functions by the key that names each."""
    return {key: function_named(target, f"subject.{key}") for key, target in _names(subject).items()}


def _names(subject: DerivativeSettings) -> dict[str, str]:
    """The dotted names of its functions, by the key that sets each."""
    named = {TARGET: subject.target, **{k: str(v) for k, v in subject.functions}}
    return named if subject.start is None else {**named, "start": subject.start}


def _takes(function: UserFunction, name: str) -> bool:
    return name in parameters_of(function)[0]
