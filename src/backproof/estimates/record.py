"""The one record of a measured derivative, filled by every kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntFlag
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backproof.network.arrays import Array, root_mean_square
from backproof.targets.layout import Index, Layout

Mask = NDArray[np.bool_]


class EntryStatus(IntFlag):
    """What was met while an entry was measured; flags, since it may lie on one kink and pass another."""

    SMOOTH = 0
    TOUCHED = 1
    """The point lies exactly on a kink that the entry moves: only one-sided derivatives exist."""
    CROSSED = 2
    """The difference straddles a kink, so its value is no derivative."""
    AVOIDED = 4
    """A kink lies within the first step; the value comes from a shorter one."""
    OPEN = 8
    """Beyond its bound in a way that kinks may explain, and not measured closely enough to tell."""
    FLAT = 16
    """The function does not change at all when the entry moves."""
    JUMPS = 32
    """The function jumps at the point, so that it has no derivative."""
    ONE_SIDED = 64
    """Measured on one side only: on the other f is not finite, or the entry would leave its bounds."""


@dataclass(frozen=True)
class Estimate:
    """Derivatives from evaluations, entry by entry; arrays (entries,).

    Attributes:
        layout: names the entries.
        index: the flat position of each entry, ascending; entries that were not selected are not here.
        value: the derivative.
        truncation: what the length of the step explains of a difference from the exact derivative.
        noise: what rounding in the evaluations explains, amplified by the step.
        round_off: what rounding in the analytic gradient's own arithmetic explains.
        kink: what kinks explain that lie near the step or under it.
        step: what the entry was moved by, or could have been without meeting a kink; 0 where that changes
            nothing.
        unit: the length in which an entry's steps are counted, never shortened for a kink's sake; entries of
            different units are compared by value · unit.
        low, high: the interval of the one-sided derivatives, their error included; NaN unless touched.
        status: `EntryStatus` flags.
    """

    layout: Layout
    index: Index
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

    @cached_property
    def bound(self) -> Array:
        """The largest |analytic − numerical| that arithmetic explains: the sum of its parts."""
        return np.asarray(self.truncation + self.noise + self.round_off + self.kink)

    @cached_property
    def magnitude(self) -> Array:
        """|value|."""
        return np.asarray(np.abs(self.value))

    @cached_property
    def finite(self) -> bool:
        """Whether every value is finite."""
        return bool(np.isfinite(self.value).all())

    @cached_property
    def bounds_positive(self) -> bool:
        """Whether every bound is positive; 0 and NaN are not."""
        return bool((self.bound > 0).all())

    @cached_property
    def plain(self) -> bool:
        """Whether every bound is positive, and every entry changes the function and touches no kink."""
        return self.bounds_positive and not self.touched.any() and not self.still.any()

    @cached_property
    def smooth(self) -> bool:
        """Whether no entry has anything to do with a kink, jumps or is open."""
        hindered = EntryStatus.TOUCHED | EntryStatus.CROSSED | EntryStatus.OPEN | EntryStatus.JUMPS
        return not self.has(hindered).any()

    @cached_property
    def mostly_truncation(self) -> Mask:
        """Where truncation is the larger part of the bound."""
        return np.asarray(self.truncation > self.bound - self.truncation)

    @cached_property
    def touched(self) -> Mask:
        """Entries that touch a kink."""
        return self.has(EntryStatus.TOUCHED)

    @cached_property
    def crossed(self) -> Mask:
        """Entries whose difference straddles a kink."""
        return self.has(EntryStatus.CROSSED)

    @cached_property
    def open(self) -> Mask:
        """Entries of which nothing can be concluded."""
        return self.has(EntryStatus.OPEN)

    def has(self, status: EntryStatus) -> Mask:
        """Which entries have any of some flags."""
        return np.asarray((self.status & np.uint8(status)) != 0)

    @cached_property
    def still(self) -> Mask:
        """Entries that change nothing when they move."""
        return np.asarray(self.has(EntryStatus.FLAT) | (self.step == 0))

    @cached_property
    def members(self) -> tuple[Index, ...]:
        """For each tensor of the layout, which entries are its own."""
        return self.layout.members(self.index)

    @cached_property
    def typical_size(self) -> TypicalSize:
        """What is typical of the derivatives of each tensor."""
        return _typical_size_of(self)

    @cached_property
    def by_tensor(self) -> ByTensor:
        """The entries tensor by tensor."""
        return ByTensor(self.members)

    @cached_property
    def value_by_tensor(self) -> Array:
        """The derivatives, tensor by tensor."""
        return self.by_tensor.of(self.value)

    def excess(self, gap: Array) -> Array:
        """A gap |analytic − value| in bounds; 0 where there is none, also beside a bound of 0."""
        return in_bounds(gap, self.bound, positive=self.bounds_positive)

    def at(self, index: Index) -> Estimate:
        """Some of the entries, by their flat positions, which must be among these."""
        chosen = np.searchsorted(self.index, index)
        names = (f.name for f in fields(Estimate) if f.name not in ("layout", "index"))
        return replace(self, index=index, **{name: getattr(self, name)[chosen] for name in names})

    def selected(self, flat: Array) -> Array:
        """The entries of a flat vector, in the precision of the estimate."""
        chosen = flat if len(flat) == len(self.index) else flat[self.index]
        return chosen.astype(self.value.dtype, copy=False)


def in_bounds(gap: Array, bound: Array, *, positive: bool) -> Array:
    """A gap in bounds; 0 where there is none, also beside a bound of 0.

    Args:
        positive: whether no bound is 0 or NaN, where that is known.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = gap / bound
        return np.asarray(found if positive else np.where(gap == 0, 0, found))


