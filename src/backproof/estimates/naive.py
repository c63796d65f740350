"""Central differences the plain way, two full forward passes a parameter: the cross-check."""

from __future__ import annotations

import numpy as np

from backproof.estimates.steps import realised, wide
from backproof.network.arrays import Array, Weights
from backproof.network.problem import Problem


def naive_gradient(problem: Problem, weights: Weights, steps: Weights) -> list[Array]:
    """(f(θ + h) − f(θ − h)) / 2h over every parameter, with the same steps as the incremental way.

    The losses are subtracted term by term before they are summed. A step of 0 gives 0.
    """
    gradients = []
    for layer, w in enumerate(weights):
        kind = wide(w.dtype)
        up, down = realised(w, steps[layer], problem.arithmetic.rounded)
        gradient = np.zeros(w.shape, kind)
        for j, p in np.argwhere(steps[layer] > 0):
            ends = []
            for h in (up[j, p], -down[j, p]):
                moved = list(weights)
                moved[layer] = w.copy()
                moved[layer][j, p] += h  # realised: a number of the format
                ends.append(problem.forward(moved).terms.astype(kind))
            span = kind(up[j, p]) + kind(down[j, p])
            gradient[j, p] = (ends[0] - ends[1]).sum() / span * problem.scale
        gradients.append(gradient)
    return gradients
