"""What a sequence of shorter and shorter steps finds of one parameter."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backproof.estimates.record import EntryStatus
from backproof.network.arrays import Array

RATIO = 4.0
"""From one step of a sequence to the next shorter one."""

STAYS = 0.7
"""The share of f's change that a step RATIO times as short leaves, from which on f jumps."""

UNSETTLED = 0.5
"""One-sided derivatives that change by so much of their distance in the last step are none of a kink."""


@dataclass
class Entry:
    """What a sequence of steps finds of one parameter; the fields are those of `Estimate`."""

    value: float
    truncation: float
    noise: float
    kink: float
    step: float
    low: float = np.nan
    high: float = np.nan
    status: EntryStatus = EntryStatus.SMOOTH

    @property
    def error(self) -> float:
        """By how much the value may be off."""
        return self.truncation + self.noise + self.kink

    @property
    def odd(self) -> bool:
        """Whether the function has a kink or a jump at the point."""
        return bool(self.status & (EntryStatus.TOUCHED | EntryStatus.JUMPS))


@dataclass(frozen=True)
class StepSequence:
    """The derivatives of one parameter at shorter and shorter steps, and their noise; arrays (steps).

    A derivative is NaN where f is not finite at the end of the step.
    """

    steps: Array
    central: Array
    right: Array
    left: Array
    rounding: Array
    apart: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "apart", np.abs(self.right - self.left))

    @property
    def straight(self) -> bool:
        """Whether the one-sided derivatives close up as they do where f is smooth."""
        return bool(self.apart[-1] <= max(4 * self.rounding[-1], 2 / RATIO * self.apart[-2]))

    def entry(self) -> Entry:
        """What the steps find: a kink or a jump at the point, the edge of f's domain, or a derivative."""
        smooth = self.smooth_entry()
        found = self.entry_on_jump() or self.entry_on_kink(smooth.status) or self.entry_on_edge()
        return found or smooth

    def smooth_entry(self) -> Entry:
        """The value at the best step.

        Truncation falls from step to step. What a kink does stays, until the step no longer reaches it.
        """
        change, rounding = np.abs(np.diff(self.central)), self.rounding
        bend = self._bend()
        kinked = bool((bend > 4 * rounding).any())
        error = np.full(len(self.steps), np.inf)
        error[1:] = change
        error[2:] = np.maximum(error[2:], change[:-1] / (1 if kinked else RATIO))
        error = np.maximum(error, bend) * (2 if kinked else 1) + rounding
        if kinked:
            error[1] = np.inf
        error[~np.isfinite(error)] = np.inf
        best = int(np.argmin(error))
        truncation = min(change[best - 1], error[best] - rounding[best]) if best else 0.0
        flat = bool((self.right == 0).all() and (self.left == 0).all())
        status = EntryStatus.FLAT if flat else EntryStatus.SMOOTH
        # A kink within the first step: one-sided derivatives differ by more there than curvature explains.
        jump = self.apart[0] > 4 * rounding[0] and self.apart[best] * RATIO**best < 0.25 * self.apart[0]
        if jump:
            status |= EntryStatus.AVOIDED
        kink = error[best] - rounding[best] - truncation
        entry = Entry(self.central[best], truncation, rounding[best], kink, self.steps[best], status=status)
        better = None if kinked or flat else self._extrapolated()
        return entry if better is None or not better.error < entry.error else better

    def _extrapolated(self) -> Entry | None:
        """A derivative whose h² is taken out, (R² D(h/R) − D(h)) / (R² − 1), which pays where noise is large.

        Romberg's scheme; truncation is the change from one extrapolated derivative to the next, which must be
        smaller than the change from one plain derivative to the next.
        """
        if len(self.steps) < 3:
            return None
        change = np.diff(self.central)
        values = self.central[1:] + change / (RATIO**2 - 1)
        rounding = (RATIO**2 * self.rounding[1:] + self.rounding[:-1]) / (RATIO**2 - 1)
        truncation = np.abs(np.diff(values))
        converges = truncation <= np.abs(change[:-1]) / RATIO
        error = np.where(converges & np.isfinite(truncation), truncation + rounding[1:], np.inf)
        best = int(np.argmin(error))
        if not np.isfinite(error[best]):
            return None
        k = best + 1
        return Entry(values[k], truncation[best], rounding[k], 0.0, self.steps[k + 1])

    def _bend(self) -> Array:
        """By how much kinks may bend central derivatives: half the distance of the one-sided ones.

        What of that distance falls with the step is curvature, which a central difference does not see; it is
        at most what some step leaves room for, noise included.
        """
        rooms = (self.apart + 4 * self.rounding) / self.steps
        smooth = np.min(rooms, where=np.isfinite(rooms), initial=np.inf)
        return np.asarray(np.maximum(self.apart - smooth * self.steps, 0) / 2)

    def entry_on_kink(self, known: EntryStatus) -> Entry | None:
        """The one-sided derivatives where a jump keeps them apart; where f is smooth they close up with h."""
        apart, rounding = self.apart, self.rounding
        clear = np.flatnonzero(apart > 4 * rounding)
        last = int(clear[-1]) if len(clear) else 0
        if last < 2:
            return None
        stays = apart[last] > 0.8 * apart[last - 1] - 4 * rounding[last] > 0.4 * apart[last - 1]
        if not stays or apart[last - 1] <= 0.7 * apart[last - 2] - 4 * rounding[last - 1]:
            return None
        # Derivatives of either side, their own curvature taken out: (4 D(h/4) − D(h)) / 3.
        both = (self.right, self.left)
        sides = [(RATIO * side[last] - side[last - 1]) / (RATIO - 1) for side in both]
        spread = max(abs(side[last] - side[last - 1]) for side in both)
        if spread > UNSETTLED * apart[last]:
            return None  # slopes that still grow are those of a jump beside the point
        slack = 4 * rounding[last] + spread
        return Entry(
            self.central[last], 0.0, 4 * rounding[last], spread, self.steps[last], min(sides) - slack,
            max(sides) + slack, (known & ~EntryStatus.AVOIDED) | EntryStatus.TOUCHED,
        )  # fmt: skip

    def entry_on_jump(self) -> Entry | None:
        """Where f jumps at the point, so that how far it moves does not shrink with the step."""
        if len(self.steps) < 3:
            return None
        for side in (self.right, self.left):
            moved, noise = np.abs(side * self.steps)[-3:], (self.rounding * self.steps)[-3:]
            if (moved[1:] > STAYS * moved[:-1]).all() and (moved > 8 * noise).all():
                apart = float(self.apart[-1])
                status = EntryStatus.JUMPS
                return Entry(self.central[-1], 0.0, self.rounding[-1], apart, self.steps[-1], status=status)
        return None

    def entry_on_edge(self) -> Entry | None:
        """The derivative to the side on which f is finite, where it is not on the other.

        By (4 D(h/4) − D(h)) / 3 of one-sided derivatives, each error the change to the one before.
        """
        lost = [~np.isfinite(side) for side in (self.right, self.left)]
        if lost[0].all() == lost[1].all():
            return None
        side, used = (self.left, ~lost[1]) if lost[0].all() else (self.right, ~lost[0])
        side, steps, rounding = side[used], self.steps[used], self.rounding[used]
        if len(side) < 3:
            return None
        better = (RATIO * side[1:] - side[:-1]) / (RATIO - 1)
        change, noise = np.abs(np.diff(better)), 2 * rounding[2:]
        best = int(np.argmin(change + noise))
        return Entry(
            better[best + 1], change[best], noise[best], 0.0, steps[best + 2], status=EntryStatus.ONE_SIDED
        )
