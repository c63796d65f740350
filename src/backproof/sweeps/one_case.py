"""One case, checked and trained by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from threadpoolctl import threadpool_limits

from backproof.network.outputs import Softmax
from backproof.sweeps import components
from backproof.sweeps.case import DerivativeCase, FunctionCase, NetworkCase
from backproof.sweeps.checking import Point, cures_for, target_of
from backproof.sweeps.function_checks import checked_function
from backproof.sweeps.listing import Cell
from backproof.sweeps.training_runs import runs_of
from backproof.verdicts.check import Check
from backproof.verdicts.component import examine


def check_cell(cell: Cell) -> Check:
    """Check and train one case.

    Raises:
        FunctionError: if a function from outside does what no loss or gradient does.
    """
    case = cell.case
    if isinstance(case, FunctionCase | DerivativeCase):
        return replace(checked_function(case), case=case.flat(), command=cell.command)
    assert isinstance(case, NetworkCase)
    with threadpool_limits(1):
        at, judgement = Point(case).judged(case)
        return Check(
            target_of(case, at),
            judgement,
            cures_for(case, at, judgement),
            runs_of([case])[0].results if case.training else None,
            tuple(_examined(case)),
            case.flat(),
            cell.command,
        )


def _examined(case: NetworkCase) -> Iterator[str]:
    """What an examination of the user's own activations finds."""
    for key, component in (("activation", case.activation), ("output", case.output)):
        if component is None or not components.is_custom(key, component):
            continue
        activation = components.output(component)
        if isinstance(activation, Softmax) or (key == "output" and component == case.activation):
            continue
        for found in examine(activation):
            mark = "✓" if found.right else "!"
            yield f"{key}={component.name} alone: {mark} {found.what}: {found.remark}"
