"""Steps of entries that are moved together around a kink."""

from __future__ import annotations

import numpy as np

from backproof.estimates.one_sided import Value
from backproof.estimates.record import EntryStatus, Estimate
from backproof.network.arrays import Array, unit_roundoff
from backproof.targets.layout import Index

AUDIBLE = 2.0**17
"""The least that an entry's step should change the loss by, in units of the loss's noise."""

FINE = 2.0**16
"""The shortest step, in units of round-off of the entry."""

ALIKE = 0.05
"""By this share of their distance the derivatives to either side may differ at a longer step."""

CLEAR = 1e-3
"""The share of an entry's derivatives by which those to either side differ where they tell its unit."""

FARTHEST = 2.0**16
"""By how many times a step is made longer at most."""

VANISHES = 1e-7
"""An entry at whose kinks the loss changes by less than this share of the most is moved as it is."""

LONGER = 4.0
"""From one step to the next longer one."""


def noise_of_values(estimate: Estimate) -> float:
    """By how much rounding moves the loss, as the entries' bounds have it."""
    each = np.nan_to_num((estimate.noise * estimate.step).astype(float))
    # Values that are all equal along an entry do not say how they are rounded.
    told = each[~estimate.has(EntryStatus.FLAT)]
    return float(told.max(initial=0))


def lengthened_steps(estimate: Estimate, value: Value, theta: Array, chosen: Index) -> Array:
    """Steps of entries at a kink that can be told from rounding, and meet no other kink, (n).

    A step grows as long as the derivatives to either side stay what they are.

    Args:
        value: the function, of the flat parameters.
        theta: the point, (parameters).
        chosen: among the entries of the estimate.
    """
    part, noise, rest = estimate.at(estimate.index[chosen]), noise_of_values(estimate), float(value(theta))
    steps = part.step.astype(float)

    def change(k: int, step: float) -> float:
        moved = theta.copy()
        moved[part.index[k]] += step
        return (float(value(moved)) - rest) / step

    for k in map(int, np.flatnonzero(part.touched)):
        low, high = sorted((change(k, steps[k]), change(k, -steps[k])))
        apart = high - low > CLEAR * max(abs(low), abs(high))
        farthest = FARTHEST * steps[k]
        while apart and steps[k] < farthest and steps[k] * (high - low) < AUDIBLE * noise:
            longer, slack = LONGER * steps[k], ALIKE * (high - low)
            left, right = sorted((change(k, longer), change(k, -longer)))
            slack += 2 * noise / steps[k]
            if max(abs(left - low), abs(right - high)) > slack:
                break
            steps[k], low, high = longer, left, right
    return steps


def balanced_steps(estimate: Estimate, theta: Array, chosen: Index, longest: Array) -> Array:
    """Steps of some entries, with which the kinks of all of them change the loss by about as much, (n).

    Only then do random points lie on either side of each kink. No step is made so short that it or what it
    changes is lost in rounding.

    Args:
        theta: the point, (parameters).
        chosen: among the entries of the estimate.
        longest: steps that are not to be exceeded, since other kinks may lie beyond them, (n).
    """
    part, noise = estimate.at(estimate.index[chosen]), noise_of_values(estimate)
    largest = np.fmax(np.maximum(np.abs(part.low), np.abs(part.high)), np.abs(part.value)).astype(float)
    jump = np.nan_to_num((part.high - part.low).astype(float), nan=0.0)
    effect = np.where(jump > CLEAR * largest, jump, largest) * longest
    return balanced(effect, np.array([noise]), theta[part.index], longest)


def balanced(effect: Array, noise: Array, theta: Array, longest: Array) -> Array:
    """Steps with which entries change the loss alike, for what they do when moved by the longest; (…, n).

    Args:
        noise: of the loss, (…, 1).
    """
    # What vanishes in noise or beside the others says nothing of its unit.
    effect = np.where(np.isfinite(effect), effect, 0)
    known = effect > np.maximum(noise, VANISHES * effect.max(axis=-1, initial=0, keepdims=True))
    least = np.min(effect, axis=-1, where=known, initial=np.inf, keepdims=True)
    level = np.maximum(least, AUDIBLE * noise)
    shorter = np.where(known, longest * np.minimum(level / np.where(known, effect, 1), 1), longest)
    coarse = unit_roundoff(theta.dtype) * np.abs(theta).astype(float)
    return np.asarray(np.maximum(shorter, np.minimum(FINE * coarse, longest)))
