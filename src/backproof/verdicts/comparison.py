"""An analytic gradient compared with an estimate, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from backproof.estimates.record import EntryStatus, Estimate, Mask, in_bounds
from backproof.network.arrays import Array, DType
from backproof.targets.layout import Index

RESOLUTION = 1e-3
"""The relative error that a check must be able to see, unless it is asked for another one."""


def allowed_beside(resolution: float, rtol: float) -> str:
    """What is wrong with an `rtol` beside a resolution, in words; empty if nothing is.

    What is allowed goes unseen, so a check that allows more than its resolution has not the one it states.
    """
    if rtol <= resolution:
        return ""
    return (
        f"allows for errors that must not go unseen with resolution={resolution:g}; must be at most that, or "
        f"give resolution={rtol:g} as well; not {rtol!r}"
    )


def gradient_error(analytic: Array, numerical: Array) -> float | None:
    """‖a − n‖₂ / (‖a‖₂ + ‖n‖₂), 0 where both vanish; None where either is not finite.

    Where a square would over- or underflow, both are scaled first.
    """
    squares = _squares(analytic, numerical)
    low, high = _safe(analytic.dtype)
    if not low < min(squares) <= max(squares) < high or analytic.dtype != numerical.dtype:
        size = np.maximum(
            np.abs(analytic).max(initial=0), np.abs(numerical).max(initial=0)
        )  # NaN is passed on
        if not size < np.inf:
            return None
        if size == 0:
            return 0.0
        exponent = np.frexp(size)[1]  # a power of two rounds nothing
        squares = _squares(np.ldexp(analytic, -exponent), np.ldexp(numerical, -exponent))
    of_gap, of_analytic, of_numerical = map(np.sqrt, squares)
    return float(of_gap / (of_analytic + of_numerical))


def _squares(analytic: Array, numerical: Array) -> tuple[np.floating, np.floating, np.floating]:
    """The squares of the lengths of a − n, a and n; `np.linalg.norm` takes three times as long."""
    with np.errstate(over="ignore", invalid="ignore"):
        gap = analytic - numerical
        return gap.dot(gap), analytic.dot(analytic), numerical.dot(numerical)


@cache
def _safe(dtype: DType) -> tuple[np.floating, np.floating]:
    """Between these a sum of squares has lost nothing to a number's range."""
    info = np.finfo(dtype)
    return np.sqrt(info.tiny), np.sqrt(info.max)


