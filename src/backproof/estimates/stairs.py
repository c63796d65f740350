"""Entries in which a function is constant around the point and rises over many stairs, as a rounded one is.

Its derivative is 0 there, and a step over many stairs finds another number, which a gradient of the function
without its rounding has. Both are right in their way, so that neither is wrong, and the second is not what
the function's values show. Stairs so short as those of lower precision are noise, beside which 0 is wrong.
"""

from __future__ import annotations

import numpy as np

from backproof.estimates.differencer import LONGEST, CoordinateDifferencer
from backproof.estimates.noise import USUAL
from backproof.estimates.record import EntryStatus, Estimate, Mask
from backproof.estimates.step_sequence import RATIO
from backproof.network.arrays import Array, evenly_spaced
from backproof.targets.layout import Index

OWN = 2.0**-14
"""The length of stairs, relative to a parameter's size, from which on they are f's own and no noise."""

BESIDE_EDGE = 2.0**-18
"""The length over which f must be constant at a point near an edge of such stairs."""

HERE = 2.0**-30
"""The length over which f is constant at all points but those on an edge itself."""

ALONE = 2.0**-22
"""Stairs that are longer than those of single precision and those of a single entry, where others have none,
are f's own as well."""

SAME = 1e-3
"""The share of a derivative by which that over the length of a stair may differ from it."""

OTHERS = 3
"""Entries that are looked at to tell that."""

MANY = 32
"""Entries up to which each is looked at; more of them are alike where f rounds them."""


class Stairs:
    """Looks for stairs in entries of an estimate."""

    def __init__(self, differencer: CoordinateDifferencer, found: Estimate, analytic: Array) -> None:
        self.differencer, self.found, self.analytic = differencer, found, analytic

    def leave_open(self, off: Mask, suspect: Mask, maybe: Mask, coarse: Mask) -> None:
        """Mark the entries of which it cannot be said whether f has the derivative under test.

        Args:
            off: entries beyond their bounds.
            suspect: entries within them, though the first step found another derivative or none.
            maybe: those that may lie beside a plateau.
            coarse: those that were measured over what may be many stairs.
        """
        zero = self.analytic == 0
        sloping = [k for k in np.flatnonzero(off & coarse & ~zero).tolist() if self._is_slope_here(k)]
        off = off & ~np.isin(np.arange(len(off)), sloping)
        still = np.flatnonzero(off & zero).tolist()
        left_open = [k for k in still if self._is_constant(k, [OWN, BESIDE_EDGE])]
        left = np.setdiff1d(still, left_open).tolist()
        if len(left) and not self._all_have_stairs(np.flatnonzero(~off & (self.found.value != 0))):
            left_open += [k for k in left if self._is_constant(k, [ALONE])]
        left_open += self._beside_plateaus(np.flatnonzero(suspect & maybe & ~zero))
        beyond = self._beside_plateaus(np.flatnonzero(off & maybe & ~zero))
        left_open += sloping + [k for k in beyond if self._is_mean_slope(k)]
        self.found.status[np.array(left_open, int)] |= np.uint8(EntryStatus.OPEN)

    def _sides(self, k: int, length: float) -> tuple[float, float, float]:
        """Derivatives over a length, relative to the entry's size: central, to the right and to the left."""
        index = self.found.index[k : k + 1]
        central, right, left = self.differencer.at(index, length * self.differencer.sizes[index])
        return float(central[0]), float(right[0]), float(left[0])

    def _is_constant(self, k: int, lengths: list[float]) -> bool:
        """Whether f does not change at all over one of some lengths to both sides."""
        return any(not any(self._sides(k, length)) for length in lengths)

    def _is_slope_here(self, k: int) -> bool:
        """Whether the derivative under test is that between two stairs, which rise as a remainder does."""
        rounding = USUAL * self.differencer.digits * self.differencer.scale
        size, derivative = float(self.differencer.sizes[self.found.index[k]]), float(self.analytic[k])
        for length in (OWN, OWN / RATIO):
            slack = SAME * abs(derivative) + rounding / (length * size)
            if not all(abs(side - derivative) <= slack for side in self._sides(k, length)):
                return False
        return True

    def _all_have_stairs(self, others: Index) -> bool:
        """Whether some other entries show stairs as well, as those of lower precision do."""
        chosen = others[evenly_spaced(len(others), OTHERS)]
        return len(others) > 0 and all(self._is_constant(k, [ALONE, ALONE / RATIO]) for k in chosen)

    def _beside_plateaus(self, entries: Index) -> list[int]:
        """Those beside a plateau; of many entries none where none of some is, spread over them."""
        if len(entries) > MANY:
            chosen = entries[evenly_spaced(len(entries), MANY)]
            if not any(self._beside_plateau(k) for k in chosen.tolist()):
                return []
        return [k for k in entries.tolist() if self._beside_plateau(k)]

    def _beside_plateau(self, k: int) -> bool:
        """Whether f is constant over the length of long stairs to one side, at least from near the point."""
        index = self.found.index[k : k + 1]
        size = self.differencer.sizes[index]
        start = self.differencer.function.start[index]
        last_digits = USUAL * self.differencer.digits * abs(float(self.differencer.value))
        if not abs(float(self.analytic[k] * size[0])) * OWN > last_digits:
            return False  # f could not be seen to change
        if not self._is_constant(k, [HERE]):
            return False  # it is constant beside the point, as next to a narrow peak, but not there

        def value(length: float) -> float:
            return float(self.differencer.value_with(int(index[0]), (start + length * size)[0]))

        return any(value(side * OWN) == value(side * BESIDE_EDGE) for side in (1.0, -1.0))

    def _is_mean_slope(self, k: int) -> bool:
        """Whether the derivative under test is that over many stairs, as well as that can be told.

        An entry that is far smaller than its tensor may be smaller than a stair.
        """
        index, sizes = int(self.found.index[k]), self.differencer.sizes
        blocks = (tensor.block for tensor in self.differencer.function.layout.tensors)
        beside = next(sizes[block] for block in blocks if block.start <= index < block.stop)
        longest, plateau = LONGEST * float(beside.max() / sizes[index]), OWN
        while plateau < longest and self._is_constant(k, [RATIO * plateau]):
            plateau *= RATIO
        central, right, left = self._sides(k, longest)
        slack = abs(right - left) / 2 + abs(central) * RATIO * plateau / longest
        return bool(abs(self.analytic[k] - central) <= slack)
