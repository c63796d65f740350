"""Cases about a function from outside: read from settings, and made into something to evaluate."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from backproof.errors import ConfigurationError, not_one_of
from backproof.network.initial import initial_weights
from backproof.sweeps import components
from backproof.sweeps.case import DerivativeCase, FunctionCase
from backproof.sweeps.construction import dataset, generator, with_content
from backproof.sweeps.derivatives import KINDS as DERIVATIVES
from backproof.sweeps.derivatives import derivative_case
from backproof.sweeps.keywords import Keywords, check_keywords, function_named, parameters_of
from backproof.sweeps.modules import find
from backproof.sweeps.overrides import OFF, TARGET
from backproof.sweeps.reading import Given, chosen, kind_of, read, read_value
from backproof.sweeps.settings import DataSettings, FunctionCheckSettings, FunctionSettings, NetworkSettings
from backproof.sweeps.validation import validated
from backproof.targets.function import Function
from backproof.targets.jax import jax_function
from backproof.targets.source import UserFunction
from backproof.targets.torch import torch_function, torch_module

ADAPTERS: dict[str, Callable[..., Function]] = {"torch": torch_function, "jax": jax_function}
"""What makes a function of (loss, W, args) in a library, whose own gradient is then under test."""

KINDS = ("function", *ADAPTERS)


def outside_case(given: Given) -> FunctionCase | DerivativeCase:
    """The case of a function from outside, by which kind of function it is.

    Raises:
        ConfigurationError: if its code cannot be imported, or a keyword is none of its parameters.
    """
    return derivative_case(given) if kind_of(given) in DERIVATIVES else function_case(given)


def function_case(given: Given) -> FunctionCase:
    """The case of settings by group.

    Raises:
        ConfigurationError: if its code cannot be imported, or a keyword is none of its parameters.
    """
    subject = _subject(given)
    if chosen(given, "check") == OFF:
        raise ConfigurationError(
            f"check: there is nothing but the check for subject={subject.name}; use full"
        )
    functions = _functions(subject)
    check_keywords(subject.keywords, functions, subject.target)
    code = tuple(t for t in (subject.target, subject.df, subject.start) if t is not None)
    values: dict[str, Any] = {
        "subject": subject,
        "check": _check(given, default_start=subject.start is None),
        "code": components.code_of(code),
        **{key: read_value(key, given) for key in ("precision", "seed") if key in given},
    }
    if subject.start is None:
        values["data"] = with_content(read("data", DataSettings, given))
        values["network"] = read("network", NetworkSettings, given)
    elif not _makes_module(subject) and not any("precision" in parameters_of(f)[0] for f in functions):
        values["precision"] = None  # W's own
    return validated(FunctionCase, values)


def _subject(given: Given) -> FunctionSettings:
    values: dict[str, Any] = dict(given["subject"])
    if values["by"] not in KINDS:
        raise not_one_of("subject.by", repr(values["by"]), (*KINDS, *DERIVATIVES))
    function_named(values.get(TARGET), f"subject.{TARGET}")
    known = {"name": values.pop(""), "by": values.pop("by"), TARGET: values.pop(TARGET)}
    code = {key: values.pop(key, None) for key in ("df", "start")}
    keywords = tuple(sorted((k, v) for k, v in values.items() if v is not None))
    return validated(FunctionSettings, {**known, **code, "keywords": keywords}, "subject.")


def _check(given: Given, *, default_start: bool) -> FunctionCheckSettings:
    kept = ("", "parameters", "resolution", "rtol", "screened", *(("samples",) if default_start else ()))
    check = tuple((k, v) for k, v in given.get("check", ()) if k in kept)
    found = read("check", FunctionCheckSettings, {"check": check} if check else {})
    return found if default_start else found.changed(samples=None)


# --- something to evaluate -------------------------------------------------------------------------


def function_of(case: FunctionCase) -> Function:
    """The function of a case, at its starting point.

    Raises:
        FunctionError: if `start` raises, or what it returns cannot be a W.
    """
    subject, keywords = case.subject, keywords_of(case)
    target, *others = _functions(subject)
    df = others[0] if subject.df is not None else None
    start = others[-1] if subject.start is not None else None
    if _makes_module(subject):
        args = _arguments(keywords.call(start)) if start else _default_start(case)[1]
        seeded_module = partial(torch_module, target, case.seed, str(case.precision))
        return torch_function(keywords.call(seeded_module, target), None, args)
    if start is None:
        w, args = _default_start(case)
    else:
        found = keywords.call(start)
        w, args = (found[0], found[1:]) if isinstance(found, tuple) else (found, ())
    f = keywords.bound(target)
    if subject.by in ADAPTERS:
        return ADAPTERS[subject.by](f, w, args)
    halves = {"f_df": f} if df is None else {"f": f, "df": keywords.bound(df)}
    own = Function(w, args, **halves)
    own.hold_what_has_no_gradient()
    return own


def keywords_of(case: FunctionCase) -> Keywords:
    """What the functions of a case are given by name."""
    return Keywords(dict(case.subject.keywords), {"seed": case.seed, "precision": case.precision})


def _makes_module(subject: FunctionSettings) -> bool:
    """Whether the target is a class of modules, whose parameters W then is."""
    return subject.by == "torch" and inspect.isclass(find(subject.target, f"subject.{TARGET}"))


def _arguments(found: Any) -> tuple[Any, ...]:
    return found if isinstance(found, tuple) else (found,)


def _functions(subject: FunctionSettings) -> list[UserFunction]:
    """The loss, its gradient and the start, those of them that are given."""
    named = ((TARGET, subject.target), ("df", subject.df), ("start", subject.start))
    return [function_named(target, f"subject.{key}") for key, target in named if target is not None]


def _default_start(case: FunctionCase) -> tuple[Any, tuple[Any, ...]]:
    """The weights of `network`, (units, inputs + 1) each, the bias last; inputs and targets of samples."""
    assert case.data and case.network and case.precision, "a case without a start of its own has them"
    data, network, dtype = dataset(case.data, case.seed), case.network, case.precision.dtype
    x, t = (a[: case.check.samples].astype(dtype) for a in (data.inputs, data.targets))
    widths = (x.shape[1], *network.hidden, t.shape[1])
    drawn_by = generator(case.seed, "weights")
    return initial_weights(widths, network.init_scale, network.bias, drawn_by, dtype), (x, t)