@dataclass(frozen=True)
class Comparison:
    """The two gradients; arrays (entries,), in the precision of the estimate.

    Attributes:
        rtol: the relative error that the analytic gradient is known to have by its nature, as by an inner
            solver's tolerance.
        excused: whether the entries on kinks are known to be those of one subgradient, also where they lie
            outside the one-sided derivatives of single entries.
        at_kinks: the smallest relative error that would have been seen in these entries.
        variation: the derivative within reach of an entry whose own is zero here, and 0 of others; an error
            of such an entry is relative to that. None where there was no need to know.
    """

    analytic: Array
    estimate: Estimate
    rtol: float = 0.0
    excused: bool = False
    at_kinks: float = 0.0
    variation: Array | None = None

    @cached_property
    def gap(self) -> Array:
        """|analytic − numerical|."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.abs(self.analytic - self.estimate.value))

    @cached_property
    def size(self) -> Array:
        """The larger of |analytic| and |numerical|; where these are zero, what it is within reach."""
        size = np.maximum(np.abs(self.analytic), self.estimate.magnitude)
        return np.asarray(size if self.variation is None else np.maximum(size, self.variation))

    @cached_property
    def scale(self) -> Array:
        """What an error is relative to: the entry's size, or what is typical of its tensor if that is more.

        Entries of different units are compared by what they do to the loss: a tensor's typical size is the
        root mean square of value · unit. A tensor that vanishes within its bounds is measured by all others.
        """
        if not 0 < self.size.max(initial=0) < np.inf:
            return self.size
        typical = self.estimate.typical_size
        size = typical.size
        for members, own in typical.unseen:
            if (self.size[members] > self.estimate.bound[members]).any():
                size = size.copy() if size is typical.size else size
                size[members] = own
        return np.asarray(np.maximum(self.size, size))

    @cached_property
    def bound(self) -> Array:
        """The largest |analytic − numerical| that is explained: by arithmetic, and by what `rtol` allows."""
        return self.estimate.bound + self.rtol * self.scale if self.rtol else self.estimate.bound

    @cached_property
    def relative(self) -> Array:
        """The smallest error of each entry that is sure to be seen, relative to its scale.

        The bound is allowed between the two gradients, and by the estimate's the numerical one may be off.
        0 where the loss does not change at all and the gradient says so, and at a kink, where an interval of
        derivatives decides instead of a bound.
        """
        return self._in(self.scale)

    @cached_property
    def own_relative(self) -> Array:
        """The same, relative to the entry's own size; infinite where that is 0 and the bound is not."""
        return self._in(self.size)

    def _in(self, scale: Array) -> Array:
        """Bounds in a scale."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            smooth = (self.bound + self.estimate.bound) / scale
        if self.estimate.plain:
            return np.asarray(smooth)
        still = (self.size == 0) & self.estimate.still
        still |= (self.bound == 0) | self.estimate.touched
        smooth = np.where(still, 0, smooth)
        return np.where(self.estimate.touched, self.at_kinks, smooth) if self.at_kinks else smooth

    @cached_property
    def resolution(self) -> float:
        """The smallest relative error that would have been seen, wherever it is; NaN is infinite."""
        largest = float(self.relative.max(initial=0))
        return largest if largest == largest else np.inf

    @cached_property
    def excess(self) -> Array:
        """The gap in bounds; at most 1 where arithmetic explains it, 0 where there is none."""
        return in_bounds(self.gap, self.bound, positive=self.estimate.bounds_positive)

    @cached_property
    def beyond(self) -> Mask:
        """Where arithmetic does not explain the gap."""
        return np.asarray(self.excess > 1)

    @cached_property
    def settled(self) -> bool:
        """Whether arithmetic explains every gap, and no kink, jump or open entry has a say."""
        return self.estimate.smooth and not self.beyond.any()

    @cached_property
    def inside(self) -> Mask:
        """Where a kink is touched, and the analytic value is between the one-sided derivatives or excused."""
        if self.excused:
            return self.estimate.touched
        low, high = self.estimate.low, self.estimate.high
        return np.asarray(self.estimate.touched & (self.analytic >= low) & (self.analytic <= high))

    @cached_property
    def open(self) -> Mask:
        """Where kinks may explain the gap, and nothing shows whether they do."""
        return np.asarray(self.estimate.open & ~self.inside)

    @cached_property
    def jumps(self) -> Mask:
        """Where the function jumps, so that there is nothing to compare with."""
        return self.estimate.has(EntryStatus.JUMPS)

    @cached_property
    def wrong(self) -> Mask:
        """Where neither arithmetic nor a kink explains the gap."""
        if not self.beyond.any():
            return self.beyond
        return np.asarray(self.beyond & ~self.inside & ~self.estimate.crossed & ~self.open & ~self.jumps)

    def off(self, resolution: float) -> Mask:
        """Where the numbers differ by more than a resolution asks for, or than arithmetic explains."""
        return np.asarray((self.gap > resolution * self.scale) | self.beyond)

    def at(self, index: Index) -> Comparison:
        """The comparison of some of the entries, by their flat positions, which must be among these."""
        return Comparison(self.analytic[np.searchsorted(self.estimate.index, index)], self.estimate.at(index))

    def of(self, analytic: Array, round_off: Array) -> Comparison:
        """Another gradient of more rounding compared with the same estimate."""
        estimate = replace(self.estimate, round_off=self.estimate.round_off + round_off)
        gradient = analytic.astype(self.analytic.dtype)
        return Comparison(gradient, estimate, self.rtol, variation=self.variation)

    @cached_property
    def finite(self) -> bool:
        """Whether both gradients are."""
        return self.estimate.finite and bool(np.isfinite(self.analytic).all())

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