@dataclass(frozen=True)
class TypicalSize:
    """What is typical of derivatives of different units: by what they do to the function, value · unit.

    Attributes:
        size: of each entry, what is typical of its tensor, by the entry's own unit, (entries,): the root mean
            square of value · unit over the tensor. A tensor that vanishes within its bounds has that of all.
        unseen: those tensors' members, each with what is typical of them alone.
    """

    size: Array
    unseen: tuple[tuple[Index, Array], ...]


def _typical_size_of(estimate: Estimate) -> TypicalSize:
    value, unit = estimate.magnitude, estimate.unit
    exponent = np.frexp(value.max(initial=0))[1]  # a power of two, so that no square over- or underflows
    effect = np.ldexp(value, -exponent) * unit

    def of(members: Index | slice) -> Array:
        return np.asarray(np.ldexp(root_mean_square(effect[members]) / unit[members], exponent))

    size, seen, unseen = np.empty_like(effect), value > estimate.bound, []
    for members in estimate.members:
        own = of(members)
        if seen[members].any():
            size[members] = own
        else:
            unseen.append((members, own))
    if unseen:
        typical = of(slice(None))
        for members, _ in unseen:
            size[members] = typical[members]
    return TypicalSize(size, tuple(unseen))


class ByTensor:
    """Entries tensor by tensor, so that each tensor's own are a slice.

    Attributes:
        spans: each tensor's slice.
    """

    def __init__(self, members: Sequence[Index]) -> None:
        self.order = np.concatenate(members) if members else np.zeros(0, np.intp)
        ends = np.cumsum([len(each) for each in members], dtype=int).tolist()
        self.spans = [slice(end - len(each), end) for end, each in zip(ends, members, strict=True)]

    def of(self, each: Array) -> Array:
        """One number per entry in this order."""
        return each.take(self.order)


def stacked(
    estimates: Sequence[Estimate], layout: Layout, positions: Sequence[Index], values: Sequence[float]
) -> Estimate:
    """Estimates of functions of different parameters as that of their sum.

    Units are counted in what is typical of each function's changes, so that entries of functions of different
    sizes are compared by what they do to their own; of a function that does not change, in its value.

    Args:
        layout: that of the sum.
        positions: of each function's parameters in it.
        values: of each function.
    """
    joined: dict[str, Array] = {}
    for name in (f.name for f in fields(Estimate) if f.name not in ("layout", "index", "unit")):
        joined[name] = np.concatenate([getattr(e, name) for e in estimates])
    effects = [_typical_change(e) or abs(v) or 1.0 for e, v in zip(estimates, values, strict=True)]
    joined["unit"] = np.concatenate([e.unit / effect for e, effect in zip(estimates, effects, strict=True)])
    index = np.concatenate([p[e.index] for e, p in zip(estimates, positions, strict=True)])
    order = np.argsort(index)
    return Estimate(layout=layout, index=index[order], **{k: v[order] for k, v in joined.items()})


def _typical_change(estimate: Estimate) -> float:
    """The typical change of a function as one of its entries moves by its unit; 0 where none is seen."""
    seen = np.isfinite(estimate.value) & (estimate.magnitude > estimate.bound)
    return root_mean_square(np.abs(estimate.value * estimate.unit)[seen]) if seen.any() else 0.0
