"""The record of a delta: how the derivative at the output's pre-activation is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backproof.network.arrays import Array
from backproof.network.problem import Forward, Problem

if TYPE_CHECKING:
    from backproof.network.rules import BackwardRule


@dataclass(frozen=True)
class Delta:
    """How the delta of the last layer is found.

    Attributes:
        at_output: (problem, forward, rule) to ∂(sum of terms)/∂z of the last layer, (..., N, m).
        uses_kinks: whether it needs the output activation's derivative.
        uses_clip: whether it needs the clip's.
        elementwise: whether it needs an output activation that works element by element.
    """

    name: str
    formula: str
    at_output: Callable[[Problem, Forward, BackwardRule], Array]
    uses_kinks: bool = True
    uses_clip: bool = True
    elementwise: bool = False
