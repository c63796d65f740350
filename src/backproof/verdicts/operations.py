"""Where a wrong backward pass first departs from the right one, and what it did there instead.

A backward pass is a chain of operations: the delta at the output; for each layer the gradient of its
weights and biases from its delta; and the delta below, from the weights that carry it down and the
activation's derivative. Each operation is judged by its own inputs: what the rule made of *its* delta
above is compared with what the chain rule makes of the same delta, with derivatives that are differences
of the activation's values and, at the output, differences of the loss. So every operation that
departs is found, however many there are, and none is blamed for what reaches it from above.

What an operation did instead is found by trying structures on it: a constant factor, a factor that is
a known quantity, another array instead of the right one. None of that looks at which
fault was planted; what fits no structure is reported as `other`, with its location.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backproof.network.rules import Backward
from backproof.verdicts.backward_pass import BackwardPass
from backproof.verdicts.causes import Departure
from backproof.verdicts.hidden_delta import hidden_delta
from backproof.verdicts.output_delta import output_delta
from backproof.verdicts.parameter_gradient import parameter_gradients
from backproof.verdicts.view import View


def localise(backward: Backward, view: View) -> list[Departure]:
    """Every operation of a finite backward pass that departs from the chain rule, the topmost first.

    A backward pass without deltas will do: they are inferred from its gradients as far as these allow.
    """
    with np.errstate(all="ignore"):
        return list(_departures(BackwardPass(backward, view)))


def _departures(at: BackwardPass) -> Iterator[Departure]:
    for layer in range(at.last, -1, -1):
        found = output_delta(at) if layer == at.last else hidden_delta(at, layer)
        if found is not None:
            moved = at.entries(at.carried_down(layer, found.residual))
            yield Departure(found.name, found.detail, layer + 1, moved, found.at_clip)
        for part in parameter_gradients(at, layer):
            only = [np.zeros_like(g) for g in at.backward.gradients]
            only[layer] = part.residual
            yield Departure(part.name, part.detail, layer + 1, at.entries(only))
