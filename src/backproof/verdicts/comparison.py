"""An analytic gradient compared with an estimate, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backproof.estimates.record import Estimate, Mask
from backproof.network.arrays import Array

VISIBLE = 0.05
"""Within the bounds, a gradient error above this is no agreement: a rule that is off by 10 % has it too."""


def gradient_error(analytic: Array, numerical: Array) -> float | None:
    """‖a − n‖₂ / (‖a‖₂ + ‖n‖₂), 0 where both vanish; None where either is not finite.

    Both are scaled first, so that no square over- or underflows.
    """
    size = np.maximum(np.abs(analytic).max(initial=0), np.abs(numerical).max(initial=0))  # NaN is passed on
    if not np.isfinite(size):
        return None
    if size == 0:
        return 0.0
    a, n = analytic / size, numerical / size
    return float(np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n)))


@dataclass(frozen=True)
class Comparison:
    """The two gradients; arrays (entries,), in the precision of the estimate."""

    analytic: Array
    estimate: Estimate

    @cached_property
    def gap(self) -> Array:
        """|analytic − numerical|."""
        return np.asarray(np.abs(self.analytic - self.estimate.value))

    @cached_property
    def excess(self) -> Array:
        """The gap in bounds; at most 1 where arithmetic explains it."""
        return self.estimate.excess(self.gap)

    @cached_property
    def beyond(self) -> Mask:
        """Where arithmetic does not explain the gap."""
        return np.asarray(self.excess > 1)

    @cached_property
    def inside(self) -> Mask:
        """Where a kink is touched, and the analytic value lies between the one-sided derivatives."""
        low, high = self.estimate.low, self.estimate.high
        return np.asarray(self.estimate.touched & (self.analytic >= low) & (self.analytic <= high))

    @cached_property
    def open(self) -> Mask:
        """Where kinks may explain the gap, and nothing shows whether they do."""
        return np.asarray(self.estimate.open & ~self.inside)

    @cached_property
    def wrong(self) -> Mask:
        """Where neither arithmetic nor a kink explains the gap."""
        return np.asarray(self.beyond & ~self.inside & ~self.estimate.crossed & ~self.open)

    @cached_property
    def visible(self) -> Mask:
        """Where an entry alone would show a gradient error above `VISIBLE`, or is beyond its bound."""
        sizes = np.abs(self.analytic).astype(float) + np.abs(self.estimate.value)
        return np.asarray((self.gap > VISIBLE * sizes) | self.beyond)

    @property
    def finite(self) -> bool:
        """Whether both gradients are."""
        return bool(np.isfinite(self.analytic).all() and np.isfinite(self.estimate.value).all())

    @cached_property
    def error(self) -> float | None:
        """The gradient error over all entries."""
        return gradient_error(self.analytic, self.estimate.value)

    def share(self, mask: Mask) -> float:
        """The share of the entries that a mask holds."""
        return int(np.count_nonzero(mask)) / (len(mask) or 1)

    def error_share(self, mask: Mask) -> float:
        """The share of the sum of all gaps that a mask holds."""
        return float(self.gap[mask].sum()) / (float(self.gap.sum()) or 1.0)

    def layers(self, mask: Mask) -> tuple[int, ...]:
        """The layers of a network in which a mask holds some entry."""
        tensors = zip(self.estimate.layout.tensors, self.estimate.members, strict=True)
        return tuple(dict.fromkeys(t.layer for t, mine in tensors if t.layer and mask[mine].any()))
