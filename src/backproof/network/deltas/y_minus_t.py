"""The y − t shortcut: correct only where the loss matches the output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backproof.choices import choice
from backproof.network.arrays import Array
from backproof.network.deltas.delta import Delta
from backproof.network.problem import Forward, Problem

if TYPE_CHECKING:
    from backproof.network.rules import BackwardRule


@choice
def y_minus_t() -> Delta:
    """y - t, whatever the pair"""
    return Delta("y_minus_t", "y - t", at_output, uses_kinks=False, uses_clip=False)


def at_output(problem: Problem, forward: Forward, _rule: BackwardRule) -> Array:
    """y − t; shape (..., N, m)."""
    return np.asarray(forward.outputs - problem.targets)
