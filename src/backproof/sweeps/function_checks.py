"""Checks of functions from outside, as cells; what they need is imported for them alone."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

from backproof.sweeps.case import DerivativeCase, FunctionCase
from backproof.sweeps.checking import report_judgement
from backproof.sweeps.derivative_checks import check_derivative
from backproof.sweeps.outcome import Outcome
from backproof.sweeps.subject import function_of
from backproof.targets.source import defined_at
from backproof.verdicts.check import Check
from backproof.verdicts.function import FunctionTarget, check_function
from backproof.verdicts.measuring import Sampling


def check_function_case(case: FunctionCase | DerivativeCase, outcome: Outcome) -> None:
    """Check a function from outside, and put what is found into its outcome."""
    found = checked_function(case)
    report_judgement(found.target, found.judgement, outcome)


def checked_function(case: FunctionCase | DerivativeCase) -> Check:
    """A check of a function from outside; what it prints becomes a note."""
    printed = StringIO()
    with redirect_stdout(printed):
        if isinstance(case, DerivativeCase):
            found = check_derivative(case)
        else:
            found = check_function(function_of(case), _sampling(case))
    if printed.getvalue():
        assert isinstance(found.target, FunctionTarget), "a function from outside is no network"
        function, first = found.target.function, printed.getvalue().strip().partition("\n")[0][:80]
        function.note(f"{defined_at(function.loss)}: prints, at first '{first}'")
    return found


def _sampling(case: FunctionCase) -> Sampling:
    check = case.check
    return Sampling(
        case.seed,
        None if check.parameters == "all" else check.parameters,
        screened=bool(check.screened),
        resolution=check.resolution,
        rtol=check.rtol,
    )
