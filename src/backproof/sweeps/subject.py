"""The subject of a case that is somebody else's function: from its settings to something to evaluate."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from backproof.errors import ConfigurationError, nearest
from backproof.network.initial import Bias, initial_weights
from backproof.sweeps import components
from backproof.sweeps.settings import CODE, SUBJECT, Settings, Value, is_public
from backproof.targets.autodiff import EXTRAS, jax_function, torch_function, torch_module
from backproof.targets.function import Function, FunctionError, raised_at, told

BY = "subject.by"
"""The setting that says what kind of function it is; the built-in network has none."""

KINDS = ("function", *EXTRAS)

OWN = ("precision", "seed", "check", "check.parameters")
"""Settings beside the subject's own that every function has a use for."""

PROBLEM = ("data", "network", "check.samples")
"""Settings of the default starting point."""

PASSED = ("seed", "precision")
"""Settings that are passed on to a `start`, or to a function, that has parameters of these names."""


def is_function(s: Settings) -> bool:
    """Whether the case is about somebody else's function."""
    return s.get(BY) is not None


def canonical_function(s: Settings) -> Settings:
    """The settings that such a case depends on.

    Raises:
        ConfigurationError: if its code cannot be imported, or a keyword is none of its parameters.
    """
    if s[BY] not in KINDS:
        raise ConfigurationError(
            f"{BY}: must be one of {', '.join(KINDS)}; not {s[BY]!r}{nearest(str(s[BY]), KINDS)}"
        )
    if not isinstance(s.get(SUBJECT), str):
        raise ConfigurationError(f"{SUBJECT}: must name a function, as in my_module.f_df")
    if s["check"] == "none":
        raise ConfigurationError(
            f"check: there is nothing but the check for subject={s['subject']}; use full"
        )
    functions = _functions(s)
    accepted = dict.fromkeys(name for f in functions for name in _parameters(f)[0])
    if not any(_parameters(f)[1] for f in functions):
        for name, _ in _keywords(s):
            if name not in accepted:
                raise ConfigurationError(
                    f"subject.{name}: {s[SUBJECT]} has no such parameter{nearest(name, accepted)}"
                )
    groups = ("subject", *PROBLEM) if s.get("subject.start") is None else ("subject",)
    kept = {k: v for k, v in s.items() if k in OWN or any(k == g or k.startswith(g + ".") for g in groups)}
    precise = any("precision" in _parameters(f)[0] for f in functions) or _makes_module(functions[0], s)
    if len(groups) == 1 and not precise:
        del kept["precision"]  # W's own says what it is
    named = {key: s[key] for key in CODE if key in s}
    return {**kept, **components.code_of(named)}


def function_of(s: Settings) -> Function:
    """The function of a case, at its starting point.

    Raises:
        FunctionError: if `start` raises, or what it returns cannot be a W.
    """
    target, *others = _functions(s)
    by, df = s[BY], others[0] if s.get("subject.df") is not None else None
    start = others[-1] if s.get("subject.start") is not None else None
    if _makes_module(target, s):
        args = _arguments(_called(start, _accepted(start, s))) if start else _default_start(s)[1]
        seeded_module = partial(torch_module, target, cast(int, s["seed"]), str(s["precision"]))
        return torch_function(_called(seeded_module, _accepted(target, s), target), None, args)
    if start is None:
        w, args = _default_start(s)
    else:
        found = _called(start, _accepted(start, s))
        w, args = (found[0], found[1:]) if isinstance(found, tuple) else (found, ())
    f = _with_keywords(target, s)
    if by == "torch":
        return torch_function(f, w, args)
    if by == "jax":
        return jax_function(f, w, args)
    if df is None:
        return Function(w, args, f_df=f)
    return Function(w, args, f=f, df=_with_keywords(df, s))


def _makes_module(target: Any, s: Settings) -> bool:
    """Whether the target is a class of modules, whose parameters W then is."""
    return s[BY] == "torch" and inspect.isclass(target)


def _arguments(found: Any) -> tuple[Any, ...]:
    return found if isinstance(found, tuple) else (found,)


def _functions(s: Settings) -> list[Callable[..., Any]]:
    found = []
    for key in CODE:
        if isinstance(s.get(key), str):
            function = components.find("subject", str(s[key]), key)
            if not callable(function):
                raise ConfigurationError(f"{key}: {s[key]} is no function but {type(function).__name__}")
            found.append(function)
    return found


def _keywords(s: Settings) -> list[tuple[str, Value]]:
    taken = (BY, *CODE)
    mine = ((k, v) for k, v in s.items() if k.startswith("subject.") and is_public(k))
    return [(k.partition(".")[2], v) for k, v in mine if k not in taken]


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, ...], bool]:
    """Names that may be given as keywords, and whether any name may."""
    try:
        found = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return (), True
    named = (p.name for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return tuple(named), any(p.kind is p.VAR_KEYWORD for p in found)


def _accepted(function: Callable[..., Any], s: Settings) -> dict[str, Any]:
    names, every = _parameters(function)
    given = dict(_keywords(s))
    passed = {name: s.get(name) for name in PASSED if name in names and name not in given}
    return {**passed, **{k: v for k, v in given.items() if every or k in names}}


def _with_keywords(function: Callable[..., Any], s: Settings) -> Callable[..., Any]:
    given = _accepted(function, s)
    if not given:
        return function

    def called(w: Any, *args: Any) -> Any:
        return function(w, *args, **given)

    called.__backproof_source__ = function  # type: ignore[attr-defined]
    return called


def _called(
    function: Callable[..., Any], given: dict[str, Any], blamed: Callable[..., Any] | None = None
) -> Any:
    try:
        return function(**given)
    except FunctionError:
        raise
    except Exception as error:
        raise FunctionError(f"{raised_at(error, blamed or function)}: raises {told(error)}") from error


def _default_start(s: Settings) -> tuple[Any, tuple[Any, ...]]:
    """The weights of `network`, (units, inputs + 1) each, the bias last; inputs and targets of samples."""
    data, dtype = components.dataset(s), components.dtype(s)
    count = cast(int, s["check.samples"])
    x, t = data.inputs[:count].astype(dtype), data.targets[:count].astype(dtype)
    widths = (x.shape[1], *cast(tuple[int, ...], s["network.hidden"]), t.shape[1])
    scale, bias = cast(float, s["network.init_scale"]), Bias(str(s["network.bias"]))
    weights = initial_weights(widths, scale, bias, components.generator(s, "weights"), dtype)
    return weights, (x, t)
