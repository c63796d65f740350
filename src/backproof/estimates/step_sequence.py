"""What a sequence of shorter and shorter steps finds of one parameter."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backproof.estimates.record import EntryStatus
from backproof.network.arrays import Array

VAGUE = 1e-3
"""The relative error above which a derivative is vague."""

RATIO = 4.0
"""From one step of a sequence to the next shorter one."""


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
    def vague(self) -> bool:
        """Whether another sequence of steps may find more."""
        certain = self.error <= VAGUE * abs(self.value)
        return bool(self.status & (EntryStatus.TOUCHED | EntryStatus.AVOIDED)) or not certain


@dataclass(frozen=True)
class StepSequence:
    """The derivatives of one parameter at shorter and shorter steps, and their rounding; arrays (steps)."""

    steps: Array
    central: Array
    right: Array
    left: Array
    rounding: Array
    apart: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "apart", np.abs(self.right - self.left))

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
        return Entry(self.central[best], truncation, rounding[best], kink, self.steps[best], status=status)

    def _bend(self) -> Array:
        """By how much kinks may bend central derivatives: half the distance of the one-sided ones.

        What of that distance falls with the step is curvature, which a central difference does not see.
        """
        smooth = np.min(self.apart / self.steps)
        return np.asarray((self.apart - smooth * self.steps) / 2)

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
        slack = 4 * rounding[last] + spread
        return Entry(
            self.central[last], 0.0, 4 * rounding[last], spread, self.steps[last], min(sides) - slack,
            max(sides) + slack, (known & ~EntryStatus.AVOIDED) | EntryStatus.TOUCHED,
        )  # fmt: skip
