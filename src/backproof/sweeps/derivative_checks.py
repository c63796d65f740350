"""Cases about a derivative, checked as Python's `check_vjp` and the others do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from backproof.sweeps.case import DerivativeCase
from backproof.sweeps.derivatives import arrays_of, functions_of, keywords_of
from backproof.sweeps.inputs import made_as
from backproof.sweeps.keywords import Keywords
from backproof.sweeps.overrides import TARGET
from backproof.targets import derivatives
from backproof.targets.memory import in_layout
from backproof.targets.source import UserFunction
from backproof.verdicts.check import Check
from backproof.verdicts.function import check_function
from backproof.verdicts.measuring import Sampling
from backproof.verdicts.second import check_second


@dataclass(frozen=True)
class Asked:
    """What is checked, and how.

    Attributes:
        f: the function that is differentiated.
        of: the derivative's functions, by the key that names each.
        at: the inputs.
        flags: how the functions are called.
    """

    f: UserFunction
    of: Mapping[str, UserFunction]
    at: Sequence[Any]
    flags: Mapping[str, Any]
    sampling: Sampling

    @property
    def seed(self) -> int:
        """Of the cotangents and tangents that are drawn."""
        return self.sampling.seed


def check_derivative(case: DerivativeCase) -> Check:
    """The check of a case.

    Raises:
        FunctionError: if one of its functions does what no such function does; it names the file and line.
        ConfigurationError: if the file of its inputs can no longer be used.
    """
    subject, check, keywords = case.subject, case.check, keywords_of(case)
    functions = functions_of(subject)
    start = functions.pop("start", None)
    at = _inputs(case, functions[TARGET]) if start is None else _made_by(start, keywords)
    called = {key: in_layout(keywords.bound(f), subject.layout) for key, f in functions.items()}
    sampling = Sampling(
        case.seed,
        None if check.parameters == "all" else check.parameters,
        resolution=check.resolution,
        rtol=check.rtol,
    )
    f = called.pop(TARGET)
    return CHECKS[subject.by](Asked(f, called, at, dict(subject.flags), sampling))


def _inputs(case: DerivativeCase, function: UserFunction) -> tuple[Any, ...]:
    assert case.precision and case.subject.arrays, "inputs that no user's code makes have them"
    return made_as(arrays_of(case, function), case.precision, case.subject.arrays)


def _made_by(start: UserFunction, keywords: Keywords) -> tuple[Any, ...]:
    found = keywords.call(start)
    return found if isinstance(found, tuple) else (found,)


def _vjp(asked: Asked) -> Check:
    """In low precision no more is asked for than it can tell."""
    backward, reference = asked.of.get("backward"), asked.of.get("reference")
    coarsest = derivatives.coarsest_resolution(asked.at, reference)
    resolution = max(asked.sampling.resolution, coarsest)
    target = derivatives.backward_pass(
        asked.f, backward, asked.at, reference=reference, seed=asked.seed, **asked.flags
    )
    return check_function(target, replace(asked.sampling, resolution=resolution))


def _jvp(asked: Asked) -> Check:
    target = derivatives.forward_mode(
        asked.f, asked.of["pushforward"], asked.at, seed=asked.seed, **asked.flags
    )
    return check_function(target, replace(asked.sampling, directions=False))


def _jacobian(asked: Asked) -> Check:
    target = derivatives.jacobian_matrix(asked.f, asked.of["jac"], asked.at, seed=asked.seed)
    return check_function(target, asked.sampling)


def _second(make: Callable[..., Any], key: str, asked: Asked) -> Check:
    df = asked.of["df"]
    gradient = derivatives.gradient_of_loss(asked.f, df, asked.at)
    second = partial(make, df, asked.of[key], asked.at, seed=asked.seed)
    return check_second(gradient, second, asked.sampling)


CHECKS: Mapping[str, Callable[[Asked], Check]] = {
    "vjp": _vjp,
    "jvp": _jvp,
    "jacobian": _jacobian,
    "hessian": partial(_second, derivatives.hessian_matrix, "hessian"),
    "hvp": partial(_second, derivatives.hessian_products, "hvp"),
}
