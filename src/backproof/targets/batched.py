"""A function at many points: by one call for all where it allows that, or else one after another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from backproof.errors import FunctionError
from backproof.network.arrays import Array, evenly_spaced

MOST = 1 << 18
"""Numbers, of the points or of what the function returns, that are asked for by one call."""

COMPARED = 3
"""Points of the first call at which the function is evaluated on its own as well."""

ROUNDINGS = 2.0**10
"""Units of round-off of the largest number by which both may differ."""

One = Callable[[Array], Array]
"""x → F(x), flat; raises FunctionError where F does."""

Many = Callable[[Array], Array]
"""(points, parameters) → (points, outputs); raises anything where F refuses many points at once."""


class Batched:
    """F at many points, (points, parameters) → (points, outputs); NaN where it raises, but for the first.

    Whether F takes many at once is found by trying: what it does then at a few points is compared with what
    it does at each alone. It is not asked again once it raised, or returned other numbers but for rounding.
    """

    def __init__(self, one: One, many: Many | None) -> None:
        self.one, self._many, self._compared, self._width = one, many, False, 0

    def __call__(self, points: Array) -> Array:
        points = np.ascontiguousarray(points)
        _, first, place = np.unique(
            points.view(f"V{points.strides[0]}").ravel(), return_index=True, return_inverse=True
        )
        distinct = points[np.sort(first)]
        found = self._at(distinct)
        return found[np.argsort(np.argsort(first))[place]]

    def _at(self, points: Array) -> Array:
        self._width = self._width or len(self.one(points[0]))
        size = max(1, MOST // max(points.shape[1], self._width))
        chunks = [points[k : k + size] for k in range(0, len(points), size)]
        return np.concatenate([self._chunk(chunk) for chunk in chunks])

    def _chunk(self, points: Array) -> Array:
        if self._many is None:
            return self._one_by_one(points)
        try:
            found = self._many(points)
        except Exception:  # whatever the library or the function has against it
            self._many = None
            return self._one_by_one(points)
        if not self._compared and not self._alike(points, found):
            self._many = None
            return self._one_by_one(points)
        self._compared = True
        return found

    def _one_by_one(self, points: Array) -> Array:
        found = np.full((len(points), self._width), np.nan)
        for k, x in enumerate(points):
            with suppress(FunctionError):
                found[k] = self.one(x)
        return found

    def _alike(self, points: Array, found: Array) -> bool:
        chosen = evenly_spaced(len(points), COMPARED)
        alone, together = self._one_by_one(points[chosen]), found[chosen]
        finite = alone[np.isfinite(alone)]
        slack = ROUNDINGS * np.finfo(float).eps / 2 * np.abs(finite).max(initial=0)
        with np.errstate(invalid="ignore"):
            near = np.abs(alone - together) <= slack
        return bool((near | (alone == together) | (np.isnan(alone) & np.isnan(together))).all())
