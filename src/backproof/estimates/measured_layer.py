"""One layer of a network while its derivatives are measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backproof.estimates.error_bounds import ErrorBounds
from backproof.estimates.perturbed import PerturbedLoss
from backproof.estimates.record import EntryStatus, Mask
from backproof.estimates.stencils import Scheme
from backproof.network.arrays import Array
from backproof.targets.layout import Index


@dataclass(frozen=True)
class MeasuredLayer:
    """One layer of a network while it is measured; its arrays are written in place.

    Attributes:
        value, truncation, noise, round_off, kink, step, unit, low, high, status: as in `Estimate`, but shaped
            like the weights, (units, inputs + 1).
    """

    loss: PerturbedLoss
    number: int
    bounds: ErrorBounds
    scheme: Scheme
    value: Array
    truncation: Array
    noise: Array
    round_off: Array
    kink: Array
    step: Array
    unit: Array
    low: Array
    high: Array
    status: NDArray[np.uint8]

    @property
    def weights(self) -> Array:
        """The layer's weights and biases."""
        return self.loss.weights[self.number]

    @property
    def inputs(self) -> Array:
        """What enters the layer, (N, inputs + 1)."""
        return self.loss.forward.inputs[self.number]

    @property
    def scale(self) -> float:
        """What the sum of all terms is multiplied by."""
        return self.loss.problem.scale

    def bound_at(self, j: Index, p: Index) -> Array:
        """The bound of some parameters, as far as it is known."""
        parts = (self.truncation, self.noise, self.round_off, self.kink)
        return np.asarray(sum(part[j, p] for part in parts))

    def mark(self, j: Index, p: Index, flag: EntryStatus, mask: Mask) -> None:
        """Give some of these parameters a flag."""
        self.status[j[mask], p[mask]] |= np.uint8(flag)
