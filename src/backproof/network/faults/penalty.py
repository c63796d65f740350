"""Mistakes in the gradient of the penalty ½ l2 Σ w²."""

from __future__ import annotations

import numpy as np

from backproof.network.arrays import Array
from backproof.network.faults.conditions import some_penalty
from backproof.network.faults.fault import Here, at_penalty


@at_penalty(cause="penalty: missing", matters=some_penalty)
def no_penalty(penalty: Array, _here: Here) -> Array:
    """the penalty's gradient left out"""
    return np.zeros_like(penalty)


@at_penalty(cause="penalty: on the biases", matters=some_penalty)
def penalty_on_biases(penalty: Array, here: Here) -> Array:
    """the penalty's gradient for biases too"""
    return np.asarray(here.weights[here.layer] * penalty.dtype.type(here.problem.l2))
