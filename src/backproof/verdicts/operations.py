"""Where a wrong backward pass first departs from the right one, and what it did there instead.

A backward pass is a chain of operations: the delta at the output; for each layer the gradient of its
weights and biases from its delta; and the delta below, from the weights that carry it down and the
activation's derivative. Each operation is judged by its own inputs: what the rule made of *its* delta
above is compared with what the chain rule makes of the same delta, with derivatives that are differences
of the activation's values and, at the output, differences of the loss. So every operation that
departs is found, however many there are, and none is blamed for what reaches it from above.

What an operation did instead is found by putting something else in the place of each of its operands, and
comparing what that gives with what was found, entry by entry. None of that looks at which fault was planted;
what nothing explains is `not identified`, with its place and the shape of the error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from backproof.network.rules import Backward
from backproof.verdicts.backward_pass import BackwardPass
from backproof.verdicts.causes import Departure
from backproof.verdicts.fit import mixed_in
from backproof.verdicts.hidden_delta import hidden_delta
from backproof.verdicts.output_delta import output_delta
from backproof.verdicts.parameter_gradient import parameter_gradients
from backproof.verdicts.structures import NOT_IDENTIFIED, Found
from backproof.verdicts.view import View


def localise(backward: Backward, view: View) -> list[Departure]:
    """Every operation of a finite backward pass that departs from the chain rule, the topmost first.

    A backward pass without deltas will do: they are inferred from its gradients as far as these allow.
    """
    with np.errstate(all="ignore"):
        at = BackwardPass(backward, view)
        found = list(_found(at))
        share, top = next(((each.share, layer) for layer, each, _ in found if each.share < 1), (1.0, 0))
        if share == 1 or not any(_unknown(each) for _, each, _ in found):
            return list(_departures(at, found))
        # What is mixed in by a share reaches the layers below mixed as well: taken apart it has a name there.
        pure = at.unmixed(share, top)
        unmixed = list(_found(pure))
        if not unmixed or any(_unknown(each) for _, each, _ in unmixed):
            return list(_departures(at, found))
        return [
            replace(each, detail=mixed_in(each.detail, share), moved=share * each.moved)
            for each in _departures(pure, unmixed)
        ]


Place = tuple[int, Found, bool]
"""A layer, what departs there, and whether that is its delta."""


def _unknown(found: Found) -> bool:
    return found.name.endswith(NOT_IDENTIFIED)


def _found(at: BackwardPass) -> Iterator[Place]:
    delta: Found | None = None
    for layer in range(at.last, -1, -1):
        delta = output_delta(at) if layer == at.last else hidden_delta(at, layer, delta)
        if delta is not None:
            yield layer, delta, True
        for part in parameter_gradients(at, layer):
            yield layer, _of_either(part) if layer in at.guessed else part, False


def _of_either(part: Found) -> Found:
    """The same where the delta is not known, so that it may be the delta that departs."""
    structure = part.name.partition(": ")[2]
    return replace(part, name=f"delta or gradient: {structure}") if "gradient: " in part.name else part


def _departures(at: BackwardPass, found: Iterable[Place]) -> Iterator[Departure]:
    """What was found, with what each of it adds to the gradient."""
    for layer, each, of_delta in found:
        moved = [np.zeros_like(g) for g in at.backward.gradients]
        if of_delta:
            moved = at.carried_down(layer, each.residual)
        else:
            moved[layer] = each.residual
        yield Departure(each.name, each.detail, layer + 1, at.entries(moved), each.at_clip)
