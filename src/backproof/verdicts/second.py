"""Second derivatives before the judge: they are those of a gradient, which is judged first."""

from __future__ import annotations

from collections.abc import Callable

from backproof.targets.function import Function
from backproof.verdicts.check import Check
from backproof.verdicts.function import check_function
from backproof.verdicts.measuring import Sampling


def check_second(gradient: Function | None, second: Callable[[], Function], sampling: Sampling) -> Check:
    """Check second derivatives; where the gradient does not agree, its check is what is returned.

    Args:
        gradient: the loss and its gradient; None where the gradient is known to be right.
        second: makes the function whose derivative the Hessian is.

    Raises:
        FunctionError: if a function does what no such function does.
    """
    if gradient is not None:
        found = check_function(gradient, sampling)
        if not found.agrees:
            gradient.note("the Hessian is not compared: the gradient, whose derivative it is, does not agree")
            return found
    return check_function(second(), sampling)
