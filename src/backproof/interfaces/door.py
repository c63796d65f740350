"""What a user gives to a check in Python, validated once."""

from __future__ import annotations

import numbers

from backproof.errors import FunctionError
from backproof.targets.leaves import what_it_is
from backproof.verdicts.comparison import allowed_beside
from backproof.verdicts.measuring import Sampling


def require_function(name: str, value: object, what: str) -> None:
    """Refuse what cannot be called.

    Args:
        name: of the argument.
        what: of what it must be a function.

    Raises:
        FunctionError: naming the argument.
    """
    if not callable(value):
        raise FunctionError(f"{name}: must be a function of {what}; not {what_it_is(value)}")


def sampling_of(
    *,
    seed: object,
    parameters: object = None,
    directions: bool | None = None,
    resolution: object,
    rtol: object,
    screened: bool = False,
    jobs: object = 1,
) -> Sampling:
    """How a function is checked, where the arguments of a check say so.

    Raises:
        FunctionError: naming an argument that is no count or no relative error.
    """
    if not _is_whole(seed) or seed < 0:  # type: ignore[operator]
        raise FunctionError(f"seed: must be a whole number from 0 on; not {seed!r}")
    if parameters is not None and (not _is_whole(parameters) or parameters < 1):  # type: ignore[operator]
        raise FunctionError(f"parameters: must be None or a whole number from 1 on; not {parameters!r}")
    if not _is_whole(jobs) or jobs == 0:
        raise FunctionError(f"jobs: must be a whole number other than 0; not {jobs!r}")
    for name, value, least in (("resolution", resolution, "above"), ("rtol", rtol, "from")):
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not number or not 0 <= value < 1 or (value == 0 and least == "above"):  # type: ignore[operator]
            raise FunctionError(f"{name}: must be a number {least} 0 and below 1; not {value!r}")
    if screened and (parameters is not None or directions is not None):
        given = "parameters" if parameters is not None else "directions"
        raise FunctionError(f"screened: does not go with {given}, which says what else is to be checked")
    asked, allowed = float(resolution), float(rtol)  # type: ignore[arg-type]
    wrong = allowed_beside(asked, allowed)
    if wrong:
        raise FunctionError(f"rtol: {wrong}")
    return Sampling(
        int(seed), parameters if parameters is None else int(parameters), directions,  # type: ignore[call-overload]
        resolution=asked, rtol=allowed, screened=bool(screened),
    )  # fmt: skip


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
